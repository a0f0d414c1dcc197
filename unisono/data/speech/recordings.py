"""Readers of the sound sets of the shared data folder: archives in, clips at 16 kHz out.

The archives (named in SETS) hold one folder of clips and an index; nothing is unpacked to disk. Splits are by
speaker where speakers are named, by sentence where the words also occur elsewhere.
"""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr

from unisono.core.errors import UserError
from unisono.data.splits import split_of
from unisono.data.zst import archive_at, member

SAMPLE_RATE = 16000
PEAK = 0.7
MIN_PEAK = 0.05  # quieter clips are mostly noise: they are not raised all the way
NUM_TEST_READERS = 25  # of LibriSpeech's 251: the last by number
TEST_DIGIT_SPEAKER = "lucas"
DIGITS = "zero one two three four five six seven eight nine".split()


@dataclass(frozen=True)
class Facts:
    """What an index line says: words spoken (None if not known word for word), who speaks, and the split."""

    text: str | None
    voice: str
    split: str
    language: str | None = "en"  # None: no speech
    labels: dict = field(
        default_factory=dict
    )  # "meaning" of foreign words, "label" of a sound, "slots" of an order


@dataclass(frozen=True)
class Recording:
    """pcm (N,) float32 at 16 kHz; `row` is the index line with the set's own labels."""

    pcm: np.ndarray
    facts: Facts
    source: str
    row: dict


def _arabic_commands(row: dict, rows: list[dict]) -> Facts:
    return Facts(row["arabic"], "arabic" + row["speaker"], row["split"], "ar", {"meaning": row["word"]})


def _wake_words(row: dict, rows: list[dict]) -> Facts:
    return Facts(row["word"], "wake_words", "train")  # speakers are not named: no honest test within the set


def _barista(row: dict, rows: list[dict]) -> Facts:
    return Facts(None, "barista", "train", labels={"slots": row["slots"]})


def _neural_speech(row: dict, rows: list[dict]) -> Facts:
    voice = "+".join(name for name, _ in sorted(row["voice"].items()))
    return Facts(row["text"], voice, "test" if row["split"] == "val" else split_of(row["text"]))


def _librispeech(row: dict, rows: list[dict]) -> Facts:
    readers = sorted({int(other["speaker"]) for other in rows})
    held_out = int(row["speaker"]) in readers[-NUM_TEST_READERS:]
    return Facts(None, "libri" + row["speaker"], "test" if held_out else "train")


def _fsdd(row: dict, rows: list[dict]) -> Facts:
    held_out = row["speaker"] == TEST_DIGIT_SPEAKER or row["split"] == "val"
    return Facts(DIGITS[int(row["digit"])], "fsdd_" + row["speaker"], "test" if held_out else "train")


def _esc10(row: dict, rows: list[dict]) -> Facts:
    held_out = row["fold"] == 4  # clips of one recording share a fold
    return Facts(None, "esc10", "val" if held_out else "train", None, {"label": row["label"]})


MIN_KEPT = 30  # clips of each split of a set, however small the share
SETS: dict[str, tuple[str, Callable[[dict, list[dict]], Facts]]] = {
    "neural_speech": ("neural_speech.tar", _neural_speech),
    "librispeech_train251": ("librispeech_train251.tar", _librispeech),
    "barista": ("barista.tar", _barista),
    "wake_words": ("wake_words.tar", _wake_words),
    "arabic_commands": ("arabic_commands.tar", _arabic_commands),
    "esc10": ("esc10.tar", _esc10),
    "fsdd": ("fsdd.tar.zst", _fsdd),
}


def iter_recordings(
    shared_data_folder: Path, name: str, split: str | None = None, scale: float = 1.0
) -> Iterator[Recording]:
    """The clips of one set in the order of its index; only those of `split` if one is named, and this share
    of each split.
    """
    if name not in SETS:
        raise UserError(f"unknown set of recordings {name!r}; known are {', '.join(SETS)}")
    file, facts_of = SETS[name]
    with archive_at(Path(shared_data_folder) / file) as archive:
        rows = [json.loads(line) for line in member(archive, f"{name}/index.jsonl")]
        known = [facts_of(row, rows) for row in rows]
        kept = _kept([facts.split for facts in known], scale)
        for number, (row, facts) in enumerate(zip(rows, known)):
            if number in kept and split in (None, facts.split):
                sound = member(archive, f"{name}/{row['file']}").read()
                yield Recording(decode(sound), facts, name, row)


def _kept(splits: list[str], scale: float) -> set[int]:
    """Numbers of the clips that make this share of each split, evenly spread."""
    found = set[int]()
    for split in set(splits):
        numbers = [number for number, one in enumerate(splits) if one == split]
        count = min(len(numbers), max(MIN_KEPT, round(len(numbers) * scale)))
        found |= {numbers[n * len(numbers) // count] for n in range(count)}
    return found


def iter_codec_speech(shared_data_folder: Path, scale: float = 1.0) -> Iterator[Recording]:
    """The clips of every set, or this share of them: what the audio codec is trained and judged on, beside
    synthesized speech.
    """
    for name in SETS:
        yield from iter_recordings(shared_data_folder, name, scale=scale)


def count_recordings(shared_data_folder: Path) -> int:
    """How many clips the sets hold together."""
    total = 0
    for name, (file, _) in SETS.items():
        with archive_at(Path(shared_data_folder) / file) as archive:
            total += len(member(archive, f"{name}/index.jsonl").readlines())
    return total


def decode(sound: bytes) -> np.ndarray:
    """A sound file's bytes -> (N,) float32 mono at 16 kHz, raised to a peak of 0.7 unless it is very
    quiet.
    """
    pcm, rate = soundfile.read(io.BytesIO(sound), dtype="float32", always_2d=True)
    pcm = soxr.resample(pcm.mean(axis=1), rate, SAMPLE_RATE)
    return pcm * (PEAK / max(MIN_PEAK, float(np.abs(pcm).max(initial=0.0))))
