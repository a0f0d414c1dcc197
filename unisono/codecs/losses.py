"""The reconstruction loss of an audio codec: multi-resolution mel distance, as in DAC (Kumar et al. 2023,
arXiv 2306.06546).

Shapes: B batch, N samples, T spectrogram frames, M mel bands.
"""

import torch
from torch import Tensor, nn

from unisono.codecs.audio import mel_filters


class MelDistance(nn.Module):
    """Mean absolute difference of log-mel spectra over several window sizes, plus magnitude convergence."""

    def __init__(self, sample_rate: int, sizes: tuple[int, ...] = (128, 256, 512, 1024, 2048)) -> None:
        super().__init__()
        self.sizes = sizes
        for size in sizes:
            num_mels = min(80, max(10, size // 8))
            self.register_buffer(f"window{size}", torch.hann_window(size), persistent=False)
            self.register_buffer(
                f"filters{size}", mel_filters(num_mels, size // 2 + 1, sample_rate), persistent=False
            )

    def forward(self, made: Tensor, true: Tensor) -> Tensor:
        """(B, N), (B, N) -> scalar, averaged over the resolutions; log10 units."""
        total = made.new_zeros(())
        for size in self.sizes:
            a, b = self._magnitudes(made, size), self._magnitudes(true, size)
            filters = getattr(self, f"filters{size}")
            mel_a, mel_b = a @ filters, b @ filters
            logs = (torch.log10(mel_a + 1e-3) - torch.log10(mel_b + 1e-3)).abs().mean()
            convergence = (a - b).norm() / (b.norm() + 1e-3)
            total = total + logs + 0.2 * convergence
        return total / len(self.sizes)

    def _magnitudes(self, pcm: Tensor, size: int) -> Tensor:
        """(B, N) pcm -> (B, T, size / 2 + 1) magnitudes."""
        pieces = pcm.unfold(1, size, size // 4) * getattr(self, f"window{size}")
        spectrum = torch.fft.rfft(pieces)
        return torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-7)
