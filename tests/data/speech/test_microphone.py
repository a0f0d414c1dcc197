"""What a microphone does to sound: never the same, never nothing, always repeatable."""

import numpy as np
import pytest
from conftest import tone

from unisono.data.speech import microphone
from unisono.data.speech.microphone import by_another, heard, stretched


def many(pcm: np.ndarray, count: int = 60) -> list[np.ndarray]:
    return [heard(pcm, np.random.default_rng(seed)) for seed in range(count)]


def test_levels_lengths_and_noise_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microphone, "PLAIN", 0.0)
    found = many(tone(1.0).astype(np.float32))
    peaks = [float(np.abs(pcm).max()) for pcm in found]
    assert all(pcm.dtype == np.float32 and np.isfinite(pcm).all() and len(pcm) >= 16000 for pcm in found)
    assert min(peaks) < 0.1 and max(peaks) > 0.6 and max(peaks) <= 0.951
    assert max(map(len, found)) <= 16000 * 1.6 + 1 and 15 < sum(len(pcm) > 16000 for pcm in found) < 45
    assert np.array_equal(found[7], many(tone(1.0).astype(np.float32), 8)[7])


def test_the_voice_stays_above_the_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microphone, "PLAIN", 0.0)
    monkeypatch.setattr(microphone, "ECHO", 0.0)
    said = tone(1.0).astype(np.float32)
    for pcm in many(said, 30):
        voice = pcm[len(pcm) - len(said) :]
        share = float(np.dot(voice, said) ** 2 / (np.dot(voice, voice) * np.dot(said, said)))
        assert share > 0.5, share


def test_most_voices_become_others_and_how_fast_is_another_matter_than_how_high() -> None:
    said = tone(1.0).astype(np.float32)
    found = [by_another(said, np.random.default_rng(seed)) for seed in range(90)]
    others = [pcm for pcm in found if len(pcm) != len(said)]
    assert 36 < len(others) < 72 and min(map(len, others)) < 14500 and max(map(len, others)) > 17500
    paces = [len(said) / len(pcm) for pcm in others]
    heights = [
        np.argmax(np.abs(np.fft.rfft(pcm))) / len(pcm) / np.argmax(np.abs(np.fft.rfft(said))) * len(said)
        for pcm in others
    ]
    assert all(0.84 < pace < 1.19 for pace in paces) and all(0.8 < height < 1.22 for height in heights)
    assert max(heights) - min(heights) > 0.2 and abs(np.corrcoef(paces, heights)[0, 1]) < 0.5


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_stretched_sound_lasts_longer_and_keeps_its_height(factor: float) -> None:
    said = tone(1.0).astype(np.float32)
    longer = stretched(said, factor)
    assert longer.dtype == np.float32 and len(longer) == round(factor * len(said))
    heights = [np.argmax(np.abs(np.fft.rfft(sound))) / len(sound) for sound in (said, longer)]
    assert heights[1] == pytest.approx(heights[0], rel=0.01)
    assert 0.6 < longer.std() / said.std() < 1.2
    click = np.zeros(8000, np.float32)
    click[2000] = 1.0
    assert abs(int(np.abs(stretched(click, factor)).argmax()) - factor * 2000) < 100
    if factor == 1.0:
        assert np.abs(longer - said).max() < 1e-4
    assert all(np.isfinite(stretched(np.ones(length, np.float32), factor)).all() for length in (1, 100, 700))


def test_some_sound_arrives_as_it_was_and_silence_stays_finite() -> None:
    said = tone(0.5).astype(np.float32)
    assert 5 < sum(np.array_equal(pcm, said) for pcm in many(said)) < 35
    assert all(np.isfinite(pcm).all() for pcm in many(np.zeros(800, np.float32)))
