"""A task of one's own: a small program that makes conversations with known answers, found by its entry point.

A package that is installed beside this one names it in its pyproject.toml:

    [project.entry-points."unisono.tasks"]
    sums = "my_sums:Sums"
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any, Protocol, runtime_checkable

from unisono.core.errors import UserError

GROUP = "unisono.tasks"
MAX_TRIES = 50  # conversations that are made for each that is new, at most


@runtime_checkable
class Task(Protocol):
    """What such a class has. It may also have `score(reply, answer) -> float`, from 0 to 1: how right
    the words of a reply are, where being the same to the word says too little.
    """

    name: str

    def make(self, rng: random.Random, split: str) -> Sequence[Mapping[str, Any]]:
        """One conversation of the split train or val: OpenAI's messages, as in a line of a fine-tuning
        file. Media may also be given as they are: {"type": "image", "image": a PIL picture}, {"type":
        "audio", "audio": unisono.sound(...)}, {"type": "video", "video": unisono.clip(...)}.
        """


def task_names() -> list[str]:
    """The tasks that are installed."""
    return sorted({entry.name for entry in metadata.entry_points(group=GROUP)})


def find_task(name: str) -> Task:
    """The task of this name. UserError where there is none, or it cannot be loaded."""
    found = [entry for entry in metadata.entry_points(group=GROUP) if entry.name == name]
    if not found:
        raise UserError(
            f"no task {name!r} is installed; there is: {', '.join(task_names()) or 'none'}. A package "
            f"names its tasks "
            f"under the entry points {GROUP}"
        )
    try:
        loaded = found[0].load()
        task = loaded() if isinstance(loaded, type) else loaded
    except Exception as error:  # whatever somebody's module does
        raise UserError(f"the task {name} cannot be loaded: {type(error).__name__}: {error}") from None
    if not isinstance(task, Task):
        raise UserError(f"the task {name} lacks a name or make(rng, split); see unisono/tasks/task.py")
    return task


def conversations(task: Task, split: str, count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """`count` different conversations of a split, as {"messages": [...]}. UserError where the task fails
    or has fewer.
    """
    rng, seen = random.Random(f"{seed} {task.name} {split}"), set[str]()
    for number in range(count * MAX_TRIES):
        try:
            messages = [dict(message) for message in task.make(rng, split)]
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise UserError(f"the task {task.name} failed at conversation {number + 1}: {reason}") from None
        if (mark := repr(messages)) in seen:
            continue
        seen.add(mark)
        yield {"messages": messages}
        if len(seen) == count:
            return
    raise UserError(
        f"the task {task.name} made only {len(seen)} different conversations; ask for no more with --count"
    )
