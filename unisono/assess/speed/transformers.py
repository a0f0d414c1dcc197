"""Training and generation beside Hugging Face transformers: the same weights, batch and threads, in turns.

Training is in the same precision. Generation is measured on the CPU, where the shipped network lives:
transformers in float32,
the only one that it has there, our engine in float32 and in int8.

Shapes: B rows, T ids per row, V vocab_size.
"""

import argparse
import random
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unisono.assess.speed.timing import (
    Effort,
    Measured,
    best,
    measure_bandwidth,
    measure_peak_flops,
    ratio,
    seconds,
    summary,
    take_turns,
    thread_settings,
    threads,
)
from unisono.core.config import to_json
from unisono.core.device import autocast, pick_device, seed_all
from unisono.core.errors import UserError
from unisono.core.home import default_weights, shipped
from unisono.data.shards.loader import PAD, LoaderConfig
from unisono.data.shards.shard import Shard, ShardWriter
from unisono.data.world.conversations import MAKERS
from unisono.data.world.raw import Clip
from unisono.engine.engine import Engine
from unisono.engine.grammar import Grammar, Rules
from unisono.engine.load import load_engine
from unisono.engine.onnx_graph import QUANT_BLOCK
from unisono.engine.sample import GREEDY, Sampler
from unisono.engine.session import Session
from unisono.model import cost
from unisono.model.config import Qwen3Config
from unisono.model.hf import config_from_hf, read_config, save_pretrained
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Message, Part, Text
from unisono.tokens.vocab import Vocabulary
from unisono.train.network import NetworkProgram, NetworkRecipe
from unisono.train.optim import Optimizers

NANO_IDS = Vocabulary(4096, 4375, 4375).size  # shape of the network that is trained where no folder is named
NUM_BATCHES = 4
LEARNED_SHARE = 0.5  # of random documents: their second half, as a reply follows what was said
LEARNING_RATE = 1e-4  # small: the loss is of no interest, only that it stays finite


def load_peer(folder: str | Path) -> nn.Module:
    """The network of `folder` as transformers builds it, float32, in evaluation mode."""
    try:
        import transformers
    except ImportError:
        raise UserError("the comparison needs transformers; pip install 'unisono[hf]'") from None
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None  # never stops early: every run makes equally many ids
    model.generation_config.pad_token_id = 0
    return model


# ---- training ----


def bench_train(arguments: argparse.Namespace, effort: Effort) -> Measured:
    """Ids/s of whole training steps: forward, backward, clipping, optimizer."""
    device = pick_device()
    seed_all(1)
    with tempfile.TemporaryDirectory() as folder:
        program = training_program(arguments, effort, Path(folder))
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
    first_step_s = {name: seconds(lambda step=step: step(batches[0])) for name, step in steppers.items()}
    ids = effort.num_steps * batches[0]["ids"].numel()

    def timed(step: Callable[[dict[str, Tensor]], None]) -> float:
        return ids / seconds(
            lambda: [step(batches[number % NUM_BATCHES]) for number in range(effort.num_steps)]
        )

    found = take_turns({name: partial(timed, step) for name, step in steppers.items()}, effort.num_turns)
    learned = float(torch.cat([batch["labels"] for batch in batches]).ne(PAD).float().mean())
    numbers = {"learned_share": learned, "loss_difference": difference, "first_step_s": first_step_s}
    return training_report(program.model.config, found, numbers, effort, device)


def training_program(arguments: argparse.Namespace, effort: Effort, folder: Path) -> NetworkProgram:
    """Our training program on a random shard: the shape of --model or the shipped network, else nano."""
    named = arguments.model or (default_weights() if any(shipped().glob("*/config.json")) else "")
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


# ---- generation ----


