"""/v1/realtime/calls with aiortc as the browser: sound on tracks, events on a channel, silence at once when
somebody speaks.
"""

# ruff: noqa: F401, F811

import asyncio
import fractions
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import av
import httpx
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from conftest import Running
from live_client import check, speech, stream
from openai import AsyncOpenAI
from realtime_cases import QUICK, brief, run, wordy

from unisono.serve.realtime.call import Playback
from unisono.serve.wire.resample import PromptResampler

STEP = 960


class Microphone(MediaStreamTrack):
    """20 ms at a time; silence unless told to play something."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.waiting, self.steps, self.began = np.zeros(0, np.float32), 0, time.perf_counter()

    def play(self, pcm: np.ndarray) -> None:
        """(N,) at 16 kHz."""
        self.waiting = np.concatenate([self.waiting, PromptResampler(16000, 48000).push(pcm, last=True)])

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(max(0.0, self.began + self.steps * 0.02 - time.perf_counter()))
        now, self.waiting = self.waiting[:STEP], self.waiting[STEP:]
        pcm = np.pad(now, (0, STEP - len(now)))
        frame = av.AudioFrame.from_ndarray((pcm * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, self.steps * STEP, fractions.Fraction(1, 48000)
        self.steps += 1
        return frame


class Browser:
    """A peer with a microphone, a loudspeaker and the channel oai-events."""

    def __init__(self) -> None:
        self.peer, self.microphone = RTCPeerConnection(), Microphone()
        self.channel = self.peer.createDataChannel("oai-events")
        self.peer.addTrack(self.microphone)
        self.events: list[dict[str, Any]] = []
        self.news = asyncio.Event()
        self.heard: list[tuple[float, float]] = []  # when, how loud
        self.tasks: list[asyncio.Task[None]] = []
        self.peer.on("track", lambda track: self.tasks.append(asyncio.create_task(self._listen(track))))
        self.channel.on("message", self._take)

    def _take(self, message: str) -> None:
        self.events.append({**check(json.loads(message)), "at": time.perf_counter()})
        self.news.set()

    async def _listen(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                self.heard.append((time.perf_counter(), float(np.abs(frame.to_ndarray()).max()) / 32768))

    def send(self, type: str, **members: Any) -> None:
        self.channel.send(json.dumps({"type": type, **members}))

    async def until(self, type: str, count: int = 1, seconds: float = 20) -> dict[str, Any]:
        """The `count`th event of a type."""
        end = time.monotonic() + seconds
        while len(found := [event for event in self.events if event["type"] == type]) < count:
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), max(0.01, end - time.monotonic()))
        return found[count - 1]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


@asynccontextmanager
async def call(
    server: Running, session: dict | None = None, raw: bool = False
) -> AsyncIterator[tuple[Browser, str]]:
    """-> a connected browser and the address of its call."""
    browser = Browser()
    await browser.peer.setLocalDescription(await browser.peer.createOffer())
    offer = browser.peer.localDescription.sdp
    if raw:
        async with httpx.AsyncClient() as client:
            answer = await client.post(
                f"{server.url}/realtime/calls",
                content=offer,
                headers={"content-type": "application/sdp"},
                params={"model": "gpt-realtime"},
            )
        assert answer.status_code == 201 and answer.headers["content-type"].startswith("application/sdp")
        text, place = answer.text, answer.headers["location"]
    else:
        async with AsyncOpenAI(base_url=server.url, api_key="x") as client:
            made = await client.realtime.calls.create(
                sdp=offer, session={"type": "realtime", **(session or {})}
            )
        text, place = made.text, made.response.headers["location"]
    assert place.startswith("/v1/realtime/calls/rtc_")
    await browser.peer.setRemoteDescription(RTCSessionDescription(text, "answer"))
    try:
        await browser.until("session.created")
        yield browser, place
    finally:
        await browser.peer.close()
        for task in browser.tasks:
            task.cancel()


@pytest.mark.parametrize("raw", [True, False])
def test_a_call(tiny_server: Running, wordy: None, raw: bool) -> None:
    async def main() -> None:
        async with call(tiny_server, QUICK, raw) as (browser, place):
            assert browser.types()[0] == "session.created"
            if raw:
                browser.send("session.update", session={"type": "realtime", **QUICK})
                await browser.until("session.updated")
            assert (browser.events[-1]["session"])["max_output_tokens"] == 200
            browser.microphone.play(stream(0.3, speech(), 1.0))
            done = await browser.until("response.done")
            stopped = await browser.until("output_audio_buffer.stopped")
            types = browser.types()
            assert done["response"]["status"] in (
                "completed",
                "incomplete",
            )  # as it ends itself or is cut, which chance decides
            assert stopped["response_id"] == done["response"]["id"]
            assert (
                types.index("response.content_part.added")
                < types.index("output_audio_buffer.started")
                < types.index("response.done")
                < types.index("output_audio_buffer.stopped")
            )
            assert "response.output_audio.delta" not in types and "response.output_audio.done" in types
            started = await browser.until("output_audio_buffer.started")
            assert max(level for at, level in browser.heard if at > started["at"]) > 0.003
            async with httpx.AsyncClient() as client:
                assert (await client.post(f"{tiny_server.url[:-3]}{place}/hangup")).status_code == 200
                assert (await client.post(f"{tiny_server.url[:-3]}{place}/hangup")).status_code == 404
        assert not tiny_server.service.scheduler.running

    run(main())


def test_who_speaks_silences_the_reply(tiny_server: Running, wordy: None) -> None:
    async def main() -> None:
        async with call(tiny_server, {**QUICK, "max_output_tokens": "inf"}) as (browser, _):
            browser.send("response.create")
            started = await browser.until("output_audio_buffer.started")
            await browser.until("response.done")
            browser.microphone.play(stream(speech(), 1.0))
            cleared = await browser.until("output_audio_buffer.cleared")
            truncated = await browser.until("conversation.item.truncated")
            began = await browser.until("input_audio_buffer.speech_started")
            assert cleared["response_id"] == started["response_id"] and cleared["at"] - began["at"] < 0.2
            assert 50 < truncated["audio_end_ms"] < 1950
            await browser.until("response.created", 2)
            assert browser.types().count("output_audio_buffer.stopped") == 0

    run(main())


def test_events_without_sound_and_a_sideband(tiny_server: Running) -> None:
    async def main() -> None:
        async with call(tiny_server, {"output_modalities": ["text"], "max_output_tokens": 30}) as (
            browser,
            place,
        ):
            async with (
                AsyncOpenAI(base_url=tiny_server.url, api_key="x") as client,
                client.realtime.connect(call_id=place.rpartition("/")[2]) as side,
            ):
                await side.conversation.item.create(
                    item={
                        "type": "message",
                        "role": "user",
                        "content": [{"type": "input_text", "text": "Hello"}],
                    }
                )
                await browser.until("conversation.item.done")
                browser.send("response.create")
                while (event := await asyncio.wait_for(side.recv(), 20)).type != "response.done":
                    pass
                assert event.response.id == (await browser.until("response.done"))["response"]["id"]
            browser.send("input_audio_buffer.append", audio="AAAA")
            assert (await browser.until("error"))["error"]["type"] == "invalid_request_error"
            browser.send("output_audio_buffer.clear")
            browser.send("session.update", session={"type": "realtime"})
            await browser.until("session.updated")

    run(main())


AV1 = "m=video 9 UDP/TLS/RTP/SAVPF 45\r\na=mid:v\r\na=rtpmap:45 AV1/90000\r\na=sendrecv\r\na=rtcp-mux\r\n"
HIDDEN = "a=candidate:1 1 udp 2113937151 1f4f8b39-7a2c-4d4f-8b1a-1a2b3c4d5e6f.local 54321 typ host"


def test_a_browser_with_a_camera_and_hidden_addresses_is_answered(tiny_server: Running) -> None:
    """Its video is declined, its names of candidates are not waited for, and the call goes on."""

    async def main() -> None:
        browser = Browser()
        await browser.peer.setLocalDescription(await browser.peer.createOffer())
        offer = browser.peer.localDescription.sdp
        offer = re.sub(r"a=candidate:.*", HIDDEN, offer) + AV1
        async with httpx.AsyncClient() as client:
            answer = await client.post(
                f"{tiny_server.url}/realtime/calls",
                content=offer,
                headers={"content-type": "application/sdp"},
            )
        try:
            assert answer.status_code == 201 and "end-of-candidates" in offer
            taken, _, declined = answer.text.partition("m=video")
            assert declined.startswith(" 0 ") and taken.count("a=candidate:") >= 2
            await browser.peer.setRemoteDescription(RTCSessionDescription(taken, "answer"))
            assert (await browser.until("session.created"))["session"]["type"] == "realtime"
        finally:
            await browser.peer.close()

    run(main())


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/sdp"),
        (b"v=0\r\nnonsense", "application/sdp"),
        (b"\xff" * 50, "application/sdp"),
        (b"{}", "application/json"),
        (b"--x", "multipart/form-data; boundary=x"),
        (b"v=0\r\n" * 50_000, "application/sdp"),
    ],
)
def test_offers_that_are_none(tiny_server: Running, content: bytes, kind: str) -> None:
    answer = httpx.post(f"{tiny_server.url}/realtime/calls", content=content, headers={"content-type": kind})
    assert answer.status_code == 400 and set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_what_waits_behind_is_told_as_unheard() -> None:
    told: list[str] = []
    track = Playback(lambda type, **members: told.append(type))
    for reply, item in (("r0", "i0"), ("r1", "i1"), ("r1", "i1"), ("r1", "i2")):
        track.push(reply, item, np.ones(STEP, np.float32))
    track._next()
    assert track.clear() == [("r0", "i0", 20.0), ("r1", "i1", 0.0), ("r1", "i2", 0.0)] and track.clear() == []
