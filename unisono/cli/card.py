"""`unisono card`: its options."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from unisono.cli.options import typed, whole_number


def add(commands: Any) -> None:
    """Declares the command."""
    command = commands.add_parser(
        "card", help="make the system card's page from the logs of `unisono assess`"
    )
    command.set_defaults(load=load)
    command.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders of logs, of one model")
    command.add_argument(
        "--compare", action="store_true", help="compare the models of two folders, with paired tests"
    )
    command.add_argument(
        "--samples", type=whole_number(0), default=6, help="samples of each task to show (default: 6)"
    )
    command.add_argument(
        "-o", "--out", type=Path, required=True, metavar="OUT", help="folder for card.html and card.json"
    )


def load(arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that writes the page. UserError where inspect-ai is not installed."""
    from unisono.core.errors import UserError

    try:
        from unisono.assess.card.page import CardOptions, run
    except ModuleNotFoundError as error:
        raise UserError(f"the card needs the package {error.name}; pip install 'unisono[assess]'") from None
    return partial(run, typed(CardOptions, arguments))
