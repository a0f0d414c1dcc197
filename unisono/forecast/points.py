"""Measured runs from a CSV file: how large, on how much data, with what loss.

Columns go by the usual names of the field (COLUMNS), in any order; a file may be packed with gzip. Where
ids are
missing they follow from the compute, and the other way round, by C = 6 N D (Kaplan et al. 2020, arXiv
2001.08361).

Shapes: P points.
"""

import csv
import gzip
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import UserError

Floats = NDArray[np.float64]
# What is wanted -> how files call it, the first found is taken. Compared without case, spaces, _ and -.
COLUMNS = {
    "parameters": ("n", "parameters", "params", "modelsize", "denseparametercount"),
    "ids": ("d", "ids", "tokens", "trainingtokens", "numtokens"),
    "flops": ("c", "flops", "flop", "trainingflop", "trainingflops", "compute"),
    "loss": ("loss", "l", "lossvalidation", "valloss", "validationloss"),
    "experts": ("e", "experts", "numexperts"),
    "router": ("router", "routertype", "routing"),
    "run": ("run", "hyperid", "runid"),
    "step": ("step",),
}
SETTINGS = ("k", "routingfrequency")  # of routed models: one law holds for one value of each
DENSE = "dense"


@dataclass(frozen=True)
class Points:
    """Runs, each (P,); what the file does not tell is None. `kept` says which settings a routed file was
    cut to.
    """

    loss: Floats
    parameters: Floats | None = None
    ids: Floats | None = None
    flops: Floats | None = None
    experts: Floats | None = None
    router: NDArray[np.str_] | None = None
    kept: dict[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.loss)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "Points":
        """Those of a mask or of row numbers, which may repeat."""
        columns = ("loss", "parameters", "ids", "flops", "experts", "router")
        values = {name: getattr(self, name) for name in columns}
        return replace(self, **{name: value[chosen] for name, value in values.items() if value is not None})

    def need(self, *names: str) -> tuple[Floats, ...]:
        """The named columns; UserError names one that the file lacks and how it may be called."""
        for name in names:
            if getattr(self, name) is None:
                known = ", ".join(COLUMNS[name])
                raise UserError(f"the points have no column for {name}; call it one of: {known}")
        return tuple(getattr(self, name) for name in names)


def read_points(path: Path, loss: str = "") -> Points:
    """A CSV file -> its points; `loss` names the column of the loss, if not one of the usual names. UserError
    names the line that holds no number, or the column that is missing.
    """
    rows = _last_of_each_run(_rows(path, loss))
    if not rows:
        raise UserError(
            f"{path} holds no points; expected a CSV file with a line of names and a line for each run"
        )
    rows, kept = _of_one_setting(rows)
    numbers = {
        name: np.array([_number(row, name, path) for row in rows])
        for name in ("loss", "parameters", "ids", "flops", "experts")
        if name in rows[0].values
    }
    if "loss" not in numbers:
        raise UserError(
            f"{path} has no column for the loss; call it one of: {', '.join(COLUMNS['loss'])}, "
            "or name it with --loss"
        )
    router = np.array([row.values["router"] for row in rows]) if "router" in rows[0].values else None
    points = Points(**numbers, router=router, kept=kept)
    if points.parameters is not None and points.flops is not None and points.ids is None:
        points = replace(points, ids=points.flops / (6 * points.parameters))
    elif points.parameters is not None and points.ids is not None and points.flops is None:
        points = replace(points, flops=6 * points.parameters * points.ids)
    return points


@dataclass(frozen=True)
class _Row:
    line: int
    values: dict[str, str]  # by the names of COLUMNS and SETTINGS


def _rows(path: Path, loss: str) -> list[_Row]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf8", newline="") as file:
            reader = csv.DictReader(file)
            names = _names(reader.fieldnames or ())
            if loss:
                names["loss"] = loss
                if loss not in (columns := reader.fieldnames or ()):
                    raise UserError(f"{path} has no column {loss!r}; choose from {', '.join(columns)}")
            return [
                _Row(reader.line_num, {name: (row[column] or "") for name, column in names.items()})
                for row in reader
            ]
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a CSV file: {error}") from None


def _names(columns: Iterable[str]) -> dict[str, str]:
    plain = {"".join(column.lower().split()).replace("_", "").replace("-", ""): column for column in columns}
    found = {}
    for name, spellings in (*COLUMNS.items(), *((setting, (setting,)) for setting in SETTINGS)):
        if there := [plain[spelling] for spelling in spellings if spelling in plain]:
            found[name] = there[0]
    return found


def _number(row: _Row, name: str, path: Path) -> float:
    text = row.values[name]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UserError(f"{path}, line {row.line}: expected a number above 0 for {name}, got {text!r}")
    return value


def _last_of_each_run(rows: list[_Row]) -> list[_Row]:
    """Of training curves the last step of each run; other files as they are."""
    if not rows or not {"run", "step"} <= rows[0].values.keys():
        return rows
    last: dict[str, _Row] = {}
    for row in rows:
        before = last.get(row.values["run"])
        if before is None or float(row.values["step"] or 0) >= float(before.values["step"] or 0):
            last[row.values["run"]] = row
    return list(last.values())


def _of_one_setting(rows: list[_Row]) -> tuple[list[_Row], dict[str, float]]:
    """Of routed models those with the commonest value of each setting."""
    kept: dict[str, float] = {}
    for name in SETTINGS:
        if name in rows[0].values:
            ((value, _),) = Counter(row.values[name] for row in rows).most_common(1)
            rows = [row for row in rows if row.values[name] == value]
            kept[name] = float(value or "nan")
    return rows, kept
