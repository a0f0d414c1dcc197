"""Sound -> ids that say what is said, 25 a second: Whisper's encoder made causal, the student of the audio
teacher.

Log-mel frames, two convolutions, layers at 50 frames a second, then layers at 25 whose window is two seconds,
and for each quantizer dimension the likelihoods of its levels. The first layers look some frames ahead; an id
is certain `lookahead` frames (80 ms) after its own. With the shape of Whisper-tiny it can begin with
Whisper's weights (unisono/base/whisper.py).

Shapes: B batch, N samples, F frames of 40 ms, C channels, L quantizer dimensions, V = sum of levels.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.codecs.attention import CHUNK, LayerState, WindowLayer
from unisono.codecs.logmel import WhisperMel
from unisono.codecs.quantize import FSQ
from unisono.codecs.storage import load_codec, save_codec

PERIOD = 1500  # half-frames, 30 s: after so many the positions come again


@dataclass(frozen=True)
class SpeechEncoderConfig:
    """Everything that fixes the shape of a SpeechEncoder."""

    sample_rate: int = 16000
    frame_size: int = 640  # samples an id: 25 ids a second
    levels: tuple[int, ...] = (8, 8, 8, 6, 5)
    num_mels: int = 80
    channels: int = 384
    num_heads: int = 6
    ahead: tuple[int, ...] = (2, 1)  # half-frames that each layer at 50 frames a second looks ahead
    num_layers: int = 4  # of both rates together
    window: int = 50  # frames: 2 s

    @property
    def lookahead(self) -> int:
        """Frames that it waits: the convolutions need one half-frame."""
        return (1 + sum(self.ahead)) // 2


@dataclass
class EncoderState:
    """What a stream remembers: samples, mel frames, outputs of the first convolution, the position (B's are
    equal), and the states of all layers."""

    samples: Tensor
    mels: Tensor
    convolved: Tensor
    position: int
    layers: list[LayerState]


def periodic_positions(channels: int, period: int = PERIOD) -> Tensor:
    """(period, C) the sinusoids of Whisper's positions, each frequency rounded to whole turns a period, so
    that a stream may go on for ever and never meets an edge."""
    half = channels // 2
    rates = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / max(1, half - 1))
    turns = (rates * period / (2 * torch.pi)).round()
    angles = torch.arange(period, dtype=torch.float64)[:, None] * turns * (2 * torch.pi / period)
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


class SpeechEncoder(nn.Module):
    """Causal but for its look-ahead; whole or in pieces the same."""

    positions: Tensor

    def __init__(self, config: SpeechEncoderConfig = SpeechEncoderConfig()) -> None:
        super().__init__()
        self.config = config
        self.quantizer = FSQ(config.levels)
        self.logmel = WhisperMel(config.sample_rate, config.frame_size, config.num_mels)
        if self.logmel.per_frame != 4:
            raise ValueError(f"expected a frame_size of four mel frames, got {config.frame_size}")
        if sum(config.ahead) % 2 == 0 or len(config.ahead) >= config.num_layers:
            raise ValueError(
                f"expected fewer than {config.num_layers} layers that look ahead, by an odd number of "
                f"half-frames together, got {config.ahead}"
            )
        size, heads, num_fine = config.channels, config.num_heads, len(config.ahead)
        self.first = nn.Conv1d(config.num_mels, size, 3)
        self.second = nn.Conv1d(size, size, 3, stride=2)
        self.fine = nn.ModuleList(WindowLayer(size, heads, 2 * config.window, n) for n in config.ahead)
        self.coarse = nn.ModuleList(
            WindowLayer(size, heads, config.window) for _ in range(config.num_layers - num_fine)
        )
        self.norm = nn.LayerNorm(size)
        self.to_levels = nn.Linear(size, sum(config.levels))
        self.register_buffer("positions", periodic_positions(size), persistent=False)

    def start(self, num_rows: int, position: int = 0) -> EncoderState:
        """The state before a signal: silence. `position`: where in the period it begins."""
        like = self.norm.weight  # the last layer may be packed
        return EncoderState(
            like.new_zeros(num_rows, self.logmel.size - self.logmel.hop),
            self.logmel.loudness(like.new_zeros(num_rows, self.config.num_mels, 2)),
            like.new_zeros(num_rows, self.config.channels, 1),
            position,
            [],
        )

    def hidden(self, pcm: Tensor, state: EncoderState | None = None) -> tuple[Tensor, EncoderState]:
        """(B, N), N whole frames -> (B, F, C), the next state. Long signals are computed piece by piece."""
        state = state or self.start(len(pcm))
        pieces = []
        for piece in pcm.split(CHUNK * self.config.frame_size, dim=1):
            hidden, state = self._piece(piece, state)
            pieces.append(hidden)
        return torch.cat(pieces, dim=1), state

    def _piece(self, pcm: Tensor, state: EncoderState) -> tuple[Tensor, EncoderState]:
        features, samples = self.logmel(pcm, state.samples)
        mels = features.unflatten(2, (4, -1)).flatten(1, 2).transpose(1, 2)  # 100 a second
        mels = torch.cat([state.mels, mels], dim=2)
        convolved = torch.cat([state.convolved, functional.gelu(self.first(mels))], dim=2)
        x = functional.gelu(self.second(convolved)).transpose(1, 2)  # 50 a second
        places = torch.arange(state.position, state.position + x.shape[1], device=x.device) % PERIOD
        x = x + self.positions[places]
        layers: list[LayerState] = []
        for number, layer in enumerate([*self.fine, *self.coarse]):
            if number == len(self.fine):
                x = x.unflatten(1, (-1, 2)).mean(dim=2)
            x, following = layer(x, state.layers[number] if state.layers else None)
            layers.append(following)
        position = int(state.position + 2 * features.shape[1]) % PERIOD
        return self.norm(x), EncoderState(samples, mels[:, :, -2:], convolved[:, :, -1:], position, layers)

    def whole(self, pcm: Tensor, position: int = 0) -> Tensor:
        """(B, N) -> (B, F, C), F = ceil(N / frame_size), each frame with the look-ahead that it waits for;
        differentiable."""
        num_frames, wait = -(-pcm.shape[1] // self.config.frame_size), self.config.lookahead
        padded = functional.pad(pcm, (0, (num_frames + wait) * self.config.frame_size - pcm.shape[1]))
        return self.hidden(padded, self.start(len(pcm), position))[0][:, wait:]

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
