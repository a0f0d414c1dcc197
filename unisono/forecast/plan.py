"""What a training of the network takes, before it is begun: memory of each GPU, time, money. Formulas only.

Memory is that of the step as train/loop.py takes it, not compiled: weights, gradients and optimizer state in
float32, activations as model/cost.py counts them, where every id of a batch is learned. Time is a roofline:
the slowest of arithmetic, memory and network, each as if the others cost nothing. What is really reached is a
share of it, the utilization.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any

from unisono.core.errors import UserError
from unisono.forecast.hardware import Hardware
from unisono.model.config import Qwen3Config, weight_shapes
from unisono.model.cost import (
    active_parameters,
    block_activation_bytes_per_id,
    block_parameters,
    blocks_parameters,
    cast_bytes,
    loss_bytes_per_id,
    matmul_parameters,
    outer_activation_bytes_per_id,
    parameters,
    train_flops_per_id,
)
from unisono.train.mup import EDGES

DAY_S, HOUR_S = 86_400, 3_600
BYTES = 4  # of a weight, a gradient, and each of AdamW's two means
# Muon, for all matrices of one shape at once: the update in float32, and what orthogonalizing it takes in
# bfloat16; measured in tests/forecast/test_plan.py
MUON_BYTES = 10


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How it is trained: what of a recipe and of a launch changes memory or time."""

    rows: int  # of a batch, of all GPUs together
    row_length: int  # ids
    gpus: int = 1
    accumulate: int = 1
    shard: bool = False
    recompute: bool = False
    bf16: bool = True
    muon: bool = True
    is_gpu: bool = True

    def __post_init__(self) -> None:
        if self.rows % (self.gpus * self.accumulate):
            raise UserError(
                f"{self.rows} rows of a batch cannot be shared by {self.gpus} GPUs in {self.accumulate} "
                f"parts; set loader.batch_size to a multiple of {self.gpus * self.accumulate}"
            )

    @property
    def ids_at_once(self) -> int:
        """Ids of one GPU that are on the way at once."""
        return self.rows // (self.gpus * self.accumulate) * self.row_length


def _muon_groups(config: Qwen3Config) -> dict[tuple[int, ...], int]:
    """Weights that Muon updates, by shape, as train/optim.py and muon.py choose them."""
    groups: dict[tuple[int, ...], int] = defaultdict(int)
    for name, shape in weight_shapes(config).items():
        if len(shape) == 2 and not any(edge in name for edge in EDGES):
            groups[tuple(sorted(shape))] += prod(shape)
    return groups


def memory(config: Qwen3Config, setting: Setting) -> dict[str, float]:
    """Bytes of one GPU by what they are for; `peak` is the most at one moment: either at the end of the
    forward pass, or in the optimizer's step.
    """
    count, ways = parameters(config), setting.gpus if setting.shard else 1
    groups = _muon_groups(config) if setting.muon else {}
    state = 2 * count - sum(groups.values())
    layers, loss = config.num_hidden_layers, setting.ids_at_once * loss_bytes_per_id(config)
    blocks = [
        setting.ids_at_once
        * block_activation_bytes_per_id(
            config, setting.row_length, layer=layer, bf16=setting.bf16, repeats_heads=setting.is_gpu
        )
        for layer in range(layers)
    ]
    outer_bytes = (
        outer_activation_bytes_per_id(config, bf16=setting.bf16) + setting.row_length
    )  # and the mask
    if setting.recompute:  # a block comes anew when the loss is gone
        activations = setting.ids_at_once * 4 * config.hidden_size * layers + max(*blocks, loss)
    else:
        activations = sum(blocks) + loss
    activations += setting.ids_at_once * outer_bytes + cast_bytes(config) * setting.bf16
    # Of a sharded network the embedding and two layers are whole at a time, with their gradients.
    outer = count - blocks_parameters(config)
    two = sum(sorted(block_parameters(config, layer) for layer in range(layers))[-2:])
    gathered = 2 * BYTES * (outer + two) if ways > 1 else 0
    step = MUON_BYTES * max(groups.values(), default=0)
    exchanged = BYTES * count if setting.gpus > 1 and not setting.shard else 0  # gradients in one piece
    found = {
        "weights": BYTES * count / ways,
        "gradients": BYTES * count / ways,
        "optimizer": BYTES * state / ways,
        "activations": float(activations),
        "gathered": float(gathered),
        "optimizer_step": float(max(step, exchanged)),
    }
    states = found["weights"] + found["optimizer"]
    begun = found["gradients"] if setting.accumulate > 1 else 0
    forward = begun + found["activations"] + found["gathered"]
    return {**found, "peak": states + max(forward, found["gradients"] + found["optimizer_step"])}


