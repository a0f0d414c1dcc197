"""Builds folders of sound for training: recordings copied in, sentences spoken by many voices.

A corpus folder holds shards 0000, 0001, ..., each a sound folder as data/waves.py reads it (pcm.i16 and
index.jsonl, the index last). What whole shards already say is never spoken again, so that a stopped build
goes on where it was and a grown list of texts only adds shards.
"""

import json
import multiprocessing
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr

from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.core.progress import progress, track
from unisono.data.speech.plans import (
    MAIN_VOICE,
    Utterance,
    askers,
    plan_numbers,
    plan_sentences,
    plan_unheard,
    plan_words,
    plan_world,
)
from unisono.data.speech.recordings import (
    DIGITS,
    SAMPLE_RATE,
    count_recordings,
    iter_codec_speech,
    iter_recordings,
)
from unisono.data.speech.voices import find_voice, list_voices, phonemes, speak
from unisono.data.splits import split_of

SHARD_SIZE = 500
DIGIT_SPEEDS = (0.8, 0.88, 1.12, 1.22)  # beyond them a voice no longer sounds like a person's
DIGIT_PACES = (0.82, 0.9, 1.0, 1.1, 1.22)
TELEPHONED = 0.5  # of the digits in synthesized voices: people's were recorded so


class Spoken(NamedTuple):
    """Sound to be written, with the fields of its index line."""

    pcm: np.ndarray
    fields: dict


def shard_folders(folder: Path) -> list[Path]:
    """The whole shards of a corpus folder, oldest first."""
    return sorted(index.parent for index in Path(folder).glob("[0-9]*/index.jsonl"))


def build_corpus(plan: list[Utterance], folder: Path, workers: int = 1, **fields: object) -> None:
    """Speaks what the folder does not hold yet; `fields` go into every index line. Texts that make no sound
    are left out.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    known = {(item["text"], item["voice"]) for shard in shard_folders(folder) for item in _read_index(shard)}
    plan = [utterance for utterance in dict.fromkeys(plan) if utterance not in known]
    seconds = 0.0
    with progress() as bar, multiprocessing.get_context("spawn").Pool(workers) as pool:
        task = bar.add_task(folder.name, total=len(plan), note="")
        for start in range(0, len(plan), SHARD_SIZE):
            part = plan[start : start + SHARD_SIZE]
            symbols = phonemes([utterance.text for utterance in part])
            spoken = []
            for utterance, marks, pcm in zip(part, symbols, pool.imap(_speak, part, chunksize=4)):
                if pcm is not None:
                    spoken.append(
                        Spoken(
                            pcm,
                            {
                                **utterance._asdict(),
                                "split": split_of(utterance.text),
                                "source": find_voice(utterance.voice).engine,
                                "phonemes": marks,
                                **fields,
                            },
                        )
                    )
                    seconds += len(pcm) / SAMPLE_RATE
                bar.update(task, advance=1, note=f"{seconds / 3600:.2f} h")
            if spoken:
                write_waves(_new_shard(folder), spoken)


def _new_shard(folder: Path) -> Path:
    """Makes the folder of the next free number; two builds at work in one corpus never get the same one."""
    number = max((int(shard.name) for shard in folder.glob("[0-9]*")), default=-1) + 1
    try:
        (folder / f"{number:04d}").mkdir()
    except FileExistsError:
        return _new_shard(folder)
    return folder / f"{number:04d}"


def _speak(utterance: Utterance) -> np.ndarray | None:
    """(N,) int16; None where the engine has nothing to say."""
    try:
        return to_int16(speak(utterance.text, utterance.voice))
    except UserError as error:
        if "made no sound" in str(error):
            return None
        raise


def write_waves(folder: Path, items: Iterable[Spoken]) -> None:
    """Writes one sound folder; its index comes last, so that what is there is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []

    def write_pcm(path: Path) -> None:
        start = 0
        with open(path, "wb") as file:
            for pcm, fields in items:
                file.write(pcm.astype("<i2").tobytes())
                lines.append(
                    json.dumps({"start": start, "length": len(pcm), **fields}, ensure_ascii=False) + "\n"
                )
                start += len(pcm)

    atomic_write(folder / "pcm.i16", write_pcm)
    atomic_write(folder / "index.jsonl", lambda path: path.write_text("".join(lines), encoding="utf8"))


def copy_recordings(shared_data_folder: Path, folder: Path, scale: float = 1.0) -> None:
    """All recorded sets, or this share of them, into one sound folder; English words known come with their
    phonemes. A whole folder is left alone.
    """
    if (Path(folder) / "index.jsonl").exists():
        return
    with progress() as bar:
        total = count_recordings(shared_data_folder) if scale >= 1 else None
        task = bar.add_task("recordings", total=total, note="")

        def items() -> Iterator[Spoken]:
            for recording in iter_codec_speech(shared_data_folder, scale):
                facts = recording.facts
                english = facts.text if facts.language == "en" else None
                yield Spoken(
                    to_int16(recording.pcm),
                    {
                        "text": facts.text,
                        "voice": facts.voice,
                        "split": facts.split,
                        "source": recording.source,
                        "phonemes": phonemes([english])[0] if english else None,
                        **facts.labels,
                    },
                )
                bar.update(task, advance=1, note=recording.source)

        write_waves(Path(folder), items())


