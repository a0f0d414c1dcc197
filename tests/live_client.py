"""A client of the realtime tests: OpenAI's own connection, every event checked against OpenAI's own types."""

import asyncio
import base64
import io
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, get_args

import numpy as np
import soundfile
import soxr
from conftest import Running
from openai import AsyncOpenAI
from openai.types.realtime import RealtimeServerEvent

from unisono.serve.realtime.turn_detection import VAD_RATE
from unisono.serve.wire.resample import PromptResampler

TYPES = {
    get_args(kind.model_fields["type"].annotation)[0]: kind
    for kind in get_args(get_args(RealtimeServerEvent)[0])
}
PATIENCE_S = 30.0


@lru_cache
def speech(text: str = "What colour is the sky?") -> np.ndarray:
    """(N,) at 16 kHz without silence around it."""
    made = subprocess.run(
        ["espeak-ng", "-v", "en-us", "--stdout", text], capture_output=True, check=True
    ).stdout
    pcm, rate = soundfile.read(io.BytesIO(made), dtype="float32")
    pcm = soxr.resample(pcm, rate, VAD_RATE)
    loud = np.flatnonzero(np.abs(pcm) > 0.01)
    pcm = pcm[loud[0] : loud[-1]]
    return pcm * np.float32(0.7 / np.abs(pcm).max())


def stream(*pieces: np.ndarray | float, noise: float = 1e-4) -> np.ndarray:
    """Sounds and seconds of silence, one after the other, with a little noise."""
    pcm = np.concatenate(
        [
            np.zeros(round(piece * VAD_RATE), np.float32) if isinstance(piece, float) else piece
            for piece in pieces
        ]
    )
    return (pcm + noise * np.random.default_rng(0).standard_normal(len(pcm))).astype(np.float32)


def check(event: dict[str, Any]) -> dict[str, Any]:
    """An event that OpenAI's types know, or one of our own, which must have been asked for."""
    assert event["event_id"].startswith("event_")
    if not event["type"].startswith("unisono."):
        TYPES[event["type"]].model_validate(event, strict=True)
    return event


def wire(pcm: np.ndarray) -> str:
    """(N,) at 16 kHz -> base64 of the API's usual format."""
    made = PromptResampler(16000, 24000).push(pcm, last=True)
    return base64.b64encode((np.clip(made, -1, 1) * 32767).astype("<i2").tobytes()).decode()


def spoken(text: str = "What colour is the sky?", after: float = 1.2) -> np.ndarray:
    """(N,) a sentence with silence around it."""
    return stream(0.4, speech(text), after)


class Talk:
    """One connection; all events so far are in `events`."""

    def __init__(self, connection: Any) -> None:
        self.connection, self.events = connection, list[dict[str, Any]]()
        self.seen = 0  # events that `until` has passed

    async def send(self, type: str, **members: Any) -> None:
        """Sends an event."""
        await self.connection.send({"type": type, **members})

    async def update(self, **session: Any) -> dict[str, Any]:
        """Changes the session -> as it is now."""
        await self.send("session.update", session={"type": "realtime", **session})
        return (await self.until("session.updated"))["session"]

    async def say(self, pcm: np.ndarray, chunk_s: float = 0.04) -> None:
        """Appends sound, faster than anybody speaks."""
        size = round(chunk_s * 16000)
        for start in range(0, len(pcm), size):
            await self.send("input_audio_buffer.append", audio=wire(pcm[start : start + size]))

    async def write(self, text: str, **item: Any) -> None:
        """Adds a written message of the person."""
        await self.send(
            "conversation.item.create",
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": text}],
                **item,
            },
        )

    async def read(self) -> dict[str, Any]:
        """The next event."""
        event = check(json.loads(await asyncio.wait_for(self.connection.recv_bytes(), PATIENCE_S)))
        self.events.append(event)
        return event

    async def until(
        self, type: str, where: Callable[[dict[str, Any]], bool] = lambda event: True
    ) -> dict[str, Any]:
        """The next event of a type; those before stay in `events`. An error that was not waited for fails the
        test.
        """
        while True:
            event = self.events[self.seen] if self.seen < len(self.events) else await self.read()
            self.seen += 1
            if event["type"] == type and where(event):
                return event
            assert event["type"] != "error" or type == "error", event

    async def quiet(self, seconds: float = 0.3) -> None:
        """Reads what still comes."""
        try:
            while True:
                event = check(json.loads(await asyncio.wait_for(self.connection.recv_bytes(), seconds)))
                self.events.append(event)
        except TimeoutError:
            pass

    def types(self, *without: str) -> list[str]:
        """Of all events so far."""
        return [event["type"] for event in self.events if not event["type"].startswith(without)]

    def of(self, type: str, **members: Any) -> list[dict[str, Any]]:
        """Events of a type with these members."""
        return [
            event
            for event in self.events
            if event["type"] == type and all(event.get(name) == value for name, value in members.items())
        ]


@asynccontextmanager
async def talk(server: Running, key: str = "x", **query: Any) -> AsyncIterator[Talk]:
    """Connects with OpenAI's client."""
    wanted = {"model": "gpt-realtime"} if not query else {"extra_query": query}
    async with (
        AsyncOpenAI(base_url=server.url, api_key=key, max_retries=0) as client,
        client.realtime.connect(**wanted, websocket_connection_options={"max_size": None}) as connection,
    ):
        made = Talk(connection)
        assert (await made.read())["type"] == "session.created"
        yield made
