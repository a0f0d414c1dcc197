"""Trains the image codec on pictures drawn as they are needed, on the illustrations of a picture folder, and
on icons and clip art.

Shapes: B batch, S pixels a side.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.codecs.image import ImageCodec, ImageCodecConfig
from unisono.codecs.storage import made_by
from unisono.core.errors import UserError
from unisono.data.pictures.icons import UNSEEN
from unisono.data.pictures.named import Gallery, placed
from unisono.data.world.pictures import resolution
from unisono.data.world.samples import KINDS, draw_sample
from unisono.train.loop import LoopConfig, Loss, Numbers, Parts

NAMED = "named"  # icons and clip art


@dataclass(frozen=True)
class ImageCodecRecipe:
    """Defaults of the nano codec."""

    codec: ImageCodecConfig = field(default_factory=ImageCodecConfig)
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            num_steps=5000, learning_rate=2e-3, weight_decay=0.01, warmup_steps=50, validate_every=250
        )
    )
    batch_size: int = 48
    shares: dict[str, float] = field(
        default_factory=lambda: {"scene": 0.29, "emoji": 0.25, "word": 0.31, "motion": 0.05, "story": 0.10}
    )
    start_from: str = ""  # folder of a codec whose weights are the start


# Pictures of 128 pixels hold small print, and what small is shown has many styles.
SMALL_SHARES = {
    "scene": 0.18,
    "emoji": 0.08,
    "word": 0.12,
    "print": 0.14,
    "motion": 0.03,
    "story": 0.15,
    NAMED: 0.30,
}


class ImageCodecProgram:
    """A Program for train.loop. `stories`: (N, S, S, 3) uint8 illustrations, may be empty; `gallery`: icons
    and clip art, judged by a style that is not taught.
    """

    def __init__(self, recipe: ImageCodecRecipe, stories: np.ndarray, gallery: Gallery | None = None) -> None:
        self.recipe, self.stories, self.gallery = recipe, stories, gallery
        if unknown := set(recipe.shares) - {*KINDS, NAMED}:
            raise UserError(
                f"no pictures of the kind {min(unknown)!r}; choose from {', '.join(KINDS)}, {NAMED}"
            )
        self.model = ImageCodec.load(recipe.start_from) if recipe.start_from else ImageCodec(recipe.codec)
        if self.model.config != recipe.codec:
            raise UserError(
                f"the codec in {recipe.start_from} has another shape than the recipe: "
                f"{self.model.config}, not {recipe.codec}"
            )
        self.modules: dict[str, tuple[nn.Module, Loss]] = {"codec": (self.model, self.loss)}
        self.origin = made_by(self.model) if recipe.start_from else ""
        there = {"story": len(stories) > 0, NAMED: gallery is not None}
        self.shares = {
            kind: share for kind, share in recipe.shares.items() if share and there.get(kind, True)
        }

    def batch(self, step: int) -> dict[str, Tensor]:
        """-> "pixels" (B, 3, S, S): drawn pictures, and illustrations from the first 95 % of `stories`."""
        rng = random.Random(self.recipe.loop.seed * 1_000_003 + step)
        kinds = rng.choices(list(self.shares), list(self.shares.values()), k=self.recipe.batch_size)
        stories = self.stories[: int(len(self.stories) * 0.95)]
        with resolution(self.recipe.codec.image_size):
            return {"pixels": _stack([self._picture(kind, rng, stories, None) for kind in kinds])}

    def _picture(self, kind: str, rng: random.Random, stories: np.ndarray, style: str | None) -> np.ndarray:
        """(S, S, 3) uint8; `style` of the gallery, None: any that is taught."""
        if kind == NAMED and self.gallery:
            return np.asarray(placed(self.gallery.choose(style, rng)[2], rng))
        return draw_sample(kind, rng, stories)

    def loss(self, batch: dict[str, Tensor], step: int) -> tuple[Tensor, Parts]:
        """-> the scalar loss and its parts: absolute and squared error of the pixels, and the error of their
        differences between neighbours, which keeps edges and letters sharp.
        """
        pixels = batch["pixels"].contiguous(memory_format=torch.channels_last)
        quantized, _ = self.model.quantize(pixels)
        made = self.model.synthesize(quantized).float()
        with torch.autocast(pixels.device.type, enabled=False):
            absolute = (made - pixels).abs().mean()
            squared = functional.mse_loss(made, pixels)
            edges = sum((made.diff(dim=d) - pixels.diff(dim=d)).abs().mean() for d in (2, 3))
            return absolute + 4 * squared + 0.5 * edges, {
                "absolute": absolute.detach(),
                "squared": squared.detach(),
            }

    def validate(self) -> Numbers:
        """PSNR in dB for each kind of picture, 32 of each, freshly drawn."""
        numbers = {}
        rng = random.Random("validation")
        stories = self.stories[int(len(self.stories) * 0.95) :]
        for kind in self.shares:
            with resolution(self.recipe.codec.image_size):
                pixels = _stack([self._picture(kind, rng, stories, UNSEEN) for _ in range(32)])
            device = next(self.model.parameters()).device
            made = self.model.decode(self.model.encode(pixels.to(device))).cpu()
            error = (made - pixels).square().mean(dim=(1, 2, 3))
            numbers[kind] = float((-10 * torch.log10(error + 1e-9)).mean())
        return numbers

    def save(self, folder: Path) -> None:
        """Writes folder/codec (config.json + model.safetensors)."""
        self.model.save(folder / "codec")


def _stack(pictures: list[np.ndarray]) -> Tensor:
    """(S, S, 3) uint8 each -> (B, 3, S, S) float in [0, 1]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
