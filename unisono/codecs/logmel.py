"""Waveform -> log-mel frames, causal, whole or in pieces: what encoders of 25 codes a second hear, and what
their teacher gives back.

Shapes: B batch, N samples, F code frames of `frame_size` samples, M mel bands, R mel frames a code frame.
"""

import torch
from torch import Tensor, nn

from unisono.codecs.audio import mel_filters

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
        self.register_buffer("filters", mel_filters(num_mels, size // 2 + 1, sample_rate), persistent=False)

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
        logmel = torch.log10(power @ self.filters + FLOOR) * 0.5
        return logmel.unflatten(1, (-1, self.per_frame)).flatten(2), padded[:, padded.shape[1] - num_past :]
