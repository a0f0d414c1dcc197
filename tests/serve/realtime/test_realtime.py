"""/v1/realtime as OpenAI's client meets it: order and content of events, turns, items, interruption, faults,
many at once.
"""

import asyncio
import base64
import contextlib
import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
import websockets
from conftest import Running, drawing
from live_client import Talk, check, spoken, talk, wire
from openai import AsyncOpenAI, OpenAI

from unisono.core.home import shipped
from unisono.engine.grammar import Grammar
from unisono.serve.realtime import ear as live_input, session as live
from unisono.serve.realtime.context import Context, as_ids
from unisono.serve.realtime.items import Item

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


# ---- turns ----


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


# ---- interruption ----


def test_a_person_interrupts(tiny_server: Running, slow: None) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**{**QUICK, "max_output_tokens": "inf"})
            await talking.write("Say: good morning.")
            await talking.send("response.create")
            await talking.until("response.output_audio.delta")
            await asyncio.sleep(0.1)
            await talking.say(spoken())
            done = await talking.until("response.done")
            response = done["response"]
            assert response["status"] == "cancelled" and response["status_details"] == {
                "type": "cancelled",
                "reason": "turn_detected",
            }
            types = talking.types()
            start, end = types.index("input_audio_buffer.speech_started"), types.index("response.done")
            assert (
                types[start + 1 : end + 1] == AFTER_SOUND and response["output"][0]["status"] == "incomplete"
            )
            await talking.until("response.done")
            assert all(
                event["response_id"] != response["id"]
                for event in talking.events[end:]
                if event["type"] in DELTAS
            )
            item = response["output"][0]["id"]
            await talking.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=30)
            await talking.until("conversation.item.truncated")

    run(main())


