"""Waveform -> log-mel frames, causal, whole or in pieces: what encoders of 25 codes a second hear, and what
their teacher gives back.

Shapes: B batch, N samples, F code frames of `frame_size` samples, M mel bands, R mel frames a code frame.
"""

import torch
from torch import Tensor, nn

from unisono.codecs.audio import mel_filters
from unisono.core.mel import slaney_bands

FLOOR = 1e-4  # of the power: quieter is silence


class LogMel(nn.Module):
    """Mel frames every `hop` samples, R = frame_size / hop of them side by side; each looks back `size`
    samples and never ahead."""

    window: Tensor
    filters: Tensor

    def __init__(
        self, sample_rate: int, frame_size: int, num_mels: int, size: int = 512, hop: int = 160
    ) -> None:
        super().__init__()
        if frame_size % hop:
            raise ValueError(f"expected a frame_size of whole hops of {hop} samples, got {frame_size}")
        self.size, self.hop, self.per_frame, self.num_mels = size, hop, frame_size // hop, num_mels
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        filters = self.bands(num_mels, size // 2 + 1, sample_rate)
        self.register_buffer("filters", filters, persistent=False)

    @staticmethod
    def bands(num_mels: int, num_bins: int, sample_rate: int) -> Tensor:
        """(num_bins, M): how much of each bin a band holds."""
        return mel_filters(num_mels, num_bins, sample_rate)

    @staticmethod
    def loudness(power: Tensor) -> Tensor:
        """Power of the bands -> what is given."""
        return torch.log10(power + FLOOR) * 0.5

    @property
    def num_features(self) -> int:
        """Numbers a code frame."""
        return self.per_frame * self.num_mels

    def forward(self, pcm: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, N), N whole code frames; state = the last samples before them, None for silence -> (B, F, R *
        M), the next state."""
        num_past = self.size - self.hop
        if state is None:
            state = pcm.new_zeros(pcm.shape[0], num_past)
        padded = torch.cat([state, pcm], dim=1)
        spectrum = torch.fft.rfft(padded.unfold(1, self.size, self.hop) * self.window)
        power = spectrum.real.square() + spectrum.imag.square()
        logmel = self.loudness(power @ self.filters)
        return logmel.unflatten(1, (-1, self.per_frame)).flatten(2), padded[:, padded.shape[1] - num_past :]


class WhisperMel(LogMel):
    """The same with Whisper's windows of 25 ms, bands and scale. Whisper cuts off what lies 80 dB below the
    loudest of 30 s; a stream cannot know that, so it is cut at 70 dB below full scale."""

    def __init__(self, sample_rate: int, frame_size: int, num_mels: int) -> None:
        super().__init__(sample_rate, frame_size, num_mels, size=400)

    @staticmethod
    def bands(num_mels: int, num_bins: int, sample_rate: int) -> Tensor:
        return slaney_bands(num_mels, num_bins, sample_rate)

    @staticmethod
    def loudness(power: Tensor) -> Tensor:
        """Whisper's scale: 1 for full scale, some -0.75 for silence."""
        return (power.clamp(min=1e-7).log10() + 4) / 4
