"""Pictures: read as their camera says, and kept small."""

from pathlib import Path

import numpy as np
import pytest
from coded import Media, refused
from conftest import drawing
from PIL import Image

from unisono.media import read_footage, read_picture
from unisono.signals import trimmed

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.tif", "a.gif"])
def test_picture(media: Media, name: str) -> None:
    picture = read_picture(media(name))
    assert picture.size == (48, 32) and picture.convert("RGB").getpixel((16, 16))[0] > 180


def test_a_picture_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    drawing((48, 32)).save(tmp_path / "a.jpg", exif=exif)
    assert read_picture(tmp_path / "a.jpg").size == (32, 48)
    drawing((48, 32)).save(tmp_path / "b.jpg", exif=b"Exif\0\0nonsense")
    assert read_picture(tmp_path / "b.jpg").size == (48, 32)


def test_an_animated_picture_is_its_first(media: Media) -> None:
    assert (
        np.abs(
            np.asarray(read_picture(media("a.gif")).convert("RGB"), int) - np.asarray(drawing(), int)
        ).mean()
        < 8
    )


def test_large_pictures(tmp_path: Path) -> None:
    Image.new("L", (8000, 8000), 200).save(tmp_path / "large.png")
    assert read_picture(tmp_path / "large.png").size == (2048, 2048)
    Image.new("L", (9700, 9690), 200).save(tmp_path / "larger.png")  # Pillow warns of this size
    assert trimmed([read_picture(tmp_path / "larger.png")])[0].getpixel((9, 9)) == (200, 200, 200)
    Image.new("1", (10100, 10100)).save(tmp_path / "huge.png")
    refused(read_picture, tmp_path / "huge.png", "10100 x 10100 pixels; expected at most 100 million")
    refused(read_footage, tmp_path / "huge.png", "not a clip that can be read")


def test_a_large_picture_is_turned_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a.png", "a.tif", "a.webp"):
        Image.new("RGB", (4000, 1000)).save(tmp_path / name, exif=exif)
        assert read_picture(tmp_path / name).size == (512, 2048)


def test_a_decompression_bomb(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 100_000
    refused(read_picture, tmp_path / "bomb.png", "not a picture that can be read")
