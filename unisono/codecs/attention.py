"""Transformer layers over the last frames only, with explicit state: fed whole or in pieces, they give the
same numbers.

Shapes: B batch, F frames, C channels, H heads, A frames that a layer looks ahead, P <= window - 1 + A past
frames kept as state.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

LayerState = tuple[Tensor, Tensor]  # the last A frames; keys and values of the past (2, B, H, P, C / H)
CHUNK = 250  # frames that are computed at once: longer signals cost no more for each


class WindowAttention(nn.Module):
    """Each frame attends to itself, to the `window - 1` frames before it and to `ahead` frames after it."""

    def __init__(self, channels: int, num_heads: int, window: int, ahead: int = 0) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(f"expected channels that {num_heads} heads can share, got {channels}")
        self.num_heads, self.window, self.ahead = num_heads, window, ahead
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, past: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, A + F, C) of which the first A were given last time, (2, B, H, P, C / H) | None -> (B, F, C) of
        the first F frames, the next state."""
        num_queries = x.shape[1] - self.ahead
        query, key, value = (
            part.unflatten(2, (self.num_heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=2)
        )
        if past is not None:
            key, value = (
                torch.cat([old, new[:, :, self.ahead :]], dim=2) for old, new in zip(past, (key, value))
            )
        made = functional.scaled_dot_product_attention(
            query[:, :, :num_queries], key, value, attn_mask=self._mask(num_queries, key.shape[2], x.device)
        )
        kept = torch.stack([key, value])[:, :, :, max(0, key.shape[2] - self.window + 1 - self.ahead) :]
        return self.out(made.transpose(1, 2).flatten(2)), kept

    def _mask(self, num_queries: int, num_keys: int, device: torch.device) -> Tensor:
        """(F, P + A + F) bool: which keys each query may see."""
        places = torch.arange(num_keys, device=device)
        first = num_keys - num_queries - self.ahead
        distance = places[first : first + num_queries, None] - places
        return (distance >= -self.ahead) & (distance < self.window)


class WindowLayer(nn.Module):
    """A layer of Whisper's encoder (Radford et al. 2022, arXiv 2212.04356) that sees a window: attention,
    then widen and narrow, each normalized before and added to what it was given. Its output is `ahead` frames
    late."""

    def __init__(
        self, channels: int, num_heads: int, window: int, ahead: int = 0, expansion: int = 4
    ) -> None:
        super().__init__()
        self.ahead = ahead
        self.attention_norm = nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, num_heads, window, ahead)
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, expansion * channels)
        self.narrow = nn.Linear(expansion * channels, channels)

    def forward(self, x: Tensor, state: LayerState | None = None) -> tuple[Tensor, LayerState]:
        """(B, F, C), state -> (B, F, C) of the frames A earlier, the next state. A signal begins after A
        empty frames."""
        late = x.new_zeros(x.shape[0], self.ahead, x.shape[2]) if state is None else state[0]
        x = torch.cat([late, x], dim=1)
        made, past = self.attention(self.attention_norm(x), None if state is None else state[1])
        y = x[:, : x.shape[1] - self.ahead] + made
        y = y + self.narrow(functional.gelu(self.widen(self.norm(y))))
        return y, (x[:, x.shape[1] - self.ahead :], past)
