"""Somebody's own data: `unisono data add` makes shards of it, `unisono train network --data` goes on
with them.
"""

import argparse
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unisono.core.config import override, to_json
from unisono.core.device import seed_all
from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.core.record import PHONEMES, weights_of, write_record
from unisono.data.own.add import NAME, add, codecs_of, facts_of, own_folder, tell
from unisono.data.own.coding import TASKS
from unisono.data.own.items import Item
from unisono.data.own.sources import items_of
from unisono.data.shards.loader import LoaderConfig
from unisono.data.shards.shard import Shard
from unisono.tasks.task import Task, conversations, find_task
from unisono.tokenizer import OmniTokenizer
from unisono.train.checkpoint import NAME as CHECKPOINT
from unisono.train.loop import LoopConfig, run as run_loop
from unisono.train.network import NetworkProgram, NetworkRecipe
from unisono.train.programs import publish
from unisono.train.replay import replay_folder

HELD_OUT = 20  # conversations of a task that are taught for each that is held out
ROWS = (512, 1024, 2048)  # ids of a row: the shortest in which nearly all documents fit
FITTING = 0.95
BATCH_IDS = 4096
EPOCHS, STEPS = 6, (30, 3000)  # over the new data; the least and the most
LEARNING_RATE = {True: 6e-4, False: 4e-4}  # with Muon, and with AdamW alone
START_SHARE = 0.2  # of the start in the finished weights


def run_add(arguments: argparse.Namespace) -> int:
    """Entry of `unisono data add NAME SOURCE...`."""
    name, *sources = arguments.sources or [""]
    if not name or bool(sources) == bool(arguments.task):
        raise UserError(
            "expected a name and what to learn from: unisono data add NAME SOURCE..., or NAME --task TASK"
        )
    folder = own_folder(arguments.home, name)
    wanted = tuple(task for task in arguments.tasks.split(",") if task) or TASKS
    if unknown := set(wanted) - set(TASKS):
        raise UserError(f"no task {min(unknown)!r}; choose from {', '.join(TASKS)}")
    start = Path(arguments.start) if arguments.start else default_weights()
    items = [item for source in sources for item in items_of(source)]
    facts = {"task": arguments.task} if arguments.task else {}
    if arguments.task:
        items = task_items(find_task(arguments.task), arguments.count)
    report = add(arguments.home, name, items, start, arguments.licence, arguments.workers, wanted, **facts)
    tell(report)
    print(f"learn it with: unisono train network --data {name} --name mine   ({folder})")
    return 0


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


def run_train(arguments: argparse.Namespace) -> int:
    """Entry of `unisono train network --data NAME...`."""
    home, name = arguments.home, arguments.name
    if not name or not NAME.fullmatch(name):
        raise UserError("name the network that comes of it: --name mine")
    start = Path(arguments.start) if arguments.start else default_weights()
    target, run = home / "networks" / name, home / "runs" / f"network-{name}"
    if start.resolve() == target.resolve():
        raise UserError(
            f"the finished network would take the place of its start, {start}; choose another --name"
        )
    override(NetworkRecipe(), arguments.set)  # what is misspelled is known before anything is made
    facts = [_fitting(home, data, start) for data in arguments.data]
    replay = replay_folder(start, home) if arguments.replay else None
    train, val = (
        Shard(
            *(home / "own" / data / split for data in arguments.data), *([replay / split] if replay else [])
        )
        for split in ("train", "val")
    )
    recipe = override(own_recipe(start, train, arguments.replay), arguments.set)
    seed_all(recipe.loop.seed)
    program = NetworkProgram(recipe, train, val)
    program.origin = json.dumps(weights_of(start))
    if left_out := program.loader.num_too_long:
        print(f"{left_out:,} documents are left out: longer than a row of {recipe.loader.row_length} ids")
    loop = replace(recipe.loop, time_limit_s=arguments.minutes * 60) if arguments.minutes else recipe.loop
    before = _validated(program) if not (run / CHECKPOINT).exists() else {}
    outcome = run_loop(program, loop, run)
    voices = [voice for fact in facts for voice in fact["voices"]]
    publish_own(run / "network", start, target, recipe.loader.row_length, voices)
    if not outcome.finished:
        print(f"{outcome.step:,} of {loop.num_steps:,} steps are done; the same command goes on")
    numbers = {**outcome.numbers, **before, "steps": outcome.step, "wall_s": outcome.wall_s}
    write_record("train-own", numbers, config=to_json(recipe), seeds=[loop.seed], folder=run)
    print(f"talk to it with: unisono chat --model {target}")
    return 0


def _fitting(home: Path, data: str, start: Path) -> dict[str, Any]:
    """What is known of the data; UserError where it was made with the codecs of another network."""
    facts = facts_of(home, data)
    if facts["codecs"] != codecs_of(start, OmniTokenizer.load(start)):
        raise UserError(
            f"{data} was made with the tokenizer and codecs of another network than {start}; delete "
            f"{own_folder(home, data)} and run `unisono data add` again with --start {start}"
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
    is_fast = torch.cuda.is_available() or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return NetworkRecipe(
        loop=LoopConfig(
            num_steps=steps,
            learning_rate=LEARNING_RATE[bool(is_fast)],
            warmup_steps=10,
            weight_decay=0.1,
            beta2=0.95,
            validate_every=steps,
            muon=bool(is_fast),  # its steps are taken in bfloat16: slower than the rest where that is slow
            bf16=bool(is_fast),
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


def publish_own(trained: Path, start: Path, target: Path, trained_length: int, voices: list[str]) -> None:
    """Puts trained weights beside the tokenizer and codecs of their start, and names the new voices."""
    tokenizer = OmniTokenizer.load(start)
    tokenizer.voices = list(dict.fromkeys([*tokenizer.voices, *voices]))
    with tempfile.TemporaryDirectory() as place:
        tokenizer.save(place)
        reader = start / "audio_codec" / PHONEMES
        if reader.is_file():
            shutil.copyfile(reader, Path(place) / "audio_codec" / PHONEMES)
        publish(trained, Path(place), target, trained_length)
