"""`unisono bench`: its options."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from unisono.cli.options import add_home, add_model, folder_name, typed, whole_number

SPEEDS = ("train", "generate", "codec", "chat", "serve", "page", "soak")


def add(commands: Any) -> None:
    """Declares the command."""
    command = commands.add_parser("bench", help="measure speed, memory and quality; writes records/")
    command.set_defaults(load=load)
    command.add_argument(
        "what",
        choices=(*SPEEDS, "quality", "moderation", "guards", "report"),
        help="what to measure; report: writes README.md, docs/measured.md and records/INDEX.md anew",
    )
    add_model(command)
    command.add_argument(
        "--shared",
        type=Path,
        metavar="DIR",
        help="folder with the held-out recordings (codec, quality and guards) and texts (moderation)",
    )
    command.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="NAME",
        help="quality: the held-out part of your own data, as `unisono data add` named it",
    )
    command.add_argument(
        "--samples", type=whole_number(1), default=100, help="test samples of each task (default: 100)"
    )
    command.add_argument(
        "--twin", metavar="DIR", help="quality: a network trained on texts alone, to read beside this one"
    )
    command.add_argument("--only", default="", metavar="LIST", help="quality and guards: only these measures")
    part = command.add_mutually_exclusive_group()
    part.add_argument(
        "--reader",
        action="store_true",
        help="codec: letters that a small reader of its ids gets wrong, taught on the speech under --home",
    )
    part.add_argument(
        "--words",
        action="store_true",
        help="codec: words that Whisper mishears before and after it, and how like the voices are",
    )
    part.add_argument(
        "--probes",
        action="store_true",
        help="codec: what its ids tell beside the words: who speaks, pitch, mood, sounds that are no speech",
    )
    command.add_argument(
        "--codec", type=folder_name, metavar="DIR", help="codec: an audio codec of its own, of either kind"
    )
    command.add_argument(
        "--minutes", type=float, default=30, help="soak: how long the server is under load (default: 30)"
    )
    command.add_argument(
        "--records", type=Path, default=Path("records"), help="where the record goes (default: records)"
    )
    add_home(command)


def load(arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that measures."""
    from unisono.assess.options import BenchOptions

    if arguments.what == "moderation":
        from unisono.assess.quality.moderation import run
    elif arguments.what == "guards":
        from unisono.assess.quality.guards import run
    elif arguments.what == "quality" and arguments.data:
        from unisono.assess.quality.own import run
    elif arguments.what == "quality":
        from unisono.assess.quality.run import run
    elif arguments.what == "report":
        from unisono.assess.report.pages import run
    else:
        from unisono.assess.bench import run
    return partial(run, typed(BenchOptions, arguments))
