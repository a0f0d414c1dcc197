"""`unisono show`: its options."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from unisono.cli.options import add_media, add_model, typed


def add(commands: Any) -> None:
    """Declares the command."""
    command = commands.add_parser(
        "show", help="print the ids that a conversation becomes, coloured by modality"
    )
    command.set_defaults(load=load)
    command.add_argument("text", nargs="*", help="what the user writes")
    add_media(command)
    add_model(command)
    command.add_argument("--reply", default="", help="what the assistant writes; shown as learned")
    command.add_argument("--svg", metavar="FILE", help="write the row of ids as a picture too")


def load(arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that prints."""
    from unisono.show import ShowOptions, run

    return partial(run, typed(ShowOptions, arguments))
