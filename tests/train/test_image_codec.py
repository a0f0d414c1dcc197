"""Training the image codec: a crumb is learned, batches depend on the step alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unisono.codecs.image import ImageCodec, ImageCodecConfig
from unisono.core.errors import UserError
from unisono.data.pictures.icons import UNSEEN
from unisono.data.pictures.named import Gallery
from unisono.train.image_codec import NAMED, ImageCodecProgram, ImageCodecRecipe
from unisono.train.loop import LoopConfig, run

RECIPE = ImageCodecRecipe(
    codec=ImageCodecConfig(fine_channels=16, coarse_channels=32, num_coarse_blocks=1),
    batch_size=8,
    shares={"scene": 1.0},
    loop=LoopConfig(
        num_steps=60,
        learning_rate=4e-3,
        warmup_steps=5,
        validate_every=60,
        device="cpu",
        bf16=False,
        weight_decay=0.0,
    ),
)


def program() -> ImageCodecProgram:
    torch.manual_seed(0)
    return ImageCodecProgram(RECIPE, np.zeros((0, 64, 64, 3), np.uint8))


def test_a_crumb_is_learned(tmp_path: Path) -> None:
    made = program()
    before = made.validate()["scene"]
    run(made, RECIPE.loop, tmp_path)
    after = made.validate()["scene"]
    assert after > before + 4, (before, after)
    assert ImageCodec.load(tmp_path / "codec").config == RECIPE.codec


def test_batches_depend_on_the_step_alone() -> None:
    made = program()
    assert torch.equal(made.batch(5)["pixels"], program().batch(5)["pixels"])
    assert not torch.equal(made.batch(5)["pixels"], made.batch(6)["pixels"])


def test_illustrations_of_the_validation_are_not_taught() -> None:
    stories = np.zeros((40, 64, 64, 3), np.uint8)
    stories[38:] = 255
    made = ImageCodecProgram(replace(RECIPE, shares={"story": 1.0}), stories)
    assert all(float(made.batch(step)["pixels"].max()) == 0 for step in range(30))


def test_small_print_and_drawings_with_names() -> None:
    """Those of the style that is never taught are for the validation."""
    square = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">'
        '<rect width="9" height="9" fill="{}"/></svg>'
    )
    drawings = {"noto": {"flag": square.format("#f00")}, UNSEEN: {"flag": square.format("#00f")}}
    recipe = replace(RECIPE, shares={"print": 1.0, NAMED: 1.0})
    made = ImageCodecProgram(recipe, np.zeros((0, 64, 64, 3), np.uint8), Gallery(drawings, {}, {}, []))
    pixels = torch.cat([made.batch(step)["pixels"] for step in range(4)])
    red, blue = ((pixels[:, a] > 0.9) & (pixels[:, b] < 0.1) for a, b in ((0, 2), (2, 0)))
    assert red.flatten(1).sum(dim=1).gt(500).any()
    assert not blue.any()
    assert set(made.validate()) == {"print", NAMED}
    without = ImageCodecProgram(recipe, np.zeros((0, 64, 64, 3), np.uint8))
    assert set(without.validate()) == {"print"}


def test_goes_on_from_a_codec(tmp_path: Path) -> None:
    made = program()
    made.save(tmp_path)
    more = replace(RECIPE, start_from=str(tmp_path / "codec"))
    torch.manual_seed(1)
    again = ImageCodecProgram(more, np.zeros((0, 64, 64, 3), np.uint8))
    for name, value in made.model.state_dict().items():
        assert torch.allclose(again.model.state_dict()[name], value, atol=1e-3), (
            name
        )  # saved in half precision
    with pytest.raises(UserError, match="another shape"):
        ImageCodecProgram(replace(more, codec=ImageCodecConfig()), np.zeros((0, 64, 64, 3), np.uint8))
