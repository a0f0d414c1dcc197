"""`unisono data`: its options."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from unisono.cli.options import add_home, add_size, folder_name, whole_number
from unisono.cli.train import EXAMPLES


def add(commands: Any) -> None:
    """Declares the command."""
    command = commands.add_parser(
        "data",
        help="build the training data: speech, then token shards",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(load=load)
    command.add_argument(
        "what",
        choices=("speech", "states", "world", "network"),
        help="speech: sound for the audio codec; states: more voices, and what Whisper-base hears, for the "
        "codec of 25 ids a second; world: the small world's sentences spoken; network: token shards",
    )
    command.add_argument(
        "--shared",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with the recordings, pictures and texts",
    )
    command.add_argument(
        "--workers",
        type=whole_number(1),
        default=1,
        metavar="N",
        help="processes that speak, or encode, at once (default: 1)",
    )
    add_size(command, "whose token shards")
    command.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="share of the usual amount, e.g. 0.01 to try the path (default: 1)",
    )
    command.add_argument(
        "--max-mb",
        type=float,
        default=float("inf"),
        metavar="MB",
        help="network: leave out documents by chance until the shard is so small, e.g. 60 for a slow link",
    )
    command.add_argument(
        "--seed",
        type=whole_number(1),
        default=1,
        metavar="N",
        help="network: each number makes a shard of other scenes, questions and rooms; the network is "
        "trained on all shards (default: 1)",
    )
    command.add_argument(
        "--start",
        type=folder_name,
        metavar="DIR",
        help="network: with the tokenizer and codecs of this finished network, so that it can go on",
    )
    add_home(command)


def load(arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that builds the data."""
    from unisono.train.programs import run

    return partial(run, arguments)
