"""`unisono provenance`: its options."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any


def add(commands: Any) -> None:
    """Declares the command."""
    command = commands.add_parser(
        "provenance", help="tell whether Unisono made a picture or a recording: C2PA manifest and watermark"
    )
    command.set_defaults(load=load)
    command.add_argument("file", metavar="FILE", help="a picture or a recording")
    command.add_argument("--json", action="store_true", help="print JSON")


def load(arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that checks."""
    from unisono.provenance.check import run

    return partial(run, arguments.file, as_json=arguments.json)
