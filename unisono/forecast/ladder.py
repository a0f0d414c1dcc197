"""`unisono forecast ladder`: many short trainings of small networks, each a line in a file of points.

What a large run will give is read off small ones (Kaplan et al. 2020, arXiv 2001.08361). With --mup they
share one learning rate; with several --rates the file shows which is best for each width (Yang et al. 2022,
arXiv 2203.03466).

A line is written when its run is finished, and a run whose line is there is not made again: the same command
goes on after a stop, and a longer list only adds to the file.
"""

import csv
import hashlib
import itertools
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from unisono.core.config import override, to_json
from unisono.core.device import seed_all
from unisono.core.errors import UserError
from unisono.core.home import home
from unisono.core.record import can_keep, mean_stderr, write_record
from unisono.data.shards.shard import Shard
from unisono.forecast.points import DENSE
from unisono.model.config import Qwen3Config, preset
from unisono.model.cost import dense_parameters, parameters, train_flops_per_id
from unisono.train.loop import run as train
from unisono.train.network import RECIPES, NetworkProgram, NetworkRecipe

HEAD_DIM = 32  # wider networks have more heads, not wider ones
BEST = "best_rate"  # in a record: width -> the rate of the lowest loss
ADDED = ("experts", "router", "seed")  # columns that files from before there were experts lack


@dataclass(frozen=True, kw_only=True)
class LadderOptions:
    """cli/forecast.py says what they mean to a user."""

    points: Path
    size: str = "nano"
    widths: Sequence[int] = (32, 64, 128)
    steps: Sequence[int] = (100, 200, 400)
    rates: Sequence[float] = ()
    mup: int = 0
    set: Sequence[str] = ()
    home: Path = field(default_factory=home)
    records: Path | None = None


def run(options: LadderOptions) -> int:
    """Entry: trains what the file of points lacks, from the narrowest network on."""
    if options.records:
        can_keep(options.records)
    shards = options.home / "shards" / options.size
    whole = sorted(manifest.parent for manifest in shards.glob("train*/manifest.json"))
    learned, judged = Shard(*(whole or [shards / "train"])), Shard(shards / "val")
    usual = RECIPES.get(options.size, NetworkRecipe(size=options.size))
    recipe = override(replace(usual, compile=False), options.set)
    rows = {row["run"]: row for row in _read(options.points)}
    for one in rungs(recipe, options):
        name = name_of(one, learned)
        folder = options.home / "runs" / f"ladder-{name}"
        if name not in rows:
            rows[name] = _row(name, one, learned, judged, folder)
            _append(options.points, rows[name])
            shutil.rmtree(folder)
    if options.records:
        numbers = {
            "points": list(rows.values()),
            BEST: best_rates(rows.values()),
            "routers": losses_by_router(rows.values()),
        }
        config, seeds = to_json(recipe), sorted({int(row.get("seed") or 1) for row in rows.values()})
        write_record(
            "forecast-ladder",
            numbers,
            config=config,
            seeds=seeds,
            folder=options.records,
            part=options.points.stem,
        )
    for width, rate in best_rates(rows.values()).items():
        print(f"width {width}: the lowest loss at a learning rate of {rate:g}")
    return 0


def rungs(recipe: NetworkRecipe, options: LadderOptions) -> Iterator[NetworkRecipe]:
    """The recipe of each run, from the narrowest and shortest on. UserError for a width without
    whole heads."""
    rates = options.rates or [recipe.loop.learning_rate]
    for width, steps, rate in itertools.product(sorted(options.widths), sorted(options.steps), sorted(rates)):
        loop = replace(recipe.loop, num_steps=steps, learning_rate=rate, validate_every=steps)
        yield replace(
            recipe, shape={**recipe.shape, **_shape(recipe.size, width)}, mup=options.mup, loop=loop
        )


