"""`unisono forecast fit` and `unisono forecast budget`: reads the points, fits, tells."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unisono.core.errors import UserError
from unisono.core.record import can_keep, write_record
from unisono.forecast.budget import forecast
from unisono.forecast.fit import fit, fit_routers
from unisono.forecast.laws import LAWS, Routed
from unisono.forecast.points import read_points

HOUR_S = 3600


@dataclass(frozen=True, kw_only=True)
class ForecastOptions:
    """cli/forecast.py says what they mean to a user."""

    what: str  # fit or budget
    points: Path
    loss: str = ""  # its column
    form: str = "chinchilla"
    bootstrap: int = 100
    seed: int = 1
    keep_outliers: bool = False
    flops: float | None = None
    hours: float | None = None
    flops_per_s: float | None = None
    records: Path | None = None
    json: bool = False


def run(options: ForecastOptions) -> int:
    """Entry of both. The last line of standard output is JSON with --json, otherwise lines for people."""
    if options.records:
        can_keep(options.records)
    numbers = _numbers(options)
    if options.records:
        config = {
            "points": options.points.name,
            "loss": options.loss,
            "form": options.form,
            "bootstrap": options.bootstrap,
        }
        write_record(
            f"forecast-{options.what}-{options.form}",
            numbers,
            config=config,
            seeds=[options.seed],
            folder=options.records,
        )
    tell(numbers, options.json)
    return 0


def _numbers(options: ForecastOptions) -> dict[str, Any]:
    points, law = read_points(options.points, options.loss), LAWS[options.form]
    how: dict[str, Any] = {
        "bootstrap": options.bootstrap,
        "seed": options.seed,
        "keep_outliers": options.keep_outliers,
    }
    if options.what == "budget":
        return forecast(fit(law, points, **how), _flops(options))
    if not isinstance(law, Routed):
        return fit(law, points, **how).told()
    told = {name: one.told() for name, one in fit_routers(law, points, **how).items()}
    return told[""] if "" in told else {"form": law.name, "routers": told}


def _flops(options: ForecastOptions) -> float:
    """The budget in operations, from --flops, or from --hours of hardware that computes --flops-per-s."""
    if (options.flops is None) == (options.hours is None):
        raise UserError("name the budget: --flops N, or --hours H with --flops-per-s F")
    if options.flops is not None:
        return options.flops
    if options.hours is None or options.flops_per_s is None:
        raise UserError(
            "--hours needs --flops-per-s, what the hardware computes in training (peak times utilization)"
        )
    return options.hours * HOUR_S * options.flops_per_s


def tell(numbers: dict[str, Any], as_json: bool) -> None:
    """Prints numbers, by name for people or as one line of JSON."""
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
            lines.append(f"{indent}{name:18} {' to '.join(f'{one:.5g}' for one in value)}")
        else:
            shown = f"{value:.5g}" if isinstance(value, float) else str(value)
            lines.append(f"{indent}{name:18} {shown}" + (f" +- {stderr[name]:.2g}" if name in stderr else ""))
    return lines