def test_what_was_not_heard_is_forgotten(tiny_server: Running, wordy: None) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            response = await reply(talking, max_output_tokens=150)
            item = response["output"][0]
            length = sum(len(base64.b64decode(event["delta"])) for event in talking.of(DELTAS[0])) // 48
            before = (await reply(talking, "And?", max_output_tokens=1))["usage"]["input_tokens"]
            await talking.send(
                "conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=length + 500
            )
            assert (await talking.until("error"))["error"]["param"] == "audio_end_ms"
            await talking.send(
                "conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=length // 2
            )
            assert (await talking.until("conversation.item.truncated"))["audio_end_ms"] == length // 2
            await talking.send("conversation.item.retrieve", item_id=item["id"])
            left = (await talking.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"]
            assert len(left) <= len(item["content"][0]["transcript"])
            after = (await reply(talking, "And?", max_output_tokens=1))["usage"]["input_tokens"]
            assert after < before
            await talking.send(
                "conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=0
            )
            await talking.until("conversation.item.truncated")
            await talking.send("conversation.item.retrieve", item_id=item["id"])
            assert (await talking.until("conversation.item.retrieved"))["item"]["content"][0][
                "transcript"
            ] == ""

    run(main())


def test_cancelling(tiny_server: Running, slow: None) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.send("response.cancel", event_id="c1")
            assert (await talking.until("error"))["error"]["code"] == "response_cancel_not_active"
            await talking.write("Say: good morning.")
            await talking.send("response.create")
            await talking.until("response.output_audio_transcript.delta")
            await talking.send("response.create", event_id="c2")
            fault = (await talking.until("error"))["error"]
            assert fault["code"] == "conversation_already_has_active_response" and fault["event_id"] == "c2"
            await talking.send("response.cancel")
            done = await talking.until("response.done")
            assert done["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
            await talking.send("response.create", response={"max_output_tokens": 5})  # at once: no error
            assert (await talking.until("response.done"))["response"]["status_details"][
                "reason"
            ] == "max_output_tokens"

    run(main())


def test_cancelling_before_it_began(tiny_server: Running) -> None:
    """Both events in one piece of the network, so that the response's task has not run yet."""

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.write("Say: good morning.")
            for _ in range(5):
                await asyncio.gather(talking.send("response.create"), talking.send("response.cancel"))
                await talking.until("response.done")
            await talking.send("response.create", response={"max_output_tokens": 5})
            done = await talking.until(
                "response.done", lambda event: event["response"]["status"] != "cancelled"
            )
            assert done["response"]["status_details"]["reason"] == "max_output_tokens"

    run(main())


def test_cutting_a_reply_in_the_making_ends_it(tiny_server: Running, slow: None) -> None:
    """openai-agents cuts what it no longer plays, without cancelling it first."""

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.write("Say: good morning.")
            await talking.send("response.create")
            item = (await talking.until("response.output_audio.delta"))["item_id"]
            await talking.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=20)
            assert (await talking.until("response.done"))["response"]["status"] == "cancelled"
            assert (await talking.until("conversation.item.truncated"))["audio_end_ms"] == 20

    run(main())


# ---- items and responses ----


def test_items_are_created_found_and_deleted(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.write("one", id="first")
            await talking.write("two", id="second")
            await talking.send(
                "conversation.item.create",
                previous_item_id="root",
                item={
                    "id": "zero",
                    "type": "message",
                    "role": "system",
                    "content": [{"type": "input_text", "text": "Be kind."}],
                },
            )
            await talking.send(
                "conversation.item.create",
                previous_item_id="first",
                item={
                    "id": "half",
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "yes"}],
                },
            )
            added = [await talking.until("conversation.item.added") for _ in range(4)]
            assert [event["previous_item_id"] for event in added] == [None, "first", None, "first"]
            for faulty, code in (
                ({"id": "first"}, "item_create_duplicate_item_id"),
                ({"role": "nobody"}, "invalid_value"),
                ({"content": "x"}, "invalid_type"),
                ({"content": [{"type": "output_text", "text": "x"}]}, "invalid_value"),
                ({"id": "x" * 33}, "invalid_value"),
            ):
                await talking.write("x", **faulty)
                assert (await talking.until("error"))["error"]["code"] == code
            await talking.send(
                "conversation.item.create",
                previous_item_id="nowhere",
                item={"type": "message", "role": "user", "content": []},
            )
            assert (await talking.until("error"))["error"]["code"] == "item_not_found"
            await talking.send("conversation.item.delete", item_id="half")
            assert (await talking.until("conversation.item.deleted"))["item_id"] == "half"
            for type, code in (("delete", "item_not_found"), ("retrieve", "item_retrieve_invalid_item_id")):
                await talking.send(f"conversation.item.{type}", item_id="half")
                assert (await talking.until("error"))["error"]["code"] == code
            await talking.send("conversation.item.retrieve", item_id="second")
            assert (await talking.until("conversation.item.retrieved"))["item"]["content"] == [
                {"type": "input_text", "text": "two"}
            ]
            assert (await reply(talking))["status"] in ("completed", "incomplete")

    run(main())


def test_sound_pictures_and_clips_in_items(tiny_server: Running) -> None:
    file = io.BytesIO()
    drawing().save(file, "PNG")
    picture = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, output_modalities=["text"])
            sound = wire(spoken(after=0.1))
            await talking.send(
                "conversation.item.create",
                item={
                    "id": "all",
                    "type": "message",
                    "role": "user",
                    "content": [
                        {"type": "input_image", "image_url": picture},
                        {"type": "input_audio", "audio": sound},
                        {"type": "input_text", "text": "What is this?"},
                    ],
                },
            )
            await talking.until("conversation.item.done")
            await talking.send("response.create", response={"max_output_tokens": 5})
            details = (await talking.until("response.done"))["response"]["usage"]["input_token_details"]
            assert details["image_tokens"] == 16 and details["audio_tokens"] > 70
            await talking.send("conversation.item.retrieve", item_id="all")
            content = (await talking.until("conversation.item.retrieved"))["item"]["content"]
            assert content[0]["image_url"] == picture and abs(len(content[1]["audio"]) - len(sound)) < 100
            await talking.send(
                "conversation.item.create",
                item={
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_video", "frames": [picture] * 3}],
                },
            )
            await talking.until("conversation.item.done")
            for part in (
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
                {"type": "input_audio", "audio": "%"},
                {"type": "input_image"},
                {"type": "input_video", "frames": []},
            ):
                await talking.send(
                    "conversation.item.create", item={"type": "message", "role": "user", "content": [part]}
                )
                assert (await talking.until("error"))["error"]["type"] == "invalid_request_error"

    run(main())


