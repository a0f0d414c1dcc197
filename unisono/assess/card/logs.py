"""The folder of a run: Inspect's logs, one per task, the replies as they came, and run.json, which says what
was run and what was not, and why.
"""

import json
import time
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from inspect_ai.log import EvalLog, read_eval_log

from unisono.core.errors import UserError
from unisono.core.home import atomic_write

RUN = "run.json"
ENDING = ".eval"


def read_run(folder: Path) -> dict[str, Any]:
    """run.json of a folder; UserError where there is none."""
    try:
        run = json.loads((folder / RUN).read_text(encoding="utf8"))
    except OSError:
        raise UserError(
            f"expected {RUN} in {folder}; name a folder that `unisono assess --logs` wrote"
        ) from None
    except ValueError:
        run = {}
    if not isinstance(run, dict) or not isinstance(run.get("tasks"), dict):
        raise UserError(
            f"{folder / RUN} is damaged; remove it and run `unisono assess` again, nothing is asked twice"
        )
    return run


def write_run(folder: Path, run: dict[str, Any]) -> None:
    """Writes run.json whole or not at all."""
    text = json.dumps({**run, "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}, indent=1)
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / RUN, lambda path: path.write_text(text + "\n", encoding="utf8"))


def read_log(path: Path, *, header_only: bool = False) -> EvalLog | None:
    """A log; None where it is damaged or was cut short."""
    try:
        return read_eval_log(str(path), header_only=header_only, resolve_attachments="full")
    except (BadZipFile, EOFError, KeyError, OSError, ValueError, NotImplementedError):
        return None


def newest_logs(
    folder: Path, *, header_only: bool = False
) -> tuple[dict[str, tuple[Path, EvalLog]], list[Path]]:
    """-> the newest readable log of each task with its path, and the files that cannot be read."""
    found: dict[str, tuple[Path, EvalLog]] = {}
    damaged = []
    for path in sorted(folder.glob(f"*{ENDING}")):
        log = read_log(path, header_only=header_only)
        if log is None:
            damaged.append(path)
            continue
        before = found.get(log.eval.task)
        if before is None or before[1].eval.created <= log.eval.created:
            found[log.eval.task] = (path, log)
    return found, damaged


def is_whole(log: EvalLog) -> bool:
    """Whether every sample of the log was answered and scored."""
    return (
        log.status == "success"
        and log.results is not None
        and log.results.completed_samples == log.results.total_samples > 0
    )
