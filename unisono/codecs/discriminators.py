"""Small GAN discriminators: they learn to tell decoded sound from recorded sound, and the codec's decoder
learns to fool them.

There are two families. Both are small and see short crops, because on a CPU they cost more than the codec
itself: multi-resolution spectrogram discriminators (UnivNet, Jang et al. 2021, arXiv 2106.07889) and
random-window waveform discriminators (GAN-TTS, Binkowski et al. 2019, arXiv 1909.11646). Least-squares
losses, feature matching.

Shapes: B batch, N samples, T spectrogram frames, K frequency bins.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class SpectrogramDiscriminator(nn.Module):
    """Judges log-magnitude spectrograms of one window size by patches of time and frequency."""

    window: Tensor

    def __init__(self, size: int, channels: int = 24) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        widths = [1, channels, channels, 2 * channels, 2 * channels]
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, (3, 5), stride=(1, 3), padding=(1, 2)) for a, b in zip(widths, widths[1:])
        )
        self.verdict = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, pcm: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B, N) pcm -> verdicts (B, 1, T, K'), and the feature map of every layer."""
        spectrum = torch.fft.rfft(pcm.unfold(1, self.size, self.size // 4) * self.window)
        power = spectrum.real.square() + spectrum.imag.square()
        x = torch.log(power[:, None] + 1e-5) * 0.2
        return _judge(x, self.layers, self.verdict)


class WindowDiscriminator(nn.Module):
    """Judges random windows of the waveform, folded into channels so that it costs little."""

    def __init__(self, fold: int, window: int, channels: int = 48) -> None:
        super().__init__()
        self.fold, self.window = fold, window
        widths = [fold, channels, 2 * channels, 2 * channels, 2 * channels]
        self.layers = nn.ModuleList(
            nn.Conv1d(a, b, 5, stride=2 if i % 2 else 1, padding=2)
            for i, (a, b) in enumerate(zip(widths, widths[1:]))
        )
        self.verdict = nn.Conv1d(widths[-1], 1, 3, padding=1)

    def forward(self, pcm: Tensor, start: int = 0) -> tuple[Tensor, list[Tensor]]:
        """(B, N) pcm -> verdicts on samples start .. start + window, and the feature map of every layer."""
        piece = pcm[:, start : start + self.window]
        return _judge(piece.unflatten(1, (-1, self.fold)).transpose(1, 2), self.layers, self.verdict)


def _judge(x: Tensor, layers: nn.ModuleList, verdict: nn.Module) -> tuple[Tensor, list[Tensor]]:
    features = []
    for layer in layers:
        x = functional.leaky_relu(layer(x), 0.1)
        features.append(x)
    return verdict(x), features


class Discriminators(nn.Module):
    """All discriminators together, on one crop."""

    def __init__(self, crop: int = 10240) -> None:
        super().__init__()
        self.crop = crop
        self.spectral = nn.ModuleList(SpectrogramDiscriminator(size) for size in (256, 512, 1024))
        self.windows = nn.ModuleList(
            WindowDiscriminator(fold, window) for fold, window in ((4, 1600), (8, 4800), (16, 9600))
        )

    def forward(self, pcm: Tensor, start: int, window_starts: list[int]) -> list[tuple[Tensor, list[Tensor]]]:
        """(B, N) -> one (verdicts, features) per discriminator, on the crop that begins at `start`."""
        crop = pcm[:, start : start + self.crop]
        return [discriminator(crop) for discriminator in self.spectral] + [
            discriminator(crop, s) for discriminator, s in zip(self.windows, window_starts)
        ]

    def places(self, num_samples: int) -> tuple[int, list[int]]:
        """A random crop and random windows within it; the same for made and true sound."""
        start = int(torch.randint(max(1, num_samples - self.crop + 1), ()))
        window_starts = []
        for discriminator in self.windows:
            assert isinstance(discriminator, WindowDiscriminator)
            window_starts.append(int(torch.randint(self.crop - discriminator.window + 1, ())))
        return start, window_starts


def discriminator_loss(discriminators: Discriminators, made: Tensor, true: Tensor) -> Tensor:
    """(B, N) decoded and recorded pcm -> the least-squares loss of the discriminators: recorded sound should
    be judged 1, decoded sound 0.
    """
    places = discriminators.places(made.shape[1])
    verdicts = zip(discriminators(made, *places), discriminators(true, *places))
    losses = (m.float().square().mean() + (1 - t.float()).square().mean() for (m, _), (t, _) in verdicts)
    return sum(losses, start=made.new_zeros(())) / 6


def generator_loss(discriminators: Discriminators, made: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """(B, N) decoded and recorded pcm -> two scalars: the least-squares loss of the decoder, which wants its
    sound judged 1, and the feature-matching loss, the mean distance of the feature maps.
    """
    places = discriminators.places(made.shape[1])
    fooling, matching = made.new_zeros(()), made.new_zeros(())
    with torch.no_grad():
        truths = discriminators(true, *places)
    for (verdict, features), (_, true_features) in zip(discriminators(made, *places), truths):
        fooling = fooling + (1 - verdict.float()).square().mean()
        for a, b in zip(features, true_features):
            matching = matching + (a - b).abs().mean() / (b.abs().mean() + 1e-3)
    return fooling / 6, matching / 24
