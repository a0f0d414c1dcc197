"""Maximal update parametrization (Yang et al. 2022, "Tensor Programs V", arXiv 2203.03466, table 8): the
learning rate that is best for a narrow network is best for a wide one.

With m the width beside that of the narrow network: matrices between layers begin 1/sqrt(m) as large, and
learn at 1/m of the rate by AdamW. Muon's steps are as large as AdamW's in each entry but of full rank: what
they change grows with sqrt(m), so they take 1/sqrt(m). Logits are divided by m: the weight of the last norm
begins at 1/m and learns at 1/m. So there is no multiplier, and what is saved is a plain folder. Heads become
more, not wider; attention stays as it is.
"""

import torch
from torch import Tensor

from unisono.core.errors import UserError
from unisono.model.transformer import Qwen3

# Matrices with a side that no width changes: tables of ids, routers of experts and what those expect.
EDGES = ("embed", "lm_head", "mlp.gate.", "mlp.choose.")


def width_ratio(model: Qwen3, width: int) -> float:
    """m, beside a network of this hidden_size. UserError for no width."""
    if width < 1:
        raise UserError(f"mup is the hidden_size at which the learning rate was found, got {width}")
    return model.config.hidden_size / width


@torch.no_grad()
def initialize(model: Qwen3, ratio: float) -> None:
    """The first weights, as they are drawn for a width of ratio 1, made those of this width."""
    for block in model.layers:
        for weight in block.parameters():
            if weight.ndim == 2:
                weight.mul_(ratio**-0.5)
    model.norm.weight.div_(ratio)


def is_between_layers(name: str, weight: Tensor) -> bool:
    """Whether both sides of a matrix grow with the width."""
    return weight.ndim == 2 and not any(edge in name for edge in EDGES)


def rate(name: str, weight: Tensor, ratio: float) -> float:
    """How fast AdamW moves a weight of the network, beside the learning rate."""
    return 1 / ratio if is_between_layers(name, weight) or name == "norm.weight" else 1.0


def muon_rate(ratio: float) -> float:
    """How fast Muon moves its matrices, beside the learning rate."""
    return ratio**-0.5
