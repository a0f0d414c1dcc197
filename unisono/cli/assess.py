"""`unisono assess`: its options."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from unisono.cli.options import typed, whole_number

SECTIONS = "voice, content, preparedness, third-party, societal, capability"


def add(commands: Any) -> None:
    """Declares the command."""
    command = commands.add_parser(
        "assess", help="run the system card's tasks against an OpenAI-speaking endpoint"
    )
    command.set_defaults(load=load)
    command.add_argument(
        "--base-url", required=True, metavar="URL", help="the endpoint, such as http://127.0.0.1:8000/v1"
    )
    command.add_argument("--api-key", metavar="K", help="its key (default: $OPENAI_API_KEY)")
    command.add_argument("--model", metavar="M", help="the model's name (default: the first that it lists)")
    command.add_argument(
        "--sections",
        default="",
        metavar="LIST",
        help=f"sections or tasks, with commas (default: all): {SECTIONS}",
    )
    command.add_argument(
        "--limit", type=whole_number(1), metavar="N", help="samples of each task (default: all)"
    )
    command.add_argument(
        "--budget",
        action="append",
        default=[],
        metavar="AMOUNT",
        help="stop after 30min, 500requests or 2usd; may be repeated",
    )
    command.add_argument(
        "--prices", default="", metavar="IN,OUT", help="USD per million tokens, for a budget in usd"
    )
    command.add_argument(
        "--parallel", type=whole_number(1, 256), default=4, help="requests at the same time (default: 4)"
    )
    command.add_argument(
        "--timeout", type=float, default=300.0, metavar="S", help="seconds to wait for a reply (default: 300)"
    )
    command.add_argument("--voice", default="alloy", help="the preset voice it answers in (default: alloy)")
    command.add_argument(
        "--shared", type=Path, metavar="DIR", help="folder that holds eval_public/ (default: $UNISONO_SHARED)"
    )
    command.add_argument(
        "--logs", type=Path, required=True, metavar="DIR", help="where the logs go; the same again goes on"
    )


def load(arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that assesses. UserError where inspect-ai is not installed."""
    import os

    from unisono.core.errors import UserError

    try:
        from unisono.assess.card.run import AssessOptions, run
    except ModuleNotFoundError as error:
        raise UserError(f"assessing needs the package {error.name}; pip install 'unisono[assess]'") from None
    arguments.api_key = arguments.api_key or os.environ.get("OPENAI_API_KEY")
    shared = arguments.shared or os.environ.get("UNISONO_SHARED")
    arguments.shared = Path(shared) if shared else None
    return partial(run, typed(AssessOptions, arguments))
