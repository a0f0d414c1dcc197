"""Teaches the encoder of a finished audio codec to hear through microphones: in noise, in a room, low or by
telephone it
shall give the codes that the finished encoder gives for the clean sound. The decoder and the meaning of the
codes stay, so
what a network learned with them stays valid.

Student and teacher begin as the same encoder; both hear the same items, the teacher as they are. (The same
idea for
recognizers: Li et al. 2017, "Large-Scale Domain Adaptation via Teacher-Student Learning", arXiv 1708.05466.)

Shapes: B batch, N samples, F frames, D quantizer dimensions.
"""

import copy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.codecs.audio import AudioCodec
from unisono.codecs.storage import made_by
from unisono.data.speech.microphone import carried
from unisono.data.speech.waves import Waves
from unisono.train.audio_codec import SHARES, drawn_by
from unisono.train.loop import LoopConfig, Loss, Numbers, Parts

SPREAD = 0.3  # of a level's likelihood, in levels squared


@dataclass(frozen=True)
class AudioEncoderRecipe:
    """Defaults for the nano codec."""

    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            num_steps=3000, learning_rate=3e-4, weight_decay=0.01, validate_every=500
        )
    )
    batch_size: int = 16
    item_s: float = 3.2
    clean_share: float = 0.25  # of the items that the student hears as they are
    shares: dict[str, float] = field(default_factory=lambda: dict(SHARES))
    start_from: str = ""  # folder of the codec; empty = the one trained before


class AudioEncoderProgram:
    """A Program for train.loop: the codec with a better encoder comes out."""

    def __init__(self, recipe: AudioEncoderRecipe, codec: AudioCodec, train: Waves, val: Waves) -> None:
        self.recipe, self.train, self.val = recipe, train, val
        self.origin = made_by(codec)
        self.teacher, self.model = codec.eval().requires_grad_(False), copy.deepcopy(codec)
        self.model.requires_grad_(False)
        for module in (self.model.encoder, self.model.to_latent):
            module.requires_grad_(True)
        self.modules: dict[str, tuple[nn.Module, Loss]] = {"encoder": (self.model, self.loss)}
        self.cumulative = drawn_by(train, recipe.shares)

    def batch(self, step: int) -> dict[str, Tensor]:
        """Items as they were said and as they were heard."""
        rng = np.random.default_rng((self.recipe.loop.seed, step))
        numbers = np.searchsorted(self.cumulative, rng.random(self.recipe.batch_size)).clip(
            0, len(self.train) - 1
        )
        return self._collate(self.train, numbers, rng, self.recipe.clean_share)

    def _collate(
        self, waves: Waves, numbers: np.ndarray, rng: np.random.Generator, clean_share: float
    ) -> dict[str, Tensor]:
        num_samples = (
            int(self.recipe.item_s * self.model.sample_rate) // self.model.frame_size * self.model.frame_size
        )
        said = np.zeros((len(numbers), num_samples), np.float32)
        heard = np.zeros_like(said)
        for row, number in enumerate(numbers):
            piece = waves.pcm(
                number,
                int(rng.integers(max(1, waves.items[number]["length"] - num_samples + 1))),
                num_samples,
            )
            said[row, : len(piece)] = piece
            heard[row, : len(piece)] = piece if rng.random() < clean_share else carried(piece, rng)
        return {"said": torch.from_numpy(said), "heard": torch.from_numpy(heard)}

    def _levels(self, codec: AudioCodec, pcm: Tensor) -> Tensor:
        """(B, N) -> (B, F, D) what is rounded to a code, 0 .. levels - 1."""
        return (torch.tanh(codec.latent(pcm).float()) + 1) / 2 * (codec.quantizer.sizes - 1)

    def loss(self, batch: dict[str, Tensor], step: int) -> tuple[Tensor, Parts]:
        """Cross-entropy of the teacher's rounded levels, each level as likely as it is near: what counts is
        the code. (The square
        distance to the teacher's levels made the student keep between them: after 200 steps .32 of the codes
        of clean sound were
        the teacher's, 2026-11-21.)"""
        with (
            torch.no_grad(),
            torch.autocast(batch["said"].device.type, enabled=False),
        ):  # as exactly as where the codes are made
            wanted = self._levels(self.teacher.to(batch["said"].device), batch["said"]).round().long()
        made = self._levels(self.model, batch["heard"])
        levels = torch.arange(int(self.model.quantizer.sizes.max()), device=made.device)
        scores = -(made[..., None] - levels).square() / SPREAD
        scores = scores.masked_fill(levels >= self.model.quantizer.sizes[:, None], float("-inf"))
        loss = functional.cross_entropy(scores.flatten(0, 2), wanted.flatten())
        same = (made.round().long() == wanted).all(-1).float().mean()
        return loss, {"loss": loss.detach(), "same_codes": same}

    def validate(self) -> Numbers:
        """Loss and share of equal codes for speakers and sentences never trained on: clean, and through a
        microphone.
        """
        numbers: Numbers = {}
        chosen = np.random.default_rng(0).permutation(len(self.val))[:64]
        for name, clean_share in (("clean", 1.0), ("microphone", 0.0)):
            batch = self._collate(self.val, chosen, np.random.default_rng(1), clean_share)
            device = next(self.model.parameters()).device
            _, found = self.loss({key: value.to(device) for key, value in batch.items()}, 0)
            numbers |= {f"{name}_{key}": float(value) for key, value in found.items()}
        return numbers

    def save(self, folder: Path) -> None:
        """Writes folder/codec."""
        self.model.save(folder / "codec")
