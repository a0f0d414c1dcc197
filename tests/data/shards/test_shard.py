"""Shards: what is written comes back; anything cut short is refused."""

from pathlib import Path

import numpy as np
import pytest

from unisono.core.errors import UserError
from unisono.data.shards.shard import Shard, ShardWriter


def write(folder: Path, lengths: list[int], tasks: list[str]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    documents = [rng.integers(500, size=n) for n in lengths]
    writer = ShardWriter(folder, 512)
    for document, task in zip(documents, tasks):
        writer.add(document, document % 2, task)
    writer.close(note="test")
    return documents


def test_documents_come_back(tmp_path: Path) -> None:
    documents = write(tmp_path, [5, 1, 30], ["a", "b", "a"])
    shard = Shard(tmp_path)
    assert (
        shard.manifest["note"] == "test" and shard.task_names == ["a", "b"] and list(shard.tasks) == [0, 1, 0]
    )
    for number, document in enumerate(documents):
        ids, learn = shard.document(number)
        assert (ids == document).all() and (learn == document % 2).all()


def test_several_shards_are_one(tmp_path: Path) -> None:
    written = [
        *write(tmp_path / "one", [5, 1, 30], ["a", "c", "a"]),
        *write(tmp_path / "two", [4, 9], ["b", "c"]),
        *write(tmp_path / "three", [2], ["a"]),
    ]
    shard = Shard(tmp_path / "one", tmp_path / "two", tmp_path / "three")
    assert [shard.task_names[task] for task in shard.tasks] == [
        "a",
        "c",
        "a",
        "b",
        "c",
        "a",
    ] and shard.manifest["num_documents"] == 6
    assert (
        list(shard.ends - shard.starts) == [len(document) for document in written]
        and shard.manifest["num_ids"] == shard.ends[-1] == 51
    )
    for number, document in enumerate(written):
        ids, learn = shard.document(number)
        assert (ids == document).all() and (learn == document % 2).all()
    writer = ShardWriter(tmp_path / "other", 511)
    writer.add(np.arange(3), np.ones(3), "a")
    writer.close()
    with pytest.raises(UserError, match="other was made with another vocabulary"):
        Shard(tmp_path / "one", tmp_path / "other")


def test_a_shard_without_manifest_or_cut_short_is_refused(tmp_path: Path) -> None:
    write(tmp_path, [5, 7], ["a", "a"])
    ids = (tmp_path / "ids.u16").read_bytes()
    (tmp_path / "ids.u16").write_bytes(ids[:-4])
    with pytest.raises(UserError, match="damaged .ids.u16"):
        Shard(tmp_path)
    (tmp_path / "ids.u16").write_bytes(ids)
    (tmp_path / "learn.bits").write_bytes(b"")
    with pytest.raises(UserError, match="damaged .learn.bits"):
        Shard(tmp_path)
    (tmp_path / "tasks.u8").unlink()
    with pytest.raises(UserError, match="tasks.u8 is missing; run `unisono data network`"):
        Shard(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UserError, match="damaged .manifest.json"):
        Shard(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(UserError, match="unisono data network"):
        Shard(tmp_path)


def test_documents_are_left_out_by_chance_where_little_fits(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, 100)
    for number in range(400):
        writer.add(np.full(80, number % 100), np.ones(80), "a" if number % 4 else "b")
    writer.thin(20_000, seed=1)
    writer.close()
    size = sum(file.stat().st_size for file in tmp_path.iterdir() if file.suffix != ".json")
    shard = Shard(tmp_path)
    assert (
        16_000 < size < 24_000
        and 15 < (shard.tasks == 1).sum() < 45
        and all(len(set(shard.document(n)[0])) == 1 for n in range(len(shard.ends)))
    )
    with pytest.raises(UserError, match="no document is left"):
        ShardWriter(tmp_path / "none", 100).close()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mask"):
        ShardWriter(tmp_path, 100).add(np.arange(3), np.arange(2), "a")


def test_ids_of_a_large_vocabulary_come_back(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, 151_936)
    writer.add(np.array([3, 151_935, 65_536]), np.array([0, 1, 1]), "talk")
    writer.close()
    assert (tmp_path / "ids.u32").stat().st_size == 12 and not (tmp_path / "ids.u16").exists()
    ids, learn = Shard(tmp_path).document(0)
    assert ids.tolist() == [3, 151_935, 65_536] and learn.tolist() == [0, 1, 1]
