"""Small real files in many containers, and what reading them must give."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import tone

from unisono.core.errors import UserError
from unisono.media import read_footage, read_picture, read_sound

Media = Callable[[str], Path]
READERS = {"picture": read_picture, "sound": read_sound, "clip": read_footage}


def damaged(content: bytes, place: float, count: int, value: int = 0) -> bytes:
    """`count` bytes overwritten from a share of the length on."""
    start = int(len(content) * place)
    return content[:start] + bytes([value]) * count + content[start + count :]


def refused(reader: Callable, source: object, words: str) -> None:
    """Reading ends in one sentence with these words."""
    with pytest.raises(UserError, match=words) as caught:
        reader(source)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300 and "0x" not in message and "Errno" not in message


def wav(pcm: np.ndarray, rate: int = 16000, format: str = "WAV") -> io.BytesIO:
    file = io.BytesIO()
    soundfile.write(file, pcm, rate, format=format)
    file.seek(0)
    file.name = f"sound.{format.lower()}"
    return file


def long_sound() -> np.ndarray:
    """14 s: a tone, two seconds of quiet in which to cut, a tone, and quiet that nobody needs to hear."""
    quiet = np.zeros(32000, np.float32)
    return np.concatenate([tone(4.0), quiet, tone(6.0), quiet]) + 1e-5
