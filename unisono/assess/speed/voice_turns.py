"""Voice turns: a person on the line asks, waits, interrupts; how long until sound begins."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from unisono.assess.quality.judge import comparable
from unisono.assess.speed.caller import CALLER_RATE, STUDIO, Heard, Microphone, line
from unisono.assess.speed.timing import summary
from unisono.core.errors import UserError
from unisono.core.record import mean_stderr
from unisono.data.world.conversations import MAKERS

STEPS = (
    "spoken",
    "detected",
    "fed",
    "text",
    "codes",
    "decoded",
    "wire",
)  # of a turn, as the server logs them


class Question(NamedTuple):
    """What is asked aloud, (N,) at 24 kHz, and the answer."""

    pcm: NDArray[np.float32]
    answer: str


def questions(count: int) -> list[Question]:
    """Of the test split, none twice, a quarter by the reply voice and the others by voices that asked none in
    training.
    """
    from unisono.data.speech.plans import MAIN_VOICE, unheard_voices
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