def test_responses_beside_the_conversation(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.write("Hello", id="hello")
            wanted = {
                "conversation": "none",
                "output_modalities": ["text"],
                "max_output_tokens": 12,
                "metadata": {"client_event_id": "abc"},
                "input": [
                    {"type": "item_reference", "id": "hello"},
                    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And?"}]},
                ],
            }
            await talking.send("response.create", response=wanted)
            created, done = await talking.until("response.created"), await talking.until("response.done")
            assert (
                created["response"]["metadata"] == done["response"]["metadata"] == {"client_event_id": "abc"}
            )
            assert done["response"]["conversation_id"] is None and done["response"]["output_modalities"] == [
                "text"
            ]
            assert (
                "".join(event["delta"] for event in talking.of("response.output_text.delta"))
                == done["response"]["output"][0]["content"][0]["text"]
            )
            assert len(talking.of("conversation.item.added")) == 1
            await talking.send(
                "response.create",
                response={
                    "conversation": "none",
                    "input": [],
                    "instructions": "",
                    "output_modalities": ["text"],
                    "max_output_tokens": 3,
                },
            )
            assert (await talking.until("response.done"))["response"]["usage"]["input_tokens"] == 1
            for faulty in (
                {"conversation": "other"},
                {"input": [{"type": "item_reference", "id": "none"}]},
                {"output_modalities": ["audio", "text"]},
                {"max_output_tokens": 0},
                {"metadata": {"a": 1}},
                {"tools": [{"type": "mcp", "server_label": "x"}]},
            ):
                await talking.send("response.create", response=faulty, event_id="e")
                assert (await talking.until("error"))["error"]["event_id"] == "e"

    run(main())


def test_functions_are_called(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, tools=[TOOL], tool_choice="required", parallel_tool_calls=False)
            response = await reply(talking, max_output_tokens=200)
            call = response["output"][0]
            assert (
                response["status"] == "completed"
                and call["name"] == "look_up"
                and json.loads(call["arguments"])["word"] in ("sky", "sea")
            )
            types = talking.types()
            start = types.index("response.output_item.added")
            wanted = [
                "response.output_item.added",
                "conversation.item.added",
                "response.function_call_arguments.delta",
                "response.function_call_arguments.done",
                "conversation.item.done",
                "response.output_item.done",
                "response.done",
            ]
            assert (
                list(dict.fromkeys(types[start : start + types[start:].index("response.done") + 1])) == wanted
            )
            assert talking.of("response.output_item.added")[0]["item"]["arguments"] == ""
            assert (
                "".join(event["delta"] for event in talking.of(wanted[2]))
                == call["arguments"]
                == talking.of(wanted[3])[0]["arguments"]
            )
            assert (
                talking.of(wanted[3])[0]["name"] == "look_up"
                and talking.of(wanted[3])[0]["call_id"] == call["call_id"]
            )
            await talking.send(
                "conversation.item.create",
                item={"type": "function_call_output", "call_id": call["call_id"], "output": "blue"},
            )
            await talking.until("conversation.item.done")
            await talking.send("response.create", response={"tool_choice": "none", "max_output_tokens": 40})
            assert all(
                item["type"] == "message"
                for item in (await talking.until("response.done"))["response"]["output"]
            )

    run(main())


def test_a_long_conversation_forgets_its_beginning(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, output_modalities=["text"])
            for _ in range(30):
                await talking.write("What colour is the sky? " * 8)
            used = (await reply(talking, max_output_tokens=3))["usage"]["input_tokens"]
            assert 300 < used < 768
            assert (await reply(talking, max_output_tokens=3))["usage"]["input_token_details"][
                "cached_tokens"
            ] >= used - 5
            await talking.update(truncation="disabled")
            for _ in range(10):
                await talking.write("What colour is the sky? " * 8)
            await talking.send("response.create", event_id="long")
            fault = (await talking.until("error"))["error"]
            assert fault["code"] == "context_length_exceeded" and fault["event_id"] == "long"
            await talking.update(truncation={"type": "retention_ratio", "retention_ratio": 0.3})
            assert (await reply(talking, max_output_tokens=3))["usage"]["input_tokens"] < 768 * 0.4

    run(main())


def test_no_conversation_grows_beyond_what_was_trained(
    tiny_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny_server.service, "trained_length", 200)

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, output_modalities=["text"])
            for _ in range(12):
                await talking.write("What colour is the sky? " * 2)
                used = (await reply(talking, max_output_tokens=3))["usage"]["input_tokens"]
                assert used <= 150
            assert used > 60
            alone = await reply(
                talking, "What colour is the sky? " * 30, max_output_tokens=3
            )  # one item may take more
            assert 150 < alone["usage"]["input_tokens"] < 768

    run(main())


