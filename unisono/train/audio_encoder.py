"""Makes the encoder of a finished audio codec robust, by knowledge distillation with data augmentation.

Student and teacher begin as the same encoder. The teacher encodes the clean sound. The student encodes the
same sound with noise, a room, a low level or a telephone band added, and learns to give the teacher's codes.
The decoder and the meaning of the codes stay, so what a network learned with them stays valid. (The same
method for speech recognition: Li et al. 2017, "Large-Scale Domain Adaptation via Teacher-Student Learning",
arXiv 1708.05466.)

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

SPREAD = 0.3  # temperature of the levels' logits, in levels squared


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
    clean_share: float = 0.25  # of the student's items, without augmentation
    shares: dict[str, float] = field(default_factory=lambda: dict(SHARES))
    start_from: str = ""  # folder of the codec; empty = the one trained before


class AudioEncoderProgram:
    """A Program for train.loop: takes a codec, trains its encoder, saves the codec."""

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
        """-> "said" (B, N) clean pcm for the teacher, "heard" (B, N) augmented pcm for the student."""
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
        """(B, N) pcm -> (B, F, D) levels before rounding, 0 .. levels - 1."""
        return (torch.tanh(codec.latent(pcm).float()) + 1) / 2 * (codec.quantizer.sizes - 1)

    def loss(self, batch: dict[str, Tensor], step: int) -> tuple[Tensor, Parts]:
        """-> the cross-entropy of the teacher's rounded levels, and the share of equal codes. The logit of a
        level falls with its squared distance from the student's.

        A squared distance between the levels themselves does worse, because it lets the student stay between
        two levels: after 200 steps .32 of the codes of clean sound were the teacher's (2026-11-21).
        """
        # Without autocast, because codes are made without it too.
        with torch.no_grad(), torch.autocast(batch["said"].device.type, enabled=False):
            wanted = self._levels(self.teacher.to(batch["said"].device), batch["said"]).round().long()
        made = self._levels(self.model, batch["heard"])
        levels = torch.arange(int(self.model.quantizer.sizes.max()), device=made.device)
        scores = -(made[..., None] - levels).square() / SPREAD
        scores = scores.masked_fill(levels >= self.model.quantizer.sizes[:, None], float("-inf"))
        loss = functional.cross_entropy(scores.flatten(0, 2), wanted.flatten())
        same = (made.round().long() == wanted).all(-1).float().mean()
        return loss, {"loss": loss.detach(), "same_codes": same}

    def validate(self) -> Numbers:
        """Loss and share of equal codes on clean and on augmented sound, for speakers and sentences that are
        never trained on.
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
