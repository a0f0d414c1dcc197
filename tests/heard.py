"""A small home of sound beside states that only look like Whisper's: each says how loud and how bright its
frame is."""

from pathlib import Path

import numpy as np
import pytest

from unisono.data.speech import states as states_module
from unisono.data.speech.corpus import Spoken, to_int16, write_waves
from unisono.data.speech.states import FRAME_SIZE, build_states

PLACE = Path("codec/hibari/0000")
NUM_ITEMS = 8


def build_home(home: Path) -> Path:
    """Eight items of two voices and two sources, six of them to train on; item 5 has no text."""
    rng = np.random.default_rng(0)
    items = []
    for number in range(NUM_ITEMS):
        length = int((0.6 + 0.4 * number) * 16000)
        swell = np.repeat(rng.uniform(0.02, 0.5, length // 1600 + 1), 1600)[:length]
        tone = np.sin(np.arange(length) * (0.05 + 0.1 * (number % 2)))
        fields = {
            "text": f"item {number}" if number != 5 else None,
            "voice": f"v{number % 2}",
            "split": "train" if number < 6 else "val",
            "source": "hibari" if number % 2 else "piper",
            "phonemes": list("hɛloʊ") if number != 5 else None,
        }
        items.append(Spoken(to_int16(swell * (tone + 0.1 * rng.standard_normal(length))), fields))
    write_waves(home / "speech" / PLACE, items)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(states_module, "states_of", marked)
        build_states(home / "speech", [home / "speech" / PLACE], home / "states")
    return home


def marked(pcm: np.ndarray) -> np.ndarray:
    """(F, 512): of each frame the loudness, and how fast it moves."""
    frames = np.pad(pcm, (0, -len(pcm) % FRAME_SIZE)).reshape(-1, FRAME_SIZE)
    loud, moves = np.abs(frames).mean(axis=1), np.abs(np.diff(frames, axis=1)).mean(axis=1)
    facts = np.stack([loud, moves, np.sqrt(loud), loud > 0.05], axis=1)
    return np.tile(facts, 128).astype(np.float16)
