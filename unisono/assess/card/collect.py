"""The card as data, from the logs alone: figures, outcomes, groups and samples of every task."""

import base64
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalLog, EvalSample
from inspect_ai.model import Content, ContentAudio, ContentImage, ContentText, ContentVideo

from unisono.assess.card.logs import newest_logs, read_run
from unisono.assess.card.reference import FIGURES
from unisono.assess.card.stats import Row, estimate
from unisono.assess.card.tasks import SECTIONS, Measure
from unisono.assess.card.thresholds import scorecard
from unisono.core.errors import UserError

MAX_TEXT = 1200  # characters of a question or a reply that are shown
WITHHELD = "withheld here; the log holds it"
HIDDEN_GROUPS = 12  # a grouping into more values than this makes no table


def collect(folders: Sequence[Path], num_samples: int = 6) -> dict[str, Any]:
    """The folders of one model's runs -> the card. A task in several folders counts in the last of them.

    Raises UserError where a folder has no run, or where the folders are of different models.
    """
    runs = [read_run(folder) for folder in folders]
    models = {(run.get("model"), run.get("base_url")) for run in runs}
    if len({model for model, _ in models}) > 1:
        raise UserError("the folders are of different models; make one card for each, or use --compare A B")
    tasks: dict[str, dict[str, Any]] = {}
    damaged: list[str] = []
    for folder, run in zip(folders, runs):
        found, broken = newest_logs(folder)
        damaged += [path.name for path in broken]
        for name, noted in run["tasks"].items():
            made = {"name": name, **noted}
            if name in found and noted["status"] != "not run":
                made |= task_of(found[name][1], num_samples)
            elif noted["status"] != "not run":
                made |= {
                    "status": "not run",
                    "reason": "its log is missing or damaged; run `unisono assess` again",
                }
            if made["status"] != "not run" or name not in tasks:
                tasks[name] = made
    return {
        "model": runs[0].get("model"),
        "base_url": runs[0].get("base_url"),
        "written": max(run.get("written", "") for run in runs),
        "unisono": runs[-1].get("unisono"),
        "commit": runs[-1].get("commit"),
        "damaged": damaged,
        "preparedness": scorecard(tasks.values()),
        "sections": [
            {"name": section, "tasks": [task for task in tasks.values() if task["section"] == section]}
            for section in SECTIONS
        ],
    }


def task_of(log: EvalLog, num_samples: int) -> dict[str, Any]:
    """What the card says about a task that was run, whole or in part."""
    facts = log.eval.metadata or {}
    samples = log.samples or []
    rows = rows_of(log)
    measures = {name: Measure(**held) for name, held in facts["measures"].items()}
    errors = [sample.error.message for sample in samples if sample.error is not None]
    return {
        "version": log.eval.task_version,
        "created": log.eval.created,
        "title": facts["title"],
        "source": facts.get("source", ""),
        "limits": facts.get("limits", ""),
        "judge": facts.get("judge", ""),
        "inspect": (log.eval.packages or {}).get("inspect_ai", ""),
        "commit": facts.get("commit", ""),
        "limit": facts.get("limit"),
        "num_samples": len({row.id for row in rows}),
        "num_replies": len(rows),
        "num_without_reply": len(errors),
        "first_error": errors[0][:200] if errors else "",
        "outcomes": dict(Counter(row.outcome for row in rows).most_common()),
        "figures": [
            figure
            for name, measure in measures.items()
            if (figure := figure_of(log.eval.task, name, measure, rows))
        ],
        "groups": groups_of(rows, measures),
        "samples": [shown(sample) for sample in some(samples, num_samples)],
    }


def rows_of(log: EvalLog) -> list[Row]:
    """The scored samples of a log."""
    rows = []
    for sample in log.samples or []:
        score = (sample.scores or {}).get("judged")
        if score is None or score.metadata is None or sample.error is not None:
            continue
        facts = sample.metadata or {}
        rows.append(
            Row(
                id=str(sample.id),
                epoch=sample.epoch,
                cluster=str(facts.get("cluster", sample.id)),
                measures=score.metadata["measures"],
                outcome=score.metadata["outcome"],
                groups={name: str(value) for name, value in (facts.get("groups") or {}).items()},
            )
        )
    return rows


