"""What a linear reading of hidden states can be regularized with besides weight decay, for rare categories.

none     weight decay alone
dropout  the explicit effect of dropout's noise, to second order: the noise's covariance times the curvature
         (Wei, Kakade and Ma 2020, arXiv 2002.12915). Its implicit effect is noise of mean zero in the
         gradient. The loss of a linear reading is convex and is minimized whole, so that noise moves nothing.
margin   the all-layer margin (Wei and Ma 2020, arXiv 1910.04284). A linear reading has one layer: what is
         left is the plain margin, and the worst perturbation has a closed form.
ldam     larger margins for rarer labels, and re-weighting in the second half (Cao et al. 2019,
         arXiv 1906.07413)

Shapes: B phrases, D inputs, K categories.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from unisono.core.errors import UserError

KINDS = ("none", "dropout", "margin", "ldam")
BETA = 0.9999  # of the effective number of samples (Cui et al. 2019, arXiv 1901.05555), as LDAM takes it


@dataclass(frozen=True)
class Regularizer:
    """A kind and how strong it is.

    `strength`: of dropout q / (1 - q) for a rate q; of margin the size of a perturbation beside the input's;
    of ldam the margin of the rarest label, in logits.
    """

    kind: str = "none"
    strength: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"regularize must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if not 0 <= self.strength < float("inf"):
            raise UserError(f"the strength of a regularizer must be at least 0, got {self.strength}")

    @property
    def halves(self) -> tuple[bool, ...]:
        """Of the training, one after the other: whether rare labels weigh more in it."""
        return (False, True) if self.kind == "ldam" else (False,)

    def loss(self, x: Tensor, y: Tensor, weight: Tensor, bias: Tensor, is_second: bool = False) -> Tensor:
        """(B, D) inputs, (B, K) targets 0 or 1, (K, D), (K,) -> the mean loss in nats, without weight decay.

        `is_second`: in the second half.
        """
        logits, sign = x @ weight.T + bias, 2 * y - 1
        if self.kind == "margin":
            lengths = (weight.square().sum(1) + 1e-12).sqrt()
            logits = logits - sign * self.strength * x.norm(dim=1)[:, None] * lengths
        counts = torch.where(y > 0, y.sum(0), (1 - y).sum(0)).clamp(min=1)  # (B, K) phrases of that label
        if self.kind == "ldam":
            logits = logits - sign * self.strength * (counts.min() / counts) ** 0.25
        weights = torch.ones_like(y)
        if is_second:
            weights = (1 - BETA) / (1 - BETA**counts)
            weights = weights / weights.mean()
        loss = functional.binary_cross_entropy_with_logits(logits, y, weights)
        if self.kind == "dropout":
            chance = torch.sigmoid(logits)
            noise = x.square() @ weight.square().T  # (B, K) variance of a logit, over q / (1 - q)
            loss = loss + self.strength / 2 * (chance * (1 - chance) * noise).mean()
        return loss


NONE = Regularizer()
