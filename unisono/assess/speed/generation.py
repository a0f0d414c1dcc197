"""Generation beside Hugging Face transformers: the same weights and threads, in turns, on the CPU.

The CPU is where the shipped network lives. transformers computes there in float32, this engine in float32
and in int8.

Shapes: T ids, V vocab_size.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unisono.assess.options import BenchOptions
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
)
from unisono.assess.speed.transformers import load_peer, peer_generate, with_threads
from unisono.core.config import to_json
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
from unisono.model.hf import config_from_hf, read_config
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Message, Part, Text
from unisono.tokens.vocab import Vocabulary


def bench_generate(options: BenchOptions, effort: Effort) -> Measured:
    """Greedy ids/s of one sequence, its prompt included; int8 against float32; the limit that memory sets."""
    folder = options.network
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


def ids_per_s(make: Callable[[], list[int]], count: int) -> float:
    """Speed of one run."""
    return count / seconds(make)


def greedy(engine: Engine, prompt: Sequence[int], count: int) -> list[int]:
    """The `count` likeliest ids after `prompt`, one after the other, whatever they are."""
    handle = engine.open()
    ids: list[int] = []
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
