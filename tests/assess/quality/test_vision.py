"""The checker reads clean and spoiled pictures, and fails pictures that are not what was wanted."""

import random
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from unisono.assess.quality import figures, masks, outlines, scenes
from unisono.assess.quality.figures import DigitReader, FigureReader
from unisono.assess.quality.scenes import Seen, read_scene, score_scene
from unisono.data.world.conversations import draw_request
from unisono.data.world.pictures import BACKGROUNDS, EMOJI, Thing, draw_emoji, draw_things, draw_word
from unisono.data.world.samples import random_things

NUM_SCENES = 80


def clean(picture: Image.Image, seed: int) -> NDArray:
    return np.asarray(picture)


def spoiled(picture: Image.Image, seed: int) -> NDArray:
    """What a poor codec does: blur of one pixel and noise of 3 %."""
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(1)), np.float32) / 255
    return (
        (blurred + np.random.default_rng(seed).normal(0, 0.03, blurred.shape)).clip(0, 1).astype(np.float32)
    )


def attributes_read(things: list[Thing], seen: list[Seen]) -> int:
    """How many of shape, colour and size are right, each thing matched with what is seen at its place."""
    right, left = 0, list(seen)
    for thing in things:
        near = [s for s in left if abs(s.x - thing.x) < 4 and abs(s.y - thing.y) < 4]
        if near:
            left.remove(near[0])
            right += sum(
                getattr(near[0], name) == getattr(thing, name) for name in ("shape", "colour", "size")
            )
    return right


@pytest.mark.parametrize("spoil", [clean, spoiled])
def test_scenes_are_read(spoil) -> None:
    rng, right, asked, counted = random.Random(3), 0, 0, 0
    for n in range(NUM_SCENES):
        things = random_things(rng, rng.randint(1, 5))
        if n % 3 == 0:  # equal things, some of which touch
            first = things[0]
            things = [Thing(first.shape, first.colour, first.size, t.x, t.y) for t in things]
        seen = read_scene(spoil(draw_things(things, rng.choice(BACKGROUNDS)), n))
        right, asked, counted = (
            right + attributes_read(things, seen),
            asked + 3 * len(things),
            counted + (len(seen) == len(things)),
        )
    assert right / asked >= 0.97
    assert counted / NUM_SCENES >= 0.97


@pytest.mark.parametrize("spoil", [clean, spoiled])
def test_figures_are_named(spoil) -> None:
    rng = random.Random(4)
    reader = FigureReader({name: np.asarray(draw_emoji(name)) for name in EMOJI})
    right = 0
    for n, name in enumerate(EMOJI):
        picture = draw_emoji(
            name, x=32 + rng.uniform(-4, 4), y=32 + rng.uniform(-4, 4), width=rng.uniform(30, 54)
        )
        right += reader.read(spoil(picture, n)) == name
    assert right / len(EMOJI) >= 0.97


def test_digits_are_read() -> None:
    rng = random.Random(6)
    reader = DigitReader([(digit, np.asarray(draw_word(digit, rng))) for digit in 5 * "0123456789"])
    right = [
        reader.read(spoiled(draw_word(digit, rng), n)) == digit for n, digit in enumerate(10 * "0123456789")
    ]
    assert sum(right) >= 97
    reader.read(np.full((64, 64, 3), 255, np.uint8))
    with pytest.raises(ValueError, match="example"):
        DigitReader([])


def test_wishes_are_scored() -> None:
    rng = random.Random(5)
    for n in range(60):
        raw = draw_request(rng)
        pixels = spoiled(raw.exchanges[0].drawn.image, n)
        sizes = [
            (shape, colour, size if raw.truth["form"] == "one" else None)
            for shape, colour, size in raw.truth["things"]
        ]
        scores = score_scene(pixels, sizes, raw.truth["side"])
        assert all(scores.values()), (raw.key, scores)


def test_wrong_pictures_fail_in_the_attribute_that_is_wrong() -> None:
    circle, star = Thing("circle", "red", "big", 11, 32), Thing("star", "blue", "big", 53, 32)
    picture = np.asarray(draw_things([circle, star]))
    request = [("circle", "red", "big"), ("star", "blue", None)]
    assert all(score_scene(picture, request, "left of").values())
    failed = {
        "count": score_scene(picture, request[:1])["count"],
        "shape": score_scene(picture, [("square", "red", None), request[1]])["shape"],
        "colour": score_scene(picture, [("circle", "green", None), request[1]])["colour"],
        "pairing": score_scene(picture, [("circle", "blue", None), ("star", "red", None)])["pairing"],
        "size": score_scene(picture, [("circle", "red", "small"), request[1]])["size"],
        "side": score_scene(picture, request, "above")["side"],
    }
    assert not any(failed.values()), failed


def test_nothing_is_seen_in_emptiness_and_noise_does_not_crash() -> None:
    assert read_scene(np.full((64, 64, 3), 255, np.uint8)) == []
    rng = np.random.default_rng(1)
    for _ in range(5):
        read_scene(rng.random((64, 64, 3)))
    read_scene(np.zeros((64, 64, 3), np.uint8))
    reader = FigureReader({"cat": np.asarray(draw_emoji("cat"))})
    assert reader.read(np.full((64, 64, 3), 255, np.uint8)) == "cat"


def test_errors_name_what_was_expected() -> None:
    with pytest.raises(ValueError, match="square RGB"):
        read_scene(np.zeros((3, 64, 64)))
    with pytest.raises(ValueError, match="left of"):
        score_scene(np.full((64, 64, 3), 255, np.uint8), [("star", "red", None)] * 2, "behind")
    with pytest.raises(ValueError, match="two wanted"):
        score_scene(np.full((64, 64, 3), 255, np.uint8), [("star", "red", None)], "above")
    with pytest.raises(ValueError, match="reference"):
        FigureReader({})


def test_the_checker_does_not_know_the_generator() -> None:

    for reader in (figures, masks, outlines, scenes):
        assert "unisono.data" not in Path(reader.__file__).read_text()
