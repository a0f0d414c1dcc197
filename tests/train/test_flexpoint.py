"""16-bit numbers in training: values that fit, exponents that follow, exact resume, and a plain folder."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import crumb
import pytest
import torch

from unisono.core.errors import UserError
from unisono.data.shards.shard import Shard
from unisono.model.hf import load_pretrained
from unisono.train.flexpoint import HIGHEST, LARGEST, LOWEST, NUM_MAXIMA, Emulation, Exponent, rounded
from unisono.train.loop import run
from unisono.train.network import NetworkProgram, NetworkRecipe

FLEXPOINT = replace(
    crumb.RECIPE, precision="flexpoint16", loop=replace(crumb.RECIPE.loop, num_steps=60, validate_every=60)
)


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Shard:
    return crumb.documents(tmp_path_factory.mktemp("shard"), 8)


def exponents(program: NetworkProgram) -> dict[str, Exponent]:
    emulation = program.model.get_submodule("emulation")
    assert isinstance(emulation, Emulation)
    return emulation.exponents


def test_values_are_multiples_that_16_bits_hold() -> None:
    x = torch.tensor([0.3, -0.3, 7.99, 1e6, -1e6, 0.0, 1e-9])
    mantissas = rounded(x, -12) * 2**12
    assert mantissas.tolist() == [1229, -1229, 32727, LARGEST, -LARGEST - 1, 0, 0]


@pytest.mark.parametrize("largest", [3e-7, 4e-5, 0.02, 1.0, 77.0, 9000.0])
def test_the_first_exponent_leaves_most_bits_in_use(largest: float) -> None:
    exponent = Exponent()
    exponent.begin(largest)
    mantissa = largest * 2.0**-exponent.value
    assert mantissa <= LARGEST and (mantissa >= 2**12 or exponent.value == LOWEST)


def test_the_exponent_follows_what_is_written() -> None:
    exponent = Exponent()
    exponent.begin(1.0)
    for _ in range(40):
        exponent.learn(1.0)
    assert len(exponent.maxima) == NUM_MAXIMA and 2**12 <= 2.0**-exponent.value < 2**15
    before = exponent.value
    exponent.learn(1000.0)  # far more than fits: it saturates once, and what was before is forgotten
    assert len(exponent.maxima) == 1 and exponent.value > before
    for _ in range(10):
        exponent.learn(1000.0)
    assert 1000 * 2.0**-exponent.value < LARGEST
    for _ in range(200):
        exponent.learn(1e-3)
    assert 2**11 <= 1e-3 * 2.0**-exponent.value < LARGEST


def test_exponents_stay_within_five_bits() -> None:
    small, large = Exponent(), Exponent()
    for exponent, largest in ((small, 0.0), (large, 1e9)):
        exponent.begin(largest)
        for _ in range(20):
            exponent.learn(largest)
    assert small.value == LOWEST and large.value == HIGHEST


@pytest.fixture(scope="module")
def trained(shard: Shard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NetworkProgram, Path]]:
    folder = tmp_path_factory.mktemp("trained")
    program = NetworkProgram(FLEXPOINT, shard, shard)
    run(program, FLEXPOINT.loop, folder)
    yield program, folder


def test_it_learns_a_crumb_and_is_saved_as_a_plain_folder(trained: tuple[NetworkProgram, Path]) -> None:
    program, folder = trained
    assert max(program.validate().values()) < 1.0
    again = load_pretrained(folder / "network")
    for name, weight in again.named_parameters():
        assert torch.equal(weight, program.model.get_parameter(name))
        scales = [2.0**n for n in range(LOWEST, HIGHEST + 1)]
        fitting = [scale for scale in scales if float(weight.detach().abs().max()) <= LARGEST * scale]
        assert any(torch.equal((weight / scale).round() * scale, weight) for scale in fitting), name


def test_all_products_are_seen_on_the_way_forward_and_back(trained: tuple[NetworkProgram, Path]) -> None:
    program, _ = trained
    seen, layers = exponents(program), program.model.config.num_hidden_layers
    weights = [name for name, p in program.model.named_parameters() if p.ndim == 2]
    for name in weights:
        assert {f"{name} {part}" for part in ("in", "in gradient", "out", "out gradient", "gradient")} <= set(
            seen
        )
    assert {f"attention {n} v gradient" for n in range(layers)} <= set(seen)
    assert f"attention {layers} q" not in seen


def test_every_weight_is_a_number_of_its_kind_after_each_step(shard: Shard, tmp_path: Path) -> None:
    recipe = replace(FLEXPOINT, precision="fixed16:10", loop=replace(FLEXPOINT.loop, num_steps=2))
    program = NetworkProgram(recipe, shard, shard)
    run(program, recipe.loop, tmp_path)
    assert all(torch.equal(p, rounded(p, -10)) for p in program.model.parameters())
    assert all(p.count_nonzero() > p.numel() / 4 for p in program.model.parameters())


def test_one_that_is_stopped_after_each_step_becomes_the_same(shard: Shard, tmp_path: Path) -> None:
    recipe = replace(FLEXPOINT, loop=replace(FLEXPOINT.loop, num_steps=4, validate_every=2))
    whole = NetworkProgram(recipe, shard, shard)
    run(whole, recipe.loop, tmp_path / "whole")
    for _ in range(4):
        last = NetworkProgram(recipe, shard, shard)
        outcome = run(last, replace(recipe.loop, time_limit_s=1e-9), tmp_path / "parts")
    assert outcome.finished and exponents(whole) == exponents(last)
    assert all(torch.equal(a, b) for a, b in zip(whole.model.parameters(), last.model.parameters()))


def test_judging_changes_no_exponent(trained: tuple[NetworkProgram, Path]) -> None:
    program, _ = trained
    before = {name: Exponent(one.value, list(one.maxima)) for name, one in exponents(program).items()}
    with torch.no_grad():
        program.validate()
    assert exponents(program) == before


def test_a_checkpoint_of_another_precision_is_refused(
    trained: tuple[NetworkProgram, Path], shard: Shard
) -> None:
    _, folder = trained
    for changes in ({"precision": "bf16"}, {"precision": "fixed16"}):
        recipe = replace(FLEXPOINT, **changes, loop=replace(FLEXPOINT.loop, num_steps=61))
        with pytest.raises(UserError, match="another size or recipe"):
            run(NetworkProgram(recipe, shard, shard), recipe.loop, folder)


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"precision": "fp4"}, "no precision 'fp4'"),
        ({"precision": "fixed16:40"}, "with 0 to 31 bits behind the point"),
        ({"precision": "fixed16:"}, "expected fixed16:BITS"),
        ({"precision": "float32:8"}, "no precision"),
        ({"precision": "flexpoint16", "recompute": True}, "without recompute"),
    ],
)
def test_what_does_not_fit_is_told(changes: dict, told: str, shard: Shard) -> None:
    with pytest.raises(UserError, match=told):
        NetworkProgram(replace(crumb.RECIPE, **changes), shard, shard)


def test_several_processes_are_refused(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="in one process"):
        NetworkProgram(replace(crumb.RECIPE, precision="fixed16"), shard, shard)


def test_what_is_empty_is_left_as_it_is() -> None:
    """An expert may get no id."""
    emulation = Emulation(torch.nn.Linear(2, 2))
    assert emulation.kept(torch.zeros(0, 2), "nothing").shape == (0, 2)
    assert "nothing" not in emulation.exponents


def test_the_usual_recipe_is_what_it_was() -> None:
    assert NetworkRecipe().precision == "bf16"