def seconds(config: Qwen3Config, setting: Setting, hardware: Hardware) -> dict[str, float]:
    """The least that one step takes by each limit of the hardware."""
    count, ids = parameters(config), setting.ids_at_once * setting.accumulate
    flops = float(train_flops_per_id(config, setting.row_length))
    if setting.recompute:  # the blocks once more forward
        flops = flops * 4 / 3 - 2 * config.vocab_size * config.hidden_size
    found = memory(config, setting)
    state = found["weights"] + found["optimizer"] + found["gradients"]
    passes = setting.accumulate * (
        2 * BYTES * matmul_parameters(config, config.num_experts) + 2 * found["activations"]
    )
    moved = 2 * state + passes  # written and read once each
    shared = (setting.gpus - 1) / setting.gpus * BYTES * count
    exchanged = shared * (3 * setting.accumulate if setting.shard else 2)
    return {
        "arithmetic": ids * flops / hardware.flops_per_s,
        "memory": moved / hardware.bandwidth,
        "network": exchanged / hardware.reach(setting.gpus),
    }


def fitting(config: Qwen3Config, setting: Setting, hardware: Hardware) -> Setting | None:
    """The first change that makes it fit: shards, then recomputing, then smaller parts of a batch; None
    where nothing does.
    """
    sharded = replace(setting, shard=setting.gpus > 1)
    less = replace(sharded, recompute=True)
    rows = setting.rows // setting.gpus
    parts = [n for n in range(setting.accumulate, rows + 1) if rows % n == 0]
    choices = [setting, sharded, less, *(replace(less, accumulate=n) for n in parts)]
    return next((one for one in choices if memory(config, one)["peak"] <= hardware.memory), None)


def plan(
    config: Qwen3Config, setting: Setting, hardware: Hardware, *, ids: float, utilization: float, price: float
) -> dict[str, Any]:
    """Everything about a training on `ids` ids. price: of one GPU for an hour, 0 = unknown. UserError for a
    budget of nothing.
    """
    for name, value in (("ids", ids), ("utilization", utilization)):
        if not 0 < value < float("inf"):
            raise UserError(f"expected {name} above 0, got {value:g}")
    if utilization > 1:
        raise UserError(f"expected a utilization of at most 1, the roofline, got {utilization:g}")
    step_ids, limits, found = (
        setting.rows * setting.row_length,
        seconds(config, setting, hardware),
        memory(config, setting),
    )
    slowest = max(limits, key=lambda name: limits[name])
    steps = ceil(ids / step_ids)
    hours = steps * limits[slowest] / utilization / HOUR_S
    model_flops = train_flops_per_id(config, setting.row_length)
    told: dict[str, Any] = {
        "parameters": parameters(config),
        **({"active_parameters": active_parameters(config)} if config.num_experts else {}),
        "flops_per_id": model_flops,
        "ids": ids,
        "ids_per_step": step_ids,
        "steps": steps,
        "flops": model_flops * ids,
        "hardware": hardware.name,
        "gpus": setting.gpus,
        "gb_per_gpu": {name: value / 1e9 for name, value in found.items()},
        "fits": found["peak"] <= hardware.memory,
        "roofline_ids_per_s": step_ids / limits[slowest],
        "limited_by": slowest,
        "mfu_at_most": limits["arithmetic"] / limits[slowest] / (4 / 3 if setting.recompute else 1),
        "utilization": utilization,
        "ids_per_s": step_ids / limits[slowest] * utilization,
        "days": hours * HOUR_S / DAY_S,
        "gpu_hours": hours * setting.gpus,
    }
    if price:
        told["money"] = hours * setting.gpus * price
    if not told["fits"]:
        better = fitting(config, setting, hardware)
        names = ("shard", "recompute", "accumulate")
        told["fits_with"] = {name: getattr(better, name) for name in names} if better else None
    return told
