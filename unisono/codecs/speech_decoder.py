"""Ids and a voice -> sound, causal and without delay: the network says what, a style vector says who.

A styled stack at 25 frames a second, another one at 100, and one short inverse Fourier transform every 10 ms
(an inverse-STFT head as in Vocos, Siuzdak 2023, arXiv 2306.00814).

Shapes: B batch, F frames of 40 ms, L quantizer dimensions, S numbers of a style, R spectra a frame, N = F *
frame_size samples.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unisono.codecs.causal import States
from unisono.codecs.style import STYLE_SIZE, StyledStack

LOUDEST = 6.0  # log-magnitude of a bin


@dataclass(frozen=True)
class SpeechDecoderConfig:
    """Everything that fixes the shape of a SpeechDecoder."""

    frame_size: int = 640
    hop: int = 160
    num_dims: int = 5
    channels: int = 384
    dilations: tuple[int, ...] = (1, 2, 1, 2, 1)
    fine_channels: int = 192
    fine_dilations: tuple[int, ...] = (1, 2, 4)
    style_size: int = STYLE_SIZE


@dataclass
class DecoderState:
    """What a stream remembers."""

    coarse: States | None = None
    fine: States | None = None
    windows: Tensor | None = None


class InverseSpectra(nn.Module):
    """One spectrum every `hop` samples -> waveform: windows of four hops, overlap-added."""

    window: Tensor

    def __init__(self, channels: int, hop: int) -> None:
        super().__init__()
        self.hop, self.size = hop, 4 * hop
        self.num_bins = self.size // 2 + 1
        self.head = nn.Linear(channels, 2 * self.num_bins)
        self.register_buffer("window", torch.hann_window(self.size), persistent=False)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, T, C), state (B, 3, 4, hop) of the last windows | None -> (B, T * hop), the next state."""
        magnitude, phase = self.head(x).float().chunk(2, dim=2)
        pieces = (
            torch.fft.irfft(torch.polar(torch.exp(magnitude.clamp(max=LOUDEST)), phase), n=self.size)
            * self.window
        )
        quarters = pieces.unflatten(2, (4, self.hop))
        if state is None:
            state = quarters.new_zeros(x.shape[0], 3, 4, self.hop)
        quarters = torch.cat([state, quarters], dim=1)
        num = quarters.shape[1] - 3
        first, second, third, fourth = (quarters[:, 3 - j : 3 - j + num, j] for j in range(4))
        pcm = (first + second + third + fourth) / 2
        return pcm.flatten(1), quarters[:, num:]


class SpeechDecoder(nn.Module):
    """Causal; whole or in pieces the same."""

    def __init__(self, config: SpeechDecoderConfig = SpeechDecoderConfig()) -> None:
        super().__init__()
        if config.frame_size % config.hop:
            raise ValueError(
                f"expected a frame_size of whole hops of {config.hop} samples, got {config.frame_size}"
            )
        self.config, self.per_frame = config, config.frame_size // config.hop
        self.coarse = StyledStack(config.num_dims, config.channels, config.dilations, config.style_size)
        self.spread = nn.Linear(config.channels, self.per_frame * config.fine_channels)
        self.fine = StyledStack(
            config.fine_channels, config.fine_channels, config.fine_dilations, config.style_size
        )
        self.synthesis = InverseSpectra(config.fine_channels, config.hop)

    def forward(
        self, quantized: Tensor, style: Tensor, state: DecoderState | None = None
    ) -> tuple[Tensor, DecoderState]:
        """(B, F, L), (B, S), state -> (B, N) pcm, the next state."""
        state = state or DecoderState()
        hidden, coarse = self.coarse(quantized, style, state.coarse)
        fine, states = self.fine(
            self.spread(hidden).unflatten(2, (self.per_frame, -1)).flatten(1, 2), style, state.fine
        )
        pcm, windows = self.synthesis(fine, state.windows)
        return pcm, DecoderState(coarse, states, windows)
