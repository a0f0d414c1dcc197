"""Muon: what torch's does one matrix after the other, for all of one shape at once."""

import copy

import pytest
import torch
from torch import nn

from unisono.train.muon import Muon, orthogonal

SHAPES = ((24, 24), (24, 24), (8, 40), (40, 8), (40, 8), (1, 5))


def matrices() -> list[nn.Parameter]:
    torch.manual_seed(3)
    return [nn.Parameter(torch.randn(shape)) for shape in SHAPES]


def test_updates_are_those_of_torch() -> None:
    ours = matrices()
    theirs = copy.deepcopy(ours)
    optimizers = (
        Muon(ours, 0.02, 0.1),
        torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(4):
        for one, other in zip(ours, theirs):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for start, one, other in zip(matrices(), ours, theirs):
        assert (one - other).norm() < 0.03 * (
            one - start
        ).norm()  # both compute in bfloat16, and add up in another order


def test_singular_values_come_near_one() -> None:
    values = torch.linalg.svdvals(orthogonal(torch.randn(3, 16, 48)).float())
    assert 0.6 < values.min() and values.max() < 1.3
    assert torch.isfinite(orthogonal(torch.zeros(2, 4, 4))).all()


def test_a_matrix_without_a_gradient_stays_and_state_comes_back() -> None:
    ours = matrices()
    optimizer, before = Muon(ours, 0.02, 0.1), ours[1].detach().clone()
    ours[0].grad = torch.ones_like(ours[0])
    optimizer.step()
    assert torch.equal(ours[1], before) and not torch.equal(ours[0], before)
    again = copy.deepcopy(ours)
    other = Muon(again, 0.5, 0.1)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    again[0].grad = ours[0].grad = torch.eye(24)
    optimizer.step()
    other.step()
    assert torch.equal(ours[0], again[0]) and other.param_groups[0]["lr"] == pytest.approx(0.02)
