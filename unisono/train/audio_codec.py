"""Trains the audio codec in stages: reconstruction with phonetic codes, then the decoder alone,
adversarially.

First stage: multi-resolution mel distance, and a CTC loss on the phonemes that a reader finds in the
quantized frames. A small network learns to hear and to speak sooner with codes that carry phonemes.

Decoder stage (`decoder_only`): encoder and quantizer are frozen, so that the network's training data stays
valid. The loss adds the distance between the encoder's hidden states for decoded and for recorded sound (a
perceptual loss); `adversarial` adds the GAN losses of small discriminators.

Shapes: B batch, N samples, F frames, D quantizer dimensions, P phonemes.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.codecs.audio import AudioCodec, AudioCodecConfig
from unisono.codecs.causal import CausalBlock
from unisono.codecs.discriminators import Discriminators, discriminator_loss, generator_loss
from unisono.codecs.losses import MelDistance
from unisono.codecs.phonemes import BLANK, NUMBERS, PhonemeReader
from unisono.codecs.storage import made_by
from unisono.core.errors import UserError
from unisono.core.record import PHONEMES
from unisono.data.speech.waves import Waves
from unisono.train.loop import LoopConfig, Loss, Numbers, Parts

LONGEST = 64000  # samples that an item counts with
# There is ten times as much sound of the reply voice as of all others, and it is the easiest. Without these
# shares the codec reproduced few LibriSpeech readers well (2026-11-21).
SHARES = {
    "hibari": 0.3,
    "piper": 0.13,
    "flite": 0.1,
    "espeak": 0.08,
    "neural_speech": 0.13,
    "librispeech_train251": 0.13,
    "barista": 0.03,
    "wake_words": 0.03,
    "arabic_commands": 0.03,
    "fsdd": 0.02,
    "digits": 0.01,
    "esc10": 0.01,
}


@dataclass(frozen=True)
class AudioCodecRecipe:
    """Defaults of the nano codec."""

    codec: AudioCodecConfig = field(default_factory=AudioCodecConfig)
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(num_steps=9000, learning_rate=1e-3, weight_decay=0.01)
    )
    batch_size: int = 16
    item_s: float = 3.2  # encoded; items up to this long are taken whole, with their phonemes
    window_frames: int = 80  # decoded, cut at random from the item
    phoneme_weight: float = 0.15
    shares: dict[str, float] = field(default_factory=lambda: dict(SHARES))
    decoder_only: bool = False  # encoder and quantizer are frozen: the network's data stays valid
    adversarial: bool = False  # the decoder alone, against discriminators
    reader_only: bool = False  # the codec of `start_from` is frozen, only the phoneme reader is trained
    hearing_weight: float = 0.0  # of the hidden-state distance, see `_hidden_distance`
    start_from: str = ""  # folder of a codec whose weights are the start

    @property
    def is_fixed(self) -> bool:
        """Whether the codes mean what they did before."""
        return self.decoder_only or self.adversarial


def drawn_by(train: Waves, shares: dict[str, float]) -> np.ndarray:
    """Speech and the share of each source -> (items,) cumulative probabilities of the items. UserError for a
    source that is neither in the speech nor in SHARES.
    """
    known = {item.get("source") or "" for item in train.items}
    if unknown := set(shares) - known - set(SHARES):
        raise UserError(f"no source {min(unknown)!r} in the speech; choose from {', '.join(sorted(known))}")
    return train.by_source(shares, LONGEST)


# The last stage trains the decoder alone and gives it more layers. With discriminators the voice is more like
# the original and as many words are understood (2026-11-23: 1,700 steps with them after 2,000 without).
DECODER = AudioCodecRecipe(
    codec=AudioCodecConfig(decoder_dilations=(1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 1)),
    decoder_only=True,
    adversarial=True,
    hearing_weight=0.5,
    loop=LoopConfig(num_steps=3000, learning_rate=5e-4, weight_decay=0.01),
)


def deepened(codec: AudioCodec, config: AudioCodecConfig) -> AudioCodec:
    """A codec and a config with more decoder layers -> a codec of that config. New layers begin as the
    identity, so it decodes as before. UserError where anything else differs.
    """
    has, wanted = codec.config.decoder_dilations, config.decoder_dilations
    if replace(codec.config, decoder_dilations=wanted) != config or wanted[: len(has)] != has:
        raise UserError(
            f"the codec to start from has another shape than the recipe: {codec.config}, not {config}"
        )
    grown = AudioCodec(config)
    grown.load_state_dict(codec.state_dict(), strict=False)
    for block in grown.decoder.blocks[len(has) :]:
        assert isinstance(block, CausalBlock)
        nn.init.zeros_(block.narrow.weight)
        nn.init.zeros_(block.narrow.bias)
    return grown


class CodecAndReader(nn.Module):
    """The codec and its phoneme reader share one optimizer."""

    def __init__(self, codec: AudioCodec) -> None:
        super().__init__()
        self.codec = codec
        self.reader = PhonemeReader(len(codec.config.levels))


class AudioCodecProgram:
    """A Program for train.loop: sound in, codec out."""

    def __init__(
        self, recipe: AudioCodecRecipe, train: Waves, val: Waves, teacher: AudioCodec | None = None
    ) -> None:
        """`teacher`: a codec with the same codebook, from before the encoder was trained further. In the
        decoder stage half of every batch is encoded by it, so that the decoder learns to decode the codes of
        both.
        """
        self.recipe, self.train, self.val = recipe, train, val
        start = AudioCodec.load(recipe.start_from) if recipe.start_from else None
        if recipe.reader_only and not start:
            raise UserError(
                "reader_only teaches a reader for a codec that there is; name its folder with --set "
                "start_from=DIR"
            )
        if start and recipe.reader_only and (recipe.is_fixed or start.frame_size != recipe.codec.frame_size):
            raise UserError(
                "reader_only teaches nothing else, and a codec of the usual frame_size; leave out "
                "decoder_only and adversarial"
            )
        codec = (
            start
            if start and recipe.reader_only
            else deepened(start, recipe.codec)
            if start
            else AudioCodec(recipe.codec)
        )
        self.teacher = teacher or start or codec
        if self.teacher is not codec:
            self.teacher.requires_grad_(False)
        self.model, self.origin = CodecAndReader(codec), made_by(codec) if recipe.start_from else ""
        self.distance = MelDistance(recipe.codec.sample_rate)
        self.modules: dict[str, tuple[nn.Module, Loss]] = {"codec": (self.model, self.loss)}
        if recipe.is_fixed:
            for module in (codec.encoder, codec.to_latent, self.model.reader):
                module.requires_grad_(False)
        if recipe.reader_only:
            codec.requires_grad_(False)
        if recipe.adversarial:
            self.discriminators = Discriminators()
            self.modules = {
                "discriminators": (self.discriminators, self.discriminator_loss),
                "codec": (self.model, self.loss),
            }
        self.cumulative = drawn_by(train, recipe.shares)

    def batch(self, step: int) -> dict[str, Tensor]:
        """-> pcm (B, N), starts (B,) of the decoder's window in frames, targets (B, P) and target_lengths
        (B,) of the phonemes (none for items that are cut), num_frames (B,).
        """
        rng = np.random.default_rng((self.recipe.loop.seed, step))
        numbers = np.searchsorted(self.cumulative, rng.random(self.recipe.batch_size)).clip(
            0, len(self.train) - 1
        )
        return self._collate(self.train, numbers, rng)

    def _collate(self, waves: Waves, numbers: np.ndarray, rng: np.random.Generator) -> dict[str, Tensor]:
        recipe, frame = self.recipe, self.recipe.codec.frame_size
        num_samples = int(recipe.item_s * recipe.codec.sample_rate) // frame * frame
        pcm = np.zeros((len(numbers), num_samples), np.float32)
        starts, texts, lengths = [], [], []
        for row, number in enumerate(numbers):
            item = waves.items[number]
            whole = item["length"] <= num_samples
            offset = 0 if whole else int(rng.integers(item["length"] - num_samples))
            piece = waves.pcm(number, offset, num_samples)
            pcm[row, : len(piece)] = piece * rng.uniform(0.5, 1.2)
            num_frames = max(1, len(piece) // frame)
            starts.append(int(rng.integers(max(1, num_frames - recipe.window_frames + 1))))
            texts.append([NUMBERS[s] for s in item.get("phonemes") or () if s in NUMBERS] if whole else [])
            lengths.append(num_frames)
        targets = torch.zeros(len(numbers), max(1, max(map(len, texts))), dtype=torch.int64)
        for row, text in enumerate(texts):
            targets[row, : len(text)] = torch.tensor(text, dtype=torch.int64)
        return {
            "pcm": torch.from_numpy(pcm.clip(-1, 1)),
            "starts": torch.tensor(starts),
            "targets": targets,
            "target_lengths": torch.tensor([len(t) for t in texts]),
            "num_frames": torch.tensor(lengths),
        }

    def _speak(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """-> (made pcm, true pcm) of the windows, (B, F, D) quantized frames of the items."""
        frame, width = self.recipe.codec.frame_size, self.recipe.window_frames
        codec, pcm = self.model.codec, batch["pcm"]
        if self.recipe.is_fixed:  # codes of both encoders, exactly as the network's data has them
            with torch.autocast(pcm.device.type, enabled=False):
                half = len(pcm) // 2
                latent = torch.cat([codec.latent(pcm[:half]), self.teacher.to(pcm.device).latent(pcm[half:])])
        else:
            latent = codec.latent(pcm)
        quantized, _ = codec.quantizer(latent)
        frames = batch["starts"][:, None] + torch.arange(width, device=quantized.device)
        window = quantized.gather(1, frames[:, :, None].expand(-1, -1, quantized.shape[2]))
        samples = batch["starts"][:, None] * frame + torch.arange(width * frame, device=quantized.device)
        return codec.synthesize(window).float(), pcm.gather(1, samples), quantized

    def _quantized(self, pcm: Tensor) -> Tensor:
        """(B, N) pcm -> (B, F, D) quantized frames of the frozen codec, without gradient and in float32."""
        with torch.no_grad(), torch.autocast(pcm.device.type, enabled=False):
            return self.model.codec.quantizer(self.model.codec.latent(pcm))[0]

    def loss(self, batch: dict[str, Any], step: int) -> tuple[Tensor, Parts]:
        """-> the scalar loss and its parts. First stage: mel distance + phoneme CTC (`reader_only`: CTC
        alone). Decoder stage: mel distance + hidden-state distance, with discriminators also the GAN losses.
        """
        if self.recipe.reader_only:
            ctc = self._phoneme_loss(self._quantized(batch["pcm"]), batch)
            return ctc, {"ctc": ctc.detach()}
        made, true, quantized = batch.pop("spoken", None) or self._speak(batch)
        with torch.autocast(made.device.type, enabled=False):
            mel = self.distance.to(made.device)(made, true)
        if self.recipe.is_fixed:
            heard = self._hidden_distance(made, true)
            kept = mel + self.recipe.hearing_weight * heard
            numbers = {"mel": mel.detach(), "heard": heard.detach()}
            if not self.recipe.adversarial:
                return kept, numbers
            with torch.autocast(made.device.type, enabled=False):
                fooling, matching = generator_loss(self.discriminators, made, true)
            return 15 * kept + fooling + 2 * matching, {
                **numbers,
                "fool": fooling.detach(),
                "match": matching.detach(),
            }
        ctc = self._phoneme_loss(quantized, batch)
        return mel + self.recipe.phoneme_weight * ctc, {"mel": mel.detach(), "ctc": ctc.detach()}

    def _hidden_distance(self, made: Tensor, true: Tensor) -> Tensor:
        """(B, N) decoded and recorded pcm -> mean absolute distance of the teacher encoder's hidden states,
        relative to their mean size for recorded sound.
        """
        heard = []
        for pcm in (made, true):
            hidden, _ = self.teacher.encoder(self.teacher.analysis(pcm)[0])
            heard.append(hidden.float())
        return (heard[0] - heard[1]).abs().mean() / heard[1].abs().mean()

    def discriminator_loss(self, batch: dict[str, Any], step: int) -> tuple[Tensor, Parts]:
        """-> the least-squares loss of the discriminators and its parts."""
        batch["spoken"] = made, true, _ = self._speak(batch)  # the codec's loss, next, needs the same
        loss = discriminator_loss(self.discriminators, made.detach(), true)
        return loss, {"discriminators": loss.detach()}

    def _phoneme_loss(self, quantized: Tensor, batch: dict[str, Tensor]) -> Tensor:
        rows = batch["target_lengths"] > 0
        if not bool(rows.any()):
            return self.model.reader(quantized).sum() * 0  # with a gradient: `reader_only` has no other
        log_probs = self.model.reader(quantized[rows]).transpose(0, 1)
        return functional.ctc_loss(
            log_probs,
            batch["targets"][rows],
            batch["num_frames"][rows],
            batch["target_lengths"][rows],
            blank=BLANK,
            zero_infinity=True,
        )

    def validate(self) -> Numbers:
        """Losses by name, "mel" and "ctc" (decoder stage: "heard"), on 64 fixed items of speakers and
        sentences that are never trained on.
        """
        totals: dict[str, list[float]] = {}
        for start in range(0, min(64, len(self.val)), 16):
            rng = np.random.default_rng(start)
            numbers = rng.permutation(len(self.val))[:16]
            batch = self._collate(self.val, numbers, rng)
            batch = {key: value.to(next(self.model.parameters()).device) for key, value in batch.items()}
            made, true, quantized = self._speak(batch)
            totals.setdefault("mel", []).append(float(self.distance.to(made.device)(made, true)))
            if self.recipe.is_fixed:
                totals.setdefault("heard", []).append(float(self._hidden_distance(made, true)))
            else:
                totals.setdefault("ctc", []).append(float(self._phoneme_loss(quantized, batch)))
        return {key: sum(values) / len(values) for key, values in totals.items()}

    def save(self, folder: Path) -> None:
        """Writes folder/codec (config.json + model.safetensors), and folder/phonemes.safetensors where the
        reader was taught.
        """
        self.model.codec.save(folder / "codec")
        if not self.recipe.is_fixed:
            self.model.reader.save(folder / PHONEMES)
