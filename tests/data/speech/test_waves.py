"""Sound folders for training: items back to back, found by number, split by split."""

import json
from pathlib import Path

import numpy as np
import pytest

from unisono.core.errors import UserError
from unisono.data.speech.waves import Waves


def write(folder: Path, lengths: list[int], split: str) -> Path:
    """Item n consists of the sample n * 100."""
    folder.mkdir(parents=True)
    np.concatenate([np.full(length, 100 * n) for n, length in enumerate(lengths)]).astype("<i2").tofile(
        folder / "pcm.i16"
    )
    starts = np.cumsum([0, *lengths])
    (folder / "index.jsonl").write_text(
        "".join(
            json.dumps(
                {
                    "start": int(start),
                    "length": length,
                    "text": f"número {n}",
                    "voice": "a",
                    "split": split if n else "train",
                },
                ensure_ascii=False,
            )
            + "\n"
            for n, (start, length) in enumerate(zip(starts, lengths))
        ),
        encoding="utf8",
    )
    return folder


def test_items_are_found(tmp_path: Path) -> None:
    waves = Waves([write(tmp_path / "a", [5, 7, 3], "val"), write(tmp_path / "b", [4, 6], "test")], None)
    assert len(waves) == 5 and [item["text"][-1] for item in waves.items] == list("01201")
    for number, (value, length) in enumerate([(0, 5), (100, 7), (200, 3), (0, 4), (100, 6)]):
        pcm = waves.pcm(number)
        assert pcm.dtype == np.float32 and pcm.tolist() == pytest.approx([value / 32768] * length)
    assert len(waves.pcm(1, 2)) == 5 and len(waves.pcm(1, 2, 3)) == 3 and len(waves.pcm(1, 5, 100)) == 2


def test_splits(tmp_path: Path) -> None:
    folders = [write(tmp_path / "a", [5, 7, 3], "val"), write(tmp_path / "b", [4, 6], "test")]
    assert [len(Waves(folders, split)) for split in ("train", "val", "test")] == [2, 2, 1]
    assert Waves(folders, "test").pcm(0)[0] == pytest.approx(100 / 32768)
    with pytest.raises(UserError, match="no items of split 'other'"):
        Waves(folders, "other")


def test_a_folder_without_an_index_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="index.jsonl is missing; build it with"):
        Waves([tmp_path], None)


def test_a_source_has_its_share_however_much_there_is_of_it(tmp_path: Path) -> None:
    waves = Waves(
        [
            write(tmp_path / "a", [100, 300, 1000], "train"),
            write(tmp_path / "b", [50], "train"),
            write(tmp_path / "c", [7], "train"),
        ],
        "train",
    )
    for item, source in zip(waves.items, ("much", "much", "much", "little", "unnamed")):
        item["source"] = source
    found = np.diff(waves.by_source({"much": 0.2, "little": 0.6}, 400), prepend=0)
    assert found.tolist() == pytest.approx([0.025, 0.075, 0.1, 0.6, 0.2])
