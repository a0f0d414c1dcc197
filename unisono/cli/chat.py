"""`unisono chat`: its options."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from unisono.cli.options import add_media, add_model, typed


def add(commands: Any) -> None:
    """Declares the command."""
    command = commands.add_parser("chat", help="talk with the network in the terminal, or ask one question")
    command.set_defaults(load=load)
    command.add_argument("question", nargs="*", help="one question; without any, a conversation starts")
    add_media(command)
    add_model(command)
    command.add_argument(
        "--out",
        default="text",
        metavar="LIST",
        help="what replies are made of: text,audio,image (default: text); speech and drawings become files",
    )
    command.add_argument(
        "--voice", default="", help="voice of spoken replies (default: the network's usual one)"
    )
    command.add_argument(
        "--save", metavar="DIR", help="where spoken and drawn replies go (default: a temporary folder)"
    )
    command.add_argument(
        "--engine",
        default="auto",
        choices=("auto", "onnx", "torch"),
        help="what computes (default: the fastest here)",
    )
    command.add_argument("--seed", type=int, help="the same seed gives the same reply")
    command.add_argument("--quiet", action="store_true", help="do not play spoken replies")
    command.add_argument("--timing", action="store_true", help="say how long loading and replies take")


def load(arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that talks."""
    from unisono.chat import ChatOptions, run

    return partial(run, typed(ChatOptions, arguments))
