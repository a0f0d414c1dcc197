"""Pixels <-> codes: a square picture becomes a small grid of codes and comes back.

A convolutional autoencoder with finite scalar quantization. Pixels are folded 4 x 4 into channels first, so
that the costly layers run on a grid of 16 x 16 and 8 x 8; 64 x 64 pixels give 8 x 8 codes. With a fold of 16
there is one more grid between: 128 x 128 pixels give 8 x 8 codes, too.

Shapes: B batch, S = image_size pixels, G = S / fold codes a side, C channels, D quantizer dimensions.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.codecs.quantize import FSQ
from unisono.codecs.storage import load_codec, save_codec

FOLDS = (8, 16)


@dataclass(frozen=True)
class ImageCodecConfig:
    """Everything that fixes the shape of an ImageCodec."""

    image_size: int = 64
    levels: tuple[int, ...] = (7, 5, 5, 5, 5)  # 4,375 codes
    fine_channels: int = 80  # on the grid of S / 4
    coarse_channels: int = 192  # on the grid of S / fold
    num_coarse_blocks: int = 3
    fold: int = 8  # pixels a side that one code stands for
    middle_channels: int = 0  # with a fold of 16, on the grid of S / 8

    def __post_init__(self) -> None:
        if self.fold not in FOLDS:
            raise ValueError(f"fold must be one of {FOLDS}, got {self.fold}")
        if (self.fold == 16) != (self.middle_channels > 0):
            raise ValueError(
                f"a fold of 16 needs middle_channels, one of 8 has none; got {self.middle_channels}"
            )
        if self.image_size < self.fold or self.image_size % self.fold:
            raise ValueError(f"image_size must be a multiple of {self.fold}, got {self.image_size}")


# By size of the network; a size that is not named here uses that of nano.
IMAGE_CODECS = {
    "nano": ImageCodecConfig(),
    "small": ImageCodecConfig(
        image_size=128,
        levels=(8, 8, 8, 6, 5),  # 15,360 codes
        coarse_channels=224,
        num_coarse_blocks=2,
        fold=16,
        middle_channels=128,
    ),
}


class Residual(nn.Module):
    """Two 3 x 3 filters around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1, self.filter1 = nn.GroupNorm(8, channels), nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2, self.filter2 = nn.GroupNorm(8, channels), nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.filter2.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = self.filter1(functional.silu(self.norm1(x)))
        return x + self.filter2(functional.silu(self.norm2(y)))


def _down(fine: int, middle: int, coarse: int) -> list[nn.Module]:
    """From the grid of S / 4 to that of the codes; `middle` 0: without one between."""
    if not middle:
        return [nn.Conv2d(fine, coarse, 4, stride=2, padding=1)]
    first, second = (nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in ((fine, middle), (middle, coarse)))
    return [first, Residual(middle), second]


def _up(coarse: int, middle: int, fine: int) -> list[nn.Module]:
    """The way back."""
    if not middle:
        return [nn.Conv2d(coarse, 4 * fine, 1), nn.PixelShuffle(2)]
    first, second = nn.Conv2d(coarse, 4 * middle, 1), nn.Conv2d(middle, 4 * fine, 1)
    return [first, nn.PixelShuffle(2), Residual(middle), second, nn.PixelShuffle(2)]


class ImageCodec(nn.Module):
    """The contract of every codec: encode, decode, and its physical numbers."""

    def __init__(self, config: ImageCodecConfig = ImageCodecConfig()) -> None:
        super().__init__()
        self.config = config
        self.quantizer = FSQ(config.levels)
        fine, coarse, count = config.fine_channels, config.coarse_channels, config.num_coarse_blocks
        num_dims = len(config.levels)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, fine, 3, padding=1),
            Residual(fine),
            *_down(fine, config.middle_channels, coarse),
            *(Residual(coarse) for _ in range(count)),
            nn.GroupNorm(8, coarse),
            nn.SiLU(),
            nn.Conv2d(coarse, num_dims, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(num_dims, coarse, 3, padding=1),
            *(Residual(coarse) for _ in range(count)),
            *_up(coarse, config.middle_channels, fine),
            Residual(fine),
            Residual(fine),
            nn.GroupNorm(8, fine),
            nn.SiLU(),
            nn.Conv2d(fine, 4 * 32, 1),
            nn.PixelShuffle(2),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(32, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )
        self.image_size, self.grid_size = config.image_size, config.image_size // config.fold
        self.codebook_size, self.num_codebooks = self.quantizer.codebook_size, 1

    def quantize(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, S, S) pixels in [0, 1] -> (B, G, G, D) quantized, (B, G, G) codes; differentiable."""
        return self.quantizer(self.encoder(pixels * 2 - 1).permute(0, 2, 3, 1))

    def synthesize(self, quantized: Tensor) -> Tensor:
        """(B, G, G, D) -> (B, 3, S, S) pixels, not clipped; differentiable."""
        return self.decoder(quantized.permute(0, 3, 1, 2)) / 2 + 0.5

    @torch.inference_mode()
    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) float pixels in [0, 1] -> (B, G, G) int64 codes. ValueError for another shape or
        type.
        """
        size = self.image_size
        if pixels.ndim != 4 or pixels.shape[1:] != (3, size, size) or not pixels.is_floating_point():
            raise ValueError(
                f"expected float pixels of shape (batch, 3, {size}, {size}), got {pixels.dtype} "
                f"{tuple(pixels.shape)}"
            )
        return self.quantize(pixels)[1]

    @torch.inference_mode()
    def decode(self, codes: Tensor) -> Tensor:
        """(B, G, G) int codes -> (B, 3, S, S) pixels in [0, 1]. ValueError for a code outside the
        codebook.
        """
        if codes.ndim != 3 or codes.shape[1:] != (self.grid_size, self.grid_size):
            raise ValueError(
                f"expected codes of shape (batch, {self.grid_size}, {self.grid_size}), got "
                f"{tuple(codes.shape)}"
            )
        return self.synthesize(self.quantizer.from_codes(codes)).clamp(0, 1)

    def save(self, folder: str | Path) -> None:
        """Writes config.json and model.safetensors (half precision) into `folder`."""
        save_codec(self, asdict(self.config), folder)

    @classmethod
    def load(cls, folder: str | Path) -> "ImageCodec":
        """Reads what `save` wrote; UserError says what is missing or does not fit."""
        return load_codec(cls, ImageCodecConfig, folder)
