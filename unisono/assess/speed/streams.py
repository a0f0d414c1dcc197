"""Text streams by HTTP, one and 32 at once, beside engines without a server: same weights, same run."""

import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from unisono.assess.speed.generation import greedy
from unisono.assess.speed.timing import Effort, best, ratio, summary, take_turns
from unisono.assess.speed.transformers import load_peer, peer_generate, with_threads
from unisono.engine.load import load_engine
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Message, Text

QUESTION = "Tell me a long story."
NUM_STREAMS = 32


def client(port: int) -> httpx.Client:
    """Made once, as programs do: making one takes 20 ms, a connection is kept."""
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}/v1", timeout=120, limits=httpx.Limits(max_connections=None)
    )


def complete(callers: httpx.Client, count: int, end: int | None = None) -> tuple[int, float]:
    """One streamed reply of at most `count` ids -> ids, seconds. Where the id of its end is given it is
    forbidden, so that all are made.
    """
    body = {
        "model": "unisono",
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": count,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
        "logit_bias": {} if end is None else {str(end): -100},
    }
    began, made = time.perf_counter(), 0
    with callers.stream("POST", "/chat/completions", json=body) as answer:
        answer.raise_for_status()
        for text in answer.iter_lines():
            if text.startswith("data: {") and (usage := json.loads(text[6:]).get("usage")):
                made = usage["completion_tokens"]
    return made, time.perf_counter() - began


def streams(callers: httpx.Client, number: int, count: int, end: int) -> float:
    """Ids/s of `number` streams at once."""
    from concurrent.futures import ThreadPoolExecutor

    began = time.perf_counter()
    with ThreadPoolExecutor(number) as pool:
        made = sum(ids for ids, _ in pool.map(lambda _: complete(callers, count, end), range(number)))
    return made / (time.perf_counter() - began)


def http_numbers(folder: Path, port: int, effort: Effort) -> dict[str, Any]:
    """Ids/s of streams beside engines without a server."""
    tokenizer = OmniTokenizer.load(folder)
    prompt = tokenizer.encode([Message("user", [Text(QUESTION)])], begin_reply=True)[0].tolist()
    engine, peer, count, end = (
        load_engine(folder),
        load_peer(folder),
        effort.new_ids,
        tokenizer.vocab.id("<|end|>"),
    )
    callers = client(port)
    contenders: dict[str, Callable[[], float]] = {
        "server, 1 stream": lambda: streams(callers, 1, count, end),
        f"server, {NUM_STREAMS} streams": lambda: streams(callers, NUM_STREAMS, count, end),
        "bare loop": lambda: count / _timed(partial(greedy, engine, prompt, count)),
        "transformers": lambda: (
            count / _timed(partial(with_threads, 1, partial(peer_generate, peer, prompt, count)))
        ),
    }
    with tempfile.TemporaryDirectory() as scratch:
        contenders |= llama_cpp(folder, prompt, count, Path(scratch))
        for contender in contenders.values():
            contender()  # warms up
        found = take_turns(contenders, effort.num_turns)
    callers.close()
    one = found["server, 1 stream"]
    ratios = {f"1 stream / {name}": ratio(one, found[name]) for name in ("bare loop", "transformers")}
    ratios[f"{NUM_STREAMS} streams / 1 stream"] = ratio(found[f"server, {NUM_STREAMS} streams"], one)
    if any(name.startswith("llama.cpp") for name in found):
        ratios["1 stream / llama.cpp"] = ratio(one, found[best(found, "llama.cpp")])
    return {"ids_per_s": {name: summary(values) for name, values in found.items()}, "ratios": ratios}


def llama_cpp(folder: Path, prompt: list[int], count: int, scratch: Path) -> dict[str, Callable[[], float]]:
    """llama.cpp on the same weights in two types, if its wheel is installed."""
    try:
        import xllamacpp
    except ImportError:
        return {}
    from unisono.export import export_gguf

    made: dict[str, Callable[[], float]] = {}
    for kind in ("f16", "q8_0"):
        export_gguf(folder, scratch / f"{kind}.gguf", kind)
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(scratch / f"{kind}.gguf")
        parameters.n_ctx, parameters.n_parallel = 2048, 1
        parameters.cpuparams.n_threads, parameters.warmup, parameters.verbosity = 1, False, -1
        server = xllamacpp.Server(parameters)
        request = {
            "prompt": prompt,
            "max_tokens": count,
            "temperature": 0,
            "ignore_eos": True,
            "cache_prompt": False,
        }
        made[f"llama.cpp {kind}"] = partial(_speed, partial(server.handle_completions, request), count)
    return made


def _speed(work: Callable[[], object], count: int) -> float:
    """Ids/s of work that makes `count` of them."""
    return count / _timed(work)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
