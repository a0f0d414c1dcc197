"""How much of what is said a small reader can learn from a codec's ids: letters by connectionist temporal
classification.

The same reader, the same clips and the same number of steps for every codec, so that two codecs can stand
side by side; what differs between them is what their ids carry and how plainly. A network that learns to hear
has the same task.

Shapes: B clips, F code frames, D quantizer dimensions, V = sum of levels, L letters.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.assess.options import BenchOptions
from unisono.assess.speed.timing import Measured
from unisono.codecs.causal import CausalStack
from unisono.codecs.load import AnyAudioCodec, load_audio_codec
from unisono.codecs.packed import pack
from unisono.codecs.quantize import FSQ
from unisono.core.errors import UserError
from unisono.core.progress import track
from unisono.data.speech.kokoro import NEVER_HEARD
from unisono.data.speech.labels import read_labels
from unisono.data.speech.waves import Waves, sound_folders

LETTERS = " 'abcdefghijklmnopqrstuvwxyz"
NUMBERS = {letter: number for number, letter in enumerate(LETTERS, start=1)}
BLANK = 0
MAX_CLIP_S = 8.0
SOURCES = ("hibari", "kokoro", "neural_speech", "librispeech_train251", "piper", "flite", "espeak")


@dataclass(frozen=True)
class ReaderEffort:
    """How long the reader learns, and from how much."""

    num_steps: int = 800
    batch_size: int = 24
    num_train: int = 6000  # clips at most
    num_test: int = 80  # clips of each kind
    channels: int = 192
    learning_rate: float = 1.5e-3
    seed: int = 1


@dataclass(frozen=True)
class Clip:
    """One sentence as its codec's digits (F, D), and its letters."""

    digits: Tensor
    letters: list[int]


