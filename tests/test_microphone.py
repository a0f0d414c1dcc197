"""What a microphone does to sound: never the same, never nothing, always repeatable."""
import numpy as np
import pytest
from conftest import tone

from unisono.data import microphone
from unisono.data.microphone import heard, paced


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
        voice = pcm[len(pcm) - len(said):]
        share = float(np.dot(voice, said) ** 2 / (np.dot(voice, voice) * np.dot(said, said)))
        assert share > 0.5, share


def test_half_of_the_voices_become_faster_and_higher_or_slower_and_lower() -> None:
    said = tone(1.0).astype(np.float32)
    found = [paced(said, np.random.default_rng(seed)) for seed in range(60)]
    others = [pcm for pcm in found if len(pcm) != len(said)]
    assert 15 < len(others) < 45 and min(map(len, others)) < 14500 and max(map(len, others)) > 17500
    for pcm in others:
        tones = [np.argmax(np.abs(np.fft.rfft(sound))) / len(sound) for sound in (pcm, said)]
        assert tones[0] / tones[1] == pytest.approx(len(said) / len(pcm), rel=0.02)


def test_some_sound_arrives_as_it_was_and_silence_stays_finite() -> None:
    said = tone(0.5).astype(np.float32)
    assert 5 < sum(np.array_equal(pcm, said) for pcm in many(said)) < 35
    assert all(np.isfinite(pcm).all() for pcm in many(np.zeros(800, np.float32)))
