"""Sound on disk for training: one long int16 file and an index, read by memory map.

Folder: pcm.i16 (16 kHz mono, little-endian, items back to back) and index.jsonl, one line per item:
{"start": samples, "length": samples, "text": str | null, "voice": str, "split": "train" | "val" | "test",
...}.
The index is written last, so a folder with an index is whole.
"""

import json
from collections import Counter
from pathlib import Path

import numpy as np

from unisono.core.errors import UserError


class Waves:
    """Items of one or several such folders, addressed by number."""

    def __init__(self, folders: list[Path], split: str | None) -> None:
        self.files: list[np.ndarray] = []
        self.items: list[dict] = []
        for number, folder in enumerate(folders):
            index = Path(folder) / "index.jsonl"
            if not index.exists():
                raise UserError(
                    f"no speech in {folder}: index.jsonl is missing; build it with `unisono data speech`"
                )
            self.files.append(np.memmap(Path(folder) / "pcm.i16", dtype="<i2", mode="r"))
            with open(index, encoding="utf8") as lines:
                items = [{**json.loads(line), "file": number} for line in lines]
            self.items += [item for item in items if split is None or item["split"] == split]
        if not self.items:
            raise UserError(f"no items of split {split!r} in {[str(folder) for folder in folders]}")

    def __len__(self) -> int:
        return len(self.items)

    def by_source(self, shares: dict[str, float], longest: int) -> np.ndarray:
        """(items,) cumulative probabilities: each source has its share, however much there is of it, and
        gives its items by length, which counts up to `longest` samples. A source that `shares` does not name
        has the least share there is."""
        lengths, sources = (
            [min(item["length"], longest) for item in self.items],
            [item.get("source") for item in self.items],
        )
        totals = Counter[str | None]()
        for source, length in zip(sources, lengths):
            totals[source] += length
        weights = np.array(
            [
                length / totals[source] * shares.get(source or "", min(shares.values()))
                for source, length in zip(sources, lengths)
            ]
        )
        return np.cumsum(weights / weights.sum())

    def pcm(self, number: int, start: int = 0, length: int | None = None) -> np.ndarray:
        """Item `number` from sample `start` -> (N,) float32 in [-1, 1]."""
        item = self.items[number]
        end = item["length"] if length is None else min(item["length"], start + length)
        piece = self.files[item["file"]][item["start"] + start : item["start"] + end]
        return piece.astype(np.float32) / 32768


def sound_folders(home: Path) -> list[Path]:
    """Every whole sound folder under home/speech."""
    folders = sorted(index.parent for index in (home / "speech").rglob("index.jsonl"))
    if not folders:
        raise UserError(f"no speech under {home / 'speech'}; run `unisono data speech --shared DIR` first")
    return folders
