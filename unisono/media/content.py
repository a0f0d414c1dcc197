"""What files of sound and clips hold.

Shapes: N samples. pcm is float32 in [-1, 1].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures


@dataclass(frozen=True)
class Sound:
    """(N,) or (N, channels) samples at `sample_rate`."""

    pcm: NDArray[np.float32]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.pcm) / self.sample_rate


@dataclass(frozen=True)
class Footage:
    """Pictures at two a second and the sound of a clip, if it has any."""

    frames: list[Pictures.Image]
    sound: Sound | None
