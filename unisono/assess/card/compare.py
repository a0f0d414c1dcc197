"""Two runs side by side: the same samples, asked of two endpoints, so the tests are paired."""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from inspect_ai.log import EvalLog

from unisono.assess.card.collect import rows_of
from unisono.assess.card.logs import newest_logs, read_run
from unisono.assess.card.stats import NUM_RESAMPLES, STATISTICS, Row, Z, pass_at
from unisono.assess.card.tasks import SECTIONS, Measure
from unisono.core.errors import UserError


def compare(a: Path, b: Path) -> dict[str, Any]:
    """Two folders of logs -> for each measure that both have, the difference, its interval and a p-value.

    Raises UserError where they share no sample of a task of the same version.
    """
    runs = [read_run(folder) for folder in (a, b)]
    (logs_a, _), (logs_b, _) = newest_logs(a), newest_logs(b)
    lines, left_out = [], []
    for name in sorted(logs_a.keys() & logs_b.keys()):
        log_a, log_b = logs_a[name][1], logs_b[name][1]
        if log_a.eval.task_version != log_b.eval.task_version:
            left_out.append(
                f"{name}: versions {log_a.eval.task_version} and {log_b.eval.task_version} differ"
            )
            continue
        lines += task_lines(name, log_a, log_b)
    if not lines:
        raise UserError(
            "the two folders share no sample of a task of one version; assess both with the same options"
        )
    return {
        "a": {"model": runs[0].get("model"), "base_url": runs[0].get("base_url")},
        "b": {"model": runs[1].get("model"), "base_url": runs[1].get("base_url")},
        "left_out": left_out,
        "lines": sorted(lines, key=lambda line: SECTIONS.index(line["section"])),
    }


def task_lines(name: str, log_a: EvalLog, log_b: EvalLog) -> list[dict[str, Any]]:
    """The lines of one task, over the answers that both logs have."""
    rows_a = {(row.id, row.epoch): row for row in rows_of(log_a)}
    rows_b = {(row.id, row.epoch): row for row in rows_of(log_b)}
    shared = sorted(rows_a.keys() & rows_b.keys())
    facts = log_a.eval.metadata or {}
    lines = []
    for measure_name, held in facts["measures"].items():
        measure = Measure(**held)
        found = paired(
            [rows_a[key] for key in shared],
            [rows_b[key] for key in shared],
            measure.of or measure_name,
            measure.statistic,
        )
        if found:
            titles = {
                "section": facts["section"],
                "task": name,
                "measure": measure_name,
                "title": measure.title,
            }
            lines.append({**titles, "better": measure.better, **found})
    return lines


def paired(a: Sequence[Row], b: Sequence[Row], measure: str, statistic: str) -> dict[str, Any] | None:
    """Rows of the same samples in the same order -> values, difference b - a, interval, p-value and test."""
    if statistic != "mean":
        return _bootstrapped(a, b, measure, statistic)
    pairs = [
        (one, other) for one, other in zip(a, b) if measure in one.measures and measure in other.measures
    ]
    if not pairs:
        return None
    before = np.array([one.measures[measure] for one, _ in pairs], float)
    after = np.array([other.measures[measure] for _, other in pairs], float)
    by_cluster: dict[str, list[float]] = defaultdict(list)
    for (one, _), difference in zip(pairs, after - before):
        by_cluster[one.cluster].append(float(difference))
    line: dict[str, Any] = {"a": float(before.mean()), "b": float(after.mean()), "n": len(pairs)}
    difference = line["b"] - line["a"]
    line |= {"difference": difference, "low": None, "high": None, "p": None, "test": "none: one sample"}
    if len(by_cluster) < 2:
        return line
    residuals = np.array([sum(own) - difference * len(own) for own in by_cluster.values()])
    stderr = math.sqrt(float((residuals**2).sum()) * len(residuals) / (len(residuals) - 1)) / len(pairs)
    line |= {"low": difference - Z * stderr, "high": difference + Z * stderr}
    if len(by_cluster) == len(pairs) and set(before) | set(after) <= {0.0, 1.0}:
        better, worse = int((after > before).sum()), int((after < before).sum())
        return {**line, "p": mcnemar(better, worse), "test": "McNemar, exact"}
    p = math.erfc(abs(difference) / stderr / math.sqrt(2)) if stderr else 1.0 if not difference else 0.0
    return {**line, "p": p, "test": "paired z, clustered"}


def mcnemar(better: int, worse: int) -> float:
    """The exact two-sided p-value of `better` against `worse` discordant pairs under equal odds."""
    n = better + worse
    if not n:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(min(better, worse) + 1)) / 2**n
    return min(1.0, 2 * tail)


def _bootstrapped(a: Sequence[Row], b: Sequence[Row], measure: str, statistic: str) -> dict[str, Any] | None:
    """The difference of a statistic that is no mean; both are resampled by the same clusters."""

    def value(rows: Sequence[Row]) -> float:
        if not statistic.startswith("pass@"):
            return STATISTICS[statistic](rows)
        found = pass_at([row for row in rows if measure in row.measures], measure, int(statistic[5:]))
        return found.value if found else math.nan

    values = value(a), value(b)
    if any(math.isnan(number) for number in values):
        return None
    clusters: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(a):
        clusters[row.cluster].append(index)
    held = list(clusters.values())
    line: dict[str, Any] = {"a": values[0], "b": values[1], "n": len(a), "difference": values[1] - values[0]}
    line |= {"low": None, "high": None, "p": None, "test": "bootstrap interval"}
    if len(held) < 2:
        return line
    found = []
    for draw in np.random.default_rng(0).integers(len(held), size=(NUM_RESAMPLES, len(held))):
        indices = [(index, copy) for copy, cluster in enumerate(draw) for index in held[cluster]]
        found.append(value(_copies(b, indices)) - value(_copies(a, indices)))
    kept = [number for number in found if not math.isnan(number)]
    if len(kept) >= NUM_RESAMPLES // 2:
        low, high = np.percentile(kept, (2.5, 97.5))
        line |= {"low": float(low), "high": float(high)}
    return line


def _copies(rows: Sequence[Row], indices: Sequence[tuple[int, int]]) -> list[Row]:
    """The rows drawn; the copies of a problem that is drawn twice stay two problems."""
    return [
        Row(
            id=f"{rows[index].id}#{copy}",
            cluster=str(copy),
            measures=rows[index].measures,
            groups=rows[index].groups,
            epoch=rows[index].epoch,
        )
        for index, copy in indices
    ]
