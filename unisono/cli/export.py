"""`unisono export`: its options."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from unisono.cli.options import add_model, typed


def add(commands: Any) -> None:
    """Declares the command."""
    command = commands.add_parser("export", help="write the network for transformers, vLLM or llama.cpp")
    command.set_defaults(load=load)
    command.add_argument(
        "what",
        choices=("hf", "gguf"),
        help="hf: a folder for transformers, vLLM, SGLang; gguf: a file for llama.cpp",
    )
    command.add_argument("target", type=Path, help="the new folder, or the file")
    command.add_argument(
        "--type",
        help="gguf: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0, mxfp4, or mxfp4_mlp, the MLPs alone in "
        "mxfp4 and the rest in f16 (default: q8_0)",
    )
    add_model(command)


def load(arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that writes."""
    from unisono.export import ExportOptions, run

    return partial(run, typed(ExportOptions, arguments))
