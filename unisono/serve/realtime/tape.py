"""The last part of a stream of sound, by the number of the sample.

Shapes: N samples at VAD_RATE.
"""

import numpy as np
from numpy.typing import NDArray

from unisono.serve.realtime.turn_detection import VAD_RATE


class Tape:
    """The last part of a stream, by absolute sample."""

    def __init__(self) -> None:
        self.samples, self.origin, self.size = np.zeros(VAD_RATE, np.float32), 0, 0

    @property
    def end(self) -> int:
        """Samples since the beginning."""
        return self.origin + self.size

    def add(self, pcm: NDArray[np.float32]) -> None:
        """(N,) more."""
        if self.size + len(pcm) > len(self.samples):
            grown = np.zeros(max(2 * len(self.samples), self.size + len(pcm)), np.float32)
            grown[: self.size] = self.samples[: self.size]
            self.samples = grown
        self.samples[self.size : self.size + len(pcm)] = pcm
        self.size += len(pcm)

    def cut(self, start: int, end: int) -> NDArray[np.float32]:
        """A copy of the samples from `start` to `end`, as far as they are kept."""
        return self.samples[max(0, start - self.origin) : max(0, min(end - self.origin, self.size))].copy()

    def forget(self, before: int) -> None:
        """Drops the samples before; copies only where that is worth it."""
        count = min(before - self.origin, self.size)
        if count > 4 * VAD_RATE or count > 0 and count == self.size:
            self.samples = (
                self.samples[count : self.size].copy()
                if count < self.size
                else np.zeros(VAD_RATE, np.float32)
            )
            self.origin, self.size = self.origin + count, self.size - count
