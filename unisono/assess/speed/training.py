"""Training beside Hugging Face transformers: the same weights, batch, precision and threads, in turns.

Shapes: B rows, T ids per row, V vocab_size.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unisono.assess.options import BenchOptions
from unisono.assess.speed.timing import (
    Effort,
    Measured,
    best,
    measure_peak_flops,
    ratio,
    seconds,
    summary,
    take_turns,
)
from unisono.assess.speed.transformers import load_peer
from unisono.core.config import to_json
from unisono.core.device import autocast, pick_device, seed_all
from unisono.core.home import default_weights, shipped
from unisono.data.shards.loader import PAD, LoaderConfig
from unisono.data.shards.shard import Shard, ShardWriter
from unisono.model import cost
from unisono.model.config import Qwen3Config
from unisono.model.hf import config_from_hf, read_config, save_pretrained
from unisono.tokens.vocab import Vocabulary
from unisono.train.network import NetworkProgram, NetworkRecipe
from unisono.train.optim import Optimizers

NANO_IDS = Vocabulary(4096, 4375, 4375).size  # shape of the network that is trained where no folder is named
NUM_BATCHES = 4
LEARNED_SHARE = 0.5  # of random documents: their second half, as a reply follows what was said
LEARNING_RATE = 1e-4  # small: the loss is of no interest, only that it stays finite


def bench_train(options: BenchOptions, effort: Effort) -> Measured:
    """Ids/s of whole training steps: forward, backward, clipping, optimizer."""
    device = pick_device()
    seed_all(1)
    with tempfile.TemporaryDirectory() as folder:
        program = training_program(options, effort, Path(folder))
        save_pretrained(program.model, Path(folder) / "network")
        peer = load_peer(Path(folder) / "network").to(device).train()
    model = program.model.to(device).train()
    batches = [
        {key: value.to(device) for key, value in program.batch(step).items()} for step in range(NUM_BATCHES)
    ]
    difference = loss_difference(program, peer, batches[0])
    compiled = torch.compile(peer, dynamic=False) if effort.compile else peer
    steppers = {
        "unisono": stepper(model, lambda batch: program.loss(batch, 0)[0], muon=False),
        "unisono muon": stepper(model, lambda batch: program.loss(batch, 0)[0], muon=True),
        "transformers": stepper(peer, partial(peer_loss, peer), muon=False),
        "transformers compiled": stepper(peer, partial(peer_loss, compiled), muon=False),
    }
    first_step_s = {name: seconds(partial(step, batches[0])) for name, step in steppers.items()}
    ids = effort.num_steps * batches[0]["ids"].numel()

    def timed(step: Callable[[dict[str, Tensor]], None]) -> float:
        def steps() -> None:
            for number in range(effort.num_steps):
                step(batches[number % NUM_BATCHES])

        return ids / seconds(steps)

    found = take_turns({name: partial(timed, step) for name, step in steppers.items()}, effort.num_turns)
    learned = float(torch.cat([batch["labels"] for batch in batches]).ne(PAD).float().mean())
    numbers = {"learned_share": learned, "loss_difference": difference, "first_step_s": first_step_s}
    return training_report(program.model.config, found, numbers, effort, device)


def training_program(options: BenchOptions, effort: Effort, folder: Path) -> NetworkProgram:
    """Our training program on a random shard: the shape of --model or the shipped network, else nano."""
    named = options.model or (default_weights() if any(shipped().glob("*/config.json")) else "")
    vocab_size = config_from_hf(read_config(named)).vocab_size if named else NANO_IDS
    writer, rng = ShardWriter(folder / "shard", vocab_size), np.random.default_rng(1)
    for _ in range(200):
        length = int(rng.integers(effort.row_length // 16, effort.row_length // 2))
        learn = np.arange(length) >= length * (1 - LEARNED_SHARE)
        writer.add(rng.integers(0, vocab_size, length), learn.astype(np.uint8), "random")
    writer.close(text_end=vocab_size)
    shard = Shard(folder / "shard")
    # transformers tells documents apart by their positions, so none may be chained.
    loader = LoaderConfig(
        batch_size=effort.batch_size,
        row_length=effort.row_length,
        block_ids=50 * effort.row_length,
        chained_share=0.0,
    )
    return NetworkProgram(
        NetworkRecipe(start_from=str(named), loader=loader, compile=effort.compile), shard, shard
    )


def stepper(
    module: nn.Module, loss_of: Callable[[dict[str, Tensor]], Tensor], *, muon: bool
) -> Callable[[dict[str, Tensor]], None]:
    """One training step as train/loop.py does it, for any module."""
    optimizer = Optimizers(module, LEARNING_RATE, weight_decay=0.1, betas=(0.9, 0.95), muon=muon)
    device = next(module.parameters()).device

    def step(batch: dict[str, Tensor]) -> None:
        with autocast(device):
            loss = loss_of(batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()

    return step


def peer_loss(forward: Callable[..., Any], batch: dict[str, Tensor]) -> Tensor:
    """The loss of a packed batch: transformers finds the documents where positions restart, and masks them
    apart.
    """
    return forward(
        input_ids=batch["ids"],
        position_ids=batch["positions"],
        labels=batch["labels"],
        shift_labels=batch["labels"],
        use_cache=False,
    ).loss


@torch.no_grad()
def loss_difference(program: NetworkProgram, peer: nn.Module, batch: dict[str, Tensor]) -> float:
    """How far apart the two losses of a batch are in float32, in nats: rounding, if both do the same job."""
    compiled, program.forward = program.forward, program.model
    ours = program.loss(batch, 0)[0]
    program.forward = compiled
    return abs(float(ours - peer_loss(peer, batch)))


def training_report(
    config: Qwen3Config,
    found: dict[str, list[float]],
    numbers: dict[str, Any],
    effort: Effort,
    device: torch.device,
) -> Measured:
    """Speeds, their ratio to the better peer, and their share of what the processor could do."""
    peak = measure_peak_flops(torch.bfloat16, device)
    # Operations of a step that computes every position's softmax; ours leaves out those that are not learned.
    ceiling = peak / cost.train_flops_per_id(config, effort.row_length)
    peer = best(found, "transformers")
    speeds = {name: summary(values) for name, values in found.items()}
    ratios = {name: ratio(values, found[peer]) for name, values in found.items()}
    measured = Measured(
        {
            "tokens_per_s": speeds,
            "ratio_to_peer": ratios,
            "peer": peer,
            "peak_bf16_flops": peak,
            "ceiling_tokens_per_s": ceiling,
            **numbers,
        },
        {
            "network": to_json(config),
            "precision": "bf16 autocast",
            "optimizer": "AdamW, except where muon is named",
            "device": str(device),
            "threads": torch.get_num_threads(),
        },
    )
    for name, speed in speeds.items():
        measured.row(name, speed, "tokens/s", f"{ratios[name]['median']:.2f} x {peer}")
    measured.row("bf16 matrix product / operations of a step", ceiling, "tokens/s", "the processor's limit")
    return measured
