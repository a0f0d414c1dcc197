"""A person on the line: speaks recorded questions into /v1/realtime at the speed of speech and listens to
what comes back.

Times are taken at the client. The reply counts from its first audible sample, as it would leave the
loudspeaker if playback begins when the first piece arrives and waits for each that is late.

Units: seconds. pcm is float32 mono in [-1, 1] at 24 kHz.
"""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

CALLER_RATE = 24000
CHUNK_SAMPLES = 480  # samples: 20 ms, what a browser sends at a time
AUDIBLE = 0.01  # of full scale
LONGEST_WAIT_S = 15.0


@dataclass
class Heard:
    """What one turn brought: when things came, counted from the last sample of speech."""

    latency_s: float | None = None  # to the first audible sample
    stopped_s: float | None = None  # to input_audio_buffer.speech_stopped
    first_delta_s: float | None = None
    cut_in: bool = False  # the server thought the turn over before it was
    gap_s: float = 0.0  # longest silence of a loudspeaker that ran dry
    pcm: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    transcript: str = ""
    right: bool = False  # the transcript is the answer to the word
    error: str = ""


@dataclass(frozen=True)
class Microphone:
    """How loud a voice arrives, and the root mean square of the hiss that is always there."""

    volume: float = 1.0
    hiss: float = 0.0


STUDIO = Microphone()
ORDINARY = Microphone(volume=0.4, hiss=0.002)  # the hiss lies about 25 dB below the voice


