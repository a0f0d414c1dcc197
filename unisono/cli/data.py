"""`unisono data`: its options."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from unisono.cli.options import add_home, add_size, folder_name, typed, whole_number
from unisono.cli.train import EXAMPLES


def add(commands: Any) -> None:
    """Declares the command."""
    command = commands.add_parser(
        "data",
        help="make training data: your own (add), or the shipped network's",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(load=partial(load, command))
    command.add_argument(
        "what",
        choices=("add", "speech", "states", "world", "words", "network"),
        help="add: your own data; speech: sound for the audio codec; states: more voices, and what "
        "Whisper-base hears, for the codec of 25 ids a second; world: the small world's sentences spoken; "
        "words: an LLM's own answers, to begin from it with --init; network: token shards",
    )
    _add_own(command)
    command.add_argument(
        "--shared",
        type=Path,
        metavar="DIR",
        help="speech, world, words, network: folder with the recordings, pictures and texts",
    )
    command.add_argument(
        "--workers",
        type=whole_number(1),
        default=1,
        metavar="N",
        help="processes that speak, or encode, at once; threads that answer (default: 1)",
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
        help="network, add: with the tokenizer and codecs of this finished network, so that it can go on; "
        "with --init its codecs alone (add: default the weights in the package)",
    )
    add_home(command)


def _add_own(command: argparse.ArgumentParser) -> None:
    """Options of `data add`."""
    command.add_argument(
        "sources",
        nargs="*",
        metavar="NAME SOURCE",
        help="add: what the data is called, and files, folders or Hugging Face datasets with conversations "
        "(OpenAI's .jsonl), sound with transcripts, pictures with captions, or text",
    )
    command.add_argument(
        "--licence", metavar="L", help="add: licence of the data, kept with it (default: asked for)"
    )
    command.add_argument(
        "--task",
        default="",
        metavar="TASK",
        help="add: conversations of a task that is installed, not of a source",
    )
    command.add_argument(
        "--count",
        type=whole_number(3, 1_000_000),
        default=1000,
        metavar="N",
        help="add: how many of them (default: 1000)",
    )
    command.add_argument(
        "--tasks", default="", metavar="LIST", help="add: only these of hear,speak,describe,draw,read,talk"
    )
    command.add_argument(
        "--quality",
        action="store_true",
        help="add: leave out plain texts that are no English prose or repeat themselves, by Gopher's rules",
    )
    command.add_argument(
        "--deduplicate", action="store_true", help="add: leave out plain texts that are like one before"
    )


def load(command: argparse.ArgumentParser, arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that builds the data."""
    from unisono.train.options import DataOptions

    options = typed(DataOptions, arguments)
    if options.what == "add":
        from unisono.train.own import run_add

        return partial(run_add, options)
    if options.sources:
        command.error(f"`unisono data {options.what}` takes no {options.sources[0]!r}; expected options")
    if options.shared is None:
        command.error(f"`unisono data {options.what}` needs a folder of raw data; name it with --shared DIR")
    if options.what == "words":
        from unisono.train.words import run_words

        return partial(run_words, options)
    from unisono.train.programs import make_data

    return partial(make_data, options)
