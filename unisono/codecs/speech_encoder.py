"""Sound -> ids that say what is said, 25 a second: the causal student of the audio teacher.

Log-mel frames, two causal blocks at 50 frames a second, attention over two seconds at 25, and for each
quantizer dimension the likelihoods of its levels. It waits for `lookahead` frames (80 ms) before it commits
to an id.

Shapes: B batch, N samples, F frames of 40 ms, C channels, L quantizer dimensions, V = sum of levels.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.codecs.attention import CHUNK, AttentionBlock, BlockState
from unisono.codecs.causal import CausalStack
from unisono.codecs.logmel import LogMel
from unisono.codecs.quantize import FSQ
from unisono.codecs.storage import load_codec, save_codec


@dataclass(frozen=True)
class SpeechEncoderConfig:
    """Everything that fixes the shape of a SpeechEncoder."""

    sample_rate: int = 16000
    frame_size: int = 640  # samples an id: 25 ids a second
    levels: tuple[int, ...] = (8, 8, 8, 6, 5)
    num_mels: int = 80
    front_channels: int = 256
    channels: int = 384
    num_layers: int = 4
    num_heads: int = 6
    window: int = 50  # frames: 2 s
    lookahead: int = 2  # frames: 80 ms


@dataclass
class EncoderState:
    """What a stream remembers: the last samples, and the states of all layers."""

    samples: Tensor | None = None
    front: list[Tensor] | None = None
    blocks: list[BlockState] | None = None


class SpeechEncoder(nn.Module):
    """Causal; whole or in pieces the same."""

    def __init__(self, config: SpeechEncoderConfig = SpeechEncoderConfig()) -> None:
        super().__init__()
        self.config = config
        self.quantizer = FSQ(config.levels)
        self.logmel = LogMel(config.sample_rate, config.frame_size, config.num_mels)
        if self.logmel.per_frame % 2:
            raise ValueError(
                f"expected a frame_size of an even number of mel frames, got {config.frame_size}"
            )
        self.front = CausalStack(self.logmel.num_features // 2, config.front_channels, (1, 1))
        self.merge = nn.Linear(2 * config.front_channels, config.channels)
        self.blocks = nn.ModuleList(
            AttentionBlock(config.channels, config.num_heads, config.window) for _ in range(config.num_layers)
        )
        self.norm = nn.LayerNorm(config.channels)
        self.to_levels = nn.Linear(config.channels, sum(config.levels))

    def hidden(self, pcm: Tensor, state: EncoderState | None = None) -> tuple[Tensor, EncoderState]:
        """(B, N), N whole frames -> (B, F, C), the next state. Long signals are computed piece by piece."""
        pieces = []
        for piece in pcm.split(CHUNK * self.config.frame_size, dim=1):
            hidden, state = self._piece(piece, state or EncoderState())
            pieces.append(hidden)
        return torch.cat(pieces, dim=1), state or EncoderState()

    def _piece(self, pcm: Tensor, state: EncoderState) -> tuple[Tensor, EncoderState]:
        features, samples = self.logmel(pcm, state.samples)
        halves = features.unflatten(2, (2, -1)).flatten(1, 2)  # 50 a second
        x, front = self.front(halves, state.front)
        x = self.merge(x.unflatten(1, (-1, 2)).flatten(2))
        blocks = []
        for number, block in enumerate(self.blocks):
            x, following = block(x, state.blocks[number] if state.blocks else None)
            blocks.append(following)
        return self.norm(x), EncoderState(samples, front, blocks)

    def whole(self, pcm: Tensor) -> Tensor:
        """(B, N) -> (B, F, C), F = ceil(N / frame_size), each frame with the look-ahead that it waits for;
        differentiable."""
        num_frames, wait = -(-pcm.shape[1] // self.config.frame_size), self.config.lookahead
        padded = functional.pad(pcm, (0, (num_frames + wait) * self.config.frame_size - pcm.shape[1]))
        return self.hidden(padded)[0][:, wait:]

    def levels_of(self, hidden: Tensor) -> list[Tensor]:
        """(B, F, C) -> for each quantizer dimension (B, F, levels) scores of its levels, before softmax."""
        return list(self.to_levels(hidden).split(self.config.levels, dim=2))

    def codes_of(self, hidden: Tensor) -> Tensor:
        """(B, F, C) -> (B, F) int64: of each dimension the likeliest level."""
        digits = torch.stack([scores.argmax(dim=2) for scores in self.levels_of(hidden)], dim=2)
        return (digits * self.quantizer.radix).sum(dim=2)

    def save(self, folder: str | Path) -> None:
        """Writes config.json and model.safetensors (half precision) into `folder`."""
        save_codec(self, asdict(self.config), folder)

    @classmethod
    def load(cls, folder: str | Path) -> "SpeechEncoder":
        """Reads what `save` wrote; UserError says what is missing or does not fit."""
        return load_codec(cls, SpeechEncoderConfig, folder)
