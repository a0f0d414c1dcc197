"""Reads pictures of the small world back: which shapes, in which colours, how large and where.

Nothing here knows how the pictures were drawn. A picture that a network drew is judged by the same rules as a
clean one.

Shapes: S pixels a side. Coordinates are pixels, origin at the top left, y downwards.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unisono.assess.quality.masks import Mask, Pixels, as_pixels, background, components, grown
from unisono.assess.quality.outlines import moments, normal, outlines

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


@dataclass(frozen=True)
class Seen:
    """One thing of a picture."""

    shape: str
    colour: str
    size: str
    x: float
    y: float


def _coverage(pixels: Pixels, ground: NDArray, colour: NDArray) -> tuple[Mask, Mask]:
    """How much of each pixel is `colour` over `ground`, and how far the pixel is from any such mixture."""
    axis = colour - ground
    share = ((pixels - ground) @ axis / float(axis @ axis)).clip(0, 1)
    return share, np.linalg.norm(pixels - ground - share[..., None] * axis, axis=-1)


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
        return [piece for half in (first, second) for part in components(half) for piece in _split(part)]
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
    for component in components(solid):
        for colour_area in _by_colour(component, pixels, best, names):
            name, area = colour_area
            for piece in _split(area):
                if piece.sum() >= MIN_PIXELS:
                    rim = grown(grown(piece)) & ~(solid & ~piece)
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
    return [(name, area) for name, mask in parts for area in components(mask)]


def read_scene(picture: NDArray) -> list[Seen]:
    """(S, S, 3) -> everything that is seen, from left to right and top to bottom."""
    found = []
    for colour, solid, coverage in _areas(as_pixels(picture)):
        rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
        extent = float(np.sqrt((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)))
        patch = normal(coverage)
        shape = max(
            outlines(6.0 if extent < SMALL_BELOW else 10.0),
            key=lambda outline: float((outline[1] * patch).sum()),
        )[0]
        x, y, _, _ = moments(coverage)
        found.append(Seen(shape, colour, "small" if extent < SMALL_BELOW else "big", x + 0.5, y + 0.5))
    return sorted(found, key=lambda thing: (round(thing.y / 21), thing.x))


def score_scene(
    picture: NDArray, wanted: Sequence[tuple[str, str, str | None]], side: str | None = None
) -> dict[str, bool]:
    """Which attributes of the request (shape, colour, size or None for any) the picture fulfils.

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
