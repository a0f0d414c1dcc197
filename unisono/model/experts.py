"""Mixture of experts as in Qwen3-MoE: a layer has several MLPs, and each id goes through a few of them.

A linear router (`gate`) scores the experts; the best `num_experts_per_tok` work on the id, weighted by the
softmax of their scores. With hash routing (Roller et al. 2021, arXiv 2106.04426) there is no router: the id,
modulo the number of experts, is the expert. No expert refuses an id for being full.

A training may choose otherwise: it sets `choose` and `is_watched`, and reads `routed`; see train/routing.py.

Shapes: N ids of all rows, C hidden_size, E experts, A experts that work on an id.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unisono.model.config import HASHED, Qwen3Config


@dataclass
class Routed:
    """What a router saw and did in one forward pass."""

    scores: Tensor  # (N, E), before the softmax
    chosen: Tensor  # (N, A) numbers of experts
    expected: Tensor | None = None  # (N,) reward of each id, where the router expects one


class Experts(nn.Module):
    """Hugging Face's Qwen3MoeSparseMoeBlock."""

    def __init__(self, config: Qwen3Config, experts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.num_chosen, self.adds_up = config.num_experts_per_tok, config.norm_topk_prob
        is_hashed = config.model_type == HASHED
        self.gate = None if is_hashed else nn.Linear(config.hidden_size, len(experts), bias=False)
        self.experts = nn.ModuleList(experts)
        # While training: (N, E) scores, (N, C) hidden states -> (N, A) the chosen, (N,) expected rewards.
        self.choose: nn.Module | None = None
        self.is_watched = False  # whether the next forward passes are kept in `routed`
        self.routed: Routed | None = None

    # How many ids an expert gets is not known before; a compiled graph would be made anew for each number.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        """(B, T, C) hidden states and their (B, T) ids -> (B, T, C)."""
        flat = x.flatten(0, 1)
        chosen, weights = self.route(flat, ids.flatten())
        return self.mixed(flat, chosen, weights.to(x.dtype)).view_as(x)

    def route(self, x: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C) hidden states, (N,) ids -> (N, A) numbers of experts, (N, A) their weights."""
        if self.gate is None:
            chosen = ids[:, None] % len(self.experts)
            return chosen, torch.ones_like(chosen, dtype=x.dtype)
        scores = self.gate(x)
        shares, expected = scores.float().softmax(-1), None
        if self.training and self.choose is not None:
            chosen, expected = self.choose(scores.detach().float(), x.detach())
        else:
            chosen = shares.topk(self.num_chosen, dim=-1).indices
        weights = shares.gather(-1, chosen)
        if self.adds_up:
            weights = weights / weights.sum(-1, keepdim=True)
        if self.is_watched:
            self.routed = Routed(scores, chosen, expected)
        return chosen, weights

    def mixed(self, x: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        """(N, C) -> (N, C): what the chosen experts make of each id, added up by weight.

        While training an expert without ids takes part too, so that it has a gradient, of zeros, in every
        process.
        """
        order = chosen.flatten().argsort(stable=True)  # by expert
        counts = chosen.flatten().bincount(minlength=len(self.experts)).tolist()
        parts = x[order // chosen.shape[1]].split(counts)
        made = [expert(part) for expert, part in zip(self.experts, parts) if self.training or len(part)]
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=order.device)
        by_id = torch.cat(made)[back].view(*chosen.shape, -1)  # (N, A, C)
        return (by_id * weights[..., None]).sum(1)
