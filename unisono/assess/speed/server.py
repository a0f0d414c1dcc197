"""`unisono bench serve`: the server as its clients feel it, over loopback, in a process of its own.

Voice turns by a person on the line (voice.py); text streams by HTTP, one and 32 at once, beside the bare loop
of the
same engine, llama.cpp (as the xllamacpp wheel has it) and transformers.generate on the same weights in the
same run.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import soxr
from numpy.typing import NDArray

from unisono.assess.quality.judge import comparable
from unisono.assess.speed.caller import CALLER_RATE, ORDINARY, STUDIO, Heard, Microphone, line
from unisono.assess.speed.timing import Effort, Measured, best, ratio, summary, take_turns
from unisono.assess.speed.transformers import greedy, load_peer, peer_generate, with_threads
from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.core.record import mean_stderr
from unisono.data.world.conversations import MAKERS
from unisono.engine.load import load_engine
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Message, Text

QUESTION = "Tell me a long story."
NUM_TURNS = 50
NUM_PEOPLE = 4
NUM_STREAMS = 32
NUM_STARTS = 5  # more, after the first, which reads everything from disk and compiles it
SILENCE_MS = 300  # of server_vad
STEPS = (
    "spoken",
    "detected",
    "fed",
    "text",
    "codes",
    "decoded",
    "wire",
)  # of a turn, as the server logs them
FRAME_MS, FLOOR_IDS = (
    32,
    14,
)  # what no server can save: one frame of the detector, ten ids of text and four of sound


@contextmanager
def served(folder: Path, log: Path = Path(os.devnull)) -> Iterator[tuple[int, int, float]]:
    """A server in a process of its own, which writes to `log` -> port, process id, seconds from start to its
    first answer.
    """
    began = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "unisono.cli",
        "serve",
        "--port",
        "0",
        "--verbose",
        "--model",
        str(folder),
    ]
    with log.open("w", encoding="utf8") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        words = (process.stdout or sys.stdin).readline()
        if "http://" not in words:
            raise UserError("the server did not start; run `unisono serve` to see why")
        port = int(words.split("/v1")[0].rpartition(":")[2])
        with client(port) as callers:
            while True:
                try:
                    complete(callers, 1)
                    break
                except httpx.ConnectError:
                    time.sleep(0.01)
        yield port, process.pid, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(30)


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


class Question(NamedTuple):
    """What is asked aloud, (N,) at 24 kHz, and the answer."""

    pcm: NDArray[np.float32]
    answer: str


def questions(count: int) -> list[Question]:
    """Of the test split, none twice, a quarter by the reply voice and the others by voices that asked none in
    training.
    """
    from unisono.data.speech.corpus import MAIN_VOICE, unheard_voices
    from unisono.data.speech.voices import speak
    from unisono.data.splits import split_of

    rng, found = random.Random("bench serve"), dict[str, Question]()
    voices = [MAIN_VOICE, *rng.sample(unheard_voices(), 3)]
    while len(found) < count:
        raw = MAKERS["talk"](rng)
        if split_of(raw.key) == "test" and raw.key not in found:
            pcm = speak(raw.exchanges[0].question.text, rng.choice(voices))
            found[raw.key] = Question(
                soxr.resample(pcm, 16000, CALLER_RATE).astype(np.float32), raw.exchanges[0].answer.text
            )
    return list(found.values())


# ---- voice ----


async def talk(
    port: int,
    asked: list[Question],
    detection: dict[str, Any],
    pause_s: float = 0.4,
    through: Microphone = STUDIO,
) -> list[Heard]:
    """One person asks one question after the other."""
    heard = []
    async with line(port, {"audio": {"input": {"turn_detection": detection}}}, through) as session:
        for question in asked:
            await asyncio.sleep(pause_s)
            heard.append(await session.turn(question.pcm))
            heard[-1].right = comparable(heard[-1].transcript) == comparable(question.answer)
    return heard


async def crowd(port: int, asked: list[Question], people: int) -> list[Heard]:
    """Several people at once."""
    parts = await asyncio.gather(
        *(
            talk(port, asked[number::people], {"type": "semantic_vad"}, 0.4 + 0.3 * number)
            for number in range(people)
        )
    )
    return [heard for part in parts for heard in part]


async def interruptions(port: int, asked: list[Question]) -> list[float]:
    """Seconds until an interrupted answer falls silent; of answers that had ended before they were
    interrupted there are none.
    """
    found = []
    async with line(port, {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}) as session:
        for number, question in enumerate(asked):
            taken = await session.interrupt(asked[(number + 1) % len(asked)].pcm, question.pcm)
            if taken is not None:
                found.append(taken)
            await asyncio.sleep(3)
    return found


def turns(heard: list[Heard]) -> dict[str, Any]:
    """The figures of many turns, in milliseconds."""
    latencies = [1000 * one.latency_s for one in heard if one.latency_s is not None]
    if not latencies:
        raise UserError(f"no turn was answered aloud: {heard[0].error if heard else 'nothing was asked'}")
    stopped = [1000 * one.stopped_s for one in heard if one.stopped_s is not None]
    first = [1000 * one.first_delta_s for one in heard if one.first_delta_s is not None]
    return {
        "p50_ms": float(np.percentile(latencies, 50)),
        "mean_ms": float(np.mean(latencies)),
        "p95_ms": float(np.percentile(latencies, 95)),
        "best_ms": min(latencies),
        "stderr_ms": float(np.std(latencies) / len(latencies) ** 0.5),
        "n": len(heard),
        "answered": len(latencies),
        "cut_in_share": float(np.mean([one.cut_in for one in heard])),
        "detect_ms": summary(stopped) if stopped else None,
        "right": mean_stderr([float(one.right) for one in heard]),
        "first_delta_ms": summary(first),
        "longest_gap_ms": 1000 * max(one.gap_s for one in heard),
    }


def steps(log: Path, num_turns: int) -> dict[str, Any]:
    """Where the milliseconds of the first turns went, as the server noted them: each step from the end of the
    one before.
    """
    lines = [json.loads(text) for text in log.read_text(encoding="utf8").splitlines() if text.startswith("{")]
    noted = [line for line in lines if line["event"] == "turn"][:num_turns]
    taken: dict[str, list[float]] = {}
    for one in noted:
        for before, step in zip(STEPS, STEPS[1:]):
            if f"{before}_ms" in one and f"{step}_ms" in one:
                taken.setdefault(step, []).append(one[f"{step}_ms"] - one[f"{before}_ms"])
    return {step: summary(values) for step, values in taken.items()}


# ---- all of it ----


def bench_serve(arguments: argparse.Namespace, effort: Effort) -> Measured:
    """Start, voice turns, barge-in, streams."""
    folder = Path(arguments.model or default_weights()).resolve()
    asked = questions(NUM_TURNS if effort.num_turns > 2 else 2)
    with (
        tempfile.TemporaryDirectory() as scratch,
        served(folder, log := Path(scratch) / "log") as (port, process, start_s),
    ):
        numbers: dict[str, Any] = {"start_to_first_answer_s": start_s}
        numbers["semantic_vad"] = turns(asyncio.run(talk(port, asked, {"type": "semantic_vad"})))
        numbers["steps_ms"] = steps(log, len(asked))
        server_vad = {"type": "server_vad", "silence_duration_ms": SILENCE_MS}
        numbers["server_vad"] = {
            "silence_duration_ms": SILENCE_MS,
            **turns(asyncio.run(talk(port, asked[:20], server_vad))),
        }
        numbers["ordinary_microphone"] = turns(
            asyncio.run(talk(port, asked, {"type": "semantic_vad"}, through=ORDINARY))
        )
        numbers["four_people"] = turns(asyncio.run(crowd(port, asked[:24], NUM_PEOPLE)))
        interrupted = asyncio.run(interruptions(port, asked[:10]))
        numbers["barge_in_ms"] = summary([1000 * value for value in interrupted]) if interrupted else None
        numbers |= http_numbers(folder, port, effort)
        numbers["resident_mb"] = resident_mb(process)
    numbers["start_again_s"] = summary(starts(folder, min(NUM_STARTS, effort.num_turns)))
    numbers["floor_ms"] = (
        FRAME_MS
        + 1000 * FLOOR_IDS / numbers["ids_per_s"]["bare loop"]["median"]
        + numbers["steps_ms"]["decoded"]["median"]
    )
    return report(numbers, effort)


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
        parameters.model.path, parameters.n_ctx, parameters.n_parallel = (
            str(scratch / f"{kind}.gguf"),
            2048,
            1,
        )
        parameters.cpuparams.n_threads, parameters.warmup, parameters.verbosity = 1, False, -1
        server = xllamacpp.Server(parameters)
        wish = {
            "prompt": prompt,
            "max_tokens": count,
            "temperature": 0,
            "ignore_eos": True,
            "cache_prompt": False,
        }
        made[f"llama.cpp {kind}"] = lambda server=server, wish=wish: (
            count / _timed(lambda: server.handle_completions(wish))
        )
    return made


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def resident_mb(process: int) -> float:
    with open(f"/proc/{process}/status", encoding="ascii") as status:
        return next(int(text.split()[1]) / 1024 for text in status if text.startswith("VmRSS"))


def starts(folder: Path, count: int) -> list[float]:
    """Seconds from start to first answer, of servers started one after the other."""
    found = []
    for _ in range(count):
        with served(folder) as (_, _, start_s):
            found.append(start_s)
    return found


def report(numbers: dict[str, Any], effort: Effort) -> Measured:
    """The rows for people."""
    measured = Measured(
        numbers,
        {
            "turns": NUM_TURNS,
            "people": NUM_PEOPLE,
            "new_ids": effort.new_ids,
            "client": "websockets and httpx over loopback",
        },
    )
    measured.row("start to first answer, the first time", numbers["start_to_first_answer_s"], "s")
    measured.row("start to first answer, after that", numbers["start_again_s"], "s")
    for name in ("semantic_vad", "ordinary_microphone", "server_vad", "four_people"):
        found = numbers[name]
        measured.row(
            f"{name}: speech ends -> sound",
            found["p50_ms"],
            "ms",
            (
                f"mean {found['mean_ms']:.0f}, p95 {found['p95_ms']:.0f}, cut in on "
                f"{found['cut_in_share']:.0%}, {found['answered']} of {found['n']} answered, "
                f"{found['right']['mean']:.0%} right"
            ),
        )
    for step, value in numbers["steps_ms"].items():
        measured.row(f"  of a turn: until {step}", value, "ms")
    measured.row("  floor: a frame, ten ids, four codes, one decoding", numbers["floor_ms"], "ms")
    measured.row("barge-in: speech begins -> last sound", numbers["barge_in_ms"], "ms")
    for name, value in numbers["ids_per_s"].items():
        measured.row(name, value, "ids/s")
    for name, value in numbers["ratios"].items():
        measured.row(name, value, "times")
    measured.row("resident", numbers["resident_mb"], "MB")
    return measured
