"""Muon, with all matrices of one shape orthogonalized at once.

Jordan et al. 2024 (kellerjordan.github.io/posts/muon). torch.optim.Muon treats one matrix after the other: on
two CPU cores that took 1.3 to 1.8 times as long (2026-11-28), on a GPU each matrix costs fifteen launches.

Shapes: M matrices, R rows <= C columns.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from unisono.core.device import has_fast_bf16
from unisono.train.sharding import like, whole_tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic that drives all singular values towards 1
NUM_STEPS = 5
MOMENTUM = 0.95
# root mean square of an update (Liu et al. 2025, "Muon is Scalable for LLM Training", arXiv 2502.16982)
LIKE_ADAMW = 0.2


class Muon(torch.optim.Optimizer):
    """Nesterov momentum with orthogonalized updates. They are as large as AdamW's, so that both can share one
    learning rate.
    """

    def __init__(self, matrices: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """One update of the matrices that have a gradient."""
        for group in self.param_groups:
            alike: dict[tuple, list[nn.Parameter]] = {}
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike.setdefault((*sorted(matrix.shape), matrix.device), []).append(matrix)
            for matrices in alike.values():
                # of a sharded matrix the whole update is needed, and each process computes it
                updates = orthogonal(torch.stack([_wide(whole_tensor(self._pushed(m))) for m in matrices]))
                size = LIKE_ADAMW * max(matrices[0].shape) ** 0.5 * group["lr"]
                for matrix, update in zip(matrices, updates):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    update = update if matrix.shape == update.shape else update.mT
                    matrix.add_(like(update.to(matrix.dtype), matrix), alpha=-size)

    def _pushed(self, matrix: nn.Parameter) -> Tensor:
        """-> the Nesterov update of one matrix, before it is orthogonalized; advances the momentum."""
        assert matrix.grad is not None  # `step` leaves the others out
        state = self.state[matrix]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        momentum = state["momentum_buffer"].lerp_(matrix.grad, 1 - MOMENTUM)
        return matrix.grad.lerp(momentum, MOMENTUM)


def _wide(matrix: Tensor) -> Tensor:
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT


def orthogonal(matrices: Tensor) -> Tensor:
    """(M, R, C) -> (M, R, C): Newton-Schulz steps towards the nearest matrices with orthonormal rows. The
    singular values end between 0.7 and 1.2. In bfloat16, but in float32 where the device has no instructions
    for it: a CPU with AVX2 alone took 20 times as long.
    """
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16() if has_fast_bf16(matrices.device) else matrices.float()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(NUM_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x
