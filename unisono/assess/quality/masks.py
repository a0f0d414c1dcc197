"""Pixels of one thing, told from the ground and from each other.

Shapes: S pixels a side. Coordinates are pixels, origin at the top left, y downwards.
"""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]  # (S, S, 3) in [0, 1]
Mask = NDArray[np.float32]  # (S, S) coverage in [0, 1]


def as_pixels(picture: NDArray) -> Pixels:
    """(S, S, 3) uint8, or float in [0, 1] -> float32 in [0, 1]. ValueError for another shape."""
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.shape[0] != picture.shape[1]:
        raise ValueError(f"expected a square RGB picture (S, S, 3), got {picture.shape}")
    return picture.astype(np.float32) / np.float32(255 if picture.dtype == np.uint8 else 1)


def background(pixels: Pixels) -> NDArray[np.float32]:
    """(3,) the most frequent colour. Only light pixels count where there are enough: the ground is paper."""
    flat = pixels.reshape(-1, 3)
    light = flat[flat.min(axis=1) > 0.8]
    if len(light) < len(flat) // 5:
        light = flat
    _, which, counts = np.unique(
        (light * 15).round().astype(int), axis=0, return_inverse=True, return_counts=True
    )
    return np.median(light[which.reshape(-1) == counts.argmax()], axis=0).astype(np.float32)


def components(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Connected areas (four neighbours)."""
    left, areas = mask.copy(), []
    while left.any():
        area = np.zeros_like(mask)
        area[np.unravel_index(left.argmax(), mask.shape)] = True
        while True:
            wider = grown(area) & left
            if (wider == area).all():
                break
            area = wider
        left &= ~area
        areas.append(area)
    return areas


def grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and its four neighbours."""
    wide = np.pad(mask, 1)
    return wide[1:-1, 1:-1] | wide[2:, 1:-1] | wide[:-2, 1:-1] | wide[1:-1, 2:] | wide[1:-1, :-2]


def sampled(mask: Mask, rows: NDArray, columns: NDArray) -> Mask:
    """Bilinear values at rows x columns; zero outside."""
    wide = np.pad(mask, 1)
    rows, columns = (rows + 1).clip(0, wide.shape[0] - 1.001), (columns + 1).clip(0, wide.shape[1] - 1.001)
    r, c = rows.astype(int), columns.astype(int)
    fr, fc = (rows - r)[:, None], (columns - c)[None, :]
    return (
        (wide[np.ix_(r, c)] * (1 - fc) + wide[np.ix_(r, c + 1)] * fc) * (1 - fr)
        + (wide[np.ix_(r + 1, c)] * (1 - fc) + wide[np.ix_(r + 1, c + 1)] * fc) * fr
    ).astype(np.float32)


def smooth(values: Mask) -> Mask:
    """Mean over 3 x 3."""
    wide = np.pad(values, 1, mode="edge")
    size = values.shape[0]
    total = np.zeros_like(values)
    for i in range(3):
        for j in range(3):
            total += wide[i : i + size, j : j + size]
    return total / np.float32(9)
