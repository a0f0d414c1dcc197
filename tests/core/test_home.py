"""Writing whole or not at all: on a full disk, in a missing folder, killed on the way."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from unisono.core.errors import UserError
from unisono.core.home import atomic_write, home, shipped
from unisono.tokens.text import TextTokenizer
from unisono.train.checkpoint import save_checkpoint

ZEROS = torch.zeros(100_000)
WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("x" * 200_000),
    "numpy": lambda path: ZEROS.numpy().tofile(path),
    "safetensors": lambda path: save_file({"zeros": ZEROS}, path),
    "tokenizer": lambda path: TextTokenizer.train(
        [chr(n) * 3 + "".join(map(chr, range(n, n + 60))) for n in range(32, 9000, 7)], 3000
    ).save(path),
}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can make a small disk")
    yield place
    subprocess.run(
        ["umount", "--lazy", str(place)], check=True
    )  # torch leaves the file of a failed checkpoint open


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk(small_disk: Path, writer: str) -> None:
    path = small_disk / "file"
    atomic_write(path, lambda part: part.write_text("old"))
    with pytest.raises(UserError, match=f"could not write {path}.*free some space"):
        atomic_write(path, WRITERS[writer])
    assert path.read_text() == "old" and list(small_disk.iterdir()) == [path]


def test_a_checkpoint_on_a_full_disk(small_disk: Path) -> None:
    save_checkpoint(small_disk, {"step": 1})
    before = (small_disk / "checkpoint.pt").read_bytes()
    with pytest.raises(UserError, match="free some space"):
        save_checkpoint(small_disk, {"step": 2, "zeros": ZEROS})
    assert (small_disk / "checkpoint.pt").read_bytes() == before and len(list(small_disk.iterdir())) == 1


def test_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in ("first, and longer", "second"):
        atomic_write(path, lambda part, content=content: part.write_text(content))
        assert path.read_text() == content and list(tmp_path.iterdir()) == [path]
    atomic_write(str(path), lambda part: np.arange(3, dtype=np.uint8).tofile(part))
    assert path.read_bytes() == b"\0\1\2"


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_text("old")
    (tmp_path / "link").symlink_to(Path("below") / "file")
    atomic_write(tmp_path / "link", lambda part: part.write_text("new"))
    assert (tmp_path / "link").is_symlink() and (tmp_path / "below" / "file").read_text() == "new"
    assert {path.name for path in tmp_path.rglob("*")} == {"below", "file", "link"}


def test_pipes_and_devices_are_written_and_stay(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    atomic_write(tmp_path / "pipe", lambda part: part.write_text("said"))
    assert (
        os.read(reader, 100) == b"said"
        and (tmp_path / "pipe").is_fifo()
        and len(list(tmp_path.iterdir())) == 1
    )
    os.close(reader)
    (tmp_path / "nowhere").symlink_to(
        "/dev/null"
    )  # never the device itself: it would be gone where this fails
    atomic_write(tmp_path / "nowhere", lambda part: part.write_text("said"))
    assert (tmp_path / "nowhere").is_symlink() and Path("/dev/null").is_char_device()


@pytest.mark.parametrize("umask, mode", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
@pytest.mark.parametrize("own", [None, 0o600])
def test_who_may_read_is_as_the_user_wants(tmp_path: Path, umask: int, mode: int, own: int | None) -> None:
    def write(part: Path) -> None:
        part.unlink(missing_ok=True)
        part.write_text("x")
        part.chmod(own or 0o644)

    before = os.umask(umask)
    try:
        atomic_write(tmp_path / "file", write)
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_a_fault_of_the_writer_passes_and_leaves_nothing(tmp_path: Path) -> None:
    def writer(part: Path) -> None:
        part.write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        atomic_write(tmp_path / "file", writer)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["missing/file", "plain/file", "x" * 250, "folder"])
def test_a_place_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "plain").write_text("a file, not a folder")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="could not write"):
        atomic_write(tmp_path / name, lambda part: part.write_text("x"))
    assert {path.name for path in tmp_path.iterdir()} == {"plain", "folder"}


def test_killed_on_the_way_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    program = (
        f"import os, signal; from unisono.core.home import atomic_write\n"
        f"def write(part): part.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
        f"atomic_write({str(path)!r}, write)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_the_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNISONO_HOME", str(tmp_path))
    assert home() == tmp_path
    monkeypatch.setenv("UNISONO_HOME", "")
    assert home() == Path(os.environ["HOME"]) / ".cache" / "unisono"
    assert shipped().name == "weights" and (shipped().parent / "__init__.py").exists()
