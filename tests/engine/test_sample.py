"""The dice: temperature, cuts, seeds and repeats."""

import numpy as np
import pytest

from unisono.core.errors import UserError
from unisono.engine.sample import GREEDY, Sampler, Sampling, choose, probabilities

LOGITS = np.log(np.array([0.1, 0.4, 0.05, 0.3, 0.15], np.float32))


def frequencies(sampling: Sampling, draws: int = 2000) -> np.ndarray:
    uniforms = (np.arange(draws) + 0.5) / draws  # evenly spread, so that the shares are exact
    return np.bincount([choose(LOGITS, sampling, float(u)) for u in uniforms], minlength=5) / draws


def test_temperature_one_draws_what_the_network_says() -> None:
    assert np.allclose(frequencies(Sampling()), [0.1, 0.4, 0.05, 0.3, 0.15], atol=2e-3)
    assert np.allclose(probabilities(LOGITS), [0.1, 0.4, 0.05, 0.3, 0.15])


def test_temperature_sharpens() -> None:
    expected = np.array([0.1, 0.4, 0.05, 0.3, 0.15]) ** 2
    assert np.allclose(frequencies(Sampling(temperature=0.5)), expected / expected.sum(), atol=2e-3)
    assert frequencies(GREEDY)[1] == 1


@pytest.mark.parametrize(
    "sampling, kept",
    [
        (Sampling(top_k=2), [1, 3]),
        (Sampling(top_k=1), [1]),
        (Sampling(top_k=99), [0, 1, 2, 3, 4]),
        (Sampling(top_p=0.69), [1, 3]),
        (Sampling(top_p=0.75), [1, 3, 4]),
        (Sampling(top_p=0.01), [1]),
        (Sampling(top_k=3, top_p=0.9), [1, 3, 4]),
        (Sampling(top_k=3, top_p=0.8), [1, 3]),
    ],
)
def test_cuts_keep_the_likeliest(sampling: Sampling, kept: list[int]) -> None:
    shares = frequencies(sampling)
    assert np.flatnonzero(shares).tolist() == kept
    wanted = np.exp(LOGITS[kept])
    assert np.allclose(shares[kept], wanted / wanted.sum(), atol=2e-3)


def test_only_allowed_ids_are_chosen_and_seeds_repeat() -> None:
    mask = np.array([True, False, True, False, True])
    first, second, other = (Sampler(seed=seed) for seed in (1, 1, 2))
    draws = [[sampler.choose(LOGITS, mask, "text") for _ in range(50)] for sampler in (first, second, other)]
    assert draws[0] == draws[1] != draws[2]
    assert set(draws[0]) <= {0, 2, 4}


def test_each_modality_has_its_settings() -> None:
    sampler = Sampler({"text": GREEDY, "audio": Sampling(temperature=5.0)}, seed=0)
    mask = np.ones(5, np.bool_)
    assert {sampler.choose(LOGITS, mask, "text") for _ in range(30)} == {1}
    assert len({sampler.choose(LOGITS, mask, "audio") for _ in range(60)}) == 5


@pytest.mark.parametrize(
    "settings",
    [dict(temperature=-1), dict(top_p=0), dict(top_p=1.5), dict(top_k=-1), dict(temperature=float("nan"))],
)
def test_impossible_settings_are_refused(settings: dict) -> None:
    with pytest.raises(UserError):
        Sampling(**settings)
    with pytest.raises(UserError, match="not for smell"):
        Sampler({"smell": Sampling()})


@pytest.mark.parametrize("spread", [0.1, 3.0])
def test_cutting_thousands_of_ids_is_the_same_as_sorting_them_all(spread: float) -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        logits = (spread * rng.normal(size=4000)).astype(np.float32)
        share, uniform = rng.uniform(0.05, 1), rng.random()
        weights = probabilities(logits)
        descending = np.argsort(-weights, kind="stable")
        kept = descending[: int(np.searchsorted(np.cumsum(weights[descending]), share)) + 1]
        total = np.cumsum(weights[kept])
        expected = kept[np.searchsorted(total, uniform * total[-1], side="right")]
        assert choose(logits, Sampling(top_p=share), uniform) == expected
