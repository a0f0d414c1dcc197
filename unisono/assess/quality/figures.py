"""Names a figure or a printed digit by the nearest of examples.

Shapes: S pixels a side.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from unisono.assess.quality.masks import Pixels, as_pixels, background, components, sampled, smooth

# ink that still belongs to a figure; at 0.15 unsmoothed, white figures were lost (95 % read, 2026-11-21)
FAINT = 0.08


class FigureReader:
    """Names a figure (an emoji) by the nearest of its references, at any place and scale.

    It is not made for printed words.
    """

    def __init__(self, references: Mapping[str, NDArray]) -> None:
        if not references:
            raise ValueError("expected at least one reference picture")
        self.names = list(references)
        self.features = np.stack([self._features(as_pixels(references[name])) for name in self.names])

    def distances(self, picture: NDArray) -> dict[str, float]:
        """Distance to each reference, 0 = the same."""
        away = np.linalg.norm(self.features - self._features(as_pixels(picture)), axis=1)
        return dict(zip(self.names, away.tolist()))

    def read(self, picture: NDArray) -> str:
        """The name of the nearest reference."""
        away = self.distances(picture)
        return min(away, key=away.__getitem__)

    @staticmethod
    def _features(pixels: Pixels) -> NDArray[np.float32]:
        """Differences from the ground on a 16 x 16 grid over the figure, and the figure's proportions.

        Colour counts more than lightness.
        """
        pixels = np.stack([smooth(pixels[..., channel]) for channel in range(3)], axis=-1)
        ink = background(pixels) - pixels
        mask: NDArray[np.bool_] = np.abs(ink).max(axis=-1) > FAINT
        if not mask.any():
            mask = np.ones_like(mask)
        largest = max(components(mask), key=np.count_nonzero)
        rows, columns = (_span(_used(largest, axis), _used(mask, axis)) for axis in (1, 0))
        steps = (np.arange(16) + 0.5) / 16
        at_rows, at_columns = (
            rows[0] + steps * (rows[1] - rows[0]),
            columns[0] + steps * (columns[1] - columns[0]),
        )
        cells = np.stack(
            [sampled(ink[..., channel], at_rows - 0.5, at_columns - 0.5) for channel in range(3)], axis=-1
        )
        light = cells.mean(axis=-1)
        opponent = np.stack(
            [
                light,
                1.5 * (cells[..., 0] - cells[..., 1]),
                1.5 * (cells[..., 2] - cells[..., :2].mean(axis=-1)),
            ]
        )
        proportion = np.log((rows[1] - rows[0]) / (columns[1] - columns[0]))
        return np.append(opponent.reshape(-1) / 16, 0.5 * proportion).astype(np.float32)


class DigitReader:
    """Reads one printed digit by the nearest of its examples: the ink within a frame around the digit."""

    def __init__(self, examples: Sequence[tuple[str, NDArray]]) -> None:
        if not examples:
            raise ValueError("expected at least one example")
        self.names = [name for name, _ in examples]
        self.features = np.stack([self._features(as_pixels(picture)) for _, picture in examples])

    def read(self, picture: NDArray) -> str:
        """The digit of the nearest example."""
        return self.names[
            int(np.linalg.norm(self.features - self._features(as_pixels(picture)), axis=1).argmin())
        ]

    @staticmethod
    def _features(pixels: Pixels) -> NDArray[np.float32]:
        """Ink on a 16 x 16 grid over its frame, scaled to length 1, and the frame's proportions."""
        ink = np.abs(background(pixels) - pixels).mean(axis=-1)
        mask = ink >= 0.3 * float(ink.max())  # all of an empty page
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        steps = (np.arange(16) + 0.5) / 16
        high, wide = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
        cells = sampled(ink, rows[0] + steps * high - 0.5, columns[0] + steps * wide - 0.5).reshape(-1)
        return np.append(cells / max(float(np.linalg.norm(cells)), 1e-6), 0.5 * np.log(high / wide)).astype(
            np.float32
        )


def _used(mask: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """(S,) which rows (axis 1) or columns (axis 0) hold ink."""
    return np.asarray(mask.any(axis=axis))


def _span(used: NDArray[np.bool_], all_used: NDArray[np.bool_]) -> tuple[float, float]:
    """First and last place with ink, dirt far away from the largest part left out."""
    near = np.flatnonzero(used)
    ink = np.flatnonzero(all_used)
    ink = ink[(ink >= near[0] - 14) & (ink <= near[-1] + 14)]
    return float(ink[0]), float(ink[-1] + 1)
