"""Ideal shapes, and outlines with place, width and height taken out, so that the two can be compared.

Shapes: S pixels a side, GRID samples a side of a compared outline.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from unisono.assess.quality.masks import Mask, sampled, smooth

GRID = 20  # samples a side when two outlines are compared


def moments(mask: Mask) -> tuple[float, float, float, float]:
    """Centre and spread of a coverage: x, y, standard deviation in x, in y."""
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]]
    total = mask.sum()
    x, y = float((mask * columns).sum() / total), float((mask * rows).sum() / total)
    return (
        x,
        y,
        float(np.sqrt((mask * (columns - x) ** 2).sum() / total)),
        float(np.sqrt((mask * (rows - y) ** 2).sum() / total)),
    )


def normal(mask: Mask) -> Mask:
    """(S, S) -> (GRID, GRID): the coverage within 2.4 standard deviations of its centre, mean 0, length 1."""
    x, y, dx, dy = moments(mask)
    steps = np.linspace(-2.4, 2.4, GRID)
    patch = sampled(mask, y + steps * dy, x + steps * dx)
    patch = patch - patch.mean()
    return patch / (np.linalg.norm(patch) + 1e-9)


def _inside(corners: Sequence[tuple[float, float]], x: NDArray, y: NDArray) -> NDArray[np.bool_]:
    """Even-odd rule: which points lie inside the polygon."""
    inside = np.zeros_like(x, bool)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]]):
        crosses = (y0 > y) != (y1 > y)
        inside ^= crosses & (x < (x1 - x0) * (y - y0) / ((y1 - y0) or 1e-9) + x0)
    return inside


def _star(inner: float) -> list[tuple[float, float]]:
    return [
        ((1 if n % 2 == 0 else inner) * sin(pi * n / 5), -(1 if n % 2 == 0 else inner) * cos(pi * n / 5))
        for n in range(10)
    ]


@lru_cache(maxsize=4)
def outlines(radius: float) -> list[tuple[str, Mask]]:
    """(name, outline) of ideal shapes about as large as the thing, sharp and in two degrees of blur.

    Without the blurred ones a small blurred cross reads as a diamond (88 % of shapes right instead of 100 %,
    2026-11-21).
    """
    fine = 4
    side = np.arange(40 * fine) / fine - 20 + 0.5 / fine
    x, y = np.meshgrid(side / radius, side / radius)
    heart_x, heart_y = 1.15 * x, -1.2 * y + 0.1
    arm = 0.33
    ideal = [
        ("circle", x**2 + y**2 < 1),
        ("square", np.maximum(abs(x), abs(y)) < 0.9),
        ("triangle", _inside([(0, -1), (1, 0.8), (-1, 0.8)], x, y)),
        ("diamond", abs(x) / 0.75 + abs(y) / 1.1 < 1),
        ("cross", (np.maximum(abs(x), abs(y)) < 1) & (np.minimum(abs(x), abs(y)) < arm)),
        ("star", _inside(_star(0.4), x, y)),
        ("star", _inside(_star(0.5), x, y)),
        ("heart", (heart_x**2 + heart_y**2 - 1) ** 3 - heart_x**2 * heart_y**3 < 0),
        (
            "heart",
            _inside(
                [
                    (-1, -0.25),
                    (-0.8, -0.7),
                    (-0.5, -0.8),
                    (-0.2, -0.7),
                    (0, -0.45),
                    (0.2, -0.7),
                    (0.5, -0.8),
                    (0.8, -0.7),
                    (1, -0.25),
                    (0, 1),
                ],
                x,
                y,
            ),
        ),
    ]
    drawn = [
        (name, mask.reshape(40, fine, 40, fine).mean(axis=(1, 3)).astype(np.float32)) for name, mask in ideal
    ]
    return [
        (name, normal(blunt(mask)))
        for name, mask in drawn
        for blunt in (np.asarray, smooth, lambda m: smooth(smooth(m)))
    ]
