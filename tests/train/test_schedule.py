"""The learning rate: up, then down a cosine, and the loop keeps to it."""

from functools import partial
from pathlib import Path

import pytest
import torch
from test_loop import CONFIG, Line
from torch import nn

from unisono.train.loop import run
from unisono.train.optim import Optimizers
from unisono.train.schedule import warmup_cosine


def test_up_and_down() -> None:
    rate = partial(warmup_cosine, num_steps=12, warmup_steps=2, floor=0.05)
    assert [rate(step) for step in (0, 1, 2, 7, 12, 20)] == pytest.approx([0.5, 1, 1, 0.525, 0.05, 0.05])


def test_the_loop_keeps_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, scale = [], Optimizers.scale
    monkeypatch.setattr(Optimizers, "scale", lambda self, factor: told.append(factor) or scale(self, factor))
    run(Line(), CONFIG, tmp_path)
    assert told == [
        warmup_cosine(step, num_steps=CONFIG.num_steps, warmup_steps=CONFIG.warmup_steps, floor=CONFIG.floor)
        for step in range(CONFIG.num_steps)
    ]


def test_a_scaled_rate_is_that_of_every_part() -> None:
    made = Optimizers(nn.Linear(3, 3), 0.2, weight_decay=0.1, betas=(0.9, 0.95), muon=True)
    made.scale(0.5)
    assert {group["lr"] for part in made.parts for group in part.param_groups} == {0.1} and len(
        made.parts
    ) == 2


def test_what_goes_to_muon_and_what_is_decayed() -> None:
    model = nn.ModuleDict({"embed": nn.Embedding(4, 8), "line": nn.Linear(8, 8)})
    adam, muon = Optimizers(model, 1.0, weight_decay=0.1, betas=(0.9, 0.95), muon=True).parts
    assert [p is model["line"].weight for group in muon.param_groups for p in group["params"]] == [True]
    assert [
        (group["weight_decay"], [tuple(p.shape) for p in group["params"]]) for group in adam.param_groups
    ] == [(0.1, [(4, 8)]), (0.0, [(8,)])]


def test_large_gradients_are_clipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Steep(Line):
        def loss(self, batch: dict[str, torch.Tensor], step: int) -> tuple:
            loss, parts = super().loss(batch, step)
            return 1e6 * loss, parts

    norms, step, program = [], Optimizers.step, Steep()

    def noted(self: Optimizers) -> None:
        norms.append(float(torch.stack([p.grad.norm() for p in program.model.parameters()]).norm()))
        step(self)

    monkeypatch.setattr(Optimizers, "step", noted)
    program.modules = {"line": (program.model, program.loss)}
    run(program, CONFIG, tmp_path)
    assert norms and max(norms) <= 1.001 * CONFIG.max_grad_norm
