"""Single pictures of every kind, for training and judging the image codec."""

import io
import random
from pathlib import Path

import numpy as np
from PIL import Image

from unisono.core.errors import UserError
from unisono.data.world.pictures import (
    BACKGROUNDS,
    COLOURS,
    EMOJI,
    MOTIONS,
    SHAPES,
    SIZE,
    Thing,
    draw_emoji,
    draw_motion,
    draw_print,
    draw_things,
    draw_word,
)
from unisono.data.zst import archive_at, member

KINDS = ("scene", "emoji", "word", "print", "motion", "story")
LETTERS = "etaoinshrdlucmfwypvbgkjqxz"


def random_things(rng: random.Random, count: int) -> list[Thing]:
    """`count` things at different places of a 3 x 3 grid, jittered, none touching another."""
    cells = rng.sample(range(9), count)
    return [
        Thing(
            rng.choice(list(SHAPES)),
            rng.choice(list(COLOURS)),
            rng.choice(("small", "big")),
            *cell_centre(cell, rng),
        )
        for cell in cells
    ]


def cell_centre(cell: int, rng: random.Random | None = None) -> tuple[float, float]:
    """The middle of cell 0 .. 8 of the grid, in pixels; with `rng`, a place near it."""
    dx, dy = (rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4)) if rng else (0.0, 0.0)
    return 11 + cell % 3 * 21 + dx, 11 + cell // 3 * 21 + dy


def draw_sample(kind: str, rng: random.Random, stories: np.ndarray) -> np.ndarray:
    """One (S, S, 3) uint8 picture of a kind; `stories` are the illustrations to choose from."""
    if kind == "scene":
        picture = draw_things(random_things(rng, rng.randint(1, 5)), rng.choice(BACKGROUNDS))
    elif kind == "emoji":
        picture = draw_emoji(
            rng.choice(list(EMOJI)),
            x=32 + rng.uniform(-4, 4),
            y=32 + rng.uniform(-4, 4),
            width=rng.uniform(36, 54),
        )
    elif kind == "word":
        picture = draw_word(_word(rng, 3), rng)
    elif kind == "print":
        lines = [" ".join(_word(rng, 2) for _ in range(rng.randint(1, 2))) for _ in range(rng.randint(1, 3))]
        picture = draw_print(lines, rng.uniform(5.5, 10), rng)
    elif kind == "motion":
        picture = rng.choice(draw_motion(_figure(rng), rng.choice(list(MOTIONS)), 5, rng))
    else:
        return stories[rng.randrange(len(stories))]
    return np.asarray(picture)


def _word(rng: random.Random, min_letters: int) -> str:
    """Letters that make no word, or a number."""
    letters = rng.choices(LETTERS, [26 - n for n in range(26)], k=rng.randint(min_letters, 6))
    return rng.choice(["".join(letters), str(rng.randint(0, 999)), str(rng.randint(0, 99))])


def _figure(rng: random.Random):
    if rng.random() < 0.5:
        name = rng.choice(list(EMOJI))
        return lambda x, y: draw_emoji(name, x=x, y=y, width=26)
    shape, colour, size = rng.choice(list(SHAPES)), rng.choice(list(COLOURS)), rng.choice(("small", "big"))
    return lambda x, y: draw_things([Thing(shape, colour, size, x, y)])


def load_stories(archive: Path, size: int = SIZE) -> np.ndarray:
    """Illustrations of storybook_images.tar -> (N, size, size, 3) uint8, fitted on white, in the archive's
    order.
    """
    pictures = []
    with archive_at(archive) as tar:
        for entry in tar:
            if entry.name.endswith(".webp"):
                picture = Image.open(io.BytesIO(member(tar, entry).read())).convert("RGB")
                picture.thumbnail((size, size), Image.Resampling.LANCZOS)
                page = Image.new("RGB", (size, size), "white")
                page.paste(picture, ((size - picture.width) // 2, (size - picture.height) // 2))
                pictures.append(np.asarray(page))
    if not pictures:
        raise UserError(
            f"no picture in {archive}; expected storybook_images.tar (see the model card for its source)"
        )
    return np.stack(pictures)
