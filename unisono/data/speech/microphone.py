"""Sound as microphones and telephones hand it over: low or loud, near or far, in noise, with little band,
after silence.

Synthesized speech is cleaner than anything that a person will ever say to the network, and what is taught
with it alone is lost in the faintest noise: 4 % word errors on test sentences became 91 % with noise 30 dB
below the voice (2026-11-21).
"""

import numpy as np
import soxr
from numpy.typing import NDArray

SAMPLE_RATE = 16000
Pcm = NDArray[np.float32]  # (N,)

CHANGED = 0.6  # are said as if by somebody else
PACE = (0.85, 1.18)  # beyond, nobody talks like that
VOICE = (0.83, 1.2)  # beyond, a voice no longer sounds like a person's
WINDOW, HOP = 512, 128  # samples, where sound is stretched
PLAIN = 0.3  # stay as they are
MAX_LEAD_S = 0.6  # nothing after the end: when a turn is over is learned from it
ECHO, BAND = 0.4, 0.4  # of the others: in a room; without the highest and lowest tones
SNR_DB = (8.0, 45.0)
PEAK = (0.06, 0.95)
SILENCE = 1e-4


def by_another(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """(N,) at 16 kHz -> (M,): in some cases higher or lower, and faster or slower, as if more people had
    spoken (Ko et al. 2015, "Audio augmentation for speech recognition"): of voices never heard 25 % of the
    words were wrong, of the others 11 (2026-11-22).
    """
    if rng.random() >= CHANGED:
        return pcm
    voice, pace = rng.uniform(*VOICE), rng.uniform(*PACE)
    return stretched(soxr.resample(pcm, SAMPLE_RATE * voice, SAMPLE_RATE), voice / pace)


def stretched(pcm: Pcm, factor: float) -> Pcm:
    """(N,) -> (about factor * N,), the same voice, slower where factor > 1: a phase vocoder (Flanagan and
    Golden 1966).
    """
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    padded = np.pad(pcm, (WINDOW, 2 * WINDOW))
    spectra = np.fft.rfft(
        np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * window
    )  # (T, bins)
    at = np.arange(0, len(spectra) - 1.001, 1 / factor)
    first, between = at.astype(int), (at % 1)[:, None]
    loud, angles = np.abs(spectra), np.angle(spectra)
    usual = 2 * np.pi * HOP / WINDOW * np.arange(WINDOW // 2 + 1)
    beyond = angles[first + 1] - angles[first] - usual
    steps = usual + beyond - 2 * np.pi * np.round(beyond / (2 * np.pi))
    phases = angles[0] + np.cumsum(steps, axis=0) - steps
    pieces = (
        np.fft.irfft((loud[first] * (1 - between) + loud[first + 1] * between) * np.exp(1j * phases)) * window
    )
    made = np.zeros(len(pieces) * HOP + WINDOW, np.float32)
    for quarter in range(WINDOW // HOP):  # overlap-add: windows of one quarter do not touch
        part = pieces[quarter :: WINDOW // HOP].reshape(-1)
        made[quarter * HOP : quarter * HOP + len(part)] += part
    start = round((factor + 1) * WINDOW / 2)  # windows lie on their middles
    return (made / 1.5)[start : start + round(factor * len(pcm))].astype(np.float32)


def heard(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """(N,) at 16 kHz -> (M,) the same as it may arrive, M >= N: unchanged in some cases."""
    return pcm if rng.random() < PLAIN else spoilt(pcm, rng)


def spoilt(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """(N,) at 16 kHz -> (M,), never unchanged."""
    return carried(
        np.pad(pcm, (int(rng.uniform(0, MAX_LEAD_S) * SAMPLE_RATE), 0)) if rng.random() < 0.5 else pcm, rng
    )


def carried(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """(N,) at 16 kHz -> (N,), sample by sample the same sound, as it comes out of the microphone. Silence
    stays silence.
    """
    if np.abs(pcm).max(initial=0.0) < SILENCE:
        return pcm
    if rng.random() < ECHO:
        pcm = _echoed(pcm, rng)
    level = float(np.sqrt(np.mean(np.square(pcm)))) + 1e-9
    pcm = pcm + level * 10 ** (-rng.uniform(*SNR_DB) / 20) * _noise(len(pcm), rng)
    if rng.random() < BAND:
        pcm = _banded(pcm, rng)
    peak = np.exp(rng.uniform(*np.log(PEAK)))
    return (pcm * (peak / (np.abs(pcm).max() + 1e-9))).astype(np.float32)


def _filtered(pcm: Pcm, gain: NDArray[np.float64]) -> Pcm:
    return np.fft.irfft(np.fft.rfft(pcm) * gain, len(pcm)).astype(np.float32)


def _frequencies(length: int) -> NDArray[np.float64]:
    return np.fft.rfftfreq(length, 1 / SAMPLE_RATE).astype(np.float64)


def _noise(length: int, rng: np.random.Generator) -> Pcm:
    """Hiss to rumble: noise whose power falls with frequency by a random exponent from 0 to 2; root mean
    square 1.
    """
    white = rng.standard_normal(length).astype(np.float32)
    noise = _filtered(white, np.maximum(_frequencies(length), 60.0) ** (-rng.uniform(0, 2) / 2))
    return noise / (float(np.sqrt(np.mean(np.square(noise)))) + 1e-9)


def _echoed(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """In a room: noise that dies away within 0.1 to 0.5 s, 6 to 20 dB below what comes straight."""
    length = int(rng.uniform(0.1, 0.5) * SAMPLE_RATE)
    room = rng.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    room *= 10 ** (-rng.uniform(6, 20) / 20) / np.sqrt(np.sum(np.square(room)))
    room[0] = 1.0
    size = 1 << (len(pcm) + length - 1).bit_length()  # others can take ten times as long to transform
    return np.fft.irfft(np.fft.rfft(pcm, size) * np.fft.rfft(room, size), size)[: len(pcm)].astype(np.float32)


def _banded(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """Nothing above 3.2 to 7 kHz, as over telephones, and little below 60 to 350 Hz, as from small
    microphones.
    """
    frequencies = _frequencies(len(pcm))
    top, bottom = rng.uniform(3200, 7000), rng.uniform(60, 350)
    fall = 1 / (1 + (frequencies / top) ** 24)
    return _filtered(pcm, fall * (1 - 1 / (1 + (frequencies / bottom) ** 4)))
