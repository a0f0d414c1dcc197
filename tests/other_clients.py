"""What the tests of clients that others wrote share: a question, its answer, checks of what was heard."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest
import soxr

from unisono.assess.quality.judge import comparable
from unisono.core.home import shipped
from unisono.data.speech.voices import SAMPLE_RATE, speak

needs_weights = [
    pytest.mark.slow,
    pytest.mark.skipif(not list(shipped().glob("*/model.safetensors")), reason="no weights in the package"),
]
QUESTION, ANSWER = "What colour is the sky?", "The sky is blue."

WIRE_RATE = 24000


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 180))


def question(rate: int, silence_s: float = 0.0) -> np.ndarray:
    """(N,) the question, spoken by the voice that the network heard most; silence around it."""
    rest = np.zeros(round(silence_s * rate), np.float32)
    return np.concatenate([rest, soxr.resample(speak(QUESTION, "heart"), SAMPLE_RATE, rate), rest])


def pcm16(pcm: np.ndarray) -> bytes:
    """As clients send it."""
    return (np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes()


def assert_speech(pcm: bytes | np.ndarray, seconds: float = 0.5) -> None:
    """At least so long, and no silence."""
    sound = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768 if isinstance(pcm, bytes) else pcm
    assert len(sound) > seconds * WIRE_RATE and np.sqrt(np.square(sound).mean()) > 0.01


def is_about_the_sky(text: str) -> bool:
    """What was heard need not be right to the word."""
    return len(set(comparable(text).split()) & set("what colour is the sky".split())) >= 3
