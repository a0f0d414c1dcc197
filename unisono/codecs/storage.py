"""A codec on disk: config.json beside model.safetensors in half precision."""

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from unisono.codecs.packed import PackedLinear
from unisono.core.errors import UserError
from unisono.core.home import atomic_write

Codec = TypeVar("Codec", bound=nn.Module)


def save_codec(codec: nn.Module, config: dict[str, Any], folder: str | Path) -> None:
    """Writes config.json and model.safetensors; each is either whole or absent. ValueError for a packed
    codec, because packed layers no longer hold their weights.
    """
    if any(isinstance(module, PackedLinear) for module in codec.modules()):
        raise ValueError(
            "a packed codec cannot be saved; copy the folder that it came from, or load it again"
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().half().contiguous() for name, value in codec.state_dict().items()}
    atomic_write(folder / "model.safetensors", lambda path: save_file(tensors, path))
    atomic_write(
        folder / "config.json", lambda path: Path(path).write_text(json.dumps(config, indent=1) + "\n")
    )


def load_codec(kind: type[Codec], config_kind: type, folder: str | Path) -> Codec:
    """A folder that `save_codec` wrote -> the codec, in evaluation mode and float32. UserError where a file
    is missing, damaged or does not fit.
    """
    folder = Path(folder)
    try:
        codec = kind(_config(config_kind, json.loads((folder / "config.json").read_text())))
        tensors = load_file(folder / "model.safetensors")
        codec.load_state_dict({name: value.to(torch.float32) for name, value in tensors.items()})
    except FileNotFoundError as error:
        missing = Path(error.filename or "model.safetensors").name  # safetensors does not say which
        raise UserError(
            f"no {kind.__name__} in {folder}: {missing} is missing; "
            "expected config.json and model.safetensors"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, SafetensorError) as error:
        raise UserError(
            f"the {kind.__name__} in {folder} is damaged ({error}); fetch or train it again"
        ) from None
    except RuntimeError as error:
        raise UserError(f"the weights in {folder} do not fit its config.json: {error}") from None
    except (
        ValueError,
        ArithmeticError,
    ) as error:  # of the config, or of a codec that cannot be built from it
        raise UserError(f"{folder / 'config.json'} does not describe a {kind.__name__}: {error}") from None
    return codec.eval()


def _config(kind: type, stored: object) -> Any:
    """Contents of config.json -> the config. ValueError for an unknown key and for values other than whole
    numbers and lists of them.
    """
    known = {field.name: field.default for field in fields(kind)}
    if not isinstance(stored, dict) or set(stored) - set(known):
        raise ValueError(f"expected only the keys {sorted(known)}")
    for name, value in stored.items():
        is_list = isinstance(known[name], tuple)
        if isinstance(value, list) != is_list or not all(
            type(one) is int and one >= 0 for one in (value if is_list else [value])
        ):
            raise ValueError(
                f"{name} must be {'a list of whole numbers' if is_list else 'a whole number'}, got {value!r}"
            )
    return kind(
        **{name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
    )


def made_by(codec: nn.Module, parts: tuple[str, ...] = ()) -> str:
    """The first 16 hex digits of the SHA-256 of a codec's weights, of all or of the modules named in `parts`.
    Codes with the same name of their encoder mean the same.
    """
    sums = hashlib.sha256()
    for name, value in sorted(codec.state_dict().items()):
        if not parts or name.startswith(parts):
            sums.update(name.encode() + value.cpu().numpy().tobytes())
    return sums.hexdigest()[:16]
