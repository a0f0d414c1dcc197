"""Packed archives: whole ones are read, whatever else is named."""

import tarfile
from pathlib import Path

import pytest

from unisono.core.errors import UserError
from unisono.data.zst import archive_at, unpack

zstandard = pytest.importorskip("zstandard")


def test_one_frame_or_several(tmp_path: Path) -> None:
    path = tmp_path / "a.zst"
    path.write_bytes(zstandard.compress(b"one " * 1000))
    assert unpack(path) == b"one " * 1000
    path.write_bytes(zstandard.compress(b"one ") + zstandard.compress(b"two"))
    assert unpack(path) == b"one two"


@pytest.mark.parametrize("cut", [0.2, 0.6, 0.99])
def test_a_file_that_was_cut_short_is_not_taken_for_whole(tmp_path: Path, cut: float) -> None:
    packed = zstandard.compress(bytes(range(256)) * 4000 + b"end")
    path = tmp_path / "a.zst"
    path.write_bytes(packed[: int(len(packed) * cut)])
    with pytest.raises(UserError, match="a.zst is cut short; fetch it again"):
        unpack(path)


def test_what_is_missing_or_no_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected b.zst in"):
        unpack(tmp_path / "b.zst")
    (tmp_path / "c.zst").write_bytes(b"not an archive at all")
    with pytest.raises(UserError, match="damaged"):
        unpack(tmp_path / "c.zst")


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    (tmp_path / "one").write_bytes(bytes(range(256)) * 400)
    with tarfile.open(path, "w") as archive:
        archive.add(tmp_path / "one", "one")
    with archive_at(path) as archive:
        assert len(archive.extractfile("one").read()) == 102400
    for content in (path.read_bytes()[:50_000], b"<html>not found</html>", b""):
        path.write_bytes(content)
        with (
            pytest.raises(UserError, match="a.tar is damaged .*; fetch it again"),
            archive_at(path) as archive,
        ):
            archive.extractfile("one").read()
    with pytest.raises(UserError, match="expected the archive b.tar in"), archive_at(tmp_path / "b.tar"):
        pass
