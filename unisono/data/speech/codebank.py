"""Spoken sentences as codes: every item of a sound folder encoded once, found again by what is said.

Folder: codes.u16 (all items back to back), index.jsonl ({"start", "length" in frames, "text", "voice",
"split", ...}); the index is written last. Encoding resumes where it stopped.
"""

import json
import multiprocessing
import random
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

from unisono.codecs.load import AnyAudioCodec
from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.core.progress import track
from unisono.data.speech import microphone
from unisono.data.speech.waves import Waves

Codes = NDArray[np.integer]


class Encoding(NamedTuple):
    """A sound folder to be encoded: by which of several codecs, where to, and how it is heard."""

    source: Path
    codec: str
    folder: Path
    heard: int | None = None


_codecs: dict[str, AnyAudioCodec] = {}  # of a worker


def encode_all(jobs: list[Encoding], codecs: dict[str, AnyAudioCodec], workers: int = 1) -> None:
    """Encodes every folder, each once, in so many processes; the longest ones begin."""
    jobs = [job for job in dict.fromkeys(jobs) if not (job.folder / "index.jsonl").exists()]
    jobs.sort(key=lambda job: -(job.source / "pcm.i16").stat().st_size)
    if workers == 1 or len(jobs) < 2:
        for job in track(jobs, "sound as codes"):
            encode_waves(job.source, codecs[job.codec], job.folder, heard=job.heard)
        return
    with multiprocessing.get_context("spawn").Pool(workers, _take, (codecs,)) as pool:
        for _ in track(pool.imap_unordered(_encode, jobs), "sound as codes", len(jobs)):
            pass


def _take(codecs: dict[str, AnyAudioCodec]) -> None:
    torch.set_num_threads(1)
    _codecs.update(codecs)


def _encode(job: Encoding) -> None:
    encode_waves(job.source, _codecs[job.codec], job.folder, heard=job.heard)


def encode_waves(
    source: Path, codec: AnyAudioCodec, folder: Path, batch_size: int = 16, heard: int | None = None
) -> None:
    """Encodes every item of the sound folder `source` into `folder`: as it is, or as microphones hand it over
    when more people say it, each time otherwise by the number `heard`; a finished folder is left alone."""
    if (folder / "index.jsonl").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    waves = Waves([source], split=None)
    order = sorted(range(len(waves)), key=lambda number: waves.items[number]["length"])
    codes = [np.zeros(0, "<u2")] * len(waves)
    seed = crc32(f"{source.parent.name}/{source.name}".encode())
    for start in range(0, len(order), batch_size):
        numbers = order[start : start + batch_size]
        pieces = [waves.pcm(number) for number in numbers]
        if heard is not None:
            pieces = [
                _heard(piece, waves.items[number]["voice"], np.random.default_rng((seed, number, heard)))
                for piece, number in zip(pieces, numbers)
            ]
        pcm = np.zeros((len(numbers), max(map(len, pieces))), np.float32)
        for row, piece in enumerate(pieces):
            pcm[row, : len(piece)] = piece
        batch = codec.encode(torch.from_numpy(pcm)).numpy().astype("<u2")
        for row, (number, piece) in enumerate(zip(numbers, pieces)):
            codes[number] = batch[row, : max(1, -(-len(piece) // codec.frame_size))]
    starts = np.cumsum([0, *(len(c) for c in codes)])
    atomic_write(folder / "codes.u16", lambda path: np.concatenate(codes).tofile(path))
    lines = [
        json.dumps({**item, "start": int(start), "length": len(c)}, ensure_ascii=False)
        for item, start, c in zip(waves.items, starts, codes)
    ]
    atomic_write(
        folder / "index.jsonl", lambda path: Path(path).write_text("\n".join(lines) + "\n", encoding="utf8")
    )


def _heard(pcm: NDArray[np.float32], voice: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """Voices with a pace in their name (data/corpus.py) have been made others already."""
    return microphone.heard(pcm if "*" in voice else microphone.by_another(pcm, rng), rng)


class CodeBank:
    """Encoded items of several folders: as they were said, and as they were heard, from as many folders again
    (without those, what is heard is what was said)."""

    def __init__(self, said: list[Path], heard: list[Path] | None = None) -> None:
        self.items: list[dict] = []
        self.said: list[Codes] = []
        self.heard: list[Codes] = []
        self.by_text: dict[str, list[int]] = {}
        for folder, other in zip(said, heard or said, strict=True):
            index, codes = _read(folder)
            self.said += codes
            self.heard += codes if other == folder else _read(other)[1]
            for number, item in enumerate(index, len(self.items)):
                if item.get("text"):
                    self.by_text.setdefault(item["text"], []).append(number)
            self.items += index

    def codes_of(self, number: int, heard: bool = False) -> NDArray[np.int64]:
        """(F,) int64 codes of one item."""
        return (self.heard if heard else self.said)[number].astype(np.int64)

    def find(
        self, text: str, rng: random.Random, splits: frozenset[str], voice: str | None = None
    ) -> int | None:
        """The number of a recording of exactly these words by somebody of these splits, or by `voice`; None
        if there is none.
        """
        numbers = [
            number
            for number in self.by_text.get(text, ())
            if self.items[number]["split"] in splits and voice in (None, self.items[number]["voice"])
        ]
        return rng.choice(numbers) if numbers else None


def _read(folder: Path) -> tuple[list[dict], list[Codes]]:
    """-> the index lines of a folder and the codes of each."""
    if not (folder / "index.jsonl").exists():
        raise UserError(f"no codes in {folder}; run `unisono data network` after training the audio codec")
    codes = np.fromfile(folder / "codes.u16", "<u2")
    with open(folder / "index.jsonl", encoding="utf8") as lines:
        index = [json.loads(line) for line in lines]
    return index, [codes[item["start"] : item["start"] + item["length"]] for item in index]
