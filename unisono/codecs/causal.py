"""Causal layers whose state is explicit: fed whole or in pieces, they give the same numbers.

Every layer is `y, state = layer(x, state)`; state None is the silence before the signal. Layout is
(B, F, C): frames before channels, so that the pointwise layers are plain matrix products and the short
depthwise filter fuses into one loop under torch.compile.

Shapes: B batch, F frames, C channels, K filter taps, P = (K - 1) * dilation past frames kept as state.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

States = list[Tensor]


class CausalDepthwise(nn.Module):
    """Per-channel filter over the present and the P past frames."""

    def __init__(self, channels: int, kernel_size: int, dilation: int = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.num_past = (kernel_size - 1) * dilation
        self.weight = nn.Parameter(torch.randn(kernel_size, channels) * kernel_size**-0.5)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, F, C), (B, P, C) | None -> (B, F, C), the next state."""
        if state is None:
            state = x.new_zeros(x.shape[0], self.num_past, x.shape[2])
        padded = torch.cat([state.to(x.dtype), x], dim=1)
        return self.filtered(padded, x.shape[1]), padded[:, x.shape[1] :]

    def filtered(self, padded: Tensor, num_frames: int) -> Tensor:
        """(B, P + F, C) -> (B, F, C): tap by tap, which needs the least memory in training."""
        y: Tensor = self.bias
        for tap, weight in enumerate(self.weight.unbind()):
            start = tap * self.dilation
            y = torch.addcmul(y, padded[:, start : start + num_frames], weight)
        return y


class CausalBlock(nn.Module):
    """ConvNeXt block (Liu et al. 2022, arXiv 2201.03545), causal: depthwise filter, norm, widen, narrow,
    add.
    """

    def __init__(self, channels: int, kernel_size: int, dilation: int, expansion: int = 3) -> None:
        super().__init__()
        self.filter = CausalDepthwise(channels, kernel_size, dilation)
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, expansion * channels)
        self.narrow = nn.Linear(expansion * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.3))

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, F, C), state -> (B, F, C), the next state."""
        y, state = self.filter(x, state)
        return x + self.scale * self.narrow(functional.gelu(self.widen(self.norm(y)))), state


class CausalStack(nn.Module):
    """Linear in, blocks with the given dilations, norm: C_in channels -> C."""

    def __init__(
        self, in_channels: int, channels: int, dilations: tuple[int, ...], kernel_size: int = 7
    ) -> None:
        super().__init__()
        self.input = nn.Linear(in_channels, channels)
        self.blocks = nn.ModuleList(CausalBlock(channels, kernel_size, dilation) for dilation in dilations)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, states: States | None = None) -> tuple[Tensor, States]:
        """(B, F, C_in), states | None -> (B, F, C), the next states (one per block)."""
        x = self.input(x)
        following = []
        for i, block in enumerate(self.blocks):
            x, state = block(x, None if states is None else states[i])
            following.append(state)
        return self.norm(x), following
