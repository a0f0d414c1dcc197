"""Sound and pictures of any kind as the codecs take them: odd rates, numbers, modes, sizes and margins."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import tone
from PIL import Image as Pictures

from unisono.signals import fit, plain, to_mono, trimmed


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_sound_becomes_mono_at_the_rate(rate: int, channels: int) -> None:
    found = to_mono(tone(0.5, rate, channels), rate, 16000)
    assert found.shape == (8000,) and found.dtype == np.float32
    assert np.abs(found - tone(0.5))[200:-200].max() < 0.01


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32])
def test_integers_are_taken_at_their_full_scale(kind: type) -> None:
    bounds = np.iinfo(kind)
    pcm = np.clip((tone() + (bounds.min == 0)) * 2.0 ** (bounds.bits - 1), bounds.min, bounds.max).astype(
        kind
    )
    assert np.abs(to_mono(pcm, 16000, 16000) - tone()).max() < 0.01


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38, 1e4])
@pytest.mark.parametrize("rate", [16000, 96000])
def test_sound_that_is_no_number(bad: float, rate: int) -> None:
    pcm = tone(0.5, rate, 2)
    pcm[::3] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = to_mono(pcm, rate, 16000)
    assert np.isfinite(found).all() and np.abs(found).max() <= 1
    assert np.isfinite(to_mono(np.full(10, bad, np.float32), rate, 16000)).all()


def test_no_sound_is_refused() -> None:
    for shape in ((0,), (0, 2), (), (2, 3, 4)):
        with pytest.raises(ValueError, match="expected sound of shape"):
            to_mono(np.zeros(shape, np.float32), 16000, 16000)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (32, 32), (33, 31), (8000, 8000)])
def test_any_size_fits(size: tuple[int, int]) -> None:
    found = np.asarray(fit(Pictures.new("RGB", size, "red"), 32))
    assert found.shape == (32, 32, 3)
    assert tuple(found[16, 16]) == (255, 0, 0) or min(size) == 1
    assert (found == [255, 0, 0]).all(axis=-1).any()
    if size[0] == size[1]:
        assert (found == [255, 0, 0]).all()
    elif 1 in size:
        assert tuple(found[0, 0]) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "HSV", "I"])
def test_any_kind_of_picture_keeps_its_looks(mode: str) -> None:
    grey = Pictures.linear_gradient("L").rotate(90)
    found = np.asarray(
        fit(grey.convert("RGB").convert(mode) if mode != "I" else grey.convert("I"), 32), np.float32
    )
    wanted = np.asarray(fit(grey, 32), np.float32)
    assert np.abs(found - wanted).mean() < (40 if mode == "1" else 8)


def test_sixteen_bit_greys_do_not_turn_white() -> None:
    deep = Pictures.fromarray(np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16))
    assert deep.mode == "I;16"
    found = np.asarray(fit(deep, 32), np.float32)
    assert found[0].mean() < 10 and 120 < found[16].mean() < 140 and found[-1].mean() > 245


def test_sixteen_bit_greys_may_be_clear(tmp_path: Path) -> None:
    greys = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Pictures.fromarray(greys).save(tmp_path / "a.png", transparency=0)
    deep = Pictures.open(tmp_path / "a.png")
    assert deep.mode == "I;16" and deep.info["transparency"] == 0
    found = np.asarray(plain(deep), int)[:, :, 0]
    assert found[0, 0] == 255 and (found.reshape(-1)[1:] == greys.reshape(-1)[1:] >> 8).all()


@pytest.mark.parametrize("least, most", [(0.0, 1.0), (0.0, 255.0), (-3e4, 1e9)])
def test_measured_values_span_black_to_white(least: float, most: float) -> None:
    values = np.linspace(least, most, 64 * 64, dtype=np.float32).reshape(64, 64)
    found = np.asarray(fit(Pictures.fromarray(values), 32), np.float32)
    assert found[0].mean() < 10 and 120 < found[16].mean() < 140 and found[-1].mean() > 245
    values[5, 5], values[9, 9] = np.nan, np.inf
    assert np.abs(np.asarray(fit(Pictures.fromarray(values), 32), np.float32) - found).mean() < 5


def test_transparency_is_white() -> None:
    clear = Pictures.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert (np.asarray(fit(clear, 32)) == 255).all()
    half = np.asarray(fit(Pictures.new("RGBA", (20, 20), (0, 0, 0, 128)), 32))
    assert (abs(half.astype(int) - 127) <= 1).all()
    palette = Pictures.new("P", (8, 8), 0)
    palette.info["transparency"] = 0
    assert (np.asarray(fit(palette, 32)) == 255).all()


@pytest.mark.parametrize("high", [False, True])
@pytest.mark.parametrize(
    "size, placed",
    [
        ((96, 64), 16),  # in the middle: cut in equal parts
        ((96, 64), 0),
        ((96, 64), 32),
        ((96, 64), 4),  # elsewhere: all of it is kept
        ((70, 64), 3),
        ((1601, 1000), 203),
        ((1601, 1000), 601),
    ],
)
def test_empty_ends_are_not_looked_at(size: tuple[int, int], placed: int, high: bool) -> None:
    shown = Pictures.effect_noise((size[1], size[1]), 80).convert("RGB")
    page = Pictures.new("RGB", size, (250, 240, 230))
    page.paste(shown, (placed, 0))
    if high:
        page, shown = (picture.transpose(Pictures.Transpose.TRANSPOSE) for picture in (page, shown))
    (found,) = trimmed([page])
    least = size[0] // 512  # of a large picture every few rows are looked at at once
    assert (
        abs(found.width - found.height) <= least
        and abs(found.width - size[1]) <= least
        and max(found.size) >= size[1]
    )
    assert least or (np.asarray(found) == np.asarray(shown)).all()


def test_what_is_full_or_square_stays_as_it_is() -> None:
    for size in ((64, 64), (96, 64), (30, 90)):
        full = Pictures.effect_noise(size, 80).convert("RGB")
        assert (np.asarray(trimmed([full])[0]) == np.asarray(full)).all()
    assert trimmed([Pictures.new("RGB", (3000, 1), "red")])[0].size == (1, 1)
    striped = Pictures.new("RGB", (96, 64), "red")
    striped.paste(Pictures.new("RGB", (48, 64), "blue"), (48, 0))
    assert striped.size[0] > trimmed([striped])[0].size[0] == 64


def test_a_clip_is_cut_to_what_moves_in_all_of_it() -> None:
    frames = [Pictures.new("RGB", (120, 60), "white") for _ in range(3)]
    for frame, x in zip(frames, (10, 40, 60)):
        frame.paste(Pictures.new("RGB", (20, 20), "red"), (x, 20))
    found = trimmed(frames)
    assert {picture.size for picture in found} == {(70, 60)}
    assert [int(np.asarray(picture)[30, :, 1].argmin()) for picture in found] == [0, 30, 50]
    assert [picture.size for picture in trimmed([frames[0], frames[1].resize((60, 30))])] == [
        (120, 60),
        (60, 30),
    ]