def perturb_digits(shared_data_folder: Path, folder: Path, scale: float = 1.0) -> None:
    """The training digits of four people at other speeds, as if more people had said them (Ko et al. 2015,
    "Audio augmentation for speech recognition"). A whole folder is left alone. `scale`: share of the digits.
    """
    if (Path(folder) / "index.jsonl").exists():
        return

    def items() -> Iterator[Spoken]:
        digits = list(iter_recordings(shared_data_folder, "fsdd", "train", scale))
        for recording in track(digits, "digits at other speeds"):
            for factor in DIGIT_SPEEDS:
                pcm = soxr.resample(recording.pcm, SAMPLE_RATE * factor, SAMPLE_RATE)
                yield Spoken(
                    to_int16(pcm),
                    {
                        "text": recording.facts.text,
                        "voice": f"{recording.facts.voice}*{factor}",
                        "split": "train",
                        "source": "fsdd",
                        "phonemes": phonemes([recording.facts.text or ""])[0],
                    },
                )

    write_waves(Path(folder), items())


def speak_digits(folder: Path, scale: float = 1.0) -> None:
    """Every digit by the voices that ask, at several paces, half of them by telephone. A whole folder is left
    alone. `scale`: share of the voices.
    """
    if (Path(folder) / "index.jsonl").exists():
        return
    voices, rng = askers(), random.Random("digits")

    def items() -> Iterator[Spoken]:
        for voice in track(voices[: max(1, round(len(voices) * scale))], "digits by many voices"):
            for digit in DIGITS:
                pcm, (symbols,) = speak(digit, voice), phonemes([digit])
                for pace in DIGIT_PACES:
                    said = soxr.resample(pcm, SAMPLE_RATE * pace, SAMPLE_RATE)
                    if rng.random() < TELEPHONED:
                        said = soxr.resample(soxr.resample(said, SAMPLE_RATE, 8000), 8000, SAMPLE_RATE)
                    yield Spoken(
                        to_int16(said),
                        {
                            "text": digit,
                            "voice": f"{voice}*{pace}",
                            "split": "train",
                            "source": "digits",
                            "phonemes": symbols,
                        },
                    )

    write_waves(Path(folder), items())


def to_int16(pcm: np.ndarray) -> np.ndarray:
    """(N,) float in [-1, 1] -> (N,) int16."""
    return (np.clip(pcm, -1, 1) * 32767).astype("<i2")


def _read_index(folder: Path) -> list[dict]:
    with open(folder / "index.jsonl", encoding="utf8") as lines:
        return [json.loads(line) for line in lines]


def build_world_speech(
    questions: dict[str, int], answers: dict[str, int], folder: Path, workers: int = 1, scale: float = 1.0
) -> list[Path]:
    """Speaks the small world into folder/question and folder/answer; -> those sound folders. Resumable.

    folder/unheard holds questions for judging only. `scale`: share of the usual hours.
    """
    for role, plan in plan_world(questions, answers, 14 * scale, 16 * scale):
        build_corpus(plan, Path(folder) / role, workers, role=role)
    build_corpus(
        plan_unheard(questions, max(1, int(300 * scale))),
        Path(folder) / "unheard",
        workers,
        role="question",
        split="test",
    )
    return [shard for role in ("question", "answer") for shard in shard_folders(Path(folder) / role)]


def build_reply_speech(shared_data_folder: Path, folder: Path, workers: int = 1, scale: float = 1.0) -> None:
    """Ten hours of open sentences, 12,000 words and some 2,400 sentences with numbers in the main reply
    voice, so that it can say more than the small world's answers."""
    build_corpus(plan_sentences(shared_data_folder, [MAIN_VOICE], 10 * scale, seed=2), Path(folder), workers)
    build_corpus(plan_words(shared_data_folder, round(12_000 * scale)), Path(folder), workers, role="word")
    build_corpus(plan_numbers(round(3_000 * scale)), Path(folder), workers, role="word")


def build_codec_speech(
    shared_data_folder: Path, folder: Path, workers: int = 1, scale: float = 1.0
) -> list[Path]:
    """Recordings, digits at other speeds and by many voices, then 11.5 h of synthesized sentences; -> the
    sound folders, each whole. `scale`: share of the usual hours.
    """
    folder = Path(folder)
    copy_recordings(shared_data_folder, folder / "recordings", scale)
    perturb_digits(shared_data_folder, folder / "digits", scale)
    speak_digits(folder / "digits-spoken", scale)
    by_engine: dict[str, list[str]] = {}
    for voice in list_voices():
        by_engine.setdefault(voice.engine, []).append(voice.name)
    for engine, hours, count in (
        ("hibari", 6.0, 7),
        ("flite", 1.5, 20),
        ("espeak", 3.0, 20),
        ("piper", 1.0, 7),
    ):
        plan = plan_sentences(shared_data_folder, by_engine[engine][:count], hours * scale)
        build_corpus(plan, folder / engine, workers)
    return [
        folder / "recordings",
        folder / "digits",
        folder / "digits-spoken",
        *(shard for engine in by_engine for shard in shard_folders(folder / engine)),
    ]