class Line:
    """An open session. Silence, or hiss, flows whenever nobody speaks, as a microphone has it."""

    def __init__(self, socket: Any, through: Microphone = STUDIO) -> None:
        self.socket, self.through = socket, through
        self.random = np.random.default_rng(0)
        self.events: asyncio.Queue[tuple[float, dict[str, Any]]] = asyncio.Queue()
        self.speech: list[NDArray[np.float32]] = []
        self.spoken_at = 0.0  # when the last sample of speech was sent
        self.speaking = False

    async def listen(self) -> None:
        """Puts what arrives into `events` with its time."""
        async for message in self.socket:
            await self.events.put((time.perf_counter(), json.loads(message)))

    async def microphone(self) -> None:
        """Sends 20 ms at a time, on the clock."""
        due = time.perf_counter()
        while True:
            piece = self.speech.pop(0) if self.speech else np.zeros(CHUNK_SAMPLES, np.float32)
            due += CHUNK_SAMPLES / CALLER_RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            heard = piece * self.through.volume + self.random.normal(0, self.through.hiss, CHUNK_SAMPLES)
            content = base64.b64encode((np.clip(heard, -1, 1) * 32767).astype("<i2").tobytes()).decode()
            await self.send(type="input_audio_buffer.append", audio=content)
            if self.speaking and not self.speech:
                self.speaking, self.spoken_at = False, time.perf_counter()

    async def send(self, **event: Any) -> None:
        """One client event."""
        await self.socket.send(json.dumps(event))

    def say(self, pcm: NDArray[np.float32]) -> None:
        """Begins to speak; the silence at both ends is taken off first, so that its last sample is speech."""
        loud = np.flatnonzero(np.abs(pcm) > AUDIBLE)
        pcm = pcm[loud[0] : loud[-1] + 1]
        pcm = np.pad(pcm, (0, -len(pcm) % CHUNK_SAMPLES))
        self.speech, self.speaking = list(pcm.reshape(-1, CHUNK_SAMPLES)), True

    async def turn(self, pcm: NDArray[np.float32]) -> Heard:
        """Asks and waits for the whole reply."""
        while not self.events.empty():
            self.events.get_nowait()
        heard, pieces, arrivals, first, stopped = Heard(), [], [], None, None
        self.say(pcm)
        try:
            while True:
                at, event = await asyncio.wait_for(self.events.get(), LONGEST_WAIT_S + len(pcm) / CALLER_RATE)
                kind = event["type"]
                if kind == "input_audio_buffer.speech_stopped":
                    stopped = at
                    heard.cut_in |= self.speaking
                elif kind == "response.output_audio.delta":
                    first = first or at
                    pieces.append(
                        np.frombuffer(base64.b64decode(event["delta"]), "<i2").astype(np.float32) / 32768
                    )
                    arrivals.append(at)
                elif kind == "response.output_audio_transcript.delta":
                    heard.transcript += event["delta"]
                elif kind == "error":
                    heard.error = event["error"]["message"]
                elif kind == "response.done" and event["response"]["status"] == "cancelled":
                    pieces, arrivals, first, heard.transcript = (
                        [],
                        [],
                        None,
                        "",
                    )  # it began too early: the next one is the reply
                elif kind == "response.done" and not self.speaking:
                    if event["response"]["status"] == "failed":
                        heard.error = f"failed: {event['response']['status_details']['error']['message']}"
                    break
        except asyncio.TimeoutError:
            heard.error = heard.error or "no reply"
        self._judge(heard, pieces, arrivals, first, stopped)
        return heard

    def _judge(
        self, heard: Heard, pieces: list, arrivals: list[float], first: float | None, stopped: float | None
    ) -> None:
        if stopped:
            heard.stopped_s = stopped - self.spoken_at
        if not pieces or first is None:
            heard.error = heard.error or "a reply without sound"
            return
        heard.pcm, heard.first_delta_s = np.concatenate(pieces), first - self.spoken_at
        clock = first
        for piece, arrived in zip(pieces, arrivals):
            heard.gap_s = max(heard.gap_s, arrived - clock)  # the loudspeaker waits for a late piece
            clock = max(clock, arrived)
            loud = np.flatnonzero(np.abs(piece) > AUDIBLE)
            if len(loud) and heard.latency_s is None:
                heard.latency_s = clock + loud[0] / CALLER_RATE - self.spoken_at
            clock += len(piece) / CALLER_RATE
        if heard.latency_s is None:
            heard.error = heard.error or f"{len(heard.pcm) / CALLER_RATE:.1f} s of silence"

    async def interrupt(self, pcm: NDArray[np.float32], question: NDArray[np.float32]) -> float | None:
        """Asks, speaks again while the answer comes -> seconds from then until the client is told that
        somebody speaks, at which it stops its loudspeaker, and no more of the answer comes; None if that had
        ended."""
        while not self.events.empty():
            self.events.get_nowait()
        self.say(question)
        began, last, response = None, 0.0, ""
        try:
            while True:
                at, event = await asyncio.wait_for(
                    self.events.get(), LONGEST_WAIT_S + len(question) / CALLER_RATE
                )
                if event["type"] == "response.output_audio.delta":
                    if began is None:
                        began, response = time.perf_counter(), event["response_id"]
                        self.say(pcm)
                    elif event["response_id"] == response:
                        last = max(last, at)
                elif event["type"] == "input_audio_buffer.speech_started" and began:
                    last = max(last, at)
                elif event["type"] == "response.done" and began and event["response"]["id"] == response:
                    cancelled = event["response"]["status"] == "cancelled"
                    return max(0.0, last - began) if cancelled else None
        except asyncio.TimeoutError:  # another one than TimeoutError before Python 3.11
            return None


@asynccontextmanager
async def line(port: int, session: dict[str, Any], through: Microphone = STUDIO) -> AsyncIterator[Line]:
    """A session with its microphone open."""
    from websockets.asyncio.client import connect

    async with connect(
        f"ws://127.0.0.1:{port}/v1/realtime?model=gpt-realtime",
        max_size=None,
        compression=None,
        additional_headers={"Authorization": "Bearer local"},
    ) as socket:
        opened = Line(socket, through)
        tasks = [asyncio.create_task(opened.listen()), asyncio.create_task(opened.microphone())]
        await opened.send(type="session.update", session={"type": "realtime", **session})
        try:
            yield opened
        finally:
            for task in tasks:
                task.cancel()
