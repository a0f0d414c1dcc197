"""Teaches the decoder to speak ids in the voice that it is told: from ids and a style, read from other words
of the same voice, the sound must come back; later, small discriminators must be fooled.

The ids are the encoder's or, while that is still being trained, the teacher's, which mean the same. Beside it
a small reader learns to find in them the phonemes that the teacher finds: it tells where words begin.

Shapes: B rows, F frames of 40 ms, L quantizer dimensions, S numbers of a style, N samples, P phonemes.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.codecs.discriminators import Discriminators, discriminator_loss, generator_loss
from unisono.codecs.losses import MelDistance
from unisono.codecs.phonemes import PhonemeReader
from unisono.codecs.speech import PRESETS, SpeechCodec, SpeechCodecConfig
from unisono.codecs.speech_encoder import SpeechEncoder
from unisono.codecs.storage import made_by
from unisono.codecs.teacher import AudioTeacher
from unisono.core.errors import UserError
from unisono.core.record import PHONEMES
from unisono.data.speech.kokoro import PRESETS as PRESET_STYLES
from unisono.data.speech.states import States
from unisono.train.heard_rows import SHARES, HeardRows
from unisono.train.loop import LoopConfig, Loss, Numbers, Parts

SPOKEN = ("hibari", "kokoro", "neural_speech", "librispeech_train251", "piper", "flite", "espeak", "prompts")
NUM_REFERENCES = 24  # items whose styles make a preset


@dataclass(frozen=True)
class AudioVoicesRecipe:
    """Defaults of the decoder for 25 ids a second."""

    # its encoder is the one that is given
    codec: SpeechCodecConfig = field(default_factory=SpeechCodecConfig)
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            num_steps=6000, learning_rate=1e-3, weight_decay=0.01, bf16=False, validate_every=250
        )
    )
    batch_size: int = 12
    row_frames: int = 75  # 3 s
    by_teacher: bool = False  # the ids are the teacher's
    adversarial: bool = False
    shares: dict[str, float] = field(default_factory=lambda: {name: SHARES[name] for name in SPOKEN})
    teacher: str = ""  # folders of the teacher and the encoder; empty = those trained before
    encoder: str = ""
    start_from: str = ""  # folder of a codec whose decoder and style encoder are the start


class Speaker(nn.Module):
    """What is trained."""

    def __init__(self, codec: SpeechCodec) -> None:
        super().__init__()
        self.decoder, self.style = codec.decoder, codec.style


class AudioVoicesProgram:
    """A Program for train.loop: ids and voices in, a whole codec out."""

    def __init__(
        self,
        recipe: AudioVoicesRecipe,
        encoder: SpeechEncoder,
        teacher: AudioTeacher,
        train: States,
        val: States,
    ) -> None:
        if teacher.config.levels != encoder.config.levels:
            raise UserError(
                f"the teacher's levels are {teacher.config.levels}, the encoder's {encoder.config.levels}; "
                "train one of them again"
            )
        self.recipe, self.teacher = recipe, teacher.eval().requires_grad_(False)
        self.train, self.val = (
            HeardRows(states, recipe.row_frames, recipe.shares) for states in (train, val)
        )
        self.codec = SpeechCodec(recipe.codec.around(encoder.config))
        self.origin = made_by(teacher if recipe.by_teacher else encoder)
        self.reader = PhonemeReader(len(encoder.config.levels))
        if recipe.start_from:
            start = SpeechCodec.load(recipe.start_from)
            self.codec.decoder.load_state_dict(start.decoder.state_dict())
            self.codec.style.load_state_dict(start.style.state_dict())
            self.origin += made_by(start)
            if (path := Path(recipe.start_from).parent / PHONEMES).exists():  # of the stage before
                self.reader.load_state_dict(PhonemeReader.load(path).state_dict())
        self.codec.encoder.load_state_dict(encoder.state_dict())
        self.codec.encoder.eval().requires_grad_(False)
        self.model, self.distance = Speaker(self.codec), MelDistance(encoder.config.sample_rate)
        self.modules: dict[str, tuple[nn.Module, Loss]] = {
            "reader": (self.reader, self.reader_loss),
            "speaker": (self.model, self.loss),
        }
        if recipe.adversarial:
            self.discriminators = Discriminators()
            self.modules = {"discriminators": (self.discriminators, self.discriminator_loss), **self.modules}

    def batch(self, step: int) -> dict[str, Tensor]:
        """Rows of the training items."""
        rng = np.random.default_rng((self.recipe.loop.seed, step))
        return self.train.collate(self.train.draw(rng, self.recipe.batch_size), rng)

    def _told(self, batch: dict[str, Tensor]) -> Tensor:
        """(B, F, L) the ids that the teacher tells."""
        teacher = self.teacher.to(batch["pcm"].device)
        return teacher.quantizer(teacher.bottleneck(teacher.bottleneck.normal(batch["states"])))[0]

    @torch.no_grad()
    def _quantized(self, batch: dict[str, Tensor]) -> Tensor:
        """(B, F, L) the ids that the decoder and the reader are given, found once a batch."""
        if "quantized" not in batch:
            encoder = self.codec.encoder.to(batch["pcm"].device)
            batch["quantized"] = (
                self._told(batch)
                if self.recipe.by_teacher
                else self.codec.quantizer.from_codes(encoder.codes_of(encoder.whole(batch["pcm"])))
            )
        return batch["quantized"]

    def _speak(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """-> made and true pcm (B, N), both silent where a row has ended."""
        quantized = self._quantized(batch)
        with torch.no_grad():
            reference, _ = self.codec.logmel.to(batch["pcm"].device)(batch["reference"])
        made, _ = self.codec.decoder(quantized, self.codec.style(reference, batch["reference_mask"]))
        there = batch["mask"].repeat_interleave(self.codec.frame_size, dim=1)
        return made * there, batch["pcm"] * there

    def loss(self, batch: dict[str, Any], step: int) -> tuple[Tensor, Parts]:
        """Mel distance at several resolutions; with discriminators, fooling them and their features, too."""
        made, true = batch.pop("spoken", None) or self._speak(batch)
        mel = self.distance.to(made.device)(made, true)
        if not self.recipe.adversarial:
            return mel, {"mel": mel.detach()}
        fooling, matching = generator_loss(self.discriminators, made, true)
        return 15 * mel + fooling + 2 * matching, {
            "mel": mel.detach(),
            "fool": fooling.detach(),
            "match": matching.detach(),
        }

    def reader_loss(self, batch: dict[str, Any], step: int) -> tuple[Tensor, Parts]:
        """How far what is read in these ids is from what the teacher reads in its own (Kullback-Leibler, nats
        a frame), where a row has not ended."""
        with torch.no_grad():
            wanted = self.teacher.phonemes(self._told(batch))
        found = self.reader(self._quantized(batch))
        apart = functional.kl_div(found, wanted, reduction="none", log_target=True).sum(dim=-1)
        loss = (apart * batch["mask"]).sum() / batch["mask"].sum().clamp(min=1)
        return loss, {"phonemes": loss.detach()}

    def discriminator_loss(self, batch: dict[str, Any], step: int) -> tuple[Tensor, Parts]:
        """What the discriminators lose when they take made sound for true sound."""
        batch["spoken"] = made, true = self._speak(batch)
        loss = discriminator_loss(self.discriminators, made.detach(), true)
        return loss, {"discriminators": loss.detach()}

    def validate(self) -> Numbers:
        """Mel distance, and distance of the phonemes, on 48 fixed rows of sentences never trained on."""
        found = list[Numbers]()
        for start in range(4):
            rng = np.random.default_rng(start)
            found.append(self._judged(self.val.collate(self.val.draw(rng, 12), rng)))
        return {name: sum(one[name] for one in found) / len(found) for name in found[0]}

    @torch.no_grad()
    def _judged(self, batch: dict[str, Tensor]) -> Numbers:
        device = next(self.model.parameters()).device
        there = {key: value.to(device) for key, value in batch.items()}
        mel = self.distance.to(device)(*self._speak(there))
        return {"mel": float(mel), "phonemes": float(self.reader_loss(there, 0)[0])}

    @torch.no_grad()
    def save(self, folder: Path) -> None:
        """Writes folder/codec, and the reader beside it; each preset is the mean style of what its voice said
        in training. Presets that said nothing stay empty."""
        self.codec.eval().cpu()
        data = self.train.data
        for number, name in enumerate(PRESETS):
            items = [n for n in range(len(data)) if data.items[n]["voice"] == PRESET_STYLES[name]][
                :NUM_REFERENCES
            ]
            if items:
                styles = [self._style(data.pcm(n, 0, data.length(n))) for n in items]
                mean = torch.stack(styles).mean(dim=0)
                self.codec.presets[number] = mean * torch.rsqrt(mean.square().mean() + 1e-4)
        self.codec.save(folder / "codec")
        self.reader.save(folder / PHONEMES)

    def _style(self, pcm: np.ndarray) -> Tensor:
        logmel, _ = self.codec.logmel(torch.from_numpy(pcm)[None])
        return self.codec.style(logmel, torch.ones(logmel.shape[:2], dtype=torch.bool))[0]