# ---- settings ----


def test_updates_are_merged_or_refused_whole(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            created = talking.events[0]["session"]
            assert (
                created["id"].startswith("sess_")
                and created["object"] == "realtime.session"
                and created["model"] == "gpt-realtime"
            )
            session = await talking.update(
                instructions="Be kind.",
                tools=[TOOL],
                audio={
                    "input": {
                        "transcription": {"model": "whisper-1", "language": "en"},
                        "noise_reduction": {"type": "near_field"},
                        "turn_detection": {"type": "server_vad", "threshold": 0.7},
                    }
                },
            )
            assert (
                session["audio"]["input"]["turn_detection"]["threshold"] == 0.7
                and session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 500
            )
            session = await talking.update(
                tracing="auto",
                audio={
                    "input": {
                        "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
                        "noise_reduction": None,
                    }
                },
            )
            assert (
                session["instructions"] == "Be kind."
                and session["audio"]["input"]["turn_detection"]["threshold"] == 0.7
            )
            assert (
                session["audio"]["input"]["noise_reduction"] is None
                and session["audio"]["input"]["transcription"]["model"] == "whisper-1"
            )
            session = await talking.update(
                instructions="",
                tools=[],
                max_output_tokens=None,
                audio={"output": {"voice": "marin", "speed": 1.2}},
            )
            assert (
                session["instructions"] == ""
                and session["tools"] == []
                and session["audio"]["output"]["speed"] == 1.2
                and session["max_output_tokens"] == "inf"
            )
            for faulty in (
                {"audio": {"output": {"voice": "nobody"}}},
                {"output_modalities": ["text", "audio"]},
                {"tool_choice": "required"},
                {"audio": {"input": {"turn_detection": {"type": "magic"}}}},
                {"max_output_tokens": 5000},
                {"model": "gpt-4o"},
                {"audio": {"output": {"speed": 3}}},
                {"audio": {"input": {"format": {"type": "audio/mp3"}}}},
                {"tools": [{"type": "function"}]},
                {"instructions": 7},
            ):
                await talking.send(
                    "session.update",
                    session={"type": "realtime", "instructions": "changed", **faulty},
                    event_id="bad",
                )
                fault = (await talking.until("error"))["error"]
                assert (
                    fault["event_id"] == "bad" and fault["type"] == "invalid_request_error" and fault["param"]
                )
            assert (await talking.update())["instructions"] == ""
            await reply(talking)
            await talking.send(
                "session.update", session={"type": "realtime", "audio": {"output": {"voice": "ash"}}}
            )
            assert (await talking.until("error"))["error"]["code"] == "cannot_update_voice"

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


def test_a_conversation_that_is_full_says_so_before_it_answers(
    tiny_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_ITEMS", live.RESERVE)

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.write("Hello.")
            await talking.send("response.create")
            assert (await talking.until("error"))["error"]["code"] == "too_many_items" and not talking.of(
                "response.created"
            )

    run(main())


def test_pictures_of_long_ago_are_not_kept(tiny_server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_KEPT", 1000)
    file = io.BytesIO()
    drawing().save(file, "PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            for number in range(3):
                await talking.send(
                    "conversation.item.create",
                    item={
                        "id": f"p{number}",
                        "type": "message",
                        "role": "user",
                        "content": [{"type": "input_image", "image_url": url + " " * 600}],
                    },
                )
            for number, is_kept in ((0, False), (2, True)):
                await talking.send("conversation.item.retrieve", item_id=f"p{number}")
                part = (await talking.until("conversation.item.retrieved"))["item"]["content"][0]
                assert bool(part.get("image_url")) == is_kept

    run(main())


def test_instructions_and_tools_that_are_too_long_are_told(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, instructions="Be kind. " * 11_000)
            await talking.write("Hello.")
            await talking.send("response.create")
            assert "too long" in (await talking.until("error"))["error"]["message"]

    run(main())


def test_what_our_page_asks_for(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, unisono={"ids": True, "images": True})
            response = await reply(talking, max_output_tokens=150)
            rows = [row for event in talking.of("unisono.ids") for row in event["ids"]]
            assert len(rows) == response["usage"]["output_tokens"] and {row[1] for row in rows} >= {
                "text",
                "audio",
                "mark",
            }
            pictures = talking.of("unisono.image")
            assert all(base64.b64decode(event["b64_json"])[1:4] == b"PNG" for event in pictures)

    run(main())


# ---- who may, and how often ----


@pytest.fixture(scope="module")
def guarded(tiny_network: Path) -> Iterator[Running]:
    running = Running(tiny_network, keys=("sk-one", "sk-two"), sessions=3)
    yield running
    running.stop()


def test_client_secrets(guarded: Running) -> None:
    client = OpenAI(base_url=guarded.url, api_key="sk-one", max_retries=0, _strict_response_validation=True)
    secret = client.realtime.client_secrets.create(
        expires_after={"anchor": "created_at", "seconds": 60},
        session={"type": "realtime", "instructions": "Be kind.", "audio": {"output": {"voice": "coral"}}},
    )
    assert (
        secret.value.startswith("ek_")
        and 55 <= secret.expires_at - time.time() <= 60
        and secret.session.instructions == "Be kind."
    )
    with pytest.raises(Exception, match="403|client secret"):
        OpenAI(base_url=guarded.url, api_key=secret.value, max_retries=0).realtime.client_secrets.create()
    for faulty in (
        {"expires_after": {"seconds": 5}},
        {"session": {"type": "realtime", "audio": {"output": {"voice": "nobody"}}}},
        {"session": 3},
    ):
        assert (
            httpx.post(
                f"{guarded.url}/realtime/client_secrets",
                json=faulty,
                headers={"authorization": "Bearer sk-one"},
            ).status_code
            == 400
        )

    async def main() -> None:
        for _ in range(2):  # until it expires, as often as wanted
            async with talk(guarded, secret.value) as talking:
                session = talking.events[0]["session"]
                assert (
                    session["instructions"] == "Be kind." and session["audio"]["output"]["voice"] == "coral"
                )
        guarded.settings.client_keys[secret.value] = "key0", time.time() - 1
        with pytest.raises(Exception, match="401"):
            async with talk(guarded, secret.value):
                pass

    run(main())


def test_refused_at_the_handshake(guarded: Running) -> None:
    async def status(key: str, query: str = "model=gpt-realtime") -> int:
        try:
            async with websockets.connect(
                f"ws{guarded.url[4:]}/realtime?{query}", additional_headers={"authorization": f"Bearer {key}"}
            ):
                return 101
        except websockets.InvalidStatus as error:
            assert set(json.loads(error.response.body)["error"]) == {"message", "type", "param", "code"}
            return error.response.status_code

    async def main() -> None:
        assert await status("sk-no") == 401 and await status("sk-one", "model=nobody") == 404
        assert await status("sk-one", "call_id=rtc_none") == 404 and await status("sk-one", "x=y") == 101
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(talk(guarded, "sk-one"))
            assert await status("sk-one") == 429 and await status("sk-two") == 101
        for _ in range(50):
            if (last := await status("sk-one")) == 101:
                break
            await asyncio.sleep(0.05)
        assert last == 101

    run(main())


def test_browsers(guarded: Running) -> None:
    async def main() -> None:
        address = f"ws{guarded.url[4:]}/realtime?model=gpt-realtime"
        protocols = ["realtime", "openai-insecure-api-key.sk-one", "openai-agents-sdk.1.0"]
        async with websockets.connect(address, subprotocols=protocols) as socket:
            assert (
                socket.subprotocol == "realtime"
                and json.loads(await socket.recv())["type"] == "session.created"
            )

    run(main())


def test_nothing_that_clients_send_ends_a_session(tiny_server: Running) -> None:
    frames = [
        "",
        "null",
        "[]",
        "{",
        "NaN",
        '{"type": 5}',
        '{"type": "none"}',
        "x" * 100_000,
        b"\x00\xff",
        '{"type": "session.update"}',
        "[" * 100_000,
        '{"type": "session.update", "session": 1}',
        '{"type": "input_audio_buffer.append"}',
        '{"type": "input_audio_buffer.append", "audio": "%%%"}',
        '{"type": "input_audio_buffer.append", "audio": 5, "event_id": {}}',
        '{"type": "conversation.item.create"}',
        '{"type": "response.create", "response": []}',
        (
            '{"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": '
            '[{"type": "input_text", "text": "\\ud800"}]}}'
        ),
        '{"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": 5}}',
        '{"type": "conversation.item.truncate", "item_id": []}',
        (
            '{"type": "conversation.item.create", "item": {"type": "function_call", "name": "!", '
            '"arguments": "{"}}'
        ),
        '{"type": "output_audio_buffer.clear"}',
        '{"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [5]}}',
        '{"type": "response.cancel", "response_id": 5}',
        json.dumps(
            {
                "type": "conversation.item.create",
                "item": {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "ab " * 50_000}],
                },
            }
        ),
        (
            '{"type": "session.update", "session": {"type": "realtime", "audio": {"input": '
            '{"turn_detection": {"type": "server_vad", "threshold": 1e999}}}}}'
        ),
    ]

    async def main() -> None:
        async with websockets.connect(f"ws{tiny_server.url[4:]}/realtime", max_size=None) as socket:
            for frame in frames:
                await socket.send(frame)
            faults = []
            while len(faults) < len(frames):
                event = check(json.loads(await asyncio.wait_for(socket.recv(), 20)))
                assert event["type"] in ("error", "session.created", "conversation.created"), event
                faults += [event["error"]] if event["type"] == "error" else []
            assert {fault["type"] for fault in faults} == {"invalid_request_error"}
            await socket.send(
                '{"type": "input_audio_buffer.append", "audio": "AAA="}'
            )  # an odd number of bytes
            await socket.send('{"type": "session.update", "session": {"type": "realtime"}, "event_id": null}')
            assert json.loads(await asyncio.wait_for(socket.recv(), 20))["type"] == "session.updated"

    run(main())


def test_who_leaves_leaves_nothing_behind(tiny_server: Running, slow: None) -> None:
    async def main() -> None:
        async with websockets.connect(f"ws{tiny_server.url[4:]}/realtime", max_size=None) as socket:
            await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": wire(spoken())}))
            await socket.send(json.dumps({"type": "response.create"}))
            await socket.send(json.dumps({"type": "response.create", "response": {"conversation": "none"}}))
            while json.loads(await socket.recv())["type"] != "response.output_item.added":
                pass

    run(main())  # and what remains is looked for after every test


def test_ten_people_at_once(tiny_server: Running) -> None:
    async def person(number: int) -> tuple[str, str]:
        async with talk(tiny_server) as talking:
            secret = f"The secret is {number}{number}."
            await talking.update(
                output_modalities=["text"],
                instructions=secret,
                audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 300}}},
                max_output_tokens=40,
            )
            await talking.write(secret, id=f"item{number}")
            await talking.say(spoken(f"{number} plus {number}?"))
            response = (await talking.until("response.done"))["response"]
            items = [event["item"] for event in talking.of("conversation.item.added")]
            assert items[0]["id"] == f"item{number}" and len(items) == 3
            assert {event["response_id"] for event in talking.events if "response_id" in event} == {
                response["id"]
            }
            assert talking.of("session.updated")[0]["session"]["instructions"] == secret
            await talking.send("conversation.item.retrieve", item_id=f"item{number}")
            assert (await talking.until("conversation.item.retrieved"))["item"]["content"][0][
                "text"
            ] == secret
            return response["id"], response["usage"]["input_tokens"]

    async def main() -> None:
        made = await asyncio.gather(*(person(number) for number in range(10)))
        assert len({id for id, _ in made}) == 10

    run(main())


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


