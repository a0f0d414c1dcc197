"""Trains the audio teacher: from one id in 40 ms, Whisper's states, the phonemes, and the spectrum in a given
voice must come back.

Shapes: B rows, F frames of 40 ms, D = 512 numbers a state, L quantizer dimensions.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.codecs.logmel import LogMel
from unisono.codecs.phonemes import BLANK
from unisono.codecs.storage import made_by
from unisono.codecs.teacher import AudioTeacher, AudioTeacherConfig
from unisono.data.speech.states import FRAME_SIZE, States
from unisono.train.heard_rows import SHARES, HeardRows
from unisono.train.loop import LoopConfig, Loss, Numbers, Parts

SAMPLE_RATE = 16000
NUM_MELS = 80


@dataclass(frozen=True)
class AudioTeacherRecipe:
    """Defaults of the teacher for 25 ids a second."""

    teacher: AudioTeacherConfig = field(default_factory=AudioTeacherConfig)
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            num_steps=2600, learning_rate=1.5e-3, weight_decay=0.01, bf16=False, validate_every=200
        )
    )
    batch_size: int = 8
    row_frames: int = 150  # 6 s
    state_weight: float = 1.0
    phoneme_weight: float = 0.2
    mel_weight: float = 2.0
    shares: dict[str, float] = field(default_factory=lambda: dict(SHARES))
    start_from: str = ""  # folder of a teacher whose weights are the start


class AudioTeacherProgram:
    """A Program for train.loop: states in, teacher out."""

    def __init__(self, recipe: AudioTeacherRecipe, train: States, val: States) -> None:
        self.recipe, self.train, self.val = (
            recipe,
            HeardRows(train, recipe.row_frames, recipe.shares),
            HeardRows(val, recipe.row_frames, recipe.shares),
        )
        self.model = (
            AudioTeacher.load(recipe.start_from) if recipe.start_from else AudioTeacher(recipe.teacher)
        )
        self.origin = made_by(self.model) if recipe.start_from else ""
        self.logmel = LogMel(SAMPLE_RATE, FRAME_SIZE, NUM_MELS)
        if not recipe.start_from:
            self._measure(train)
        self.modules: dict[str, tuple[nn.Module, Loss]] = {"teacher": (self.model, self.loss)}

    def _measure(self, train: States) -> None:
        """The bottleneck begins with what 1,000 items are like."""
        numbers = np.random.default_rng(0).permutation(len(train))[:1000]
        rows = np.concatenate([train.states(number, 0, train.length(number)) for number in numbers]).astype(
            np.float32
        )
        self.model.bottleneck.begin_with(torch.from_numpy(rows))

    def batch(self, step: int) -> dict[str, Tensor]:
        """Rows of the training items."""
        rng = np.random.default_rng((self.recipe.loop.seed, step))
        return self.train.collate(self.train.draw(rng, self.recipe.batch_size), rng)

    def loss(self, batch: dict[str, Tensor], step: int) -> tuple[Tensor, Parts]:
        """Square distance of normal states + phoneme CTC + distance of log-mels."""
        recipe, mask = self.recipe, batch["mask"]
        with torch.no_grad():
            normal = self.model.bottleneck.normal(batch["states"])
            logmel = self.logmel.to(mask.device)(batch["pcm"])[0]
            reference = self.logmel(batch["reference"])[0]
        quantized, _ = self.model.quantizer(self.model.bottleneck(normal))
        states, log_probs, mel = self.model.give_back(
            quantized, self.model.style(reference, batch["reference_mask"])
        )
        missed = (states.float() - normal).square().mean(-1)[mask].mean()
        far = (mel.float() - logmel).abs().mean(-1)[mask].mean()
        ctc = phoneme_loss(log_probs, batch)
        loss = recipe.state_weight * missed + recipe.phoneme_weight * ctc + recipe.mel_weight * far
        return loss, {"states": missed.detach(), "ctc": ctc.detach(), "mel": far.detach()}

    def validate(self) -> Numbers:
        """The same on 64 fixed rows of sentences never trained on, and how many ids are in use: two to the
        power of their entropy."""
        totals: dict[str, list[float]] = {}
        counts = torch.zeros(self.model.quantizer.codebook_size)
        device = next(self.model.parameters()).device
        for start in range(4):
            rng = np.random.default_rng(start)
            batch = {
                key: value.to(device) for key, value in self.val.collate(self.val.draw(rng, 16), rng).items()
            }
            for key, value in self.loss(batch, 0)[1].items():
                totals.setdefault(key, []).append(float(value))
            digits = self.model.digits(batch["states"][batch["mask"]]).cpu()
            counts += torch.bincount(
                (digits * self.model.quantizer.radix.cpu()).sum(-1), minlength=len(counts)
            )
        shares = counts[counts > 0] / counts.sum()
        return {
            **{key: sum(values) / len(values) for key, values in totals.items()},
            "ids_used": float(2 ** -(shares * shares.log2()).sum()),
        }

    def save(self, folder: Path) -> None:
        """Writes folder/teacher."""
        self.model.save(folder / "teacher")


def phoneme_loss(log_probs: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """(B, F, P + 1) -> nats a phoneme over the rows whose phonemes are known; 0 with a gradient where there
    is none."""
    rows = batch["target_lengths"] > 0
    if not bool(rows.any()):
        return log_probs.sum() * 0
    return functional.ctc_loss(
        log_probs[rows].transpose(0, 1),
        batch["targets"][rows],
        batch["mask"][rows].sum(1),
        batch["target_lengths"][rows],
        blank=BLANK,
        zero_infinity=True,
    )
