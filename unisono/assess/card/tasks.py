"""What a task of the card is made of, and how it becomes a task of Inspect.

    @card_task("societal", title="Winogender", version=1, measures={"accuracy": Measure("Accuracy")})
    def winogender(context: Context) -> Parts:
        return Parts(samples=[Sample(id=..., input=...), ...], judge=lambda reply, sample: Verdict(...))

The judge looks at one reply and says what it is: an outcome in a word ("correct", "unreadable", "refused")
and numbers by name, the measures. Figures are computed from these numbers (stats.py). An answer that cannot
be read has an outcome of its own; nobody guesses in its place. A task that lacks its data raises NotRun.
"""

import base64
import importlib
import inspect
import pkgutil
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import anyio.to_thread
from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ContentAudio, ContentImage
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from unisono.assess.card import sections
from unisono.core.errors import UserError

SECTIONS = ("voice", "content", "preparedness", "third-party", "societal", "capability")
NEEDS = ("text", "audio in", "audio out", "pictures", "clips", "drawings", "transcripts")
MAX_TOKENS = 256


class NotRun(Exception):
    """Why a task cannot be run here, in a sentence for the card."""


@dataclass(frozen=True)
class Measure:
    """A figure: its title, which way is better ("higher", "lower" or ""), and its statistic (stats.py)."""

    title: str
    better: str = "higher"
    statistic: str = "mean"
    of: str = ""  # the number of the verdicts that it is made of; "": the measure's own name


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one reply is."""

    outcome: str
    measures: dict[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The last reply of a sample. `rejected`: why the endpoint did not take the request, or nothing."""

    text: str
    audio: bytes | None = None  # a WAV file
    picture: bytes | None = None  # a PNG, WebP or JPEG file
    rejected: str = ""
    turns: tuple[str, ...] = ()  # of the model, where it was asked several times


@dataclass(frozen=True, kw_only=True)
class Context:
    """What tasks are built from."""

    scratch: Path  # for sounds that are made once
    shared: Path | None = None
    voice: str = "alloy"  # the preset that the endpoint speaks in
    limit: int | None = None


Judge = Callable[[Reply, Sample], Verdict | Awaitable[Verdict]]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Dataset, solver and judge. `samples` may be a call that takes the samples left after --limit and gives
    them their sound: so nothing is synthesized that is not asked.
    """

    samples: Sequence[Sample]
    judge: Judge
    solver: Solver | None = None
    epochs: int = 1
    finish: Callable[[Sample], Sample] | None = None


@dataclass(frozen=True, kw_only=True)
class CardTask:
    """A task as it is registered. `limits`: what its figures do not tell."""

    name: str
    section: str
    title: str
    version: int
    measures: dict[str, Measure]
    build: Callable[[Context], Parts]
    needs: tuple[str, ...] = ("text",)
    source: str = ""
    limits: str = ""
    judge: str = "program"  # or the name of the network that judges


TASKS: dict[str, CardTask] = {}


def card_task(
    section: str, *, title: str, version: int, measures: dict[str, Measure], **more: Any
) -> Callable[[Callable[[Context], Parts]], Callable[[Context], Parts]]:
    """Registers the function below it, which builds the task of its name."""

    def register(build: Callable[[Context], Parts]) -> Callable[[Context], Parts]:
        name = build.__name__
        if section not in SECTIONS or name in TASKS:
            raise ValueError(f"{name}: expected one of {SECTIONS} and a name that is not taken")
        TASKS[name] = CardTask(
            name=name, section=section, title=title, version=version, measures=measures, build=build, **more
        )
        return build

    return register


def all_tasks() -> list[CardTask]:
    """Every task of every file in sections/, in the order of the sections."""
    for module in sorted(module.name for module in pkgutil.iter_modules(sections.__path__)):
        importlib.import_module(f"{sections.__name__}.{module}")
    return sorted(TASKS.values(), key=lambda task: SECTIONS.index(task.section))


def chosen(names: str) -> list[CardTask]:
    """ "voice,bbq" -> the tasks of these sections or names; "" is all. UserError for an unknown one."""
    tasks = all_tasks()
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = sorted(set(wanted) - {task.name for task in tasks} - set(SECTIONS))
    if unknown:
        raise UserError(
            f"unknown section or task {unknown[0]!r}; sections are {', '.join(SECTIONS)}, "
            f"tasks are {', '.join(task.name for task in tasks)}"
        )
    return [task for task in tasks if not wanted or task.name in wanted or task.section in wanted]


# ---- samples ----


def cluster_of(sample: Sample) -> str:
    """Samples of one cluster stay together and are not counted as independent."""
    return str((sample.metadata or {}).get("cluster", sample.id))


def kind_of(sample: Sample) -> str:
    """Samples of several kinds (harmful and harmless, own and foreign) are drawn alike."""
    facts = sample.metadata or {}
    return str([facts.get(name) for name in ("harmful", "asks", "kind", "condition")])


def limited(samples: Sequence[Sample], limit: int | None) -> list[Sample]:
    """At least `limit` samples, drawn by whole clusters and from each kind in turn, the same ones each time;
    all without a limit.
    """
    if limit is None or limit >= len(samples):
        return list(samples)
    held: dict[str, list[Sample]] = {}
    for sample in samples:
        held.setdefault(cluster_of(sample), []).append(sample)
    by_kind: dict[str, list[str]] = {}
    for name in sorted(held):
        by_kind.setdefault(kind_of(held[name][0]), []).append(name)
    for names in by_kind.values():
        random.Random(0).shuffle(names)
    kept: list[Sample] = []
    while len(kept) < limit:
        for names in by_kind.values():
            if names and len(kept) < limit:
                kept += held[names.pop()]
    return kept


def built(task: CardTask, context: Context) -> Parts:
    """The parts of a task with the samples that --limit leaves. Raises NotRun; a UserError becomes one."""
    try:
        parts = task.build(context)
        samples = limited(parts.samples, context.limit)
        if parts.finish is not None:
            samples = [parts.finish(sample) for sample in samples]
    except UserError as error:
        raise NotRun(str(error)) from None
    if not samples:
        raise NotRun("its data set holds no samples")
    return Parts(samples=samples, judge=parts.judge, solver=parts.solver, epochs=parts.epochs)


# ---- Inspect's task ----


@solver
def ask(max_tokens: int = MAX_TOKENS, temperature: float = 0.0, voice: str = "") -> Solver:
    """One request; with a voice, the reply is spoken."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        body = (
            {"modalities": ["text", "audio"], "audio": {"voice": voice, "format": "wav"}} if voice else None
        )
        return await generate(
            state, max_tokens=max_tokens, temperature=temperature, seed=state.epoch, extra_body=body
        )

    return solve


