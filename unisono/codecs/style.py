"""The voice of a recording as one vector: what a decoder is told about the speaker.

Means and spreads over the frames alone are kept, so that the vector can say how somebody sounds but not what
is said.

Shapes: B batch, F frames, M mel features a frame, S numbers of a style.
"""

import torch
from torch import Tensor, nn

from unisono.codecs.causal import CausalStack

STYLE_SIZE = 64


class StyleEncoder(nn.Module):
    """Log-mel frames of some seconds of a voice -> its style."""

    def __init__(
        self,
        num_features: int,
        channels: int = 192,
        dilations: tuple[int, ...] = (1, 2),
        size: int = STYLE_SIZE,
    ) -> None:
        super().__init__()
        self.stack = CausalStack(num_features, channels, dilations, kernel_size=5)
        self.out = nn.Linear(2 * channels, size)

    def forward(self, logmel: Tensor, mask: Tensor) -> Tensor:
        """(B, F, M) and a (B, F) mask of the frames that count, at least one a row -> (B, S), each of unit
        mean square."""
        hidden, _ = self.stack(logmel)
        weights = mask[:, :, None].to(hidden.dtype) / mask.sum(dim=1)[:, None, None]
        mean = (hidden * weights).sum(dim=1)
        spread = (((hidden - mean[:, None]).square() * weights).sum(dim=1) + 1e-4).sqrt()
        style = self.out(torch.cat([mean, spread], dim=1)).float()
        return style * torch.rsqrt(style.square().mean(dim=1, keepdim=True) + 1e-4)


class StyledStack(nn.Module):
    """A causal stack whose frames are scaled and shifted by a style before and after it."""

    def __init__(
        self, in_channels: int, channels: int, dilations: tuple[int, ...], style_size: int = STYLE_SIZE
    ) -> None:
        super().__init__()
        self.input = nn.Linear(in_channels, channels)
        self.stack = CausalStack(channels, channels, dilations)
        self.before, self.after = nn.Linear(style_size, 2 * channels), nn.Linear(style_size, 2 * channels)

    def forward(
        self, x: Tensor, style: Tensor, states: list[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """(B, F, C_in), (B, S), states -> (B, F, C), the next states."""
        hidden, states = self.stack(told(self.input(x), self.before(style)), states)
        return told(hidden, self.after(style)), states


def told(x: Tensor, scale_and_shift: Tensor) -> Tensor:
    """(B, F, C) scaled and shifted by (B, 2 * C), the same for all frames (Perez et al. 2018, arXiv
    1709.07871)."""
    scale, shift = scale_and_shift[:, None].chunk(2, dim=2)
    return x * (1 + 0.3 * scale) + shift