def test_the_sdk_reads_events_as_its_own_types(tiny_server: Running) -> None:
    async def main() -> None:
        client = AsyncOpenAI(base_url=tiny_server.url, api_key="x")
        async with client.realtime.connect(model="gpt-realtime") as connection:
            await connection.session.update(
                session={"type": "realtime", "output_modalities": ["text"], "max_output_tokens": 20}
            )
            await connection.conversation.item.create(
                item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
            )
            await connection.response.create()
            async for event in connection:
                if event.type == "response.done":
                    assert event.response.output[0].content[0].text is not None
                    break

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


def test_a_model_may_be_named_late_but_once(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server, model="") as talking:
            assert (await talking.update(model="gpt-realtime-2.1", instructions="Be kind."))[
                "model"
            ] == "gpt-realtime-2.1"
            await talking.send("session.update", session={"type": "realtime", "model": "gpt-realtime"})
            assert "cannot be changed" in (await talking.until("error"))["error"]["message"]

    run(main())


def test_numbers_larger_than_any_are_refused(tiny_server: Running) -> None:
    async def main() -> None:
        async with websockets.connect(
            f"{tiny_server.url.replace('http', 'ws')}/realtime?model=gpt-realtime"
        ) as socket:
            await socket.send('{"type": "session.update", "session": {"type": "realtime", "tracing": 1e999}}')
            while (event := json.loads(await socket.recv()))["type"] != "error":
                pass
            assert event["error"]["code"] == "invalid_json"

    run(main())


def test_of_an_answer_that_was_cut_short_the_thought_is_forgotten(tiny_server: Running) -> None:
    vocab = tiny_server.service.vocab
    word = [5, vocab.id("<|begin_audio|>"), *as_ids([1, 2, 3], vocab), vocab.id("<|end_audio|>")]
    thought = [vocab.id("<|begin_thought|>"), 5, 6, vocab.id("<|end_thought|>")]
    item = Item("item_1", "message", "assistant", said=[*thought, *word, *word], frames=6)
    item.hear(vocab, 120)
    assert item.body == item.said
    item.hear(vocab, 60)
    assert item.body == word
