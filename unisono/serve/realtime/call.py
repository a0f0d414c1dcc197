"""A call over WebRTC: sound on Opus tracks, events on the data channel oai-events.

The server plays its replies at the pace of their hearer. So it knows what was heard, falls silent at once
when somebody speaks, and cuts the conversation to what was played.

Shapes: N samples.
"""

import asyncio
import contextlib
import fractions
import json
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from fastapi import Request
from numpy.typing import NDArray

from unisono.serve.realtime.admission import leave, secrets_of
from unisono.serve.realtime.client_events import Client
from unisono.serve.realtime.sdp import Offer
from unisono.serve.realtime.session import Live
from unisono.serve.realtime.settings import LIFE_S
from unisono.serve.reply.plan import new_id
from unisono.serve.wire.access import sent_key
from unisono.serve.wire.errors import ApiError
from unisono.signals import to_mono

log = logging.getLogger("unisono.serve")
OPUS_RATE, STEP = 48000, 960  # Opus; 20 ms
CONNECT_S = 30.0  # to connect, or the call ends
MAX_EVENTS = 1000  # before the channel opens


class Playback(MediaStreamTrack):
    """The track that speaks: 20 ms at a time, silence where nothing is to be said."""

    kind = "audio"

    def __init__(self, tell: Callable[..., None]) -> None:
        super().__init__()
        self.tell, self.rate = tell, OPUS_RATE
        self.waiting: deque[tuple[str, str, NDArray[np.float32]]] = deque()  # response, item, sound
        self.now: tuple[str, str] | None = None  # response and item that are being heard
        self.last: str | None = None  # response of which something was pushed
        self.num_played, self.num_steps, self.began = 0, 0, 0.0
        self.ended: set[str] = set()  # responses of which nothing follows

    def push(self, response_id: str, item_id: str, pcm: NDArray[np.float32]) -> None:
        """(N,) more."""
        if response_id != self.last:
            self.last = response_id
            self.tell("output_audio_buffer.started", response_id=response_id)
        self.waiting.append((response_id, item_id, pcm))

    def end(self, response_id: str) -> None:
        """Nothing of the response follows."""
        if self.last == response_id:
            self.ended.add(response_id)
            self._drained()

    def clear(self) -> list[tuple[str, str, float]]:
        """Falls silent -> (response, item, how many ms of it were played) of all that were playing or
        waiting.
        """
        heard: dict[str, tuple[str, str, float]] = {}
        if self.now:
            heard[self.now[1]] = (*self.now, self.num_played * 1000 / OPUS_RATE)
        for response_id, item_id, _ in self.waiting:
            heard.setdefault(item_id, (response_id, item_id, 0.0))
        self.now = self.last = None
        self.waiting.clear()
        self.ended.clear()
        return list(heard.values())

    def _drained(self) -> None:
        if self.now and not self.waiting and self.now[0] in self.ended:
            self._stop(self.now[0])
            self.now = self.last = None

    def _stop(self, response_id: str) -> None:
        self.tell("output_audio_buffer.stopped", response_id=response_id)
        self.ended.discard(response_id)

    def _turn_to(self, response_id: str, item_id: str) -> None:
        if self.now == (response_id, item_id):
            return
        if self.now and self.now[0] != response_id:
            self._stop(self.now[0])
        self.now, self.num_played = (response_id, item_id), 0

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms, when it is their time."""
        if self.readyState != "live":
            raise MediaStreamError
        self.began = self.began or time.perf_counter()
        await asyncio.sleep(max(0.0, self.began + self.num_steps * STEP / OPUS_RATE - time.perf_counter()))
        frame = av.AudioFrame.from_ndarray(
            (np.clip(self._next(), -1, 1) * 32767).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = (
            OPUS_RATE,
            self.num_steps * STEP,
            fractions.Fraction(1, OPUS_RATE),
        )
        self.num_steps += 1
        return frame

    def _next(self) -> NDArray[np.float32]:
        made = np.zeros(STEP, np.float32)
        filled = 0
        while self.waiting and filled < STEP:
            response_id, item_id, pcm = self.waiting.popleft()
            self._turn_to(response_id, item_id)
            taken = pcm[: STEP - filled]
            made[filled : filled + len(taken)] = taken
            filled, self.num_played = filled + len(taken), self.num_played + len(taken)
            if len(pcm) > len(taken):
                self.waiting.appendleft((response_id, item_id, pcm[len(taken) :]))
        self._drained()
        return made


class Channel:
    """The data channel as an outlet; what is told before it opens waits."""

    def __init__(self) -> None:
        self.channel: Any = None
        self.waiting: deque[str] = deque(maxlen=MAX_EVENTS)

    def put(self, event: dict[str, Any]) -> None:
        """Sends an event."""
        self.waiting.append(json.dumps(event))
        self.flush()

    def after(self, call: Callable[[], None]) -> None:
        """The sound is not here; nothing to wait for."""
        call()

    def forget(self, response_id: str) -> None:
        """There is no sound here."""

    def end(self) -> None:
        """The channel ends with its connection."""

    def flush(self) -> None:
        """Sends what waits, if the channel is open."""
        while self.waiting and self.channel is not None and self.channel.readyState == "open":
            text = self.waiting.popleft()
            try:
                self.channel.send(text)
            except ValueError:  # larger than the other side takes; the call goes on without it
                log.warning("event too large for the channel", extra={"fields": {"bytes": len(text)}})


class PeerCall:
    """A peer connection and its session."""

    def __init__(self, app: Any, request: Request, live: Live, owner: str) -> None:
        self.app, self.request, self.live, self.owner = app, request, live, owner
        self.id = new_id("rtc_")
        self.peer, self.channel = RTCPeerConnection(RTCConfiguration(iceServers=[])), Channel()
        self.client = Client(live, request)
        self.playback = Playback(live.events.emit)
        live.events.player = self.playback
        live.events.outlets.append(self.channel)
        self.is_ended = False
        self.tasks: list[asyncio.Task[None]] = []
        self.peer.on("datachannel", self._on_channel)
        self.peer.on("track", self._on_track)
        self.peer.on("connectionstatechange", self._on_state)

    async def answer(self, sdp: str) -> str:
        """SDP of the answer; ApiError where the offer cannot be met."""
        offer = Offer(sdp)
        try:
            await self.peer.setRemoteDescription(RTCSessionDescription(offer.text, "offer"))
            self.peer.addTrack(self.playback)
            await self.peer.setLocalDescription(await self.peer.createAnswer())
        except Exception as error:  # aiortc raises its own kinds, some of them bare
            log.debug("offer refused", exc_info=error)
            raise ApiError("The offer is no SDP that can be answered.", 400, "sdp", "invalid_offer") from None
        self.tasks.append(asyncio.create_task(self._limit()))
        return offer.answer(self.peer.localDescription.sdp)

    async def _limit(self) -> None:
        """Ends calls that never connect, and those that last too long."""
        await asyncio.sleep(CONNECT_S)
        if self.peer.connectionState == "connected":
            await asyncio.sleep(LIFE_S - CONNECT_S)
        asyncio.get_running_loop().create_task(self.end())

    def _on_channel(self, channel: Any) -> None:
        self.channel.channel = channel
        queue: asyncio.Queue[Any] = asyncio.Queue(10_000)
        channel.on("message", lambda message: None if queue.full() else queue.put_nowait(message))
        channel.on("close", lambda: asyncio.ensure_future(self.end()))
        self.tasks.append(asyncio.create_task(self._read(queue)))
        # session.created is the first thing that a client hears
        self.channel.waiting.appendleft(
            json.dumps(
                {
                    "type": "session.created",
                    "event_id": new_id("event_"),
                    "session": self.live.settings.session,
                }
            )
        )
        self.channel.flush()

    async def _read(self, queue: asyncio.Queue[Any]) -> None:
        while True:
            await self.client.receive(await queue.get())

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio":
            self.tasks.append(asyncio.create_task(self._hear(track)))

    async def _hear(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                try:
                    async with self.live.lock:
                        await self.live.ear.push(_samples(frame), frame.sample_rate)
                except Exception as error:
                    self.live.events.fail(error)

    async def _on_state(self) -> None:
        if self.peer.connectionState in ("failed", "closed"):
            await self.end()

    async def end(self) -> None:
        """Hangs up."""
        if self.is_ended:
            return
        self.is_ended = True
        calls_of(self.app).pop(self.id, None)
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self.playback.stop()
        await leave(self.request, self.live, self.owner)
        await self.peer.close()


def _samples(frame: av.AudioFrame) -> NDArray[np.float32]:
    """A frame of 16 bit, packed -> (N,)."""
    packed = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
    pcm = (packed / 32768).astype(np.float32)
    return to_mono(pcm, frame.sample_rate, frame.sample_rate)


def calls_of(app: Any) -> dict[str, PeerCall]:
    """All that are open."""
    found: dict[str, PeerCall] = app.state.server.calls
    return found


def find_call(request: Any, id: str) -> PeerCall:
    """A call of whoever asks; those of others do not exist for them."""
    call = calls_of(request.app).get(id)
    secret = secrets_of(request.app).get(sent_key(request.headers))
    if call is None or call.owner != (secret.owner if secret else request.state.key):
        raise ApiError(f"There is no call {id[:60]!r}.", 404, "call_id", "call_not_found")
    return call


async def close_calls(app: Any) -> None:
    """Ends all calls."""
    await asyncio.gather(*(call.end() for call in list(calls_of(app).values())), return_exceptions=True)
