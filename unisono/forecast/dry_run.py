"""`unisono train network --dry-run`: what the training would take and what it would give, before anything is
made or bought.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unisono.base.source import base_folder
from unisono.core.config import override
from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.core.record import can_keep, write_record
from unisono.data.shards.shard import Shard
from unisono.forecast.budget import best_use, expected
from unisono.forecast.fit import fit
from unisono.forecast.hardware import hardware_of
from unisono.forecast.laws import LAWS
from unisono.forecast.plan import Setting, plan
from unisono.forecast.points import read_points
from unisono.forecast.program import tell
from unisono.model.config import Qwen3Config, preset
from unisono.model.hf import config_from_hf, read_config
from unisono.tokens.vocab import Vocabulary
from unisono.train.network import FROM_BASE, RECIPES, NetworkRecipe
from unisono.train.options import TrainOptions
from unisono.train.routing import routed_shape


@dataclass(frozen=True, kw_only=True)
class DryRunOptions(TrainOptions):
    """cli/train.py says what they mean to a user."""

    hardware: str = "h100"
    gpus: int = 1
    ids: float | None = None
    utilization: float = 0.4
    price: float = 0.0
    points: Path | None = None
    vocab_size: int | None = None
    records: Path | None = None
    json: bool = False


def run(options: DryRunOptions) -> int:
    """Entry: tells the plan, and keeps it in a record with --records."""
    if options.records:
        can_keep(options.records)
    numbers = planned(options)
    if options.records:
        config = {"size": options.network_size, "set": list(options.set)}
        write_record("dry-run", numbers, config=config, folder=options.records)
    tell(numbers, options.json)
    return 0


def planned(options: DryRunOptions) -> dict[str, Any]:
    """The recipe as `train network` would take it -> every number of the plan. UserError as `plan`."""
    size = options.network_size
    usual = FROM_BASE if options.init else RECIPES.get(size, NetworkRecipe(size=size))
    recipe = override(usual, options.set)
    if recipe.trainable != "all":
        raise UserError("a dry run counts trainings that move all weights; leave out trainable")
    config, loop = shape_of(options, recipe), recipe.loop
    setting = Setting(
        rows=recipe.loader.batch_size,
        row_length=recipe.loader.row_length,
        gpus=options.gpus,
        accumulate=loop.accumulate,
        shard=loop.shard,
        recompute=recipe.recompute,
        bf16=loop.bf16,
        muon=loop.muon,
    )
    ids = (
        options.ids if options.ids is not None else float(loop.num_steps * setting.rows * setting.row_length)
    )
    numbers = plan(
        config,
        setting,
        hardware_of(options.hardware),
        ids=ids,
        utilization=options.utilization,
        price=options.price,
    )
    if options.points:
        if config.num_experts:
            raise UserError(
                "points of networks without experts foretell none with experts; leave out --points"
            )
        numbers |= _forecast(options.points, numbers["parameters"], ids)
    return numbers


def shape_of(options: DryRunOptions, recipe: NetworkRecipe) -> Qwen3Config:
    """The network's shape: that of the size, of the base or of the start."""
    own = Vocabulary.load(default_weights() / "vocabulary.json")
    if options.init:
        base = config_from_hf(read_config(base_folder(options.init, options.home)))
        config = replace(base, vocab_size=base.vocab_size + own.size - own.text_size)
    elif recipe.start_from:
        config = config_from_hf(read_config(Path(recipe.start_from)))
    else:
        shards = sorted((options.home / "shards" / options.network_size).glob("train*/manifest.json"))
        size = Shard(shards[0].parent).manifest["vocab_size"] if shards else own.size
        shape = routed_shape(recipe.router, recipe.shape)
        config = preset(recipe.size, options.vocab_size or size, **shape)
    if recipe.num_hidden_layers:
        config = replace(config, num_hidden_layers=recipe.num_hidden_layers)
    return config


def _forecast(points: Path, parameters: int, ids: float) -> dict[str, Any]:
    """What the measured runs foretell: the loss of this training, and the best use of its compute."""
    law = fit(LAWS["chinchilla"], read_points(points))
    best = best_use(law.free, 6 * parameters * ids)
    return {
        "forecast": expected(law, parameters, ids),
        "best_use": dict(zip(("parameters", "ids", "loss"), best)),
    }
