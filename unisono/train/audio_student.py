"""Teaches a causal encoder to hear what the audio teacher hears: from sound alone, through microphones, 80 ms
after it was said. It begins with Whisper-tiny's weights.

Loss: cross-entropy of the teacher's digits, and the distance to Whisper's states, which say more than the
digits while little is known. With `back_weight`, what the teacher gives back from the student's own ids
counts too: then an id may be another one than the teacher's where it means the same.

Shapes: B rows, F frames of 40 ms, C channels, L quantizer dimensions.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.base.whisper import start_of_whisper, whisper_tiny
from unisono.codecs.speech_encoder import PERIOD, SpeechEncoder, SpeechEncoderConfig
from unisono.codecs.storage import made_by
from unisono.codecs.teacher import AudioTeacher
from unisono.core.errors import UserError
from unisono.data.speech.microphone import carried
from unisono.data.speech.states import States
from unisono.train.audio_teacher import phoneme_loss
from unisono.train.heard_rows import SHARES, HeardRows
from unisono.train.loop import LoopConfig, Loss, Numbers, Parts


@dataclass(frozen=True)
class AudioStudentRecipe:
    """Defaults of the encoder for 25 ids a second."""

    encoder: SpeechEncoderConfig = field(default_factory=SpeechEncoderConfig)
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            num_steps=4000,
            learning_rate=5e-4,
            weight_decay=0.01,
            bf16=False,
            warmup_steps=20,
            validate_every=200,
        )
    )
    batch_size: int = 16
    row_frames: int = 150  # 6 s
    clean_share: float = 0.3  # of the rows that are heard as they were said
    state_weight: float = 0.5
    back_weight: float = 0.5
    shares: dict[str, float] = field(default_factory=lambda: dict(SHARES))
    teacher: str = ""  # folder of the teacher; empty = the one trained before
    start_from: str = "whisper-tiny"  # or a CTranslate2 Whisper's model.bin, an encoder's folder, "nothing"


class Student(nn.Module):
    """The encoder, and the head that is trained with it and not kept."""

    def __init__(self, encoder: SpeechEncoder, state_size: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.to_states = nn.Linear(encoder.config.channels, state_size)


class AudioStudentProgram:
    """A Program for train.loop: sound and states in, encoder out."""

    def __init__(self, recipe: AudioStudentRecipe, teacher: AudioTeacher, train: States, val: States) -> None:
        if teacher.config.levels != recipe.encoder.levels:
            raise UserError(
                f"the teacher's levels are {teacher.config.levels}, the student's {recipe.encoder.levels}; "
                "train one of them again"
            )
        self.recipe = recipe
        self.train, self.val = (
            HeardRows(states, recipe.row_frames, recipe.shares) for states in (train, val)
        )
        encoder = begun(recipe)
        self.teacher = teacher.eval().requires_grad_(False)
        self.model = Student(encoder, teacher.config.state_size)
        self.origin = made_by(teacher) + (made_by(encoder) if recipe.start_from != "nothing" else "")
        self.modules: dict[str, tuple[nn.Module, Loss]] = {"student": (self.model, self.loss)}

    def batch(self, step: int) -> dict[str, Tensor]:
        """Rows as they were said, and as they are heard."""
        rng = np.random.default_rng((self.recipe.loop.seed, step))
        return self._heard(
            self.train.collate(self.train.draw(rng, self.recipe.batch_size), rng),
            rng,
            self.recipe.clean_share,
        )

    def _heard(
        self, batch: dict[str, Tensor], rng: np.random.Generator, clean_share: float
    ) -> dict[str, Tensor]:
        rows = [row if rng.random() < clean_share else carried(row, rng) for row in batch["pcm"].numpy()]
        return {
            **batch,
            "heard": torch.from_numpy(np.stack(rows).clip(-1, 1)),
            "position": torch.tensor(rng.integers(PERIOD)),  # of a stream that may have gone on for long
        }

    def loss(self, batch: dict[str, Tensor], step: int) -> tuple[Tensor, Parts]:
        """Cross-entropy, in nats a digit, and the rest as the recipe weighs it."""
        recipe, mask = self.recipe, batch["mask"]
        teacher = self.teacher.to(mask.device)
        wanted = teacher.digits(batch["states"]).clone()
        hidden = self.model.encoder.whole(batch["heard"], int(batch["position"]))
        scores = self.model.encoder.levels_of(hidden)
        entropies = (
            functional.cross_entropy(part[mask].float(), wanted[mask][:, d]) for d, part in enumerate(scores)
        )
        entropy = sum(entropies, start=torch.zeros((), device=mask.device)) / len(scores)
        made = torch.stack([part.argmax(dim=2) for part in scores], dim=2)
        right = (made == wanted)[mask]
        numbers = {
            "entropy": entropy.detach(),
            "digits": right.float().mean(),
            "ids": right.all(dim=1).float().mean(),
        }
        loss = entropy
        if recipe.state_weight:
            normal = teacher.bottleneck.normal(batch["states"])
            missed = (self.model.to_states(hidden).float() - normal).square().mean(-1)[mask].mean()
            loss, numbers = loss + recipe.state_weight * missed, {**numbers, "states": missed.detach()}
        if recipe.back_weight:
            far, back = self._given_back(scores, batch)
            loss, numbers = loss + recipe.back_weight * far, {**numbers, **back}
        return loss, numbers

    def _given_back(self, scores: list[Tensor], batch: dict[str, Tensor]) -> tuple[Tensor, Parts]:
        """What the teacher gives back from the student's ids: states + phonemes. The gradient goes through
        the mean of the levels."""
        values = []
        for part, size in zip(scores, self.recipe.encoder.levels):
            places = torch.arange(size, device=part.device) / (size - 1) * 2 - 1
            mean = (part.float().softmax(-1) * places).sum(-1)
            values.append(mean + (places[part.argmax(-1)] - mean).detach())
        hidden = self.teacher.hidden(torch.stack(values, dim=2))
        normal = self.teacher.bottleneck.normal(batch["states"])
        states = (self.teacher.to_states(hidden).float() - normal).square().mean(-1)[batch["mask"]].mean()
        ctc = phoneme_loss(self.teacher.to_phonemes(hidden).float().log_softmax(-1), batch)
        return states + 0.2 * ctc, {"back_states": states.detach(), "back_ctc": ctc.detach()}

    def validate(self) -> Numbers:
        """Loss and shares of equal digits and ids on 64 fixed rows of sentences never trained on: clean, and
        through microphones."""
        numbers: Numbers = {}
        device = next(self.model.parameters()).device
        for name, clean_share in (("clean", 1.0), ("microphone", 0.0)):
            totals: dict[str, list[float]] = {}
            for start in range(4):
                rng = np.random.default_rng(start)
                batch = self._heard(self.val.collate(self.val.draw(rng, 16), rng), rng, clean_share)
                batch = {key: value.to(device) for key, value in batch.items()}
                found = self.loss(batch, 0)[1]
                if not self.recipe.back_weight:
                    found |= self._given_back(
                        self.model.encoder.levels_of(
                            self.model.encoder.whole(batch["heard"], int(batch["position"]))
                        ),
                        batch,
                    )[1]
                for key, value in found.items():
                    totals.setdefault(key, []).append(float(value))
            numbers |= {f"{name}_{key}": sum(values) / len(values) for key, values in totals.items()}
        return numbers

    def save(self, folder: Path) -> None:
        """Writes folder/encoder."""
        self.model.encoder.save(folder / "encoder")


def begun(recipe: AudioStudentRecipe) -> SpeechEncoder:
    """The encoder before its first step. UserError where the start is missing or has another shape."""
    start, config = recipe.start_from, recipe.encoder
    if start == "nothing":
        return SpeechEncoder(config)
    if start == "whisper-tiny" or Path(start).is_file():
        return start_of_whisper(config, whisper_tiny() if start == "whisper-tiny" else Path(start))
    encoder = SpeechEncoder.load(start)
    if encoder.config != config:
        raise UserError(
            f"the encoder to start from has another shape than the recipe: {encoder.config}, not {config}"
        )
    return encoder
