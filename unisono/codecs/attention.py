"""Causal attention over the last frames only, with explicit state: fed whole or in pieces, it gives the same
numbers.

Positions are told by a learned bias for each distance, so that a stream may go on for ever.

Shapes: B batch, F frames, C channels, H heads, P <= window - 1 past frames kept as state.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.codecs.causal import CausalDepthwise

BlockState = tuple[
    Tensor, Tensor
]  # the filter's past; keys and values of the past frames (2, B, H, P, C / H)
CHUNK = 250  # frames that are computed at once: longer signals cost no more for each


class WindowAttention(nn.Module):
    """Each frame attends to itself and to the `window - 1` frames before it."""

    def __init__(self, channels: int, num_heads: int, window: int) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(f"expected channels that {num_heads} heads can share, got {channels}")
        self.num_heads, self.window = num_heads, window
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.distance_bias = nn.Parameter(torch.zeros(num_heads, window))

    def forward(self, x: Tensor, past: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, F, C), (2, B, H, P, C / H) | None -> (B, F, C), the next state."""
        query, key, value = (
            part.unflatten(2, (self.num_heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=2)
        )
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        made = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=self._mask(query.shape[2], key.shape[2])
        )
        kept = torch.stack([key, value])[:, :, :, max(0, key.shape[2] - self.window + 1) :]
        return self.out(made.transpose(1, 2).flatten(2)), kept

    def _mask(self, num_queries: int, num_keys: int) -> Tensor:
        """(H, F, P + F): the bias of each distance, minus infinity beyond the window and ahead."""
        places = torch.arange(num_keys, device=self.distance_bias.device)
        distance = places[num_keys - num_queries :, None] - places
        outside = (distance < 0) | (distance >= self.window)
        bias = self.distance_bias[:, distance.clamp(0, self.window - 1)]
        return bias.masked_fill(outside, float("-inf"))


class AttentionBlock(nn.Module):
    """Depthwise filter, window attention, widen and narrow; each is added to what it was given."""

    def __init__(
        self, channels: int, num_heads: int, window: int, kernel_size: int = 5, expansion: int = 4
    ) -> None:
        super().__init__()
        self.filter_norm, self.filter = nn.LayerNorm(channels), CausalDepthwise(channels, kernel_size)
        self.attention_norm, self.attention = (
            nn.LayerNorm(channels),
            WindowAttention(channels, num_heads, window),
        )
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, expansion * channels)
        self.narrow = nn.Linear(expansion * channels, channels)

    def forward(self, x: Tensor, state: BlockState | None = None) -> tuple[Tensor, BlockState]:
        """(B, F, C), state -> (B, F, C), the next state."""
        made, filter_state = self.filter(self.filter_norm(x), None if state is None else state[0])
        x = x + made
        made, past = self.attention(self.attention_norm(x), None if state is None else state[1])
        x = x + made
        return x + self.narrow(functional.gelu(self.widen(self.norm(x)))), (filter_state, past)
