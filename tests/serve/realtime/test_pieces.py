"""Sound that arrives in pieces: wherever a stream is cut, what the network hears is the same."""

import asyncio
import base64
from collections.abc import Iterator

import numpy as np
import pytest
from conftest import Running
from live_client import Talk, speech, spoken, stream, talk

from unisono.serve.realtime.ear import Ear, SpeechSegment
from unisono.serve.realtime.incoming import Incoming
from unisono.serve.realtime.settings import DETECTION
from unisono.serve.wire.resample import PromptResampler
from unisono.serve.wire.sound import rate_of, to_wire

FORMATS = {
    "pcm": {"type": "audio/pcm", "rate": 24000},
    "pcmu": {"type": "audio/pcmu"},
    "pcma": {"type": "audio/pcma"},
}
DETECTIONS = {
    "none": None,
    "server_vad": {**DETECTION["server_vad"], "silence_duration_ms": 300},
    "semantic_vad": {**DETECTION["semantic_vad"], "eagerness": "high"},
}
MANUAL = {"audio": {"input": {"turn_detection": None}}}


def on_the_wire(pcm: np.ndarray, format: dict) -> bytes:
    """(N,) at 16 kHz -> bytes of a format."""
    return to_wire(PromptResampler(16000, rate_of(format)).push(pcm, last=True), format)


def cut(content: bytes, way: str) -> Iterator[bytes]:
    """All of it, in pieces of a size, or of any sizes."""
    random = np.random.default_rng(0)
    while content:
        size = {"whole": len(content), "any": int(random.integers(1, 5000))}.get(way) or int(way)
        if way in ("1", "3") and random.random() < 0.01:
            size = 2001  # and now and then more than that: a second of single bytes takes long
        yield content[:size]
        content = content[size:]


class Follower:
    """Who is told what the ear hears, and takes each turn."""

    def __init__(self, server: Running) -> None:
        self.service = server.service
        self.ear = Ear(self)
        self.told: list[tuple[str, list[int]]] = []

    async def heard_start(self, segment: SpeechSegment, start_ms: int) -> None:
        self.told.append(("start", [start_ms]))

    async def heard_codes(self, segment: SpeechSegment, new: list[int], asks: bool) -> float:
        return 1.0 if asks else 0.0

    async def heard_end(self, segment: SpeechSegment, end_ms: int, spoken_at: float) -> None:
        segment, pcm = await self.ear.take(is_whole=False)
        self.told.append(("end", [*segment.codes, len(pcm)]))

    async def commit(self) -> tuple[list[int], np.ndarray]:
        """What a client's commit takes."""
        segment, pcm = await self.ear.take(is_whole=True, is_last=True)
        return segment.codes, pcm


async def followed(server: Running, format: dict, detection: dict | None, pieces: Iterator[bytes]) -> list:
    follower = Follower(server)
    follower.ear.configure({"format": format, "turn_detection": detection})
    for piece in pieces:
        await follower.ear.append(piece)
    if detection is None:
        codes, pcm = await follower.commit()
        return [codes, pcm.tolist()]
    return follower.told


