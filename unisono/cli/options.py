"""What several commands' options share: how a value is read from its text, and the options themselves."""

import argparse
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from unisono.core.home import home

Options = TypeVar("Options")  # a dataclass
SIZES = ("tiny", "nano", "small", "base")


def whole_number(least: int, most: int = 10**12) -> Callable[[str], int]:
    """-> a reader of whole numbers from `least` to `most`, for `add_argument(type=...)`."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 14 and least <= int(text) <= most):
            wanted = f"from {least} to {most}"
            if most == 10**12:
                wanted = "above 0" if least == 1 else f"from {least} on"
            raise argparse.ArgumentTypeError(f"expected a whole number {wanted}, got {text!r}")
        return int(text)

    return read


def numbers(kind: Callable[[str], float]) -> Callable[[str], tuple[float, ...]]:
    """-> a reader of "64,128" as numbers above 0 of this kind."""

    def read(text: str) -> tuple[float, ...]:
        try:
            found = tuple(kind(one) for one in text.split(","))
        except ValueError:
            found = ()
        if not found or not all(0 < one < math.inf for one in found):
            raise argparse.ArgumentTypeError(f"expected numbers above 0 with commas between, got {text!r}")
        return found

    return read


def share(text: str) -> float:
    """ "0.5" -> 0.5; argparse's error for anything outside of 0 to below 1."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to below 1, got {text!r}")
    return number


def size_mb(text: str) -> float:
    """ "2.5" -> 2.5; argparse's error for anything that is not a finite size above 0."""
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not 0 < size < 1e6:
        raise argparse.ArgumentTypeError(f"expected a number of MB above 0, got {text!r}")
    return size


def folder_name(text: str) -> str:
    """The name as it is; argparse's error for an empty one: a script's variable that was not set."""
    if not text:
        raise argparse.ArgumentTypeError(
            "expected a folder, got nothing; leave the option out for the weights in the package"
        )
    return text


def typed(kind: type[Options], arguments: argparse.Namespace) -> Options:
    """The parsed options as the value that a program takes: each field from the option of its name."""
    return kind(**{field.name: getattr(arguments, field.name) for field in fields(kind)})  # type: ignore[arg-type]


def add_model(command: argparse.ArgumentParser, of: str = "folder of a network") -> None:
    """--model DIR."""
    command.add_argument(
        "--model", type=folder_name, metavar="DIR", help=f"{of} (default: the weights in the package)"
    )


def add_media(command: argparse.ArgumentParser) -> None:
    """--image, --audio and --video, each a list of files."""
    for kind, what in (("image", "a picture"), ("audio", "sound"), ("video", "a clip")):
        command.add_argument(
            f"--{kind}", action="append", default=[], metavar="FILE", help=f"attach {what}; may be repeated"
        )


def add_size(command: argparse.ArgumentParser, what: str) -> None:
    """--size and --init: `what` of a size is meant, and the LLM that the network begins from."""
    command.add_argument("--size", choices=SIZES, help=f"{what} (default: nano; small with --init)")
    command.add_argument(
        "--init",
        type=folder_name,
        metavar="SOURCE",
        help="network, add: begin from another LLM, a Llama, Qwen2 or Qwen3: its Hugging Face folder, a GGUF "
        "file, smollm2, or a name on the hub",
    )


def add_home(command: argparse.ArgumentParser) -> None:
    """--home DIR."""
    command.add_argument(
        "--home",
        type=Path,
        default=home(),
        metavar="DIR",
        help="where data and runs lie (default: $UNISONO_HOME or ~/.cache/unisono)",
    )
