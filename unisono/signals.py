"""Sound at any rate and pictures of any kind -> as the codecs take them: one channel at one rate; RGB on
white, square.

Shapes: N samples, F frames of a clip, H rows, W columns. pcm is float32 mono in [-1, 1].
"""

from collections.abc import Sequence

import numpy as np
import soxr
from numpy.typing import NDArray
from PIL import Image as Pictures

from unisono.core.errors import UserError
from unisono.core.pcm import Mixer, at_full_scale

LOOKED_AT = 512  # rows of a picture, for its margins
EVEN = 10  # of 255: what compression leaves of one colour
MAX_CHANNELS = 64  # more are samples: the array lies on its side


def check_rate(sample_rate: float) -> None:
    """UserError unless it is a rate: soxr never returns from one that is no number."""
    if not (isinstance(sample_rate, int | float | np.number) and 0 < sample_rate < float("inf")):
        raise UserError(f"expected sound with a sample rate above 0, got {sample_rate!r}")


def to_mono(pcm: NDArray[np.float32], sample_rate: int, wanted_rate: int) -> NDArray[np.float32]:
    """(N,) or (N, channels) at `sample_rate` -> (N',) at `wanted_rate`, clipped to [-1, 1]; not-a-number
    becomes silence.

    Integers are taken at the full scale of their width, unsigned ones, as in a WAV of 8 bits, around its
    middle; floats at the scale of integers come down. Channels that cancel each other are not mixed.
    """
    check_rate(sample_rate)
    dtype = np.asarray(pcm).dtype
    if dtype.kind in "iu":
        half = 2.0 ** (8 * dtype.itemsize - 1)
        pcm = (np.asarray(pcm, np.float32) - (half if dtype.kind == "u" else 0)) / half
    pcm = at_full_scale(np.asarray(pcm, np.float32))
    pcm = np.clip(np.nan_to_num(pcm), -1, 1)  # before filters turn the infinite into no number
    if pcm.ndim == 2 and pcm.shape[1] <= MAX_CHANNELS:
        pcm = Mixer().push(pcm)
    if pcm.ndim != 1 or not len(pcm):
        raise UserError(
            f"expected sound of shape (samples,) or (samples, channels) with at least one sample, got "
            f"{pcm.shape}"
        )
    if sample_rate != wanted_rate:
        pcm = soxr.resample(pcm, sample_rate, wanted_rate)
    if not len(pcm):
        pcm = np.zeros(1, np.float32)
    return np.clip(pcm, -1, 1).astype(np.float32)


def fit(picture: Pictures.Image, size: int) -> Pictures.Image:
    """Any picture -> (size, size) RGB: aspect kept, centred on white."""
    picture = plain(picture)
    scale = size / max(picture.size)
    wide, high = (max(1, round(side * scale)) for side in picture.size)
    square = Pictures.new("RGB", (size, size), "white")
    square.paste(
        picture.resize((wide, high), Pictures.Resampling.LANCZOS), ((size - wide) // 2, (size - high) // 2)
    )
    return square


def plain(picture: Pictures.Image) -> Pictures.Image:
    """Any picture -> the same in RGB, transparency on white; UserError for one without pixels, or whose file
    turns out to be damaged.
    """
    try:
        picture.load()  # Pillow reads a file when it must
    except Exception as error:  # of many kinds
        raise UserError(f"expected a whole picture, got one that cannot be read ({error})") from None
    if not all(picture.size):
        raise UserError(f"expected a picture with pixels, got one of {picture.width} x {picture.height}")
    if picture.mode.startswith(
        "I;16"
    ):  # Pillow would turn all but the darkest greys into white, and first of all where one is clear
        deep, clear = np.asarray(picture), picture.info.get("transparency")
        picture = Pictures.fromarray(np.where(deep == clear, 255, deep >> 8).astype(np.uint8))
    elif picture.mode in ("I", "F"):  # in whatever units: its least is black, its most is white
        step = max(1, max(picture.size) // 1024)  # of a hundred million numbers no copies are made
        values = np.nan_to_num(np.asarray(picture)[::step, ::step].astype(np.float64), posinf=0, neginf=0)
        picture = Pictures.fromarray((255 * (values - values.min()) / (np.ptp(values) or 1)).astype(np.uint8))
    elif picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Pictures.alpha_composite(Pictures.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def trimmed(pictures: Sequence[Pictures.Image]) -> list[Pictures.Image]:
    """Pictures of one size, such as the frames of a clip -> the same in RGB without what is empty, in all of
    them, at the ends of their longer side, until they are square: of a wide picture the codec would see every
    third row for nothing (68 % of the answers about wide pictures were right, 97 % about square ones,
    2026-11-22)."""
    pictures = [plain(picture) for picture in pictures]
    (wide, high), sizes = pictures[0].size, {picture.size for picture in pictures}
    spare = abs(wide - high)
    if len(sizes) > 1 or not spare:
        return pictures
    step = max(1, max(wide, high) // LOOKED_AT)
    pixels = np.stack([np.asarray(picture.reduce(step), np.int16) for picture in pictures])  # (F, H, W, 3)
    rows = pixels.transpose(2, 0, 1, 3) if wide > high else pixels.transpose(1, 0, 2, 3)
    first, last = ((abs(ends - ends[0, 0, 0]) <= EVEN).all(axis=(1, 2, 3)) for ends in (rows, rows[::-1]))
    beyond = len(rows) * step - max(
        wide, high
    )  # the last of the rows that were looked at may stand for fewer
    first, last = (spare if even.all() else int(even.argmin()) * step for even in (first, last))
    last = max(0, last - beyond)
    first = min(first, max(spare // 2, spare - last))
    last = min(last, spare - first)
    return [
        picture.crop((first, 0, wide - last, high) if wide > high else (0, first, wide, high - last))
        for picture in pictures
    ]
