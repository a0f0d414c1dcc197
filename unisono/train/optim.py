"""One optimizer recipe for everything that is trained here: AdamW, or Muon for the matrices and AdamW for the
rest.
"""

from typing import Any

import torch
from torch import Tensor, nn

from unisono.train.muon import Muon
from unisono.train.mup import is_between_layers, muon_rate, rate
from unisono.train.sharding import like, own_rows
from unisono.train.trainable import RowRates


class Optimizers:
    """Behaves as one optimizer. Embeddings never go to Muon; vectors are never decayed."""

    def __init__(
        self,
        module: nn.Module,
        learning_rate: float,
        *,
        weight_decay: float,
        betas: tuple[float, float],
        muon: bool,
        rows: RowRates | None = None,
        ratio: float = 1.0,
    ) -> None:
        """ratio: the network's width beside that of the learning rate; see train/mup.py."""
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        matrices = [p for name, p in named if muon and is_between_layers(name, p)]
        taken = {id(p) for p in matrices}
        kinds: dict[tuple[bool, float], list[nn.Parameter]] = {(True, 1.0): [], (False, 1.0): []}
        for name, p in named:
            if id(p) not in taken:
                kinds.setdefault((p.ndim >= 2, rate(name, p, ratio)), []).append(p)
        groups = [  # as much of a weight decays in a step, whatever its rate
            {
                "params": kinds[kind],
                "weight_decay": weight_decay / kind[1] if kind[0] else 0.0,
                "rate": kind[1],
            }
            for kind in sorted(kinds, reverse=True)
        ]
        self.parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=learning_rate, betas=betas, fused=True)
        ]
        if matrices:
            self.parts.append(Muon(matrices, learning_rate, weight_decay / muon_rate(ratio)))
            self.parts[-1].param_groups[0]["rate"] = muon_rate(ratio)
        self.learning_rate, self.rows = learning_rate, rows
        self.tables = [
            p for name, p in named if rows and p.ndim == 2 and ("embed" in name or "lm_head" in name)
        ]

    def scale(self, factor: float) -> None:
        """Sets every learning rate to `factor` times its peak."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = (
                    self.learning_rate * factor * group.get("rate", 1.0)
                )  # older checkpoints name none

    def zero_grad(self) -> None:
        """Forgets all gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        """One update."""
        kept = [self.rows.kept(*rows) for rows in self._own_rows()] if self.rows else []
        for part in self.parts:
            part.step()
        if self.rows:
            with torch.no_grad():
                for (table, first), before in zip(self._own_rows(), kept, strict=True):
                    self.rows.apply(table, first, before)

    def _own_rows(self) -> list[tuple[Tensor, int]]:
        """The rows of each table that this process keeps, and the number of the first of them."""
        return [own_rows(table) for table in self.tables]

    def state_dict(self) -> dict[str, Any]:
        """State of every part, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` gave."""
        for part, stored in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(stored)
            for parameter, values in part.state.items():  # of a sharded weight, this process keeps its share
                for name, value in values.items():
                    if isinstance(value, Tensor) and value.shape == parameter.shape:
                        values[name] = like(value, parameter)
