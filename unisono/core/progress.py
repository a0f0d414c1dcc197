"""A progress bar over anything that takes longer than a moment; in a log file, a line now and then."""

import time
from collections.abc import Iterable
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Item = TypeVar("Item")
LINE_EVERY_S = 20.0


class Lines(Progress):
    """A bar in a terminal. Elsewhere, where a bar would show nothing until its end, one line every 20 s."""

    last_line_s = 0.0

    def update(self, task_id: TaskID, **fields: Any) -> None:
        """As in rich."""
        super().update(task_id, **fields)
        if not self.console.is_terminal and time.monotonic() - self.last_line_s > LINE_EVERY_S:
            self.last_line_s = time.monotonic()
            task = self._tasks[task_id]
            total = "?" if task.total is None else f"{task.total:g}"
            self.console.print(
                f"{task.description} {task.completed:g}/{total} {task.fields.get('note', '')}",
                highlight=False,
            )


def progress(console: Console | None = None) -> Progress:
    """Description, bar, count, times, and a `note` field; on standard output unless a console is named."""
    return Lines(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console or Console(),  # not the global one, which libraries make quiet
    )


def track(
    items: Iterable[Item], title: str, total: int | None = None, console: Console | None = None
) -> Iterable[Item]:
    """Yields the items and shows how many are done."""
    with progress(console) as bar:
        task = bar.add_task(title, total=total if total is not None else len(items), note="")  # type: ignore[arg-type]
        for item in items:
            yield item
            bar.update(task, advance=1)
