"""A watermark in speech: a keyed pattern of small changes of loudness over time and frequency.

Speech is cut into cells of 32 ms and 200 to 400 Hz. A key decides for each cell whether it becomes a little
louder or a little quieter. The change is relative to what is there, so speech masks it and silence stays
silent. The pattern repeats every 1.024 s. The detector folds a recording at that period and correlates it
with the pattern at every offset, so it needs neither the original nor the beginning.

Shapes: N samples, T frames, K bins of the spectrum, B bands, P offsets within the period. pcm is float32
mono.
"""

import hashlib
import math
import os
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import soxr
from numpy.typing import NDArray

Floats = NDArray[np.float32]

KEY = "unisono"  # everybody knows it, so that every installation can check
KEY_VARIABLE = "UNISONO_WATERMARK_KEY"  # replaces it
RATE = 16000  # at which the detector listens
HOP_S = 0.008  # one frame
HOPS_PER_CELL = 4
CELLS = 32  # of the period in time
EDGES_HZ = (200, *range(400, 2001, 200), *range(2300, 4101, 300), *range(4500, 7301, 400))  # of the bands
PERIOD = CELLS * HOPS_PER_CELL  # frames
# Change of amplitude (neper) below each frequency: 0.7 and 1.6 dB. PESQ suffers mostly from what is changed
# below 800 Hz: the same change lost .23 there and .01 above (2026-11-30).
STRENGTHS = ((800, 0.08), (8000, 0.185))
MIN_S = 1.0  # shorter recordings cannot be told
WINDOW_S = 12.0  # judged together: a recording may hold several replies, each with its own offset
# The score that 1 % of unmarked pieces reach, and what ten times fewer reach: both read off the scores of
# 1,800 unmarked pieces of 3 s, attacked ones among them (2026-11-30).
THRESHOLD, PER_TENFOLD = 4.15, 0.85


def key() -> str:
    """The key of this machine."""
    return os.environ.get(KEY_VARIABLE) or KEY


