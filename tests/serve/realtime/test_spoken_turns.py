"""Turns of speech: their events in order, what is computed while a person speaks, manual turns, telephones,
transcription sessions.
"""

# ruff: noqa: F401, F811

import base64
import time

import numpy as np
import pytest
from conftest import Running
from live_client import Talk, spoken, talk
from realtime_cases import AFTER_SOUND, BEFORE_SOUND, DELTAS, MANUAL, QUICK, brief, has_weights, reply, run

from unisono.serve.realtime import ear as live_input
from unisono.serve.realtime.context import Context


@pytest.mark.parametrize(
    "detection", [QUICK["audio"]["input"]["turn_detection"], {"type": "semantic_vad", "eagerness": "high"}]
)
def test_a_spoken_turn_in_order(tiny_server: Running, detection: dict) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            assert (
                talking.events[0]["session"]["audio"]["input"]["turn_detection"]["interrupt_response"] is True
            )
            await talking.update(
                audio={
                    "input": {
                        "turn_detection": detection,
                        "transcription": {"model": "gpt-4o-mini-transcribe"},
                    }
                },
                max_output_tokens=200,
            )
            await talking.say(spoken(after=1.2 if detection["type"] == "server_vad" else 2.5))
            done = await talking.until("response.done")
            if not talking.of("conversation.item.input_audio_transcription.completed"):
                await talking.until("conversation.item.input_audio_transcription.completed")
            types = talking.types(
                "conversation.item.input_audio_transcription", "session.", "conversation.created"
            )
            assert types[: len(BEFORE_SOUND)] == BEFORE_SOUND and types[-len(AFTER_SOUND) :] == AFTER_SOUND
            assert set(types[len(BEFORE_SOUND) : -len(AFTER_SOUND)]) == set(DELTAS)
            _check_turn(talking, done["response"])

    run(main())


def _check_turn(talking: Talk, response: dict) -> None:
    first = [
        talking.of(name)[0]
        for name in (
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.input_audio_transcription.completed",
        )
    ]
    assert len({event["item_id"] for event in first}) == 1 and first[2]["previous_item_id"] is None
    assert 0 <= first[0]["audio_start_ms"] < 400 < first[1]["audio_end_ms"]
    added = talking.of("conversation.item.added")
    assert (
        added[0]["item"]["role"] == "user"
        and added[1]["previous_item_id"] == added[0]["item"]["id"]
        and added[1]["item"]["content"] == []
    )
    item = response["output"][0]
    words = "".join(event["delta"] for event in talking.of(DELTAS[1]))
    assert (
        item["content"] == [{"type": "output_audio", "transcript": words}]
        and talking.of(AFTER_SOUND[1])[0]["transcript"] == words
    )
    deltas = talking.of(DELTAS[0])
    assert {
        (event["response_id"], event["item_id"], event["output_index"], event["content_index"])
        for event in deltas
    } == {(response["id"], item["id"], 0, 0)}
    sizes = [len(base64.b64decode(event["delta"])) / 48000 for event in deltas]
    assert 0 < sizes[0] <= 0.1 and max(sizes) <= 0.51
    usage = response["usage"]
    assert (
        usage["output_token_details"]["audio_tokens"] > 0
        and usage["input_token_details"]["audio_tokens"] > 30
    )
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert (
        abs(sum(sizes) - usage["output_token_details"]["audio_tokens"] / 50) < 0.12
    )  # less the silence before the first word
    assert len({event["event_id"] for event in talking.events}) == len(talking.events)


def test_the_next_turn_finds_its_past_computed(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**{**QUICK, "max_output_tokens": 60})
            for number in range(2):
                await talking.say(spoken("Two plus three?"))
                usage = (await talking.until("response.done"))["response"]["usage"]
                assert (usage["input_token_details"]["cached_tokens"] > 60) == (number > 0)
            assert usage["input_token_details"]["cached_tokens_details"]["audio_tokens"] > 30
            assert len(talking.of("conversation.item.added")) == 4
            assert [event["previous_item_id"] for event in talking.of("input_audio_buffer.committed")] == [
                None,
                talking.of("conversation.item.added")[1]["item"]["id"],
            ]

    run(main())


def test_the_network_hears_while_the_person_speaks(
    tiny_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[int] = []
    engine = tiny_server.service.scheduler.engine
    feed = engine.feed
    monkeypatch.setattr(
        engine, "feed", lambda feeds: (fed.extend(len(ids) for _, ids in feeds), feed(feeds))[1]
    )

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(
                audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 300}}},
                max_output_tokens=3,
            )
            await talking.say(spoken())
            await talking.until("response.done")
            # What is left at the end of the turn: the last code again, the end of the sound, of the turn, and
            # <|assistant|>.
            assert sum(fed) > 60 and [count for count in fed if count > 1][-1] <= 5

    run(main())


