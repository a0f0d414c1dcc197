"""What lies in a store becomes a local copy: whole, once, and with one sentence where it cannot be."""

import os
from pathlib import Path

import fsspec
import pytest

from unisono.core.errors import UserError
from unisono.core.store import fetched, is_address


@pytest.fixture
def store() -> fsspec.AbstractFileSystem:
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pipe({"/bucket/nano/train/ids.u16": b"1234", "/bucket/nano/train/manifest.json": b"{}"})
    files.pipe({"/bucket/nano/val/ids.u16": b"12", "/bucket/nano/made-with/vocabulary.json": b"[]"})
    return files


def test_a_folder_is_copied_once(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    assert is_address("memory://bucket/nano") and not is_address("shards/nano")
    place = fetched("memory://bucket/nano", tmp_path / "nano")
    assert place == tmp_path / "nano"
    found = {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*.*")}
    assert (
        found["train/ids.u16"] == b"1234" and found["made-with/vocabulary.json"] == b"[]" and len(found) == 4
    )
    before = os.stat(place / "train" / "ids.u16").st_mtime_ns
    store.pipe("/bucket/nano/val/ids.u16", b"123")
    fetched("memory://bucket/nano", place)
    assert os.stat(place / "train" / "ids.u16").st_mtime_ns == before
    assert (place / "val" / "ids.u16").read_bytes() == b"123"


def test_a_single_file(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    place = fetched("memory://bucket/nano/val/ids.u16", tmp_path)
    assert place == tmp_path / "ids.u16" and place.read_bytes() == b"12"


def test_a_copy_that_stops_leaves_no_manifest(
    store: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = type(store).get_file

    def torn(self, path: str, target: str, **more: object) -> None:
        if path.endswith("val/ids.u16"):
            raise ConnectionError("connection reset")
        usual(self, path, target, **more)

    monkeypatch.setattr(type(store), "get_file", torn)
    with pytest.raises(UserError, match=r"cannot read memory://bucket/nano \(connection reset\)"):
        fetched("memory://bucket/nano", tmp_path)
    assert (tmp_path / "train" / "ids.u16").exists() and not (tmp_path / "train" / "manifest.json").exists()
    monkeypatch.undo()
    fetched("memory://bucket/nano", tmp_path)
    assert (tmp_path / "train" / "manifest.json").exists()


def test_stores_that_are_not_there(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    for address in ("memory://bucket/other", "nowhere://bucket/x"):
        with pytest.raises(UserError, match="check the address"):
            fetched(address, tmp_path / "x")
