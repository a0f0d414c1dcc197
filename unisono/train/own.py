"""Somebody's own data: `unisono data add` makes shards of it, `unisono train network --data` goes on
with them.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unisono.base.base import SETTINGS, TEMPLATE
from unisono.core.config import override, to_json
from unisono.core.device import has_fast_bf16, pick_device, seed_all
from unisono.core.distributed import group_of
from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.core.record import PHONEMES, weights_of, write_record
from unisono.core.store import fetched, is_address
from unisono.data.own.add import NAME, add, codecs_of, facts_of, own_folder, tell
from unisono.data.own.coding import TASKS
from unisono.data.own.items import Item
from unisono.data.own.quality import judged
from unisono.data.own.sources import items_of
from unisono.data.shards.loader import LoaderConfig
from unisono.data.shards.shard import Shard
from unisono.tasks.task import Task, conversations, find_task
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.template import Template
from unisono.train.checkpoint import NAME as CHECKPOINT
from unisono.train.loop import LoopConfig, run as run_loop
from unisono.train.network import FROM_BASE, NetworkProgram, NetworkRecipe
from unisono.train.options import CommonOptions, DataOptions, TrainOptions
from unisono.train.programs import publish
from unisono.train.replay import replay_folder
from unisono.train.start import begun_network

HELD_OUT = 20  # conversations of a task that are taught for each that is held out
ROWS = (512, 1024, 2048)  # ids of a row: the shortest in which nearly all documents fit
FITTING = 0.95
BATCH_IDS = 4096
EPOCHS, STEPS = 6, (30, 3000)  # over the new data; the least and the most
LEARNING_RATE = {True: 6e-4, False: 4e-4}  # with Muon, and with AdamW alone
START_SHARE = 0.2  # of the start in the finished weights


def run_add(options: DataOptions) -> int:
    """Entry of `unisono data add NAME SOURCE...`."""
    name, *sources = options.sources or [""]
    if not name or bool(sources) == bool(options.task):
        raise UserError(
            "expected a name and what to learn from: unisono data add NAME SOURCE..., or NAME --task TASK"
        )
    folder = own_folder(options.home, name)
    wanted = tuple(task for task in options.tasks.split(",") if task) or TASKS
    if unknown := set(wanted) - set(TASKS):
        raise UserError(f"no task {min(unknown)!r}; choose from {', '.join(TASKS)}")
    items = [item for source in sources for item in items_of(_local(source, options.home))]
    facts: dict[str, Any] = {"task": options.task} if options.task else {}
    if options.quality or options.deduplicate:
        kept = judged(items, quality=options.quality, duplicates=options.deduplicate)
        items, facts["texts"] = kept.items, kept.to_json()
        print(f"texts: {json.dumps(facts['texts'])}")
    if options.task:
        items = task_items(find_task(options.task), options.count)
    start = start_of(options)
    report = add(options.home, name, items, start, options.licence, options.workers, wanted, **facts)
    tell(report)
    if "texts" in facts:
        switches = {"quality": options.quality, "deduplicate": options.deduplicate}
        write_record("texts-kept", facts["texts"], config=switches, folder=folder)
    command = f"unisono train network{_start_options(options)} --data {name} --name mine"
    print(f"learn it with: {command}   ({folder})")
    return 0


def _local(source: str, home: Path) -> str:
    """The source, or the copy of one that lies in a store."""
    if not is_address(source):
        return source
    place = hashlib.sha256(source.encode()).hexdigest()[:16]
    return str(fetched(source, home / "sources" / place))


def start_of(options: CommonOptions) -> Path:
    """The folder of the network that learns: the one of --start or in the package; with --init another LLM,
    which takes over the codecs of that one.
    """
    start = Path(options.start) if options.start else default_weights()
    return begun_network(options.init, start, options.home) if options.init else start


def _start_options(options: CommonOptions) -> str:
    """As they are typed, each with a blank before it."""
    told = (("init", options.init), ("start", options.start))
    return "".join(f" --{name} {value}" for name, value in told if value)


def task_items(task: Task, count: int) -> list[Item]:
    """Conversations of both splits; those of the validation whose question is taught are left away."""
    found = list[Item]()
    taught = set[str]()
    for split, wanted in (("train", count), ("val", max(1, count // HELD_OUT))):
        for number, made in enumerate(conversations(task, split, wanted), 1):
            asked = repr([message for message in made["messages"] if message.get("role") == "user"])
            if split == "train" or asked not in taught:
                found.append(Item(f"{task.name} {split} {number}", "chat", made, split=split))
            taught |= {asked} if split == "train" else set()
    return found


def run_train(options: TrainOptions) -> int:
    """Entry of `unisono train network --data NAME...`."""
    home, name = options.home, options.name
    if not name or not NAME.fullmatch(name):
        raise UserError("name the network that comes of it: --name mine")
    if group_of().size > 1:
        raise UserError("several processes train from shards; go on with --data in one process")
    target, run = home / "networks" / name, home / "runs" / f"network-{name}"
    if options.start and Path(options.start).resolve() == target.resolve():
        raise UserError(
            f"the finished network would take the place of its start, {options.start}; choose another --name"
        )
    override(NetworkRecipe(), options.set)  # what is misspelled is known before anything is made
    start = start_of(options)
    if Template.load(start).prompt:
        raise UserError(
            f"the conversations of {start} begin with a prompt that was learned; go on from the network that "
            f"this was made of"
        )
    facts = [_fitting(options, data, start) for data in options.data]
    program = _program(options, start)
    recipe = program.recipe
    loop = replace(recipe.loop, time_limit_s=options.minutes * 60) if options.minutes else recipe.loop
    before = _validated(program) if not (run / CHECKPOINT).exists() else {}
    outcome = run_loop(program, loop, run)
    voices = [voice for fact in facts for voice in fact["voices"]]
    publish_own(run / "network", start, target, recipe.loader.row_length, voices, program.prompt)
    if not outcome.finished:
        print(f"{outcome.step:,} of {loop.num_steps:,} steps are done; the same command goes on")
    numbers = {**outcome.numbers, **before, "steps": outcome.step, "wall_s": outcome.wall_s}
    write_record("train-own", numbers, config=to_json(recipe), seeds=[loop.seed], folder=run)
    print(f"talk to it with: unisono chat --model {target}")
    return 0


def _program(options: TrainOptions, start: Path) -> NetworkProgram:
    """The data that is named, with a share of replay."""
    replay = replay_folder(start, options.home) if options.replay else None
    train, val = (
        Shard(
            *(options.home / "own" / data / split for data in options.data),
            *([replay / split] if replay else []),
        )
        for split in ("train", "val")
    )
    usual = own_recipe(start, train, options.replay)
    if options.init:  # the start knows nothing yet of its new ids
        usual = replace(usual, start_share=0.0, new_rows_rate=FROM_BASE.new_rows_rate)
    recipe = override(usual, options.set)
    seed_all(recipe.loop.seed)
    program = NetworkProgram(recipe, train, val)
    program.origin = json.dumps(weights_of(start))
    if left_out := program.loader.num_too_long:
        print(f"{left_out:,} documents are left out: longer than a row of {recipe.loader.row_length} ids")
    return program


def _fitting(options: TrainOptions, data: str, start: Path) -> dict[str, Any]:
    """What is known of the data; UserError where it was made with the codecs of another network."""
    facts = facts_of(options.home, data)
    if facts["codecs"] != codecs_of(start, OmniTokenizer.load(start)):
        again = _start_options(options) or f" --start {start}"
        raise UserError(
            f"{data} was made with the tokenizer and codecs of another network than {options.init or start}; "
            f"delete {own_folder(options.home, data)} and run `unisono data add` again with{again}"
        )
    return facts


def own_recipe(start: Path, train: Shard, replay: float) -> NetworkRecipe:
    """Shares, length of rows and number of steps that follow from how much there is."""
    lengths = train.ends - train.starts
    owned = np.array(["/" in name for name in train.task_names])[train.tasks]
    rows = [length for length in ROWS if (lengths[owned] <= length).mean() >= FITTING] or ROWS[-1:]
    loader = LoaderConfig(batch_size=BATCH_IDS // rows[0], row_length=rows[0], block_ids=100_000)
    per_step = loader.batch_size * loader.row_length * (1 - replay)
    steps = int(np.clip(EPOCHS * lengths[owned].sum() / per_step, *STEPS))
    usual = NetworkRecipe().task_shares
    amounts = {
        name: float(lengths[train.tasks == number].sum()) ** 0.5 if "/" in name else usual[name]
        for number, name in enumerate(train.task_names)
    }
    own, again = (sum(amounts[n] for n in amounts if ("/" in n) is is_own) for is_own in (True, False))
    shares = {
        name: amount / own * (1 - replay) if "/" in name else amount / again * replay
        for name, amount in amounts.items()
    }
    is_fast = has_fast_bf16(pick_device())
    return NetworkRecipe(
        loop=LoopConfig(
            num_steps=steps,
            learning_rate=LEARNING_RATE[is_fast],
            warmup_steps=10,
            weight_decay=0.1,
            beta2=0.95,
            validate_every=steps,
            muon=is_fast,  # elsewhere its steps cost as much as the rest; the rates were found so
        ),
        loader=loader,
        task_shares=shares,
        start_from=str(start),
        start_share=START_SHARE if replay else 0.0,
        validation_batches=1,
        compile=False,  # which takes longer than it saves in minutes
    )


@torch.no_grad()
def _validated(program: NetworkProgram) -> dict[str, float]:
    """Validation before the first step: what the start knows."""
    program.model.eval()
    return {f"before_{key}": value for key, value in program.validate().items()}


def publish_own(
    trained: Path,
    start: Path,
    target: Path,
    trained_length: int,
    voices: list[str],
    prompt: Sequence[int] = (),
) -> None:
    """Puts trained weights beside the tokenizer and codecs of their start, and names the new voices."""
    tokenizer = OmniTokenizer.load(start)
    tokenizer.voices = list(dict.fromkeys([*tokenizer.voices, *voices]))
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        tokenizer.save(place)
        for kept in (Path("audio_codec", PHONEMES), Path(TEMPLATE), Path(SETTINGS)):  # where it has them
            if (start / kept).is_file():
                shutil.copyfile(start / kept, place / kept)
        publish(trained, place, target, trained_length, prompt)
