"""Rows of a dataset in MosaicML's streaming format (MDS, version 2), from a folder; it looks like one of
Hugging Face.

index.json lists the shards. A shard begins with the number of its samples and the offsets of all; a sample
with the sizes of its cells that have no fixed size, then come the cells (github.com/mosaicml/streaming). Read
here since the package mosaicml-streaming needs seventeen others, the clients of five clouds among them. Its
"pkl" cells could run programs, so they are refused.
"""

import gzip
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from unisono.core.errors import UserError
from unisono.data.own.items import within
from unisono.data.zst import unpack

INDEX = "index.json"
SCALARS = {f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (16, 32, 64)} | {"int8", "uint8"}
DAMAGED = "a row is damaged"
KNOWN = "str, bytes, json, int, str_int, pil, jpeg, png or a scalar"


def is_mds(folder: Path) -> bool:
    """Whether the folder holds such a dataset."""
    try:
        return "shards" in json.loads((folder / INDEX).read_text(encoding="utf8"))
    except (OSError, ValueError, TypeError):
        return False


class MdsDataset:
    """`dataset[number]` is a row by the names of its columns; media are {"bytes": ...}, as Hugging Face's."""

    def __init__(self, folder: Path) -> None:
        """UserError where the index is damaged, or a column is of a kind that is not read."""
        self.folder, self.features = folder, dict[str, Any]()
        self.held = (-1, b"")  # the shard that was read last: its place and its content
        try:
            self.shards = json.loads((folder / INDEX).read_text(encoding="utf8"))["shards"]
            self.ends = np.cumsum([int(shard["samples"]) for shard in self.shards]).tolist()
            self.column_names = list(self.shards[0]["column_names"])
            kinds = {kind for shard in self.shards for kind in shard["column_encodings"]}
            formats = {(shard["format"], shard["version"]) for shard in self.shards}
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise UserError(f"{folder / INDEX} is no index of MDS shards ({error})") from None
        if formats != {("mds", 2)}:
            raise UserError(f"{folder / INDEX} has shards of another format; expected mds, version 2")
        if unknown := sorted(kind for kind in kinds if kind not in CELLS):
            raise UserError(
                f"{folder} has a column of kind {unknown[0]}, which is not read; expected {KNOWN}"
            )

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, number: int) -> dict[str, Any]:
        """UserError where the shard or the row is damaged."""
        place = int(np.searchsorted(self.ends, number, "right"))
        shard = self.shards[place]
        if self.held[0] != place:
            self.held = place, _content(self.folder, shard)
        content = self.held[1]
        first = number - (self.ends[place - 1] if place else 0)
        start, end = (int.from_bytes(content[4 * n : 4 * n + 4], "little") for n in (first + 1, first + 2))
        if not 0 < start <= end <= len(content):
            raise UserError(DAMAGED)
        return _row(content[start:end], shard)


def _content(folder: Path, told: dict[str, Any]) -> bytes:
    """The bytes of one shard, unpacked."""
    plain, packed = told["raw_data"]["basename"], (told.get("zip_data") or {}).get("basename")
    if (folder / plain).exists() or not packed:
        return within(folder, plain).read_bytes()
    path, way = within(folder, packed), str(told.get("compression")).split(":")[0]
    if way == "zstd":
        return unpack(path)
    if way != "gz":
        raise UserError(f"a shard is packed by {way}; expected zstd or gz")
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"a shard is damaged ({error})") from None


def _row(sample: bytes, shard: dict[str, Any]) -> dict[str, Any]:
    fixed = shard["column_sizes"]
    at = 4 * sum(not size for size in fixed)
    found = iter(np.frombuffer(sample[:at], "<u4").tolist() if len(sample) >= at else ())
    row = {}
    for name, kind, size in zip(shard["column_names"], shard["column_encodings"], fixed):
        size = size or next(found, -1)
        if not 0 <= size <= len(sample) - at:
            raise UserError(DAMAGED)
        try:
            row[name] = CELLS[kind](sample[at : at + size])
        except (ValueError, TypeError, OverflowError):
            raise UserError(DAMAGED) from None
        at += size
    return row


def _picture(cell: bytes) -> dict[str, bytes]:
    """Raw pixels after width, height and mode -> a PNG."""
    width, height, letters = np.frombuffer(cell[:12], "<u4").tolist()
    picture = io.BytesIO()
    Image.frombytes(cell[12 : 12 + letters].decode(), (width, height), cell[12 + letters :]).save(
        picture, "png"
    )
    return {"bytes": picture.getvalue()}


def _media(cell: bytes) -> dict[str, bytes]:
    return {"bytes": cell}


def _scalar(kind: str) -> Callable[[bytes], Any]:
    return lambda cell: np.frombuffer(cell, np.dtype(kind).newbyteorder("<"))[0].item()


CELLS: dict[str, Callable[[bytes], Any]] = {
    "str": lambda cell: cell.decode("utf8"),
    "json": json.loads,
    "int": lambda cell: int(np.frombuffer(cell, "<i8")[0]),
    "str_int": lambda cell: int(cell.decode()),
    "bytes": _media,
    "jpeg": _media,
    "png": _media,
    "pil": _picture,
    **{kind: _scalar(kind) for kind in SCALARS},
}