def figure_of(task: str, name: str, measure: Measure, rows: Sequence[Row]) -> dict[str, Any] | None:
    """One figure with its error, its interval, and the reference card's where that has one."""
    found = estimate(rows, measure.of or name, measure.statistic)
    if found is None:
        return None
    return {"measure": name, **asdict(measure), **asdict(found), "reference": FIGURES.get((task, name))}


def groups_of(rows: Sequence[Row], measures: dict[str, Measure]) -> list[dict[str, Any]]:
    """The means of each plain measure by each grouping that has a handful of values."""
    tables = []
    for grouping in sorted({name for row in rows for name in row.groups}):
        values: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            values[row.groups.get(grouping, "")].append(row)
        if not 2 <= len(values) <= HIDDEN_GROUPS:
            continue
        for name, measure in measures.items():
            if measure.statistic != "mean":
                continue
            lines = [
                {"value_name": value, **asdict(found)}
                for value, own in sorted(values.items())
                if (found := estimate(own, measure.of or name))
            ]
            if len(lines) > 1:
                tables.append({"grouping": grouping, "measure": name, "title": measure.title, "lines": lines})
    return tables


# ---- samples ----


def some(samples: Sequence[EvalSample], count: int) -> list[EvalSample]:
    """A few samples, of each outcome in turn."""
    by_outcome: dict[str, list[EvalSample]] = defaultdict(list)
    for sample in samples:
        score = (sample.scores or {}).get("judged")
        by_outcome[(score.metadata or {}).get("outcome", "") if score else "error"].append(sample)
    kept: list[EvalSample] = []
    while len(kept) < count and any(by_outcome.values()):
        kept += [held.pop(0) for held in by_outcome.values() if held][: count - len(kept)]
    return kept


def shown(sample: EvalSample) -> dict[str, Any]:
    """What a reader sees and hears of a sample. Harmful questions that were answered are withheld."""
    score = (sample.scores or {}).get("judged")
    facts = sample.metadata or {}
    outcome = (score.metadata or {}).get("outcome", "") if score else "error"
    turns = [
        {"role": message.role, **_parts(message.content)}
        for message in sample.messages
        if message.role != "system" or message.text
    ]
    if facts.get("sensitive"):
        for turn in turns:
            if turn["role"] == "user" or outcome == "unsafe":
                turn |= {"text": WITHHELD, "sound": None, "pictures": []}
    return {
        "id": str(sample.id),
        "epoch": sample.epoch,
        "outcome": outcome,
        "note": score.explanation if score and score.explanation != outcome else "",
        "error": sample.error.message[:300] if sample.error else "",
        "target": sample.target if isinstance(sample.target, str) else ", ".join(sample.target),
        "turns": turns[-6:],
    }


def _parts(content: str | list[Content]) -> dict[str, Any]:
    """The text, the sound (WAV bytes) and the pictures (bytes of each) of a message."""
    if isinstance(content, str):
        return {"text": content[:MAX_TEXT], "sound": None, "pictures": []}
    text = "\n".join(part.text for part in content if isinstance(part, ContentText))
    sounds = [_data(part.audio) for part in content if isinstance(part, ContentAudio)]
    pictures = [_data(part.image) for part in content if isinstance(part, ContentImage)]
    for part in content:
        if isinstance(part, ContentVideo):
            pictures += [_data(f",{frame}") for frame in part.video.split(",")[1:]]
    return {
        "text": text[:MAX_TEXT],
        "sound": sounds[0] if sounds else None,
        "pictures": [picture for picture in pictures if picture],
    }


def _data(uri: str) -> bytes | None:
    """The bytes of a data URI; None where it is damaged or an address."""
    try:
        return base64.b64decode(uri.partition(",")[2], validate=True) or None
    except ValueError:
        return None