def test_manual_turns(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            assert (await talking.update(**MANUAL))["audio"]["input"]["turn_detection"] is None
            await talking.send("input_audio_buffer.commit", event_id="mine")
            fault = (await talking.until("error"))["error"]
            assert fault["code"] == "input_audio_buffer_commit_empty" and fault["event_id"] == "mine"
            await talking.say(spoken())
            await talking.send("input_audio_buffer.clear")
            await talking.until("input_audio_buffer.cleared")
            await talking.send("input_audio_buffer.commit")
            await talking.until("error")
            await talking.say(spoken())
            await talking.send("input_audio_buffer.commit")
            await talking.until("conversation.item.done")
            await talking.quiet(0.2)
            assert talking.types()[-3:] == [
                "input_audio_buffer.committed",
                "conversation.item.added",
                "conversation.item.done",
            ]
            await talking.send("response.create", response={"max_output_tokens": 30})
            done = await talking.until("response.done")
            assert done["response"]["usage"]["input_token_details"]["audio_tokens"] in range(
                55, 75
            )  # 1.2 s; the silence around it is not heard

    run(main())


def test_idle_timeout(tiny_server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, end = tiny_server.service.scheduler.engine, tiny_server.service.vocab.id("<|end|>")
    feed = engine.feed

    def ending(feeds: list) -> np.ndarray:
        logits = feed(feeds).copy()
        logits[:, end] = 1e9
        return logits

    monkeypatch.setattr(engine, "feed", ending)  # a random network may never end a reply by itself

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(
                audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 1000}}},
                output_modalities=["text"],
                max_output_tokens=None,
                instructions="x",
            )
            assert (await reply(talking))["status"] == "completed"
            began = time.monotonic()
            assert (await talking.until("input_audio_buffer.timeout_triggered"))["item_id"]
            assert 0.9 < time.monotonic() - began < 5
            await talking.until("response.created")

    run(main())


def test_who_commits_seldom_is_heard_nevertheless(
    tiny_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Push to talk: some clients send all they hear, and commit what they need."""
    monkeypatch.setattr(live_input, "MAX_S", 3)
    monkeypatch.setattr(live_input, "KEPT_S", 1)

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(output_modalities=["text"], audio={"input": {"turn_detection": None}})
            await talking.say(np.random.default_rng(0).normal(0, 0.1, 10 * 16000).astype(np.float32))
            await talking.send("input_audio_buffer.commit")
            item = (await talking.until("conversation.item.done"))["item"]
            await talking.send("conversation.item.retrieve", item_id=item["id"])
            sound = (await talking.until("conversation.item.retrieved"))["item"]["content"][0]["audio"]
            assert 1 <= len(base64.b64decode(sound)) / 48000 <= 3.2

    run(main())


@pytest.mark.parametrize("format", ["audio/pcmu", "audio/pcma"])
def test_telephones(tiny_server: Running, format: str) -> None:
    from unisono.serve.wire.resample import PromptResampler
    from unisono.serve.wire.sound import from_g711, to_g711

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(
                audio={
                    "input": {
                        "format": {"type": format},
                        "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
                    },
                    "output": {"format": {"type": format}},
                },
                max_output_tokens=100,
            )
            pcm = PromptResampler(16000, 8000).push(spoken(), last=True)
            for start in range(0, len(pcm), 160):
                await talking.send(
                    "input_audio_buffer.append",
                    audio=base64.b64encode(to_g711(pcm[start : start + 160], format)).decode(),
                )
            usage = (await talking.until("response.done"))["response"]["usage"]
            sound = from_g711(
                b"".join(base64.b64decode(event["delta"]) for event in talking.of(DELTAS[0])), format
            )
            assert (
                abs(len(sound) / 8000 - usage["output_token_details"]["audio_tokens"] / 50) < 0.12
                and np.abs(sound).max() > 0.001
            )

    run(main())


def test_transcription_sessions(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server, intent="transcription") as talking:
            session = talking.events[0]["session"]
            assert session["type"] == "transcription" and "output" not in session["audio"]
            await talking.send(
                "session.update",
                session={
                    "type": "transcription",
                    "include": ["item.input_audio_transcription.logprobs"],
                    "audio": {
                        "input": {
                            "transcription": {"model": "gpt-4o-transcribe"},
                            "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
                        }
                    },
                },
            )
            await talking.until("session.updated")
            await talking.say(spoken())
            completed = await talking.until("conversation.item.input_audio_transcription.completed")
            words = "".join(
                event["delta"] for event in talking.of("conversation.item.input_audio_transcription.delta")
            )
            assert (
                completed["transcript"] == words.strip()
                and completed["usage"]["input_token_details"]["audio_tokens"] > 50
            )
            assert not words or completed["logprobs"][0]["logprob"] <= 0
            await talking.send("response.create")
            await talking.until("error")
            assert not talking.of("response.created")

    run(main())


def test_the_end_of_what_is_only_written_down_is_asked_for(
    tiny_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only waited for: the network, which here is sure of everything, ends a turn long before the eight
    seconds are over.
    """
    monkeypatch.setattr(Context, "listen", sure)

    async def main() -> None:
        async with talk(tiny_server, intent="transcription") as talking:
            await talking.send(
                "session.update",
                session={
                    "type": "transcription",
                    "audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}},
                },
            )
            await talking.until("session.updated")
            await talking.say(spoken(after=1.0))
            await talking.until("input_audio_buffer.committed")

    run(main())


async def sure(self: Context, ids: list[int], end: int | None = None) -> float:
    return 0.0 if end is None else 1.0


@has_weights
def test_the_shipped_network_speaks_what_it_writes(shipped_server: Running) -> None:
    async def main() -> None:
        async with talk(shipped_server) as talking:
            await talking.update(audio={"input": {"turn_detection": {"type": "semantic_vad"}}})
            await talking.say(spoken(after=2.0))
            done = await talking.until("response.done")
            stopped = talking.of("input_audio_buffer.speech_stopped")[0]["audio_end_ms"]
            assert stopped < 400 + 1250 + 300  # the network knew that the sentence was over; no timer did
            words = done["response"]["output"][0]["content"][0]["transcript"]
            assert words == "".join(event["delta"] for event in talking.of(DELTAS[1])) and len(words) > 3
            sound = (
                np.frombuffer(
                    b"".join(base64.b64decode(event["delta"]) for event in talking.of(DELTAS[0])), "<i2"
                ).astype(np.float32)
                / 32768
            )
            assert len(sound) > 12000 and np.sqrt(np.square(sound).mean()) > 0.01
            first = sound[:480]  # a voice, at once
            assert np.abs(first).max() > 0.002

    run(main())
