"""Somebody's own data: `unisono data add` makes shards of it, `unisono train network --data` goes on
with them.
"""

import argparse
from pathlib import Path

from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.data.own.add import add, own_folder, tell
from unisono.data.own.coding import TASKS
from unisono.data.own.sources import items_of


def run_add(arguments: argparse.Namespace) -> int:
    """Entry of `unisono data add NAME SOURCE...`."""
    if len(arguments.sources) < 2:
        raise UserError("expected a name and what to learn from: unisono data add NAME SOURCE...")
    name, *sources = arguments.sources
    folder = own_folder(arguments.home, name)
    wanted = tuple(task for task in arguments.tasks.split(",") if task) or TASKS
    if unknown := set(wanted) - set(TASKS):
        raise UserError(f"no task {min(unknown)!r}; choose from {', '.join(TASKS)}")
    start = Path(arguments.start) if arguments.start else default_weights()
    items = [item for source in sources for item in items_of(source)]
    report = add(arguments.home, name, items, start, arguments.licence, arguments.workers, wanted)
    tell(report)
    print(f"learn it with: unisono train network --data {name} --name mine   ({folder})")
    return 0
