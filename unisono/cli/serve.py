"""`unisono serve`: its options."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from unisono.cli.options import add_model, size_mb, typed, whole_number


def add(commands: Any) -> None:
    """Declares the command."""
    command = commands.add_parser("serve", help="answer OpenAI's clients: chat, speech, pictures, live voice")
    command.set_defaults(load=load)
    command.description = (
        "Starts the server. Point any OpenAI client at it: base_url=http://127.0.0.1:8000/v1, any key. "
        "Without --keys it serves this machine only."
    )
    command.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1; others need keys)"
    )
    command.add_argument(
        "--port", type=whole_number(0, 65535), default=8000, help="port to listen at (default: 8000)"
    )
    _engine(command)
    _limits(command)
    _guards(command)
    command.add_argument(
        "--tls-cert", metavar="FILE", help="certificate, PEM; with --tls-key the server speaks https and wss"
    )
    command.add_argument("--tls-key", metavar="FILE", help="its key, PEM")
    command.add_argument("--open", action="store_true", help="open the page in a browser")
    command.add_argument(
        "--verbose", action="store_true", help="log every request as a line of JSON (never what was said)"
    )


def _engine(command: argparse.ArgumentParser) -> None:
    """What answers."""
    add_model(command)
    command.add_argument(
        "--engine",
        default="auto",
        metavar="KIND",
        help="what computes: auto, onnx, torch, or the address of vLLM, SGLang or llama.cpp with the "
        "exported network",
    )
    command.add_argument(
        "--precision",
        default="int8",
        choices=("float32", "int8", "int4"),
        help="weights of the onnx engine (default: int8)",
    )


def _limits(command: argparse.ArgumentParser) -> None:
    """Who may ask, for what, and how much."""
    command.add_argument(
        "--strict-models",
        action="store_true",
        help="answer only requests for the model unisono, not for those that clients have as defaults, "
        "such as gpt-4o or whisper-1",
    )
    command.add_argument(
        "--keys",
        type=Path,
        metavar="FILE",
        help="keys that are let in, one a line; also UNISONO_API_KEYS=a,b",
    )
    for what in ("requests", "tokens"):
        command.add_argument(
            f"--{what}-per-minute",
            type=whole_number(0),
            default=0,
            metavar="N",
            help="limit of each key (default: none)",
        )
    command.add_argument(
        "--sessions",
        type=whole_number(1),
        default=64,
        metavar="N",
        help="realtime sessions at once of each key (default: 64)",
    )
    command.add_argument(
        "--max-mb", type=size_mb, default=50, metavar="MB", help="size of a request's body (default: 50)"
    )


def _guards(command: argparse.ArgumentParser) -> None:
    """What is done to all that is said and drawn."""
    command.add_argument(
        "--guards",
        type=lambda text: (
            [] if text == "none" else [name.strip() for name in text.split(",") if name.strip()]
        ),
        metavar="LIST",
        help="guards that are on, such as watermark,c2pa,voice, or none (default: watermark,c2pa; "
        "docs/guards.md)",
    )
    command.add_argument(
        "--c2pa-cert",
        metavar="FILE",
        help="chain of certificates, PEM, that signs drawings (default: a development certificate)",
    )
    command.add_argument("--c2pa-key", metavar="FILE", help="its key, PEM, P-256")
    command.add_argument(
        "--voices",
        type=Path,
        metavar="DIR",
        help="let people bring voices of their own, each with a spoken consent; both are kept in this folder "
        "(default: presets alone)",
    )


def load(arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that serves until it is stopped."""
    from unisono.serve.run import ServeOptions, run

    return partial(run, typed(ServeOptions, arguments))
