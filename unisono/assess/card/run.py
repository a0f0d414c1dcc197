"""`unisono assess`: the tasks against an endpoint, one after the other, their samples in parallel.

It may be ended at any moment. Run again with the same --logs, it goes on: finished tasks are left alone, and
of the others nothing is asked whose reply is on disk.
"""

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import Model
from rich.console import Console

from unisono import __version__
from unisono.assess.card.abilities import probe
from unisono.assess.card.budget import read_budget
from unisono.assess.card.endpoint import connect, first_model
from unisono.assess.card.logs import ENDING, is_whole, newest_logs, read_run, write_run
from unisono.assess.card.tasks import CardTask, Context, NotRun, Parts, built, chosen, inspect_task
from unisono.core.errors import UserError
from unisono.core.progress import progress
from unisono.core.record import commit


@dataclass(frozen=True, kw_only=True)
class AssessOptions:
    """cli/assess.py says what they mean to a user."""

    base_url: str
    logs: Path
    api_key: str | None = None
    model: str | None = None
    sections: str = ""
    limit: int | None = None
    budget: list[str] = field(default_factory=list)
    prices: str = ""
    parallel: int = 4
    timeout: float = 300.0
    voice: str = "alloy"
    shared: Path | None = None


def run(options: AssessOptions) -> int:
    """Runs the tasks -> 0, or 1 where something is left that another run may finish."""
    console = Console(stderr=True)
    tasks = chosen(options.sections)
    budget = read_budget(options.budget, options.prices)
    base_url = options.base_url.rstrip("/")
    name = options.model or first_model(base_url, options.api_key)
    state = _state(options.logs, base_url, name, options)
    model = connect(
        base_url,
        name,
        options.api_key,
        replies=options.logs / "replies",
        budget=budget,
        parallel=options.parallel,
        timeout_s=options.timeout,
    )
    context = Context(
        scratch=options.logs / "sounds", shared=options.shared, voice=options.voice, limit=options.limit
    )
    abilities = probe(model, {need for task in tasks for need in task.needs}, options.voice)
    unfinished = []
    for task in tasks:
        if budget.stopped:
            _note(state, task, "not run", budget.stopped)
        else:
            run_task(task, context, model, abilities, state, options.logs, console)
        write_run(options.logs, state)
        if state["tasks"][task.name]["status"] == "unfinished" or budget.stopped:
            unfinished.append(task.name)
    why = f"{budget.stopped}; " if budget.stopped else ""
    if unfinished:
        print(f"unisono: {why}{len(unfinished)} of {len(tasks)} tasks are unfinished; run it again to go on")
    print(f"the page: unisono card {options.logs} -o {options.logs / 'card'}")
    return 1 if unfinished else 0


def _state(folder: Path, base_url: str, model: str, options: AssessOptions) -> dict[str, Any]:
    """What run.json holds so far. UserError where the folder is another endpoint's or model's."""
    state: dict[str, Any] = {"base_url": base_url, "model": model, "tasks": {}}
    if (folder / "run.json").exists():
        before = read_run(folder)
        if (before.get("base_url"), before.get("model")) != (base_url, model):
            raise UserError(
                f"{folder} holds the logs of {before.get('model')} at {before.get('base_url')}; "
                "choose another folder with --logs"
            )
        state["tasks"] = before["tasks"]
    return {
        **state,
        "unisono": __version__,
        "commit": commit(),
        "limit": options.limit,
        "voice": options.voice,
    }


def _note(state: dict[str, Any], task: CardTask, status: str, reason: str = "") -> None:
    """A task that another run finished stays finished, whatever hinders this one."""
    if status == "not run" and state["tasks"].get(task.name, {}).get("status") == "done":
        return
    state["tasks"][task.name] = {
        "section": task.section,
        "title": task.title,
        "version": task.version,
        "status": status,
        "reason": reason,
    }


def run_task(
    task: CardTask,
    context: Context,
    model: Model,
    abilities: dict[str, str],
    state: dict[str, Any],
    folder: Path,
    console: Console,
) -> None:
    """Runs one task, or says in the state why not."""
    try:
        missing = next((abilities[need] for need in task.needs if abilities.get(need)), "")
        if missing:
            raise NotRun(missing)
        found, damaged = newest_logs(folder, header_only=True)
        for path in damaged:
            console.print(f"{path.name} is damaged and set aside; nothing that was answered is asked again")
            path.rename(path.with_name(path.name + ".damaged"))
        before = found.get(task.name)
        if before and is_whole(before[1]) and _same(before[1], task, context):
            _note(state, task, "done")
            return
        parts = built(task, context)
    except NotRun as reason:
        console.print(f"{task.name}: not run: {reason}", highlight=False, markup=False)
        _note(state, task, "not run", str(reason))
        return
    log = evaluate(task, parts, context, model, folder, console)
    if log.status == "cancelled":
        _note(state, task, "unfinished", "interrupted")
        write_run(folder, state)
        raise KeyboardInterrupt
    if is_whole(log):
        _note(state, task, "done")
    else:
        _note(state, task, "unfinished", _why(log))
    for path in folder.glob(f"*{ENDING}"):  # an earlier, unfinished log of this task says nothing more
        if before and path == before[0]:
            path.unlink()


def evaluate(
    task: CardTask, parts: Parts, context: Context, model: Model, folder: Path, console: Console
) -> EvalLog:
    """Inspect's run of a task -> its log."""
    run_facts = {"limit": context.limit, "voice": context.voice, "commit": commit()}
    with progress(console) as bar, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Inspect's dependencies
        shown = bar.add_task(f"{task.section}: {task.name}", total=len(parts.samples) * parts.epochs, note="")
        made = inspect_task(task, parts, lambda: bar.update(shown, advance=1), run_facts)
        [log] = inspect_eval(
            made,
            model=model,
            log_dir=str(folder),
            log_format="eval",
            display="none",
            fail_on_error=False,
            log_realtime=False,
            ctl_server=False,
            score_display=False,
            max_connections=model.api.max_connections(),
            max_samples=model.api.max_connections(),
            log_level="error",
        )
    return log


def _same(log: EvalLog, task: CardTask, context: Context) -> bool:
    facts = log.eval.metadata or {}
    return (log.eval.task_version, facts.get("limit"), facts.get("voice")) == (
        task.version,
        context.limit,
        context.voice,
    )


def _why(log: EvalLog) -> str:
    """In what the first sample without an answer failed."""
    failed = [sample for sample in log.samples or [] if sample.error is not None]
    if failed and failed[0].error:
        return f"{len(failed)} samples have no answer: {failed[0].error.message[:200]}"
    return log.error.message[:300] if log.error else "samples are missing"
