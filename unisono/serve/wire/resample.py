"""From one sample rate to another without waiting: soxr's streams hand out blocks of 30 to 110 ms, a
conversation cannot wait for them.

A windowed sinc, one set of taps for each phase. Delay: REACH samples of the lower rate, 0.75 ms at 16 kHz.

Shapes: N samples. pcm is float32 mono.
"""

from functools import lru_cache
from math import ceil, gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

REACH = 12  # zero crossings on each side
ROLL_OFF, BETA = 0.92, 7.0
MAX_CHUNK = 16000  # samples taken at a time: bounds the memory for long pushes


@lru_cache(maxsize=16)
def taps(up: int, down: int) -> NDArray[np.float32]:
    """(up, 2 * half): the filter of each phase."""
    ratio = min(1.0, up / down)
    half = ceil(REACH / ratio)
    place = np.arange(up)[:, None] / up + half - 1 - np.arange(2 * half)[None]
    window = np.i0(BETA * np.sqrt(np.clip(1 - (place / half) ** 2, 0, None))) / np.i0(BETA)
    made = np.sinc(ratio * ROLL_OFF * place) * window
    return (made / made.sum(1, keepdims=True)).astype(np.float32)


class PromptResampler:
    """A stream from one rate to another; what is pushed comes out at once but for the last millisecond."""

    def __init__(self, rate_in: int, rate_out: int) -> None:
        common = gcd(rate_in, rate_out)
        self.up, self.down = rate_out // common, rate_in // common
        self.taps = taps(self.up, self.down)
        self.half = self.taps.shape[1] // 2
        self.pending = np.zeros(self.half - 1, np.float32)  # begins at sample `first` of the input
        self.first, self.num_out = 1 - self.half, 0

    def push(self, pcm: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """-> the samples that became certain."""
        if self.up == self.down:
            return np.asarray(pcm, np.float32)
        if last:
            pcm = np.concatenate([pcm, np.zeros(self.half, np.float32)])
        pieces = [self._push(pcm[start : start + MAX_CHUNK]) for start in range(0, len(pcm), MAX_CHUNK)]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)

    @property
    def num_held(self) -> int:
        """Samples of the output that are still to come of what was pushed."""
        num_in = self.first + len(self.pending)
        return 0 if self.up == self.down else -(-num_in * self.up // self.down) - self.num_out

    def _push(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        held = np.concatenate([self.pending, np.asarray(pcm, np.float32)])
        end = (
            (self.first + len(held) - self.half) * self.up - 1
        ) // self.down + 1  # outputs whose taps are all there
        steps = np.arange(self.num_out, max(end, self.num_out)) * self.down
        starts = steps // self.up - self.half + 1 - self.first
        made = (
            np.einsum(
                "nk,nk->n", sliding_window_view(held, 2 * self.half)[starts], self.taps[steps % self.up]
            )
            if len(steps)
            else np.zeros(0, np.float32)
        )
        self.num_out += len(steps)
        kept = max(0, self.num_out * self.down // self.up - self.half + 1 - self.first)
        self.pending, self.first = held[kept:], self.first + kept
        return made
