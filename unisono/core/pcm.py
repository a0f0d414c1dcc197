"""Samples of unknown origin: many channels become one, numbers at the scale of integers become [-1, 1].

Shapes: N samples, C channels. pcm is float32.
"""

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import UserError

BLOCK = 4096  # samples that are mixed in one way
CANCELLED = 0.25  # of the loudest channel's level: a mean below it has lost what the channels say
INTEGER_PEAK = 32.0  # no sound in [-1, 1] overshoots so far
SCALES = (2.0**15, 2.0**23, 2.0**31)  # of 16, 24 and 32 bits


class Mixer:
    """Channels -> their mean; where they cancel each other, as in opposite phase, one of them instead."""

    def __init__(self) -> None:
        self.energy: NDArray[np.float64] | None = None  # (C,) so far

    def push(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, C) -> (N,): the next samples."""
        num_samples, num_channels = pcm.shape
        if num_channels == 1 or not num_samples:
            return pcm.reshape(-1)[:num_samples].astype(np.float32)
        mean = pcm.mean(axis=1, dtype=np.float32)
        starts = np.arange(0, num_samples, BLOCK)
        with np.errstate(over="ignore", invalid="ignore"):  # damaged files hold numbers beyond any scale
            energies = np.add.reduceat(np.square(np.nan_to_num(pcm)), starts, dtype=np.float64)  # (blocks, C)
            of_mean = np.add.reduceat(np.square(np.nan_to_num(mean)), starts, dtype=np.float64)
        if self.energy is None or len(self.energy) != num_channels:
            self.energy = np.zeros(num_channels)
        self.energy = self.energy + energies.sum(axis=0)
        least = min(CANCELLED, 0.5 / num_channels**0.5)  # many channels at once are quieter in their mean
        loudest = int(np.argmax(self.energy))
        for start in starts[of_mean < least**2 * energies[:, loudest]]:
            mean[start : start + BLOCK] = pcm[start : start + BLOCK, loudest]
        return mean


def at_full_scale(pcm: NDArray[np.float32], *, is_strict: bool = False) -> NDArray[np.float32]:
    """Floats that are integers of 16, 24 or 32 bits -> the same in [-1, 1]. Others stay as they are: a few
    numbers out of range are overshoots or damage. `is_strict`: UserError for numbers beyond any scale.
    """
    size = np.abs(pcm)
    peak = float(size[np.isfinite(size)].max(initial=0))
    if peak <= INTEGER_PEAK or np.count_nonzero(size > 1) <= np.count_nonzero(size) / 10:
        return pcm
    scale = next((scale for scale in SCALES if peak <= scale), None)
    if scale is None and not is_strict:
        return pcm
    if scale is None:
        raise UserError(f"expected samples in [-1, 1] or at the scale of 16, 24 or 32 bits, got {peak:.3g}")
    return (pcm / scale).astype(np.float32)
