"""Each regularizer's loss is what its paper says of a linear reading."""

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from unisono.core.errors import UserError
from unisono.train.moderation import fit
from unisono.train.regularize import BETA, KINDS, Regularizer

B, D, K = 40, 6, 3


@pytest.fixture
def given() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(B, D) inputs, (B, K) targets of which the last are rare, (K, D), (K,)."""
    generator = torch.Generator().manual_seed(0)
    y = (torch.rand(B, K, generator=generator) < torch.tensor([0.5, 0.3, 0.1])).float()
    y[0] = 1
    x, weight = torch.randn(B, D, generator=generator), torch.randn(K, D, generator=generator)
    return x, y, weight, torch.randn(K, generator=generator)


@pytest.mark.parametrize("kind", KINDS)
def test_without_strength_it_is_cross_entropy(kind: str, given: tuple[torch.Tensor, ...]) -> None:
    x, y, weight, bias = given
    loss = Regularizer(kind, 0.0).loss(x, y, weight, bias)
    assert torch.allclose(loss, cross_entropy(x @ weight.T + bias, y))


def test_dropout_costs_what_noise_of_its_covariance_costs_on_average(given: tuple[torch.Tensor, ...]) -> None:
    x, y, weight, bias = given
    weight, rate, generator = 0.3 * weight, 0.02, torch.Generator().manual_seed(1)
    noise = (rate / (1 - rate)) ** 0.5 * torch.randn(20_000, B, D, generator=generator)
    noisy = (x * (1 + noise)) @ weight.T + bias
    plain = Regularizer().loss(x, y, weight, bias)
    cost = cross_entropy(noisy, y.expand_as(noisy)) - plain
    told = Regularizer("dropout", rate / (1 - rate)).loss(x, y, weight, bias) - plain
    assert told > 0 and torch.allclose(cost, told, rtol=0.1)


def test_margin_is_the_loss_at_the_worst_inputs(given: tuple[torch.Tensor, ...]) -> None:
    x, y, weight, bias = given
    size = 0.1 * x.norm(dim=1, keepdim=True)
    for category in range(K):
        own, wanted = weight[category : category + 1], y[:, category : category + 1]
        away = -(2 * wanted - 1) * own / own.norm()
        worst = cross_entropy((x + size * away) @ own.T + bias[category], wanted)
        told = Regularizer("margin", 0.1).loss(x, wanted, own, bias[category : category + 1])
        assert torch.allclose(told, worst, atol=1e-5)
        other = torch.nn.functional.normalize(torch.randn(B, D), dim=1)
        assert cross_entropy((x + size * other) @ own.T + bias[category], wanted) < worst


def test_ldam_asks_more_of_rarer_labels_and_weighs_them_later(given: tuple[torch.Tensor, ...]) -> None:
    x, y, weight, bias = given
    zero = torch.zeros_like(weight), torch.zeros_like(bias)
    regularizer = Regularizer("ldam", 2.0)
    counts = torch.where(y > 0, y.sum(0), (1 - y).sum(0))
    margins = 2.0 * (counts.min() / counts) ** 0.25
    assert margins.max() == 2 and margins.min() < 2
    assert torch.allclose(regularizer.loss(x, y, *zero), torch.nn.functional.softplus(margins).mean())
    weights = (1 - BETA) / (1 - BETA**counts)
    later = regularizer.loss(x, y, *zero, is_second=True)
    wanted = (weights * torch.nn.functional.softplus(margins)).mean() / weights.mean()
    assert torch.allclose(later, wanted) and regularizer.halves == (False, True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reading_that_is_regularized_learns(kind: str) -> None:
    rng = np.random.default_rng(0)
    wanted = (rng.random((200, 2)) < [0.5, 0.1]).astype(np.float32)
    inputs = rng.standard_normal((200, 5)).astype(np.float32) + 3 * np.pad(wanted, ((0, 0), (0, 3)))
    weight, bias = fit(inputs, wanted, 1e-3, Regularizer(kind, 0.1))
    right = (inputs @ weight.T + bias > 0) == (wanted > 0)
    assert right.mean() > 0.9 and np.isfinite(weight).all()


@pytest.mark.parametrize(
    "kind, strength, message",
    [
        ("mixup", 0.1, "regularize must be one of none, dropout, margin, ldam, got 'mixup'"),
        ("ldam", -1.0, "must be at least 0"),
        ("ldam", float("nan"), "must be at least 0"),
    ],
)
def test_what_is_no_regularizer_is_refused(kind: str, strength: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Regularizer(kind, strength)
