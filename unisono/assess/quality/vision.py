"""Reads pictures of the small world back: which shapes, in which colours, how large and where; and which
figure.

Nothing here knows how the pictures were drawn. Shapes are recognised by their outline after their place,
width and
height have been taken out, so a picture that a network drew is judged by the same rules as a clean one.

Shapes: S pixels a side, N pixels of one thing. Coordinates are pixels, origin at the top left, y downwards.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]  # (S, S, 3) in [0, 1]
Mask = NDArray[np.float32]  # (S, S) coverage in [0, 1]

PALETTE = {
    "red": (220, 40, 40),
    "green": (40, 160, 60),
    "blue": (45, 85, 220),
    "yellow": (245, 215, 50),
    "orange": (245, 140, 30),
    "purple": (150, 60, 190),
    "black": (30, 30, 30),
    "brown": (130, 80, 40),
}
FOREGROUND = 0.5  # coverage from which a pixel belongs to a thing
MIN_PIXELS = 20  # the smallest thing has about 45 of them; less is dirt
WIDEST = 24.0  # pixels; anything wider is several things that touch
SMALL_BELOW = 14.3  # pixels, geometric mean of width and height
# ink that still belongs to a figure; at 0.15 unsmoothed, white figures were lost (95 % read, 2026-11-21)
FAINT = 0.08
GRID = 20  # samples a side when two outlines are compared


@dataclass(frozen=True)
class Seen:
    """One thing of a picture."""

    shape: str
    colour: str
    size: str
    x: float
    y: float


def as_pixels(picture: NDArray) -> Pixels:
    """(S, S, 3) uint8, or float in [0, 1] -> float32 in [0, 1]. ValueError for another shape."""
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.shape[0] != picture.shape[1]:
        raise ValueError(f"expected a square RGB picture (S, S, 3), got {picture.shape}")
    return picture.astype(np.float32) / (255 if picture.dtype == np.uint8 else 1)


# ---- which pixels belong to which thing ----


def background(pixels: Pixels) -> NDArray[np.float32]:
    """(3,) the most frequent colour, taken among light pixels where there are enough: ground is paper, things
    are ink.
    """
    flat = pixels.reshape(-1, 3)
    light = flat[flat.min(axis=1) > 0.8]
    if len(light) < len(flat) // 5:
        light = flat
    _, which, counts = np.unique(
        (light * 15).round().astype(int), axis=0, return_inverse=True, return_counts=True
    )
    return np.median(light[which.reshape(-1) == counts.argmax()], axis=0).astype(np.float32)


def _coverage(pixels: Pixels, ground: NDArray, colour: NDArray) -> tuple[Mask, Mask]:
    """How much of each pixel is `colour` over `ground`, and how far the pixel is from any such mixture."""
    axis = colour - ground
    share = ((pixels - ground) @ axis / float(axis @ axis)).clip(0, 1)
    return share, np.linalg.norm(pixels - ground - share[..., None] * axis, axis=-1)


def _components(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Connected areas (four neighbours)."""
    left, areas = mask.copy(), []
    while left.any():
        area = np.zeros_like(mask)
        area[np.unravel_index(left.argmax(), mask.shape)] = True
        while True:
            grown = _grow(area) & left
            if (grown == area).all():
                break
            area = grown
        left &= ~area
        areas.append(area)
    return areas


