"""A progress bar over anything that takes longer than a moment."""
from collections.abc import Iterable
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Item = TypeVar("Item")


def progress() -> Progress:
    """Description, bar, count, times, and a `note` field."""
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                    TimeRemainingColumn(), TextColumn("{task.fields[note]}"))


def track(items: Iterable[Item], title: str, total: int | None = None) -> Iterable[Item]:
    """Yields the items and shows how many are done."""
    with progress() as bar:
        task = bar.add_task(title, total=total if total is not None else len(items), note="")  # type: ignore[arg-type]
        for item in items:
            yield item
            bar.update(task, advance=1)
