"""`unisono bench soak`: a server under mixed load for a long time: do memory, file handles and waiting stay
flat?

People who write, talk, ask for pictures, speech, states and judgements, and people who leave in mid-sentence,
each over and over. One person talks all the while in a single session, as long conversations go.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import numpy as np

from unisono.assess.options import BenchOptions
from unisono.assess.speed.caller import line
from unisono.assess.speed.server import resident_mb, served
from unisono.assess.speed.timing import Effort, Measured, summary
from unisono.assess.speed.voice_turns import Question, questions
from unisono.core.progress import progress

PAUSE_S = 1.0  # of each person between two requests
LOOK_S = 5.0  # between two looks at the process
WORDS = (
    "What colour is the sky?",
    "What is two plus two?",
    "Draw a red circle.",
    "What is the opposite of big?",
    "Who are you?",
)
Post = Callable[..., Awaitable[Any]]


class Crowd:
    """Everybody who calls; `failures` counts what went wrong, by kind."""

    def __init__(self, port: int, asked: list[Question], end: float) -> None:
        self.port, self.asked, self.end, self.began = port, asked, end, time.monotonic()
        self.done, self.failures = Counter[str](), Counter[str]()
        self.latencies: list[tuple[float, float]] = []  # of the long conversation: minute, seconds

    async def run(self) -> None:
        """All of them until the end."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}/v1", timeout=60) as client:
            kinds: dict[str, Callable[[], Awaitable[None]]] = {
                "chat": lambda: self.chat(client),
                "leaving": lambda: self.chat(client, leaves=True),
                "spoken chat": lambda: self.post(
                    client,
                    "chat/completions",
                    {
                        **self.request(),
                        "modalities": ["text", "audio"],
                        "audio": {"voice": "alloy", "format": "wav"},
                    },
                ),
                "image": lambda: self.post(
                    client, "images/generations", {"model": "unisono", "prompt": "a red circle"}
                ),
                "speech": lambda: self.post(
                    client, "audio/speech", {"model": "unisono", "voice": "alloy", "input": "Good morning."}
                ),
                "embedding": lambda: self.post(
                    client, "embeddings", {"model": "unisono", "input": random.choice(WORDS)}
                ),
                "moderation": lambda: self.post(client, "moderations", {"input": random.choice(WORDS)}),
                "bad request": lambda: self.refused(client),
                "short call": self.short_call,
            }
            await asyncio.gather(
                self.long_conversation(), *(self.again(name, act) for name, act in kinds.items())
            )

    async def again(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        """The same request over and over."""
        while time.monotonic() < self.end:
            try:
                await act()
                self.done[name] += 1
            except Exception as error:  # counted, and told in the record: the load goes on
                self.failures[f"{name}: {type(error).__name__}"] += 1
            await asyncio.sleep(PAUSE_S)

    def request(self) -> dict[str, Any]:
        """A question that is not always the same."""
        return {
            "model": "unisono",
            "messages": [{"role": "user", "content": random.choice(WORDS)}],
            "max_tokens": 300,
        }

    async def post(self, client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
        (await client.post(path, json=body)).raise_for_status()

    async def refused(self, client: httpx.AsyncClient) -> None:
        """A request that is wrong is answered as such."""
        answer = await client.post("chat/completions", json={"model": "unisono", "messages": "hello"})
        if answer.status_code != 400:
            raise ValueError(f"status {answer.status_code}")

    async def chat(self, client: httpx.AsyncClient, leaves: bool = False) -> None:
        """A streamed reply; who leaves does so at its third line."""
        async with client.stream(
            "POST", "chat/completions", json={**self.request(), "stream": True}
        ) as answer:
            answer.raise_for_status()
            count = 0
            async for _ in answer.aiter_lines():
                count += 1
                if leaves and count > 2:
                    return

    async def short_call(self) -> None:
        """A call with one question, hung up while it is answered."""
        async with line(
            self.port, {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}
        ) as session:
            session.say(random.choice(self.asked).pcm)
            await asyncio.sleep(2.5)

    async def long_conversation(self) -> None:
        """One session from the beginning to the end."""
        async with line(
            self.port, {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}
        ) as session:
            while time.monotonic() < self.end:
                heard = await session.turn(random.choice(self.asked).pcm)
                minute = (time.monotonic() - self.began) / 60
                if heard.latency_s is not None:
                    self.latencies.append((minute, heard.latency_s))
                    self.done["turn of the long conversation"] += 1
                else:
                    self.failures[f"turn without an answer: {heard.error[:60]}"] += 1
                await asyncio.sleep(PAUSE_S)


async def watched(crowd: Crowd, process: int) -> list[dict[str, float]]:
    """Runs the crowd -> what the process held, look by look."""
    looks, running = [], asyncio.create_task(crowd.run())
    with progress() as bar:
        task = bar.add_task("soak", total=crowd.end - crowd.began, note="")
        while not running.done():
            looks.append(
                {
                    "minute": (time.monotonic() - crowd.began) / 60,
                    "resident_mb": resident_mb(process),
                    "handles": len(os.listdir(f"/proc/{process}/fd")),
                    "threads": len(os.listdir(f"/proc/{process}/task")),
                }
            )
            bar.update(
                task,
                completed=time.monotonic() - crowd.began,
                note=f"{looks[-1]['resident_mb']:.0f} MB, {looks[-1]['handles']} handles",
            )
            await asyncio.wait([running], timeout=LOOK_S)
    running.result()
    return looks


def bench_soak(options: BenchOptions, effort: Effort) -> Measured:
    """Medians of the first and the last tenth of the time."""
    minutes = options.minutes
    asked = questions(12 if effort.num_turns > 2 else 2)
    with served(options.network.resolve()) as (port, process, _):
        crowd = Crowd(port, asked, time.monotonic() + 60 * minutes)
        looks = asyncio.run(watched(crowd, process))
    part = max(minutes / 10, LOOK_S / 60)
    early = [look for look in looks if part <= look["minute"] < 2 * part] or looks[
        :1
    ]  # the first tenth warms up
    late = [look for look in looks if look["minute"] >= minutes - part] or looks[-1:]
    numbers: dict[str, Any] = {
        "minutes": minutes,
        "done": dict(crowd.done),
        "failures": dict(crowd.failures),
        "looks": looks[:: max(1, len(looks) // 60)],
    }
    for name in ("resident_mb", "handles", "threads"):
        numbers[name] = {
            "early": summary([look[name] for look in early]),
            "late": summary([look[name] for look in late]),
        }
    first = [1000 * taken for minute, taken in crowd.latencies if minute < max(1.0, part)]
    last = [1000 * taken for minute, taken in crowd.latencies if minute >= minutes - max(1.0, part)]
    numbers["turn_ms"] = {"first": summary(first) if first else None, "last": summary(last) if last else None}
    measured = Measured(numbers, {"pause_s": PAUSE_S, "people": 10})
    for name in ("resident_mb", "handles", "threads"):
        measured.row(
            {"resident_mb": "resident, MB"}.get(name, name),
            numbers[name]["late"],
            "",
            f"at first {numbers[name]['early']['median']:,.0f}",
        )
    measured.row(
        "a turn of the long conversation, last part",
        numbers["turn_ms"]["last"],
        "ms",
        f"first part {np.median(first):.0f}" if first else "",
    )
    measured.row("requests", float(sum(crowd.done.values())), "", f"failed: {dict(crowd.failures) or 'none'}")
    return measured
