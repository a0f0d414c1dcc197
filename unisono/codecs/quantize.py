"""Finite scalar quantization: a few bounded numbers per frame become one code.

Mentzer et al. 2023, "Finite Scalar Quantization: VQ-VAE Made Simple" (arXiv 2309.15505). There is no
learned codebook, so nothing collapses and nothing has to be stored.

Shapes: D = number of levels (one per dimension), ... = any leading dimensions.
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn


class FSQ(nn.Module):
    """Rounds each of D numbers to one of `levels[d]` values in [-1, 1]; the code is their mixed-radix
    number.
    """

    sizes: Tensor
    radix: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        if not levels or min(levels) < 2:
            raise ValueError(f"expected at least one level count, each 2 or more, got {list(levels)}")
        self.levels = tuple(levels)
        self.codebook_size = prod(self.levels)
        sizes = torch.tensor(self.levels)
        self.register_buffer("sizes", sizes, persistent=False)
        radix = torch.cumprod(torch.tensor([1, *self.levels[:-1]]), dim=0)
        self.register_buffer("radix", radix, persistent=False)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(..., D) any real -> (..., D) quantized in [-1, 1] with straight-through gradient, (...) int64
        codes.
        """
        top = (self.sizes - 1).to(torch.float32)
        unit = (torch.tanh(z.float()) + 1) / 2 * top  # 0 .. levels-1, continuous
        rounded = unit.round()
        straight = unit + (rounded - unit).detach()
        codes = (rounded.long() * self.radix).sum(-1)
        return straight / top * 2 - 1, codes

    def from_codes(self, codes: Tensor) -> Tensor:
        """(...) int codes -> (..., D) values in [-1, 1]. ValueError for a code outside the codebook."""
        if codes.numel() and (int(codes.min()) < 0 or int(codes.max()) >= self.codebook_size):
            raise ValueError(
                f"codes must lie in [0, {self.codebook_size}), got {int(codes.min())} to {int(codes.max())}"
            )
        digits = codes.unsqueeze(-1) // self.radix % self.sizes
        return digits.float() / (self.sizes - 1) * 2 - 1

    def to_codes(self, values: Tensor) -> Tensor:
        """(..., D) quantized values in [-1, 1] -> (...) int64 codes; the inverse of `from_codes`."""
        digits = ((values + 1) / 2 * (self.sizes - 1)).round().long()
        return (digits * self.radix).sum(-1)