@pytest.mark.parametrize("detection", DETECTIONS)
@pytest.mark.parametrize("format", FORMATS)
def test_the_same_bytes_are_the_same_codes(tiny_server: Running, format: str, detection: str) -> None:
    pcm = stream(0.4, speech("Two plus three?"), 1.0, speech("Two plus three?"), 2.5)
    content = on_the_wire(pcm, FORMATS[format])

    async def main() -> None:
        made = {
            way: await followed(tiny_server, FORMATS[format], DETECTIONS[detection], cut(content, way))
            for way in ("whole", "1", "3", "1323", "any")
        }
        assert all(heard == made["whole"] for heard in made.values())
        if detection == "none":
            assert len(made["whole"][0]) > 100 and len(made["whole"][1]) == len(pcm)
        else:
            kinds = [kind for kind, _ in made["whole"]]  # this network is always sure that a turn is over
            assert kinds == ["start", "end"] * (2 if detection == "server_vad" else len(kinds) // 2) and kinds

    asyncio.run(main())


@pytest.mark.parametrize("end", ["clear", "commit"])
def test_a_buffer_that_ends_takes_its_half_sample_with_it(tiny_server: Running, end: str) -> None:
    """What a client appends afterwards begins with a whole sample, and is not mixed with what was before."""
    content = on_the_wire(stream(0.1, speech("Two plus three?")), FORMATS["pcm"])

    async def main() -> None:
        fresh, used = Follower(tiny_server), Follower(tiny_server)
        for follower in (fresh, used):
            follower.ear.configure({"format": FORMATS["pcm"], "turn_detection": None})
        await used.ear.append(content[:20_001])
        if end == "clear":
            used.ear.clear()
        else:
            await used.commit()
        for follower in (fresh, used):
            await follower.ear.append(content)
        (codes, pcm), (wanted, sound) = await used.commit(), await fresh.commit()
        assert np.array_equal(pcm, sound) and len(codes) in range(len(wanted) - 2, len(wanted) + 3)

    asyncio.run(main())


def test_a_turn_that_is_detected_ends_no_stream(tiny_server: Running) -> None:
    """The stream goes on behind it, also in the middle of a sample."""
    content = on_the_wire(stream(0.3, speech("Two plus three?"), 1.0), FORMATS["pcm"])

    async def main() -> None:
        follower = Follower(tiny_server)
        follower.ear.configure({"format": FORMATS["pcm"], "turn_detection": DETECTIONS["server_vad"]})
        for piece in cut(content + content, "1323"):
            await follower.ear.append(piece)
        ends = [told for kind, told in follower.told if kind == "end"]
        assert len(ends) == 2
        assert follower.ear.incoming
        assert follower.ear.tape.end + follower.ear.incoming.held == -(-2 * len(content) // 3)

    asyncio.run(main())


def test_exactly_enough_is_enough(tiny_server: Running) -> None:
    """100 ms can be committed, although the resampler has not given its last millisecond yet."""

    async def main() -> None:
        follower = Follower(tiny_server)
        follower.ear.configure({"format": FORMATS["pcm"], "turn_detection": None})
        await follower.ear.append(bytes(4796))
        with pytest.raises(Exception, match="at least 100 ms"):
            await follower.commit()
        await follower.ear.append(bytes(4))
        codes, pcm = await follower.commit()
        assert len(pcm) == 1600 and codes

    asyncio.run(main())


def test_another_format_begins_another_stream(tiny_server: Running) -> None:
    incoming = Incoming(FORMATS["pcm"])
    incoming.read(b"\x00\x00\x7f")
    assert incoming.half and not Incoming(FORMATS["pcmu"]).half
    assert len(Incoming(FORMATS["pcmu"]).read(bytes(161))) > 290


async def retrieved(talking: Talk, item_id: str) -> list[bytes]:
    await talking.send("conversation.item.retrieve", item_id=item_id)
    content = (await talking.until("conversation.item.retrieved"))["item"]["content"]
    return [base64.b64decode(part["audio"]) for part in content]


@pytest.mark.parametrize("breaks", ["", "\r\n", "\n"])
def test_over_the_wire(tiny_server: Running, breaks: str) -> None:
    """Odd pieces, empty ones, and base64 in lines."""
    content = on_the_wire(spoken(after=0.2), FORMATS["pcm"])

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            sounds = []
            for way in ("whole", "1323"):
                for piece in cut(content, way):
                    text = base64.b64encode(piece).decode()
                    lines = breaks.join(text[start : start + 76] for start in range(0, len(text), 76))
                    await talking.send("input_audio_buffer.append", audio=lines + breaks)
                    await talking.send("input_audio_buffer.append", audio="")
                await talking.send("input_audio_buffer.commit")
                item = (await talking.until("conversation.item.done"))["item"]
                sounds.append((await retrieved(talking, item["id"]))[0])
            assert sounds[0] == sounds[1] and abs(len(sounds[0]) - len(content)) <= 2

    asyncio.run(main())


def test_a_sound_in_two_parts_of_one_item(tiny_server: Running) -> None:
    content = on_the_wire(spoken(after=0.2), FORMATS["pcm"])
    parts = content[:30_001], content[30_001:]

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            told = [{"type": "input_audio", "audio": base64.b64encode(part).decode()} for part in parts]
            await talking.send(
                "conversation.item.create",
                item={"id": "two", "type": "message", "role": "user", "content": told},
            )
            await talking.until("conversation.item.done")
            kept = await retrieved(talking, "two")
            first, second = (np.frombuffer(part[: len(part) // 2 * 2], "<i2").astype(float) for part in kept)
            whole = np.concatenate([first, second])
            wanted = np.frombuffer(content, "<i2").astype(float)
            assert abs(len(whole) - len(wanted)) < 100
            # Where the second part were taken from the middle of its first sample, it would be noise.
            assert np.corrcoef(np.abs(whole[-9000:-200]), np.abs(wanted[-9000:-200]))[0, 1] > 0.5

    asyncio.run(main())
