"""Spoken sentences as codes: every item of a sound folder encoded once, found again by what is said.

Folder: codes.u16 (all items back to back), index.jsonl ({"start", "length" in frames, "text", "voice",
"split", ...}); the index is written last. Encoding resumes where it stopped.
"""
import json
import random
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from unisono.codecs.audio import AudioCodec
from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.core.progress import track
from unisono.data.waves import Waves

Codes = NDArray[np.int64]


def encode_waves(source: Path, codec: AudioCodec, folder: Path, batch_size: int = 16) -> None:
    """Encodes every item of the sound folder `source` into `folder`; a finished folder is left alone."""
    if (folder / "index.jsonl").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    waves = Waves([source], split=None)
    order = sorted(range(len(waves)), key=lambda number: waves.items[number]["length"])
    codes: list[np.ndarray | None] = [None] * len(waves)
    for start in track(range(0, len(order), batch_size), f"codes of {source.name}"):
        numbers = order[start:start + batch_size]
        longest = max(waves.items[number]["length"] for number in numbers)
        pcm = np.zeros((len(numbers), longest), np.float32)
        for row, number in enumerate(numbers):
            piece = waves.pcm(number)
            pcm[row, :len(piece)] = piece
        batch = codec.encode(torch.from_numpy(pcm)).numpy().astype("<u2")
        for row, number in enumerate(numbers):
            codes[number] = batch[row, :max(1, -(-waves.items[number]["length"] // codec.frame_size))]
    starts = np.cumsum([0, *(len(c) for c in codes)])
    atomic_write(folder / "codes.u16", lambda path: np.concatenate(codes).tofile(path))
    lines = [json.dumps({**item, "start": int(start), "length": len(c)}, ensure_ascii=False)
             for item, start, c in zip(waves.items, starts, codes)]
    atomic_write(folder / "index.jsonl", lambda path: Path(path).write_text("\n".join(lines) + "\n", encoding="utf8"))


class CodeBank:
    """Encoded items of several folders."""

    def __init__(self, folders: list[Path]) -> None:
        self.items: list[dict] = []
        self.codes: list[np.ndarray] = []
        self.by_text: dict[str, list[int]] = {}
        for file, folder in enumerate(folders):
            if not (folder / "index.jsonl").exists():
                raise UserError(f"no codes in {folder}; run `unisono data network` after training the audio codec")
            self.codes.append(np.fromfile(folder / "codes.u16", "<u2"))
            with open(folder / "index.jsonl", encoding="utf8") as lines:
                for line in lines:
                    item = {**json.loads(line), "file": file}
                    if item.get("text"):
                        self.by_text.setdefault(item["text"], []).append(len(self.items))
                    self.items.append(item)

    def codes_of(self, number: int) -> np.ndarray:
        """(F,) int64 codes of one item."""
        item = self.items[number]
        return self.codes[item["file"]][item["start"]:item["start"] + item["length"]].astype(np.int64)

    def find(self, text: str, rng: random.Random, splits: frozenset[str], voice: str | None = None) -> Codes | None:
        """The codes of somebody of these splits (or `voice`) saying exactly `text`; None if there is no such recording."""
        numbers = [number for number in self.by_text.get(text, ())
                   if self.items[number]["split"] in splits and voice in (None, self.items[number]["voice"])]
        return self.codes_of(rng.choice(numbers)) if numbers else None