def _shape(size: str, width: int) -> dict[str, float]:
    """A size made as wide as this, its layers as they are."""
    usual = preset(size, vocab_size=1)
    if width % HEAD_DIM:
        raise UserError(f"a width must be a multiple of {HEAD_DIM}, the width of a head, got {width}")
    heads = width // HEAD_DIM
    return {
        "hidden_size": width,
        "intermediate_size": width * usual.intermediate_size // usual.hidden_size,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 2 if heads % 2 == 0 else heads,
        "head_dim": HEAD_DIM,
    }


def name_of(recipe: NetworkRecipe, learned: Shard) -> str:
    """What tells a run from the others: width, steps and rate, and a checksum of recipe and data."""
    told = to_json(recipe)
    if "num_experts" not in recipe.shape:  # as it was called before there were routers
        del told["router"]
    made_of = json.dumps([told, learned.manifest], sort_keys=True, default=str)
    digest = hashlib.sha256(made_of.encode()).hexdigest()[:8]
    return f"{recipe.shape['hidden_size']}-{recipe.loop.num_steps}-{recipe.loop.learning_rate:g}-{digest}"


def _row(name: str, recipe: NetworkRecipe, learned: Shard, judged: Shard, folder: Path) -> dict[str, Any]:
    """Trains one network -> its line."""
    seed_all(recipe.loop.seed)
    program = NetworkProgram(recipe, learned, judged)
    shape: Qwen3Config = program.model.config
    outcome = train(program, recipe.loop, folder)
    ids = recipe.loop.num_steps * recipe.loader.batch_size * recipe.loader.row_length
    found = {
        key.removeprefix("val_"): value for key, value in outcome.numbers.items() if key.startswith("val_")
    }
    tasks = [value for key, value in found.items() if key in judged.task_names]
    return {
        "run": name,
        "width": shape.hidden_size,
        "rate": recipe.loop.learning_rate,
        "mup": recipe.mup,
        "experts": shape.num_experts or 1,
        "router": recipe.router if shape.num_experts else DENSE,
        "seed": recipe.loop.seed,
        "parameters": dense_parameters(shape),
        "total_parameters": parameters(shape),
        "ids": ids,
        "flops": ids * train_flops_per_id(shape, recipe.loader.row_length),
        "wall_s": round(outcome.wall_s, 1),
        "loss": sum(tasks) / len(tasks),
        **found,
    }


def best_rates(rows: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Width -> the learning rate of its best longest run; nothing where there is one rate."""
    rows = list(rows)
    if len({float(row["rate"]) for row in rows}) < 2:
        return {}
    best: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (-int(row["ids"]), float(row["loss"]))):
        best.setdefault(str(row["width"]), row)
    return {width: float(row["rate"]) for width, row in best.items()}


def losses_by_router(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean loss over the seeds of each router, number of experts, width, length and rate, with its standard
    error; nothing where no network has experts.
    """
    groups: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        router, experts = row.get("router") or DENSE, int(row.get("experts") or 1)
        key = (int(row["width"]), int(row["ids"]), float(row["rate"]), router, experts, float(row["flops"]))
        groups.setdefault(key, []).append(float(row["loss"]))
    names = ("width", "ids", "rate", "router", "experts", "flops")
    found = [{**dict(zip(names, key)), "loss": mean_stderr(losses)} for key, losses in groups.items()]
    return found if any(one["router"] != DENSE for one in found) else []


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with open(path, encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"run", "width", "rate", "loss"} <= rows[0].keys():
        raise UserError(f"{path} holds points of something else; name another file for the ladder")
    return rows


def _append(path: Path, row: dict[str, Any]) -> None:
    """Adds the line. UserError where the file has other columns: its runs learned other data, or it is of
    before there were experts, and this run has some.
    """
    is_new = not path.exists()
    if not is_new:
        with open(path, encoding="utf8", newline="") as file:
            columns = next(csv.reader(file), [])
            if row["router"] == DENSE and not set(ADDED) & set(columns):
                row = {name: value for name, value in row.items() if name not in ADDED}
            if columns != list(row):
                raise UserError(
                    f"{path} holds points of other shards or of an earlier version; name another file"
                )
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf8", newline="") as file:
        writer = csv.DictWriter(file, row)
        if is_new:
            writer.writeheader()
        writer.writerow(row)
