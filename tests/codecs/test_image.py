"""The image codec: contract, disk, errors, and that it learns. Quality is measured by the training's own
validation.
"""

import json

import pytest
import torch

from unisono.codecs.image import IMAGE_CODECS, ImageCodec, ImageCodecConfig
from unisono.core.errors import UserError

TINY = ImageCodecConfig(fine_channels=16, coarse_channels=32, num_coarse_blocks=1)


@pytest.fixture(scope="module")
def codec() -> ImageCodec:
    torch.manual_seed(0)
    return ImageCodec(TINY).eval()


def test_shapes_and_ranges(codec: ImageCodec) -> None:
    codes = codec.encode(torch.rand(3, 3, 64, 64))
    assert codes.shape == (3, 8, 8) and codes.dtype == torch.int64
    assert 0 <= int(codes.min()) and int(codes.max()) < codec.codebook_size
    made = codec.decode(torch.randint(codec.codebook_size, (2, 8, 8)))
    assert made.shape == (2, 3, 64, 64) and 0 <= float(made.min()) and float(made.max()) <= 1


def test_sixteen_pixels_a_side_for_a_code() -> None:
    """The codec of small: 64 codes of 128 x 128 pixels, and no more than 12 MB."""
    torch.manual_seed(0)
    small = ImageCodec(IMAGE_CODECS["small"]).eval()
    assert (small.image_size, small.grid_size, small.codebook_size) == (128, 8, 15360)
    assert sum(weight.numel() for weight in small.parameters()) * 2 < 12e6
    codes = small.encode(torch.rand(1, 3, 128, 128))
    assert codes.shape == (1, 8, 8) and small.decode(codes).shape == (1, 3, 128, 128)
    for wrong in (
        {"fold": 12},
        {"fold": 16},
        {"middle_channels": 8},
        {"fold": 16, "middle_channels": 8, "image_size": 72},
    ):
        with pytest.raises(ValueError, match="fold|multiple of 16"):
            ImageCodecConfig(**wrong)


def test_pictures_in_a_batch_do_not_touch_each_other(codec: ImageCodec) -> None:
    pictures = torch.rand(4, 3, 64, 64)
    together = codec.encode(pictures)
    assert (together == torch.cat([codec.encode(p[None]) for p in pictures])).float().mean() > 0.99
    made = codec.decode(together)
    torch.testing.assert_close(made, torch.cat([codec.decode(c[None]) for c in together]), atol=1e-4, rtol=0)


def test_codes_are_those_of_the_quantized_values(codec: ImageCodec) -> None:
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        quantized, codes = codec.quantize(pixels)
        assert torch.equal(codes, codec.encode(pixels))
        torch.testing.assert_close(
            codec.synthesize(quantized).clamp(0, 1), codec.decode(codes), atol=1e-4, rtol=0
        )


def test_saved_and_loaded_gives_the_same_codes(codec: ImageCodec, tmp_path) -> None:
    codec.save(tmp_path)
    again = ImageCodec.load(tmp_path)
    assert again.config == codec.config and not again.training
    again.save(tmp_path / "twice")
    pixels = torch.rand(2, 3, 64, 64)
    assert torch.equal(again.encode(pixels), ImageCodec.load(tmp_path / "twice").encode(pixels))


def test_it_learns() -> None:
    """A few steps on four flat pictures lower the error by more than half: gradients reach the encoder."""
    torch.manual_seed(0)
    small = ImageCodec(TINY)
    pixels = torch.rand(4, 3, 1, 1).expand(4, 3, 64, 64)
    optimizer = torch.optim.Adam(small.parameters(), 3e-3)
    errors = []
    for _ in range(40):
        error = (small.synthesize(small.quantize(pixels)[0]) - pixels).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(float(error.detach()))
    assert all(p.grad is not None for p in small.encoder.parameters())
    assert errors[-1] < errors[0] / 2


def test_errors_name_what_was_expected(codec: ImageCodec, tmp_path) -> None:
    with pytest.raises(ValueError, match="batch, 3, 64, 64"):
        codec.encode(torch.rand(3, 64, 64))
    with pytest.raises(ValueError, match="float pixels"):
        codec.encode(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    with pytest.raises(ValueError, match="batch, 8, 8"):
        codec.decode(torch.zeros(1, 64, dtype=torch.int64))
    with pytest.raises(ValueError, match="codes must lie"):
        codec.decode(torch.full((1, 8, 8), codec.codebook_size))
    with pytest.raises(UserError, match="config.json"):
        ImageCodec.load(tmp_path / "nowhere")
    codec.save(tmp_path / "other")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    (tmp_path / "other" / "config.json").write_text(json.dumps({**config, "coarse_channels": 48}))
    with pytest.raises(UserError, match="do not fit"):
        ImageCodec.load(tmp_path / "other")


@pytest.mark.parametrize(
    "changes",
    [
        {"levels": 7},
        {"levels": []},
        {"levels": ["a"]},
        {"fine_channels": 81},
        {"image_size": "x"},
        {"image_size": 68},
        {"image_size": 0},
        {"num_coarse_blocks": True},
    ],
)
def test_a_config_that_describes_no_codec_is_refused(codec: ImageCodec, changes: dict, tmp_path) -> None:
    codec.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(UserError, match="does not describe"):
        ImageCodec.load(tmp_path)
