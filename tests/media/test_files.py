"""Whatever is no file, or of another kind, or damaged: one clear UserError and never anything else."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from coded import READERS, Media, refused

from unisono.core.errors import UserError
from unisono.media import (
    files,
    kind_of,
    read_clip,
    read_footage,
    read_picture,
    read_sound,
)

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize("what", READERS)
def test_no_such_thing(tmp_path: Path, what: str) -> None:
    reader = READERS[what]
    refused(reader, tmp_path / "none.png", "no file .*none.png; check the path")
    refused(reader, tmp_path, f"is a folder; expected a file with {what}")
    refused(reader, "~nobody-of-this-name/a.png", "no file ~nobody")
    refused(reader, "a\0b", "null byte")
    refused(reader, "x" * 260, "cannot read")
    refused(reader, b"", f"the {what}.* is not a {what} that can be read")


@pytest.mark.parametrize("what", READERS)
@pytest.mark.parametrize("name", ["text.png", "text.wav", "text.mp4", "binary.gif"])
def test_content_of_another_kind(tmp_path: Path, what: str, name: str) -> None:
    content = b"This is only text.\n" * 50 if name.startswith("text") else bytes(range(256)) * 8
    (tmp_path / name).write_bytes(content)
    refused(READERS[what], tmp_path / name, f"is not a {what} that can be read")


def test_sound_and_pictures_are_not_each_other(media: Media) -> None:
    refused(read_picture, media("a.wav"), "not a picture")
    refused(read_picture, media("a.mp4"), "not a picture")
    refused(read_sound, media("a.png"), "holds no sound")
    refused(read_sound, media("a_silent.mp4"), "holds no sound")
    refused(read_footage, media("a.wav"), "holds no pictures")


@pytest.mark.parametrize(
    ("name", "reader"),
    [("a.wav", read_sound), ("a.mp4", read_sound), ("a.mp4", read_footage), ("a.mp4", read_clip)],
)
def test_what_is_cut_off_by_its_own_account(
    media: Media, tmp_path: Path, name: str, reader: Callable[[Path], object]
) -> None:
    content, path = media(name).read_bytes(), tmp_path / name
    for length in (len(content) // 2, len(content) - 65):
        path.write_bytes(content[:length])
        refused(
            reader,
            path,
            f"{name} is cut off after {length:,} bytes; expected at least .*: copy or send all of it",
        )
    path.write_bytes(content + b"more")
    reader(path)


NAMES = ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.mp4", "a.mkv", "a.gif", "a.png", "a.jpg", "a.webp", "a.bmp"]


@pytest.mark.parametrize("name", NAMES)
def test_damaged_anywhere(media: Media, name: str) -> None:
    whole, rng = media(name).read_bytes(), random.Random(name)
    for _ in range(25):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 4, 30))):
            content[rng.randrange(min(len(content), rng.choice((64, 500, 10**6))))] = rng.choice(
                (0, 255, rng.randrange(256))
            )
        for reader in READERS.values():
            try:
                reader(bytes(content))
            except UserError as error:
                assert "\n" not in str(error) and len(str(error)) < 300


def test_an_endless_file(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("no /dev/zero here")
    monkeypatch.setattr(files, "MAX_BYTES", 3_000_000)
    refused(read_picture, "/dev/zero", "larger than 3 MB")


def test_kinds() -> None:
    assert [kind_of(name) for name in ("a.PNG", "b.wav", "c.mp4", Path("x/d.gif"))] == [
        "image",
        "audio",
        "video",
        "image",
    ]
    for name in ("a", "a.txt", ".png"):
        with pytest.raises(UserError, match="cannot tell from"):
            kind_of(name)