def reply_of(state: TaskState) -> Reply:
    """What the endpoint answered last."""
    output = state.output
    sound = picture = None
    content = output.message.content if output.choices else ""
    for part in content if isinstance(content, list) else []:
        if isinstance(part, ContentAudio):
            sound = base64.b64decode(part.audio.partition(",")[2])
        if isinstance(part, ContentImage):
            picture = base64.b64decode(part.image.partition(",")[2])
    rejected = (output.metadata or {}).get("rejected") or {}
    return Reply(
        text=output.completion,
        audio=sound,
        picture=picture,
        rejected=f"{rejected['status']}: {rejected['message']}" if rejected else "",
        turns=tuple(message.text for message in state.messages if message.role == "assistant"),
    )


@scorer(metrics=[mean(), stderr()], name="judged")
def judged(judge: Judge, done: Callable[[], None]) -> Scorer:
    """The judge as Inspect's scorer; `done` is called after each sample."""

    async def score(state: TaskState, target: Target) -> Score:
        sample = Sample(
            id=state.sample_id, input=state.input_text, target=list(target), metadata=dict(state.metadata)
        )
        reply = reply_of(state)
        verdict: Any = await anyio.to_thread.run_sync(judge, reply, sample)
        if inspect.isawaitable(verdict):
            verdict = await verdict
        done()
        return Score(
            value=next(iter(verdict.measures.values()), 0.0),
            answer=reply.text[:500],
            explanation=verdict.note or verdict.outcome,
            metadata={"outcome": verdict.outcome, "measures": verdict.measures, "rejected": reply.rejected},
        )

    return score


def inspect_task(task: CardTask, parts: Parts, done: Callable[[], None], run: dict[str, Any]) -> Task:
    """-> a task that Inspect runs and logs. `run`: what else the log says about this run."""
    described = {
        "section": task.section,
        "title": task.title,
        "measures": {name: asdict(measure) for name, measure in task.measures.items()},
        "source": task.source,
        "limits": task.limits,
        "judge": task.judge,
        "needs": list(task.needs),
        **run,
    }
    return Task(
        name=task.name,
        version=task.version,
        dataset=MemoryDataset(list(parts.samples), name=task.name),
        solver=parts.solver or ask(),
        scorer=judged(parts.judge, done),
        epochs=parts.epochs,
        metadata=described,
    )
