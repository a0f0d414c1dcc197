"""What the tests of realtime sessions share: settings, a network that is brief, wordy or slow, a reply."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from conftest import Running
from live_client import Talk

from unisono.core.home import shipped
from unisono.engine.grammar import Grammar

MANUAL = {"audio": {"input": {"turn_detection": None}}}
QUICK = {
    "audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 300}}},
    "max_output_tokens": 200,
}
BEFORE_SOUND = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "rate_limits.updated",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
]
AFTER_SOUND = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
DELTAS = ("response.output_audio.delta", "response.output_audio_transcript.delta")
TOOL = {
    "type": "function",
    "name": "look_up",
    "description": "Looks something up.",
    "parameters": {
        "type": "object",
        "properties": {"word": {"type": "string", "enum": ["sky", "sea"]}},
        "required": ["word"],
        "additionalProperties": False,
    },
}
has_weights = pytest.mark.skipif(
    not list(shipped().glob("*/model.safetensors")), reason="no weights in the package"
)


def run(work) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


@pytest.fixture(autouse=True)
def brief(tiny_server: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A random network writes for ever; this one may write 8 ids and then speaks for up to 2 s. Afterwards
    nothing is left of anybody.
    """
    service, usual = tiny_server.service, tiny_server.service.usual_grammar

    def grammar(outputs: frozenset[str]) -> Grammar:
        return Grammar(service.vocab, replace(usual(outputs).rules, max_text_ids=8, max_audio_frames=100))

    monkeypatch.setattr(service, "usual_grammar", grammar)
    yield
    end = time.monotonic() + 5
    while (left := remains(tiny_server)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not left, left


def remains(server: Running) -> str:
    """What sessions have left behind in the engine."""
    scheduler = server.service.scheduler
    left = len(scheduler.engine.slots) - len(scheduler.idle)
    return f"{len(scheduler.running)} replies, {left} sequences" if scheduler.running or left else ""


@pytest.fixture
def wordy(tiny_server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever speaks does so for 2 s."""
    engine, end = tiny_server.service.scheduler.engine, tiny_server.service.vocab.id("<|end_audio|>")
    feed = engine.feed

    def without_end(feeds: list) -> np.ndarray:
        logits = feed(feeds).copy()
        logits[:, end] = -1e9
        return logits

    monkeypatch.setattr(engine, "feed", without_end)


@pytest.fixture
def slow(wordy: None, tiny_server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine takes its time, so that a reply can be interrupted."""
    engine = tiny_server.service.scheduler.engine
    feed = engine.feed
    monkeypatch.setattr(engine, "feed", lambda feeds: (time.sleep(0.01), feed(feeds))[1])


async def reply(talking: Talk, text: str = "What colour is the sky?", **response: object) -> dict:
    await talking.write(text)
    await talking.send("response.create", response={"max_output_tokens": 60, **response})
    return (await talking.until("response.done"))["response"]