class LetterReader(nn.Module):
    """Digits of ids -> letter log-probabilities; it sees as many frames ahead as behind."""

    def __init__(self, levels: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.levels = levels
        self.tables = nn.ModuleList(
            nn.Embedding(size + 1, channels) for size in levels
        )  # the last row: no frame
        dilations = (1, 1, 2, 2, 1)
        self.wait = 3 * sum(dilations)
        self.stack = CausalStack(channels, channels, dilations)
        self.out = nn.Linear(channels, len(LETTERS) + 1)

    def forward(self, digits: Tensor) -> Tensor:
        """(B, F, D) -> (B, F, L + 1)."""
        padded = torch.stack(
            [
                functional.pad(digits[:, :, d], (0, self.wait), value=size)
                for d, size in enumerate(self.levels)
            ]
        )
        hidden, _ = self.stack(sum(table(part) for table, part in zip(self.tables, padded)))
        return self.out(hidden[:, self.wait :]).log_softmax(-1)


def letters_of(text: str) -> list[int]:
    """What a text comes to in letters; the rest is dropped."""
    return [
        NUMBERS[letter]
        for letter in " ".join(text.lower().replace("\u2019", "'").split())
        if letter in NUMBERS
    ]


def digits_of(quantizer: FSQ, codes: Tensor) -> Tensor:
    """(F,) -> (F, D)."""
    return codes[:, None] // quantizer.radix % quantizer.sizes


class Sayings:
    """All transcribed English sentences under a home folder, by split and kind."""

    def __init__(self, folders: list[Path]) -> None:
        self.waves = Waves(folders, None)
        labels = {number: read_labels(folder) for number, folder in enumerate(folders)}
        place: dict[int, int] = {}
        self.texts: dict[int, str] = {}
        for number, item in enumerate(self.waves.items):
            within = place[item["file"]] = place.get(item["file"], -1) + 1
            text = item.get("text") or labels[item["file"]].get(within, {}).get("text")
            if (
                text
                and item.get("source") in SOURCES
                and item["length"] <= MAX_CLIP_S * 16000
                and len(letters_of(text)) > 3
            ):
                self.texts[number] = text
            elif text and item.get("source") == "librispeech_train251" and item["split"] == "test":
                self.texts[number] = text  # readers' sentences are longer than clips that are learned from

    def train(self, count: int) -> list[int]:
        """At most so many items of the training split, drawn at random."""
        numbers = [number for number in self.texts if self.waves.items[number]["split"] == "train"]
        return list(np.random.default_rng(0).permutation(numbers)[:count])

    def test(self, count: int) -> dict[str, list[int]]:
        """At most so many items of each kind, none of whose sentences was trained on."""
        kinds: dict[str, list[int]] = {
            "main voice": [],
            "Kokoro": [],
            "a voice never heard": [],
            "people never heard": [],
        }
        for number in self.texts:
            item = self.waves.items[number]
            if item["split"] == "train":
                continue
            if item["voice"] in NEVER_HEARD:
                kinds["a voice never heard"].append(number)
            elif item["source"] == "hibari":
                kinds["main voice"].append(number)
            elif item["source"] in ("kokoro", "neural_speech"):
                kinds["Kokoro"].append(number)
            elif item["source"] == "librispeech_train251":
                kinds["people never heard"].append(number)
        return {
            kind: list(np.random.default_rng(0).permutation(numbers)[:count])
            for kind, numbers in kinds.items()
        }

    def clips(self, codec: AnyAudioCodec, numbers: list[int], title: str) -> list[Clip]:
        """The items as the codec says them."""
        found = []
        for number in track(numbers, title):
            codes = codec.encode(torch.from_numpy(self.waves.pcm(number))[None])[0]
            found.append(Clip(digits_of(codec.quantizer, codes), letters_of(self.texts[number])))
        return found


def taught(levels: tuple[int, ...], clips: list[Clip], effort: ReaderEffort) -> LetterReader:
    """A reader after its lessons."""
    torch.manual_seed(effort.seed)
    rng = np.random.default_rng(effort.seed)
    reader = LetterReader(levels, effort.channels)
    optimizer = torch.optim.AdamW(
        reader.parameters(), effort.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, effort.learning_rate, total_steps=effort.num_steps, pct_start=0.1
    )
    for _ in track(range(effort.num_steps), "a reader learns"):
        digits, lengths, targets, target_lengths = collate(
            [clips[n] for n in rng.integers(len(clips), size=effort.batch_size)], levels
        )
        loss = functional.ctc_loss(
            reader(digits).transpose(0, 1), targets, lengths, target_lengths, blank=BLANK, zero_infinity=True
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return reader.eval()


def collate(clips: list[Clip], levels: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """-> digits (B, F, D) filled up with "no frame", lengths (B,), letters (B, L), their numbers (B,)."""
    lengths = torch.tensor([len(clip.digits) for clip in clips])
    target_lengths = torch.tensor([len(clip.letters) for clip in clips])
    digits = torch.tensor(levels).expand(len(clips), int(lengths.max()), -1).clone()
    targets = torch.zeros(len(clips), int(target_lengths.max()), dtype=torch.int64)
    for row, clip in enumerate(clips):
        digits[row, : len(clip.digits)] = clip.digits
        targets[row, : len(clip.letters)] = torch.tensor(clip.letters)
    return digits, lengths, targets, target_lengths


@torch.inference_mode()
def letter_errors(reader: LetterReader, clips: list[Clip]) -> dict[str, float]:
    """Edits a letter of the likeliest path, with its standard error over the clips (bootstrap), and how many
    clips and letters."""
    wrong, total = [], []
    for clip in clips:
        path = torch.unique_consecutive(reader(clip.digits[None])[0].argmax(-1))
        wrong.append(edits([int(number) for number in path if number != BLANK], clip.letters))
        total.append(len(clip.letters))
    errors, letters = np.array(wrong), np.array(total)
    draws = np.random.default_rng(0).integers(len(clips), size=(1000, len(clips)))
    rates = errors[draws].sum(axis=1) / letters[draws].sum(axis=1)
    return {
        "rate": float(errors.sum() / letters.sum()),
        "stderr": float(rates.std()),
        "n": len(clips),
        "letters": int(letters.sum()),
    }


def edits(made: list[int], wanted: list[int]) -> int:
    """Levenshtein distance."""
    row = np.arange(len(wanted) + 1)
    target, steps = np.array(wanted), np.arange(len(wanted) + 1)
    for number, letter in enumerate(made, start=1):
        best = np.minimum(row[1:] + 1, row[:-1] + (target != letter))
        row = np.minimum.accumulate(np.concatenate([[number], best]) - steps) + steps
    return int(row[-1])


def read(codec: AnyAudioCodec, folders: list[Path], effort: ReaderEffort = ReaderEffort()) -> dict:
    """What a reader of this codec's ids learns from the sound in `folders` -> letter errors by kind, and ids
    a second."""
    sayings = Sayings(folders)
    kinds = {kind: numbers for kind, numbers in sayings.test(effort.num_test).items() if numbers}
    numbers = sayings.train(effort.num_train)
    if not numbers or not kinds:
        raise UserError(
            "a reader needs transcribed sentences to learn from and others to be examined on; "
            "build them with `unisono data speech`"
        )
    clips = sayings.clips(codec, numbers, "clips to learn from")
    reader = taught(codec.config.levels, clips, effort)
    errors = {kind: letter_errors(reader, sayings.clips(codec, test, kind)) for kind, test in kinds.items()}
    return {
        "ids_per_s": codec.frame_rate,
        "clips": len(clips),
        "seconds": sum(len(clip.digits) for clip in clips) / codec.frame_rate,
        "letter_errors": errors,
        "effort": asdict(effort),
    }


def codec_of(options: BenchOptions) -> AnyAudioCodec:
    """The codec that --codec names, or the one of --model's network."""
    return load_audio_codec(options.codec or options.network / "audio_codec")


def bench_reader(options: BenchOptions, effort: ReaderEffort = ReaderEffort()) -> Measured:
    """Entry of `unisono bench codec --reader`: the sound under --home, the codec of --codec or --model."""
    codec = codec_of(options)
    pack(codec)
    found = read(codec, sound_folders(options.home), effort)
    measured = Measured(found, {"codec": options.codec or ""})
    for kind, errors in found["letter_errors"].items():
        value = {"median": 100 * errors["rate"], "stderr": 100 * errors["stderr"], "n": errors["n"]}
        measured.row(
            f"letters wrong, {kind}", value, "%", f"{errors['n']} sentences, {found['ids_per_s']:g} ids/s"
        )
    return measured
