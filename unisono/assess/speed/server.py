"""`unisono bench serve`: the server as its clients feel it, over loopback, in a process of its own.

Voice turns by a person on the line (caller.py, voice_turns.py) and text streams by HTTP (streams.py).
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from unisono.assess.options import BenchOptions
from unisono.assess.speed.caller import ORDINARY
from unisono.assess.speed.streams import client, complete, http_numbers
from unisono.assess.speed.timing import Effort, Measured, summary
from unisono.assess.speed.voice_turns import crowd, interruptions, questions, steps, talk, turns
from unisono.core.errors import UserError

NUM_TURNS = 50
NUM_PEOPLE = 4
NUM_STARTS = 5  # more, after the first, which reads everything from disk and compiles it
SILENCE_MS = 300  # of server_vad
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
    with (
        log.open("w", encoding="utf8") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
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


def bench_serve(options: BenchOptions, effort: Effort) -> Measured:
    """Start, voice turns, barge-in, streams."""
    folder = options.network.resolve()
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
