"""Training the image codec: a crumb is learned, batches depend on the step alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unisono.codecs.image import ImageCodec, ImageCodecConfig
from unisono.core.errors import UserError
from unisono.train.image_codec import ImageCodecProgram, ImageCodecRecipe
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