def _grow(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and its four neighbours."""
    wide = np.pad(mask, 1)
    return wide[1:-1, 1:-1] | wide[2:, 1:-1] | wide[:-2, 1:-1] | wide[1:-1, 2:] | wide[1:-1, :-2]


def _split(area: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Cuts an area that is too wide or too high for one thing where it is thinnest, near its middle."""
    for axis in (0, 1):
        profile = area.sum(axis=axis)
        used = np.flatnonzero(profile)
        extent = used[-1] - used[0] + 1
        if extent <= WIDEST:
            continue
        middle = used[0] + extent // 2 if extent <= 2 * WIDEST - 2 else used[0] + extent // 3
        around = np.arange(max(used[0] + 4, middle - 6), min(used[-1] - 3, middle + 7))
        cut = int(around[np.lexsort((abs(around - middle), profile[around]))[0]])
        first, second = area.copy(), area.copy()
        first[(slice(None), slice(cut, None)) if axis == 0 else (slice(cut, None), slice(None))] = False
        second &= ~first
        return [piece for half in (first, second) for part in _components(half) for piece in _split(part)]
    return [area]


def _areas(pixels: Pixels) -> list[tuple[str, NDArray[np.bool_], Mask]]:
    """(colour, solid pixels, coverage) of everything that is large enough to be a thing."""
    ground = background(pixels)
    names = list(PALETTE)
    measured = [_coverage(pixels, ground, np.array(PALETTE[name], np.float32) / 255) for name in names]
    share, error = np.stack([m[0] for m in measured]), np.stack([m[1] for m in measured])
    nearest = error.argmin(axis=0)
    best = np.take_along_axis(share, nearest[None], axis=0)[0]
    solid = best > FOREGROUND
    found = []
    for component in _components(solid):
        for colour_area in _by_colour(component, pixels, best, names):
            name, area = colour_area
            for piece in _split(area):
                if piece.sum() >= MIN_PIXELS:
                    rim = _grow(_grow(piece)) & ~(solid & ~piece)
                    found.append((name, piece, share[names.index(name)] * rim))
    return found


def _by_colour(
    component: NDArray[np.bool_], pixels: Pixels, best: Mask, names: Sequence[str]
) -> list[tuple[str, NDArray[np.bool_]]]:
    """Parts of one colour. Pixels at edges are mixtures and say little, so only well covered ones decide."""
    core = component & (best > 0.85)
    if core.sum() < MIN_PIXELS // 2:
        core = component
    palette = np.array([PALETTE[name] for name in names], np.float32) / 255
    closest = np.linalg.norm(pixels[core][:, None] - palette, axis=-1).argmin(axis=1)
    counts = Counter(closest.tolist())
    present = [index for index, count in counts.items() if count >= max(MIN_PIXELS // 2, 0.12 * len(closest))]
    if len(present) <= 1:
        return [(names[counts.most_common(1)[0][0]], component)]
    distance = np.linalg.norm(pixels[..., None, :] - palette[present], axis=-1).argmin(axis=-1)
    parts = [(names[index], component & (distance == place)) for place, index in enumerate(present)]
    return [(name, area) for name, mask in parts for area in _components(mask)]


# ---- which outline ----


def _moments(mask: Mask) -> tuple[float, float, float, float]:
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


def _normal(mask: Mask) -> Mask:
    """(GRID, GRID) the coverage within 2.4 standard deviations of its centre, its mean taken out, of length
    one.
    """
    x, y, dx, dy = _moments(mask)
    steps = np.linspace(-2.4, 2.4, GRID)
    patch = _sample(mask, y + steps * dy, x + steps * dx)
    patch = patch - patch.mean()
    return patch / (np.linalg.norm(patch) + 1e-9)


def _sample(mask: Mask, rows: NDArray, columns: NDArray) -> Mask:
    """Bilinear values at rows x columns; zero outside."""
    wide = np.pad(mask, 1)
    rows, columns = (rows + 1).clip(0, wide.shape[0] - 1.001), (columns + 1).clip(0, wide.shape[1] - 1.001)
    r, c = rows.astype(int), columns.astype(int)
    fr, fc = (rows - r)[:, None], (columns - c)[None, :]
    return (
        (wide[np.ix_(r, c)] * (1 - fc) + wide[np.ix_(r, c + 1)] * fc) * (1 - fr)
        + (wide[np.ix_(r + 1, c)] * (1 - fc) + wide[np.ix_(r + 1, c + 1)] * fc) * fr
    ).astype(np.float32)


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
    """Ideal shapes about as large as the thing in question, sharp and in two degrees of blur: without these a
    blurred
    small cross reads as a diamond (88 % of shapes right instead of 100 %, 2026-11-21)."""
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
        (name, _normal(blunt(mask)))
        for name, mask in drawn
        for blunt in (np.asarray, _smooth, lambda m: _smooth(_smooth(m)))
    ]


def read_scene(picture: NDArray) -> list[Seen]:
    """(S, S, 3) -> everything that is seen, from left to right and top to bottom."""
    found = []
    for colour, solid, coverage in _areas(as_pixels(picture)):
        rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
        extent = float(np.sqrt((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)))
        patch = _normal(coverage)
        shape = max(
            outlines(6.0 if extent < SMALL_BELOW else 10.0),
            key=lambda outline: float((outline[1] * patch).sum()),
        )[0]
        x, y, _, _ = _moments(coverage)
        found.append(Seen(shape, colour, "small" if extent < SMALL_BELOW else "big", x + 0.5, y + 0.5))
    return sorted(found, key=lambda thing: (round(thing.y / 21), thing.x))


# ---- is it what was asked for? ----


def score_scene(
    picture: NDArray, wanted: Sequence[tuple[str, str, str | None]], side: str | None = None
) -> dict[str, bool]:
    """Which attributes of the wish (shape, colour, size or None for any) the picture fulfils.

    `side` is where the first wanted thing lies, seen from the second: left of, right of, above, below.
    """
    seen = read_scene(picture)
    pairs = Counter((shape, colour) for shape, colour, _ in wanted)
    scores = {
        "count": len(seen) == len(wanted),
        "shape": Counter(t.shape for t in seen) == Counter(shape for shape, _, _ in wanted),
        "colour": Counter(t.colour for t in seen) == Counter(colour for _, colour, _ in wanted),
        "pairing": Counter((t.shape, t.colour) for t in seen) == pairs,
    }
    sized = Counter((shape, colour, size) for shape, colour, size in wanted if size)
    if sized:
        scores["size"] = not sized - Counter((t.shape, t.colour, t.size) for t in seen)
    if side is not None:
        if len(wanted) < 2:
            raise ValueError("a side needs two wanted things")
        scores["side"] = _on_side(seen, wanted[0][:2], wanted[1][:2], side)
    return scores


def _on_side(seen: Sequence[Seen], first: tuple[str, str], second: tuple[str, str], side: str) -> bool:
    directions = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}
    if side not in directions:
        raise ValueError(f"unknown side {side!r}; expected one of {', '.join(directions)}")
    right, down = directions[side]
    for a in seen:
        for b in seen:
            if a is not b and (a.shape, a.colour) == first and (b.shape, b.colour) == second:
                along, across = ((a.x - b.x) * right, a.y - b.y) if right else ((a.y - b.y) * down, a.x - b.x)
                if along > 4 and along > abs(across):
                    return True
    return False


class FigureReader:
    """Names a figure (an emoji) by the nearest of the references it was given; any place, any scale. Not for
    printed words.
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
        """Colour differences from the ground on a 16 x 16 grid over the figure, colour counted more than
        lightness,
        and the figure's proportions."""
        pixels = np.stack([_smooth(pixels[..., channel]) for channel in range(3)], axis=-1)
        ink = background(pixels) - pixels
        mask = np.abs(ink).max(axis=-1) > FAINT
        if not mask.any():
            mask = np.ones_like(mask)
        largest = max(_components(mask), key=np.sum)
        rows, columns = (
            _span(largest.any(axis=1), mask.any(axis=1)),
            _span(largest.any(axis=0), mask.any(axis=0)),
        )
        steps = (np.arange(16) + 0.5) / 16
        at_rows, at_columns = (
            rows[0] + steps * (rows[1] - rows[0]),
            columns[0] + steps * (columns[1] - columns[0]),
        )
        cells = np.stack(
            [_sample(ink[..., channel], at_rows - 0.5, at_columns - 0.5) for channel in range(3)], axis=-1
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
    """Reads one printed digit by the nearest of the examples it was given, as its ink stands in a frame
    around it.
    """

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
        cells = _sample(ink, rows[0] + steps * high - 0.5, columns[0] + steps * wide - 0.5).reshape(-1)
        return np.append(cells / max(float(np.linalg.norm(cells)), 1e-6), 0.5 * np.log(high / wide)).astype(
            np.float32
        )


def _span(used: NDArray[np.bool_], all_used: NDArray[np.bool_]) -> tuple[float, float]:
    """First and last place with ink, dirt far away from the largest part left out."""
    near = np.flatnonzero(used)
    ink = np.flatnonzero(all_used)
    ink = ink[(ink >= near[0] - 14) & (ink <= near[-1] + 14)]
    return float(ink[0]), float(ink[-1] + 1)


def _smooth(values: Mask) -> Mask:
    """Mean over 3 x 3."""
    wide = np.pad(values, 1, mode="edge")
    size = values.shape[0]
    return sum(wide[i : i + size, j : j + size] for i in range(3) for j in range(3)) / 9
