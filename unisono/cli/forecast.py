"""`unisono forecast`: its options."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from unisono.cli.options import SIZES, add_home, numbers, typed, whole_number

EXAMPLES = """examples:
  unisono forecast fit runs.csv                           L(N, D) = E + A / N^alpha + B / D^beta
  unisono forecast fit runs.csv --form power              L(C) = E + (C0 / C)^alpha
  unisono forecast fit curves.csv.gz --form routed        models with experts, a fit for each router
  unisono forecast budget runs.csv --flops 1e20           the size and the ids that use 1e20 operations best
  unisono forecast budget runs.csv --hours 24 --flops-per-s 4e14
  unisono forecast ladder runs.csv --widths 32,64,128 --steps 200,400,800 --mup 32
  unisono forecast fit runs.csv --loss text_bits_per_byte of one modality
A file has a line of names, then a line for each run: parameters, ids (or flops), loss; experts for routed."""


def add(commands: Any) -> None:
    """Declares the command."""
    command = commands.add_parser(
        "forecast",
        help="fit scaling laws to measured runs; read budgets off them",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(load=load)
    command.add_argument(
        "what",
        choices=("fit", "budget", "ladder"),
        help="fit: the constants; budget: what a budget gives; ladder: trains small networks of many "
        "sizes and lengths on the shards of `unisono data network`, a line for each; it resumes",
    )
    command.add_argument(
        "points", type=Path, metavar="POINTS.csv", help="the measured runs, plain or packed with gzip"
    )
    command.add_argument(
        "--loss", default="", metavar="COLUMN", help="the column of the loss (default: loss)"
    )
    command.add_argument(
        "--form",
        default="chinchilla",
        choices=("chinchilla", "power", "routed"),
        help="the law (default: chinchilla)",
    )
    command.add_argument(
        "--bootstrap",
        type=whole_number(0, 100_000),
        default=100,
        metavar="N",
        help="resamples for standard errors (default: 100)",
    )
    command.add_argument("--seed", type=whole_number(0), default=1, help="of the resamples (default: 1)")
    command.add_argument(
        "--keep-outliers", action="store_true", help="leave out no point, however far off it lies"
    )
    command.add_argument("--flops", type=float, metavar="N", help="budget: floating-point operations")
    command.add_argument("--hours", type=float, metavar="H", help="budget: hours of the hardware")
    command.add_argument(
        "--flops-per-s", type=float, metavar="F", help="budget: what the hardware computes in training"
    )
    _add_ladder(command)
    command.add_argument("--records", type=Path, metavar="DIR", help="keep the numbers in a record there")
    command.add_argument("--json", action="store_true", help="tell as one line of JSON")


def _add_ladder(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--size",
        choices=SIZES,
        default="nano",
        help="ladder: layers and proportions as of this (default: nano)",
    )
    command.add_argument(
        "--widths",
        type=numbers(int),
        default=(32, 64, 128),
        metavar="LIST",
        help="ladder: (default: 32,64,128)",
    )
    command.add_argument(
        "--steps",
        type=numbers(int),
        default=(100, 200, 400),
        metavar="LIST",
        help="ladder: (default: 100,200,400)",
    )
    command.add_argument(
        "--rates", type=numbers(float), default=(), metavar="LIST", help="ladder: learning rates to compare"
    )
    command.add_argument(
        "--mup",
        type=whole_number(0),
        default=0,
        metavar="WIDTH",
        help="ladder: one learning rate for all widths, the one that is best at this (muTransfer)",
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="ladder: as in `unisono train network`",
    )
    command.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="FIELD=LIST",
        help="ladder: values of a field to compare, such as loop.seed=1,2,3; may be repeated",
    )
    add_home(command)


def load(arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that fits or trains."""
    if arguments.what == "ladder":
        from unisono.forecast.ladder import LadderOptions, run as climb

        return partial(climb, typed(LadderOptions, arguments))
    from unisono.forecast.program import ForecastOptions, run

    return partial(run, typed(ForecastOptions, arguments))