def bench_generate(arguments: argparse.Namespace, effort: Effort) -> Measured:
    """Greedy ids/s of one sequence, its prompt included; int8 against float32; the limit that memory sets."""
    folder = Path(arguments.model or default_weights())
    tokenizer, config = OmniTokenizer.load(folder), config_from_hf(read_config(folder))
    prompts = real_prompts(tokenizer, effort.num_prompts)
    engines = {
        precision: load_engine(folder, kind="onnx", precision=precision) for precision in ("int8", "float32")
    }
    makers = makers_of_ids(folder, tokenizer, engines, prompts[0], effort)
    made = {name: make() for name, make in makers.items()}  # also warms up
    found = take_turns(
        {name: partial(ids_per_s, make, effort.new_ids) for name, make in makers.items()}, effort.num_turns
    )
    peer = best(found, "transformers")
    speeds = {name: summary(values) for name, values in found.items()}
    ratios = {name: ratio(values, found[peer]) for name, values in found.items()}
    equal = {name: num_equal(ids, made[peer]) for name, ids in made.items() if "grammar" not in name}
    agreement = compare(engines["int8"], engines["float32"], prompts, effort.new_ids // 4)
    limits = memory_limits(config, len(prompts[0]) + effort.new_ids // 2)
    measured = Measured(
        {
            "ids_per_s": speeds,
            "ratio_to_peer": ratios,
            "peer": peer,
            "leading_ids_equal_to_peer": equal,
            "int8_against_float32": agreement,
            **limits,
        },
        {"network": to_json(config), "new_ids": effort.new_ids, "prompt_ids": len(prompts[0])},
    )
    for name, speed in speeds.items():
        measured.row(name, speed, "ids/s", f"{ratios[name]['median']:.2f} x {peer}")
    for precision, limit in limits["memory_limit_ids_per_s"].items():
        measured.row(
            f"memory limit, {precision}", limit, "ids/s", f"{limits['bandwidth'] / 1e9:.1f} GB/s copied here"
        )
    measured.row(
        "int8: largest logit error",
        agreement["max_logit_error"],
        "",
        f"logits spread by {agreement['logit_spread']:.2f}; same choice {agreement['same_choice']:.1%}",
    )
    return measured


def makers_of_ids(
    folder: Path, tokenizer: OmniTokenizer, engines: dict[str, Engine], prompt: list[int], effort: Effort
) -> dict[str, Callable[[], list[int]]]:
    """Contender -> what makes its `new_ids` ids. PyTorch is tried with one thread and with all."""
    count = effort.new_ids
    makers: dict[str, Callable[[], list[int]]] = {
        "onnx int8": partial(greedy, engines["int8"], prompt, count),
        "onnx int8, grammar and sampler": partial(drawn, engines["int8"], tokenizer.vocab, prompt, count),
        "onnx float32": partial(greedy, engines["float32"], prompt, count),
    }
    torch_engine, peer = load_engine(folder, kind="torch", device="cpu"), load_peer(folder)
    for number in thread_settings():
        makers[f"torch, threads {number}"] = partial(
            with_threads, number, partial(greedy, torch_engine, prompt, count)
        )
        makers[f"transformers, threads {number}"] = partial(
            with_threads, number, partial(peer_generate, peer, prompt, count)
        )
    return makers


def with_threads(number: int, make: Callable[[], list[int]]) -> list[int]:
    """`make()` while PyTorch has `number` threads."""
    with threads(number):
        return make()


def ids_per_s(make: Callable[[], list[int]], count: int) -> float:
    """Speed of one run."""
    return count / seconds(make)


def greedy(engine: Engine, prompt: Sequence[int], count: int) -> list[int]:
    """The `count` likeliest ids after `prompt`, one after the other, whatever they are."""
    handle, ids = engine.open(), []
    logits = engine.feed([(handle, prompt)])[0]
    for _ in range(count):
        if ids:
            logits = engine.feed([(handle, ids[-1:])])[0]
        ids.append(int(logits.argmax()))
    engine.drop(handle)
    return ids


def drawn(engine: Engine, vocab: Vocabulary, prompt: Sequence[int], count: int) -> list[int]:
    """The same through session, grammar and sampler, as in a conversation: a picture, because its length is
    known.
    """
    rules = Rules(outputs=frozenset({"image"}), force_image=True, ids_per_image=count - 1)
    with Session(engine) as session:
        session.append(prompt)
        return list(
            session.generate(Grammar(vocab, rules), Sampler({"text": GREEDY, "image": GREEDY}), max_ids=count)
        )


@torch.inference_mode()
def peer_generate(model: nn.Module, prompt: Sequence[int], count: int) -> list[int]:
    """Exactly `count` greedy ids of transformers."""
    ids = torch.tensor([list(prompt)])
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False, use_cache=True
    )
    return out[0, len(prompt) :].tolist()


def real_prompts(tokenizer: OmniTokenizer, count: int) -> list[list[int]]:
    """Questions of the small world with their pictures and clips, up to <|assistant|>; the first is only
    written.
    """
    rng, tasks, prompts = random.Random("bench"), ["talk", *(task for task in MAKERS if task != "talk")], []
    for number in range(count):
        exchange = MAKERS[tasks[number % len(tasks)]](rng).exchanges[0]
        parts: list[Part] = [
            tokenizer.video_part(shown.frames)
            if isinstance(shown, Clip)
            else tokenizer.image_part(shown.image)
            for shown in exchange.shown
        ]
        ids, _ = tokenizer.encode([Message("user", [*parts, Text(exchange.question.text)])], begin_reply=True)
        prompts.append(ids.tolist())
    return prompts


def num_equal(ids: Sequence[int], wanted: Sequence[int]) -> int:
    """How many leading ids agree."""
    return next((n for n, (a, b) in enumerate(zip(ids, wanted)) if a != b), len(ids))


def compare(
    engine: Engine, reference: Engine, prompts: Sequence[Sequence[int]], count: int
) -> dict[str, float | int]:
    """Logits of two engines along the greedy replies of `reference`, `count` ids for each prompt."""
    errors, spreads, same, divergences = [], [], [], []
    for prompt in prompts:
        ids = list(prompt) + greedy(reference, prompt, count)
        wanted, found = (stepwise(each, ids, len(prompt)) for each in (reference, engine))
        errors.append(float(np.abs(found - wanted).max()))
        spreads.append(float(wanted.std()))
        same += (found.argmax(axis=1) == wanted.argmax(axis=1)).tolist()
        log_p, log_q = (torch.from_numpy(logits).log_softmax(-1) for logits in (wanted, found))
        divergences += (log_p.exp() * (log_p - log_q)).sum(-1).tolist()
    return {
        "max_logit_error": max(errors),
        "logit_spread": float(np.mean(spreads)),
        "same_choice": float(np.mean(same)),
        "kl_nats": float(np.mean(divergences)),
        "num_positions": len(same),
    }


def stepwise(engine: Engine, ids: Sequence[int], start: int) -> NDArray[np.float32]:
    """(positions, V) logits after ids[:start], ids[:start + 1], ... all of `ids`."""
    handle = engine.open()
    logits = [engine.feed([(handle, ids[:start])])[0]]
    logits += [engine.feed([(handle, [id])])[0] for id in ids[start:]]
    engine.drop(handle)
    return np.stack(logits)


def memory_limits(config: Qwen3Config, context: int) -> dict[str, Any]:
    """Ids/s if every weight and the cache of `context` ids were read from memory once per id, at the speed of
    a copy.

    A network that fits the processor's caches can go beyond it.
    """
    bandwidth, peak = measure_bandwidth(), measure_peak_flops(torch.float32, torch.device("cpu"))
    bytes_per_weight = {"int8": 1 + 4 / QUANT_BLOCK, "float32": 4.0}  # int8: and a scale for each block
    limits = {
        precision: cost.decode_roofline(
            config, context=context, batch=1, bytes_per_weight=size, bandwidth=bandwidth, peak_flops=peak
        ).memory_ids_per_s
        for precision, size in bytes_per_weight.items()
    }
    return {"bandwidth": bandwidth, "peak_float32_flops": peak, "memory_limit_ids_per_s": limits}
