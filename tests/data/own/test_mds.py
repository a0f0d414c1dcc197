"""MosaicML's shards as somebody's data. The bytes are laid out here as mosaicml-streaming's writer does."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_sources import build, chat, wav
from PIL import Image

from unisono.core.errors import UserError
from unisono.data.own.mds import MdsDataset

ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "str": str.encode,
    "json": lambda value: json.dumps(value).encode(),
    "int": lambda value: np.int64(value).tobytes(),
    "uint16": lambda value: np.uint16(value).tobytes(),
    "float32": lambda value: np.float32(value).tobytes(),
    "str_int": lambda value: str(value).encode(),
    "pil": lambda picture: (
        np.array([*picture.size, len(picture.mode)], np.uint32).tobytes()
        + picture.mode.encode()
        + picture.tobytes()
    ),
}
TREES = ("ash", "oak", "elm", "fir")
FIXED = {"int": 8, "uint16": 2, "float32": 4}


def shard_of(rows: list[dict[str, Any]], columns: dict[str, str]) -> bytes:
    samples = []
    for row in rows:
        cells = [ENCODERS.get(kind, bytes)(row[name]) for name, kind in columns.items()]
        sizes = [len(cell) for cell, kind in zip(cells, columns.values()) if kind not in FIXED]
        samples.append(np.array(sizes, np.uint32).tobytes() + b"".join(cells))
    notes = b'{"made": "here"}'
    ends = np.cumsum([0, *map(len, samples)]) + 4 * (len(samples) + 2) + len(notes)
    return np.uint32(len(rows)).tobytes() + ends.astype(np.uint32).tobytes() + notes + b"".join(samples)


def write(
    folder: Path, shards: list[list[dict[str, Any]]], columns: dict[str, str], packed: str = ""
) -> Path:
    folder.mkdir()
    told = []
    for number, rows in enumerate(shards):
        name, content = f"shard.{number:05}.mds", shard_of(rows, columns)
        zipped = {"basename": f"{name}.{packed}", "bytes": 0} if packed else None
        (folder / (zipped["basename"] if zipped else name)).write_bytes(
            gzip.compress(content) if packed else content
        )
        told.append(
            {
                "format": "mds",
                "version": 2,
                "samples": len(rows),
                "column_names": list(columns),
                "column_encodings": list(columns.values()),
                "column_sizes": [FIXED.get(kind) for kind in columns.values()],
                "compression": packed or None,
                "raw_data": {"basename": name, "bytes": len(content)},
                "zip_data": zipped,
            }
        )
    (folder / "index.json").write_text(json.dumps({"version": 2, "shards": told}))
    return folder


def as_png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "png")
    return file.getvalue()


@pytest.mark.parametrize("packed", ["", "gz"])
def test_rows_come_back_from_all_shards(tmp_path: Path, packed: str) -> None:
    columns = {"n": "int", "text": "str", "f": "float32", "more": "json", "big": "uint16", "said": "str_int"}
    rows = [
        {"n": n - 3, "text": f"Ä{n}", "f": n / 2, "more": [{"a": n}], "big": 65530 + n, "said": -n}
        for n in range(5)
    ]
    dataset = MdsDataset(write(tmp_path / "set", [rows[:2], rows[2:]], columns, packed))
    assert [dataset[number] for number in range(len(dataset))] == rows


def test_pictures_sound_and_conversations_become_shards(tmp_path: Path, tiny_network: Path) -> None:
    rng = np.random.default_rng(0)  # a codec of random weights takes what is alike for the same
    drawn = [Image.fromarray(rng.integers(0, 255, (32, 40, 3), np.uint8)) for _ in TREES]
    pictures = [{"image": one, "caption": f"A leaf of {tree}."} for one, tree in zip(drawn, TREES)]
    write(tmp_path / "pictures", [pictures], {"image": "pil", "caption": "str"})
    prints = [{"image": as_png(one), "text": f"A print of {tree}."} for one, tree in zip(drawn, TREES)]
    write(tmp_path / "prints", [prints], {"image": "png", "text": "str"})
    said = [{"audio": wav(0.3 + n / 20), "transcript": f"This is {tree}."} for n, tree in enumerate(TREES)]
    write(tmp_path / "sound", [said], {"audio": "bytes", "transcript": "str"})
    chats = [{"messages": chat(f"Who sings in the {tree}?", "Ada sings.")["messages"]} for tree in TREES]
    write(tmp_path / "chats", [chats], {"messages": "json"})
    for name, task in (
        ("pictures", "describe"),
        ("prints", "describe"),
        ("sound", "hear"),
        ("chats", "talk"),
    ):
        report = build(tmp_path, tiny_network, tmp_path / name, name)
        assert (
            report.num_items == len(TREES)
            and not report.left_out
            and report.documents[f"{name}/{task}"] == report.num_items
        )


def test_damaged_sets_are_told(tmp_path: Path, tiny_network: Path) -> None:
    columns = {"text": "str"}
    rows = [{"text": f"Sentence number {n} of a plain text."} for n in range(30)]
    folder = write(tmp_path / "set", [rows], columns)
    shard = folder / "shard.00000.mds"
    whole = bytearray(shard.read_bytes())
    whole[4 + 4 * 7 : 8 + 4 * 7] = b"\xff\xff\xff\xff"  # where sample 7 begins, and 6 ends
    shard.write_bytes(bytes(whole))
    dataset = MdsDataset(folder)
    assert dataset[5] == rows[5] and dataset[8] == rows[8]
    for number in (6, 7):
        with pytest.raises(UserError, match="a row is damaged"):
            dataset[number]
    report = build(tmp_path, tiny_network, folder)
    assert dict(report.reasons) == {"a row is damaged": 2}

    index = json.loads((folder / "index.json").read_text())
    for changes, told in (
        ({"column_encodings": ["pkl"]}, "column of kind pkl"),
        ({"version": 1}, "expected mds, version 2"),
        ({"samples": "many"}, "no index of MDS shards"),
    ):
        (folder / "index.json").write_text(json.dumps({"shards": [{**index["shards"][0], **changes}]}))
        with pytest.raises(UserError, match=told):
            MdsDataset(folder)
    outside = {**index["shards"][0], "raw_data": {"basename": "../elsewhere.mds"}}
    (folder / "index.json").write_text(json.dumps({"shards": [outside]}))
    (tmp_path / "elsewhere.mds").write_bytes(bytes(whole))
    with pytest.raises(UserError, match="leads out of the folder"):
        MdsDataset(folder)[0]
