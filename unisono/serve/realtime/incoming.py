"""What arrives of a person's sound: bytes of the wire, cut anywhere, become samples at the rate at which the
session listens.

Nothing of the stream depends on where it was cut: half a sample waits for its other half, and the resampler
for the samples that follow.

Shapes: N samples. pcm is float32 mono in [-1, 1].
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.serve.realtime.turn_detection import VAD_RATE
from unisono.serve.wire.resample import PromptResampler
from unisono.serve.wire.sound import from_wire, rate_of


class Incoming:
    """One stream of sound on its way in."""

    def __init__(self, format: dict[str, Any], rate: int | None = None) -> None:
        """`format`: audio.input.format of the session. `rate`: of the samples that `push` gets, where that is
        not the format's: a call's.
        """
        self.format, self.rate = format, rate or rate_of(format)
        self.size = 2 if format["type"] == "audio/pcm" else 1  # bytes of a sample
        self.clear()

    def clear(self) -> None:
        """Forgets what waits; another stream begins."""
        self.half = b""
        self.resample = PromptResampler(self.rate, VAD_RATE)

    def read(self, content: bytes) -> NDArray[np.float32]:
        """Bytes of the format -> (N,) at VAD_RATE."""
        content = self.half + content
        end = len(content) // self.size * self.size
        self.half = content[end:]
        return self.push(from_wire(content[:end], self.format))

    def push(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N,) at `rate` -> (N,) at VAD_RATE."""
        return self.resample.push(pcm)

    @property
    def held(self) -> int:
        """Samples at VAD_RATE that `end` would give."""
        return self.resample.num_held

    def end(self) -> NDArray[np.float32]:
        """-> (N,) what the resampler still holds; another stream begins. Half a sample has no other half any
        more and is dropped.
        """
        rest = self.resample.push(np.zeros(0, np.float32), last=True)
        self.clear()
        return rest
