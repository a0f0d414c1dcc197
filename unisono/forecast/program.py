"""`unisono forecast fit` and `unisono forecast budget`: reads the points, fits, tells."""

import argparse
import json
from typing import Any

from unisono.core.errors import UserError
from unisono.core.record import can_keep, write_record
from unisono.forecast.budget import forecast
from unisono.forecast.fit import fit, fit_routers
from unisono.forecast.laws import LAWS, Routed
from unisono.forecast.points import read_points

HOUR_S = 3600


def run(arguments: argparse.Namespace) -> int:
    """Entry of both. The last line of standard output is JSON with --json, otherwise lines for people."""
    if arguments.records:
        can_keep(arguments.records)
    numbers = _numbers(arguments)
    if arguments.records:
        config = {"points": arguments.points.name, "form": arguments.form, "bootstrap": arguments.bootstrap}
        write_record(
            f"forecast-{arguments.what}-{arguments.form}",
            numbers,
            config=config,
            seeds=[arguments.seed],
            folder=arguments.records,
        )
    _tell(numbers, arguments.json)
    return 0


def _numbers(arguments: argparse.Namespace) -> dict[str, Any]:
    points, law = read_points(arguments.points), LAWS[arguments.form]
    options = {
        "bootstrap": arguments.bootstrap,
        "seed": arguments.seed,
        "keep_outliers": arguments.keep_outliers,
    }
    if arguments.what == "budget":
        return forecast(fit(law, points, **options), _flops(arguments))
    if not isinstance(law, Routed):
        return fit(law, points, **options).told()
    told = {name: one.told() for name, one in fit_routers(law, points, **options).items()}
    return told[""] if "" in told else {"form": law.name, "routers": told}


def _flops(arguments: argparse.Namespace) -> float:
    """The budget in operations, from --flops, or from --hours of hardware that computes --flops-per-s."""
    if (arguments.flops is None) == (arguments.hours is None):
        raise UserError("name the budget: --flops N, or --hours H with --flops-per-s F")
    if arguments.flops is not None:
        return float(arguments.flops)
    if arguments.flops_per_s is None:
        raise UserError(
            "--hours needs --flops-per-s, what the hardware computes in training (peak times utilization)"
        )
    return float(arguments.hours * HOUR_S * arguments.flops_per_s)


def _tell(numbers: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(numbers))
        return
    for line in _lines(numbers, ""):
        print(line)


def _lines(numbers: dict[str, Any], indent: str) -> list[str]:
    """Names and numbers, inner ones indented; a standard error beside its constant."""
    stderr, lines = numbers.get("stderr", {}), []
    for name, value in numbers.items():
        if name == "stderr":
            continue
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *_lines(value, indent + "  ")]
        elif isinstance(value, list):
            lines.append(f"{indent}{name:16} {' to '.join(f'{one:.5g}' for one in value)}")
        else:
            shown = f"{value:.5g}" if isinstance(value, float) else str(value)
            lines.append(f"{indent}{name:16} {shown}" + (f" +- {stderr[name]:.2g}" if name in stderr else ""))
    return lines