@lru_cache(maxsize=8)
def pattern(secret: str) -> Floats:
    """-> (CELLS, B) of +1 and -1. Each second cell is the opposite of the one before it, so that nothing is
    louder on the whole.
    """
    seed = int.from_bytes(hashlib.sha256(secret.encode()).digest()[:8], "little")
    half = np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), (CELLS // 2, len(EDGES_HZ) - 1))
    return np.stack([half, -half], 1).reshape(CELLS, -1)


@lru_cache(maxsize=8)
def _gains(secret: str, rate: int) -> Floats:
    """-> (PERIOD, K) factors of the amplitude."""
    frequencies = np.fft.rfftfreq(2 * round(HOP_S * rate), 1 / rate)
    band = np.searchsorted(EDGES_HZ, frequencies, "right") - 1  # (K,)
    is_marked = (band >= 0) & (band < len(EDGES_HZ) - 1)
    limits, values = zip(*STRENGTHS)
    strength = np.array([*values, 0])[np.searchsorted(limits, frequencies, "right")]
    signs = pattern(secret)[:, np.where(is_marked, band, 0)] * is_marked
    return np.exp(strength * np.repeat(signs, HOPS_PER_CELL, 0)).astype(np.float32)


class Watermark:
    """Marks one stream of speech. What is pushed in pieces comes out as if it had been pushed whole, up to
    two frames (16 ms) later.

    `speed`: at which the sound will be played by a stretcher that keeps its pitch; the pattern is written so
    that it has its own pace afterwards.
    """

    def __init__(self, rate: int, secret: str | None = None, speed: float = 1.0) -> None:
        self.hop, self.speed = round(HOP_S * rate), speed
        self.gains = _gains(secret or key(), rate)
        self.window = np.sqrt(np.hanning(2 * self.hop + 1)[:-1]).astype(np.float32)
        self.num_before = 0  # samples before the last flush: they tell where in the pattern we are
        self._begin()

    def _begin(self) -> None:
        self.left = np.zeros(self.hop, np.float32)  # samples that wait for the rest of their frame
        self.tail = np.zeros(self.hop, np.float32)  # second half of the last frame
        self.frame, self.num_in, self.num_out = 0, 0, 0

    def push(self, pcm: Floats) -> Floats:
        """(M,) -> the samples that became certain."""
        self.num_in += len(pcm)
        waiting = np.concatenate([self.left, pcm])
        count = len(waiting) // self.hop - 1  # frames of two hops
        if count <= 0:
            self.left = waiting
            return np.zeros(0, np.float32)
        halves = waiting[: (count + 1) * self.hop].reshape(count + 1, self.hop)
        frames = np.concatenate([halves[:-1], halves[1:]], 1) * self.window
        marked = np.fft.irfft(np.fft.rfft(frames) * self._next(count), 2 * self.hop) * self.window
        first, second = marked[:, : self.hop], marked[:, self.hop :]
        made = (first + np.concatenate([self.tail[None], second[:-1]])).ravel().astype(np.float32)
        made = made[self.hop :] if self.frame == 0 else made  # the stream began with one hop of nothing
        self.left, self.tail = waiting[count * self.hop :], second[-1]
        self.frame += count
        self.num_out += len(made)
        return made

    def _next(self, count: int) -> Floats:
        """-> (count, K): the gains of the next frames."""
        place = (self.num_before / self.hop + self.frame + np.arange(count)) / self.speed
        return self.gains[place.astype(np.int64) % PERIOD]

    def flush(self) -> Floats:
        """The rest. What is pushed later goes on in the pattern."""
        left, num_in = self.num_in - self.num_out, self.num_in
        rest = self.push(np.zeros(2 * self.hop, np.float32))[:left]
        self.num_before += num_in
        self._begin()
        return rest


@dataclass(frozen=True)
class Found:
    """What the detector says: `score` in standard deviations, what is `needed` for a recording of this
    length, and whether that is a watermark.
    """

    score: float
    needed: float

    @property
    def is_marked(self) -> bool:
        return self.score >= self.needed


def detect(pcm: Floats, rate: int, secret: str | None = None) -> Found:
    """(N,) at `rate` -> whether Unisono spoke in it; never so for what is shorter than MIN_S."""
    pcm = np.asarray(soxr.resample(pcm, rate, RATE) if rate != RATE else pcm, np.float32)
    size = round(WINDOW_S * RATE)
    starts = range(0, max(1, len(pcm) - size // 2), size // 2)
    if len(pcm) < MIN_S * RATE:
        return Found(0.0, THRESHOLD)
    best = max(score(pcm[start : start + size], secret or key()) for start in starts)
    return Found(best, THRESHOLD + PER_TENFOLD * math.log10(len(starts)))


def score(pcm: Floats, secret: str) -> float:
    """(N,) at RATE -> how far the best offset stands above all others, in standard deviations."""
    folded = _folded(_differences(_bands(pcm)))
    wanted = np.repeat(pattern(secret), HOPS_PER_CELL, 0)
    spectrum = np.fft.rfft(folded, axis=0) * np.conj(np.fft.rfft(wanted, axis=0))
    found = np.fft.irfft(spectrum.sum(1), PERIOD)
    found -= np.median(found)
    return float(found.max() / max(1.4826 * np.median(np.abs(found)), 1e-6))


def _bands(pcm: Floats) -> Floats:
    """(N,) -> (T, B) logarithm of the energy of each band."""
    hop = round(HOP_S * RATE)
    halves = pcm[: len(pcm) // hop * hop].reshape(-1, hop)
    frames = np.concatenate([halves[:-1], halves[1:]], 1) * np.hanning(2 * hop).astype(np.float32)
    energy = np.abs(np.fft.rfft(frames)) ** 2
    starts = np.searchsorted(np.fft.rfftfreq(2 * hop, 1 / RATE), EDGES_HZ)
    return np.log(np.add.reduceat(energy, starts, 1)[:, :-1] + 1e-7).astype(np.float32)


def _differences(bands: Floats) -> Floats:
    """(T, B) -> (T - 3, B): how each cell differs from its neighbours in time and frequency.

    Single values are limited, for a mark cannot do much. What hardly stands above the noise of its band
    counts less: noise has no mark.
    """
    sums = np.cumsum(np.pad(bands, ((1, 0), (0, 0))), 0, np.float64)
    level = (sums[HOPS_PER_CELL:] - sums[:-HOPS_PER_CELL]) / HOPS_PER_CELL
    padded = np.pad(level, ((HOPS_PER_CELL, HOPS_PER_CELL), (0, 0)), "edge")
    differs = level - (padded[: -2 * HOPS_PER_CELL] + padded[2 * HOPS_PER_CELL :]) / 2
    padded = np.pad(differs, ((0, 0), (1, 1)), "edge")
    differs = differs - (padded[:, :-2] + padded[:, 2:]) / 2
    weight = 1 - np.exp(np.minimum(0, np.quantile(level, 0.1, axis=0) - level))
    return (np.tanh(differs) * weight).astype(np.float32)


def _folded(bands: Floats) -> Floats:
    """(T, B) -> (P, B): the sum of all periods."""
    count = -(-len(bands) // PERIOD)
    padded = np.pad(bands, ((0, count * PERIOD - len(bands)), (0, 0)))
    folded: Floats = padded.reshape(count, PERIOD, -1).sum(0)
    return folded
