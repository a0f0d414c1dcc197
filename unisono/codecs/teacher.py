"""The audio teacher: Whisper's encoder states -> ids, from which states, phonemes and spectrum must come
back. Used in training only.

The bottleneck looks at one state at a time, so that its ids mean what is heard in that place; the way back
sees 0.6 s to either side.

Shapes: B batch, F frames of 40 ms, D = 512 numbers a state, L quantizer dimensions, P phonemes, M mel
features a frame, S style.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.codecs.causal import CausalStack
from unisono.codecs.phonemes import PHONES
from unisono.codecs.quantize import FSQ
from unisono.codecs.storage import load_codec, save_codec
from unisono.codecs.style import StyledStack, StyleEncoder


@dataclass(frozen=True)
class AudioTeacherConfig:
    """Everything that fixes the shape of an AudioTeacher."""

    levels: tuple[int, ...] = (8, 8, 8, 6, 5)  # 15,360 ids
    state_size: int = 512
    mel_features: int = 320
    latent_channels: int = 384
    channels: int = 320
    dilations: tuple[int, ...] = (1, 1, 1, 1, 1)
    mel_channels: int = 224


class Bottleneck(nn.Module):
    """One state -> the numbers that become its id."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: AudioTeacherConfig) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(config.state_size))
        self.register_buffer("scale", torch.ones(config.state_size))
        self.layers = nn.Sequential(
            nn.Linear(config.state_size, config.latent_channels),
            nn.GELU(),
            nn.Linear(config.latent_channels, config.latent_channels),
            nn.GELU(),
            nn.LayerNorm(config.latent_channels),
            nn.Linear(config.latent_channels, len(config.levels)),
        )
        self.straight = nn.Linear(config.state_size, len(config.levels))
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=0.2 * config.latent_channels**-0.5)

    def normal(self, states: Tensor) -> Tensor:
        """(..., D) -> (..., D), each number of mean 0 and spread 1 over the training sound."""
        return (states.float() - self.mean) * self.scale

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) normal states -> (..., L) before quantization."""
        return self.straight(states) + self.layers(states)

    @torch.no_grad()
    def begin_with(self, rows: Tensor) -> None:
        """Begins as the principal components of (R, D) states, wide enough that all levels are in use. From
        random weights, a dozen ids were in use after 100 steps and fifty after 200 (2026-11-30)."""
        self.mean.copy_(rows.mean(dim=0))
        self.scale.copy_(1 / (rows.std(dim=0) + 1e-3))
        normal = self.normal(rows)
        values, vectors = torch.linalg.eigh(normal.T @ normal / len(normal))
        top = slice(-len(self.straight.bias), None)
        self.straight.weight.copy_((vectors[:, top] * (0.9 / values[top].sqrt())).T.flip(0))
        nn.init.zeros_(self.straight.bias)


class AudioTeacher(nn.Module):
    """Bottleneck, quantizer, and the ways back."""

    def __init__(self, config: AudioTeacherConfig = AudioTeacherConfig()) -> None:
        super().__init__()
        self.config = config
        self.bottleneck = Bottleneck(config)
        self.quantizer = FSQ(config.levels)
        self.wait = 3 * len(
            config.dilations
        )  # half of the frames that the stack sees: as many before as after
        self.trunk = CausalStack(len(config.levels), config.channels, config.dilations)
        self.to_states = nn.Linear(config.channels, config.state_size)
        self.to_phonemes = nn.Linear(config.channels, len(PHONES) + 1)
        self.style = StyleEncoder(config.mel_features)
        self.mel = StyledStack(config.channels, config.mel_channels, (1, 1))
        self.to_mel = nn.Linear(config.mel_channels, config.mel_features)

    @torch.inference_mode()
    def digits(self, states: Tensor) -> Tensor:
        """(B, F, D) states as Whisper gives them -> (B, F, L) int64 digits of the ids."""
        quantized, _ = self.quantizer(self.bottleneck(self.bottleneck.normal(states)))
        return ((quantized + 1) / 2 * (self.quantizer.sizes - 1)).round().long()

    def hidden(self, quantized: Tensor) -> Tensor:
        """(B, F, L) -> (B, F, C)."""
        hidden, _ = self.trunk(functional.pad(quantized, (0, 0, 0, self.wait)))
        return hidden[:, self.wait :]

    def phonemes(self, quantized: Tensor) -> Tensor:
        """(B, F, L) -> (B, F, P + 1) log-probabilities, the blank first."""
        return self.to_phonemes(self.hidden(quantized)).float().log_softmax(-1)

    def give_back(self, quantized: Tensor, style: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, F, L), (B, S) -> normal states (B, F, D), phoneme log-probabilities (B, F, P + 1), log-mel (B,
        F, M)."""
        hidden = self.hidden(quantized)
        mel, _ = self.mel(hidden, style)
        return self.to_states(hidden), self.to_phonemes(hidden).float().log_softmax(-1), self.to_mel(mel)

    def save(self, folder: str | Path) -> None:
        """Writes config.json and model.safetensors (half precision) into `folder`."""
        save_codec(self, asdict(self.config), folder)

    @classmethod
    def load(cls, folder: str | Path) -> "AudioTeacher":
        """Reads what `save` wrote; UserError says what is missing or does not fit."""
        return load_codec(cls, AudioTeacherConfig, folder)
