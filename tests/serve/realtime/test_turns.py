"""Turn detection: a real voice begins and ends where it does, noise is none, and each eagerness waits as it
says.
"""

import numpy as np
import pytest
import soxr
from live_client import speech, stream

from unisono.serve.realtime.settings import DETECTION
from unisono.serve.realtime.turn_detection import EAGERNESS, FRAME, VAD_RATE, Turns
from unisono.serve.wire.resample import PromptResampler

LEAD_S = 0.5


def follow(pcm: np.ndarray, settings: dict, expectation: float = 0.0) -> list[tuple[str, float]]:
    """-> (start | end, seconds when it was known)."""
    turns, told = Turns({**DETECTION[settings["type"]], **settings}), []
    for start in range(0, len(pcm) - FRAME + 1, FRAME):
        if turns.push(pcm[start : start + FRAME]):
            told.append(("start", turns.position / VAD_RATE))
        turns.expect(expectation)
        if turns.is_over():
            told.append(("end", turns.position / VAD_RATE))
            turns.stop()
    return told


@pytest.mark.parametrize("silence_ms", [200, 500, 900])
def test_server_vad_waits_for_silence(silence_ms: int) -> None:
    pcm = stream(LEAD_S, speech(), 2.0)
    (first, began), (second, ended) = follow(pcm, {"type": "server_vad", "silence_duration_ms": silence_ms})
    end = LEAD_S + len(speech()) / VAD_RATE
    assert (first, second) == ("start", "end")
    assert LEAD_S < began < LEAD_S + 0.15
    assert silence_ms / 1000 - 0.04 <= ended - end <= silence_ms / 1000 + 0.09


@pytest.mark.parametrize("eagerness", ["low", "medium", "auto", "high"])
def test_semantic_vad_asks_the_network_and_waits_no_longer_than_said(eagerness: str) -> None:
    sure, longest = EAGERNESS[eagerness]
    pcm, end = stream(LEAD_S, speech(), longest + 1), LEAD_S + len(speech()) / VAD_RATE
    settings = {"type": "semantic_vad", "eagerness": eagerness}
    quick = follow(pcm, settings, sure)
    assert [name for name, _ in quick][-2:] == ["start", "end"] and 0.03 < quick[-1][1] - end < 0.13
    for probability, wait in ((0.0, longest), (sure / 16, longest / 4)):  # four of sixteen halvings
        slow = follow(pcm, settings, probability)
        assert len(slow) == 2 and wait - 0.05 < slow[-1][1] - end < wait + 0.1


def test_two_sentences_are_two_turns_and_a_short_pause_is_none() -> None:
    settings = {"type": "server_vad", "silence_duration_ms": 400}
    assert [
        name for name, _ in follow(stream(0.3, speech(), 1.0, speech("Two plus three?"), 1.0), settings)
    ] == ["start", "end"] * 2
    assert [
        name for name, _ in follow(stream(0.3, speech(), 0.25, speech("Two plus three?"), 1.0), settings)
    ] == ["start", "end"]


@pytest.mark.parametrize("sound", ["silence", "noise", "hum", "click"])
def test_what_is_no_voice_begins_no_turn(sound: str) -> None:
    time = np.arange(3 * VAD_RATE) / VAD_RATE
    pcm = {
        "silence": np.zeros(3 * VAD_RATE),
        "noise": 0.05 * np.random.default_rng(1).standard_normal(3 * VAD_RATE),
        "hum": 0.2 * np.sin(2 * np.pi * 50 * time),
        "click": np.where(np.arange(3 * VAD_RATE) % VAD_RATE < 20, 0.9, 0.0),
    }[sound]
    assert follow(pcm.astype(np.float32), {"type": "server_vad"}) == []


def test_a_voice_in_noise_is_heard() -> None:
    told = follow(stream(0.5, speech(), 2.0, noise=0.02), {"type": "server_vad"})
    assert [name for name, _ in told] == ["start", "end"]


def test_settings_change_within_a_turn() -> None:
    turns = Turns(DETECTION["server_vad"])
    turns.set({**DETECTION["semantic_vad"], "eagerness": "high"})
    assert turns.is_semantic and turns.longest == 2 * VAD_RATE


@pytest.mark.parametrize(
    ("rate_in", "rate_out"),
    [(24000, 16000), (8000, 16000), (48000, 16000), (16000, 24000), (16000, 8000), (16000, 48000)],
)
def test_rates_change_without_waiting(rate_in: int, rate_out: int) -> None:
    time = np.arange(rate_in) / rate_in
    pcm = (0.5 * np.sin(2 * np.pi * 300 * time) + 0.3 * np.sin(2 * np.pi * 1500 * time)).astype(np.float32)
    resample, pieces, random, done = PromptResampler(rate_in, rate_out), [], np.random.default_rng(0), 0
    while done < len(pcm):
        size = int(random.integers(1, rate_in // 40))
        pieces.append(resample.push(pcm[done : done + size]))
        done = min(done + size, len(pcm))
        assert done / rate_in - sum(map(len, pieces)) / rate_out < 0.002
    pieces.append(resample.push(np.zeros(0, np.float32), last=True))
    made, wanted = np.concatenate(pieces), soxr.resample(pcm, rate_in, rate_out)
    assert len(made) == len(wanted) == rate_out
    assert np.abs(made[200:-200] - wanted[200:-200]).max() < 1e-3
    assert np.array_equal(made, PromptResampler(rate_in, rate_out).push(pcm, last=True))
