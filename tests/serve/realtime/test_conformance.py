"""What people report of other realtime servers, held to here: barge-in before the first sound, calls in the
middle of a sentence, settings that are silently ignored, sockets that are refused or closed at a bad moment.
"""

# ruff: noqa: F401, F811

import asyncio
import json
import logging
from collections.abc import Callable

import numpy as np
import pytest
import websockets
from conftest import Running
from live_client import spoken, talk, wire
from realtime_cases import MANUAL, QUICK, brief, reply, run, slow, wordy

from unisono.serve.realtime.context import as_ids

TOOL = {
    "type": "function",
    "name": "look_up",
    "parameters": {
        "type": "object",
        "properties": {"word": {"type": "string", "enum": ["día", "海"]}},
        "required": ["word"],
        "additionalProperties": False,
    },
}


@pytest.fixture
def scripted(tiny_server: Running, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[int]], None]:
    """Sets what the network writes next: these ids, one after the other, from <|assistant|> on."""
    engine, vocab = tiny_server.service.scheduler.engine, tiny_server.service.vocab
    feed, script, place = engine.feed, list[int](), 0

    def follow(feeds: list) -> np.ndarray:
        nonlocal place
        logits = feed(feeds).copy()
        for row, (_, ids) in zip(logits, feeds):
            if ids[-1] == vocab.id("<|assistant|>"):
                place = 0
            elif place < len(script) and ids[-1] == script[place]:
                place += 1
            if place < len(script):
                row[script[place]] = 1e9
        return logits

    monkeypatch.setattr(engine, "feed", follow)
    return script.extend


def sentence_with_a_call(server: Running, word: str) -> list[int]:
    """A word and its sound, and a call."""
    service = server.service
    vocab, text = service.vocab, service.tokenizer.text
    call = text.encode(f'{{"name": "look_up", "arguments": {{"word": "{word}"}}}}')
    free = [id for id in range(vocab.text_size) if id not in call and text.piece(id).isalpha()]
    return [
        free[0],
        vocab.id("<|begin_audio|>"),
        *as_ids([1, 2, 3, 4, 5, 6], vocab),
        vocab.id("<|end_audio|>"),
        vocab.id("<|begin_call|>"),
        *call,
        vocab.id("<|end_call|>"),
        vocab.id("<|end|>"),
    ]


# ---- barge-in ----


def test_what_nobody_heard_can_be_cut_to_nothing(tiny_server: Running, slow: None) -> None:
    """A client that interrupts before the first sound has played 0 ms of the reply."""

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.write("Say: good morning.")
            await talking.send("response.create")
            item = (await talking.until("response.output_item.added"))["item"]["id"]
            await talking.send("response.cancel")
            assert (await talking.until("response.done"))["response"]["status"] == "cancelled"
            await talking.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=0)
            assert (await talking.until("conversation.item.truncated"))["audio_end_ms"] == 0
            await talking.send("conversation.item.retrieve", item_id=item)
            kept = (await talking.until("conversation.item.retrieved"))["item"]
            assert kept["content"] == [{"type": "output_audio", "transcript": ""}]
            assert (await reply(talking, max_output_tokens=3))["status"] == "incomplete"

    run(main())


def test_who_may_not_interrupt_is_answered_afterwards(tiny_server: Running, slow: None) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            detection = {"type": "server_vad", "silence_duration_ms": 300, "interrupt_response": False}
            session = await talking.update(
                audio={"input": {"turn_detection": detection}}, max_output_tokens=150
            )
            assert session["audio"]["input"]["turn_detection"]["interrupt_response"] is False
            await talking.write("Say: good morning.")
            await talking.send("response.create")
            first = (await talking.until("response.created"))["response"]["id"]
            await talking.until("response.output_audio.delta")
            await talking.say(spoken())
            await talking.until("input_audio_buffer.committed")
            done = (await talking.until("response.done"))["response"]
            assert done["id"] == first and done["status"] in ("completed", "incomplete")
            second = (await talking.until("response.created"))["response"]["id"]
            assert (await talking.until("response.done"))["response"]["id"] == second != first

    run(main())


def test_a_turn_is_only_answered_where_that_was_asked_for(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            detection = {"type": "server_vad", "silence_duration_ms": 300, "create_response": False}
            await talking.update(audio={"input": {"turn_detection": detection}})
            await talking.say(spoken())
            await talking.until("conversation.item.done")
            await talking.quiet(0.3)
            assert not talking.of("response.created")
            await talking.send("response.create", response={"max_output_tokens": 5})
            used = (await talking.until("response.done"))["response"]["usage"]["input_token_details"]
            assert used["audio_tokens"] > 30

    run(main())


# ---- calls ----


@pytest.mark.parametrize("word", ["día", "海"])
def test_a_call_in_the_middle_of_speech(
    tiny_server: Running, scripted: Callable[[list[int]], None], word: str
) -> None:
    """What was said before it stays, with all its sound; the arguments are told as they were written."""
    scripted(sentence_with_a_call(tiny_server, word))

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, tools=[TOOL])
            response = await reply(talking, max_output_tokens=200)
            message, call = response["output"]
            assert [message["type"], call["type"]] == ["message", "function_call"]
            assert response["status"] == message["status"] == call["status"] == "completed"
            assert message["content"][0]["transcript"].strip()
            assert json.loads(call["arguments"]) == {"word": word} and word in call["arguments"]
            types = talking.types()
            assert types.index("response.output_audio.done") < types.index(
                "response.function_call_arguments.delta"
            )
            last = len(types) - types[::-1].index("response.output_audio.delta")
            assert last <= types.index("response.output_audio.done")
            sounds = talking.of("response.output_audio.delta", item_id=message["id"])
            assert sounds == talking.of("response.output_audio.delta")
            output = {"type": "function_call_output", "call_id": call["call_id"], "output": "blue"}
            await talking.send("conversation.item.create", item=output)
            await talking.send("response.create", response={"max_output_tokens": 3, "tool_choice": "none"})
            assert (await talking.until("response.done"))["response"]["usage"]["input_tokens"] > 20
            await talking.send(
                "conversation.item.truncate", item_id=message["id"], content_index=0, audio_end_ms=40
            )
            await talking.until("conversation.item.truncated")

    run(main())


def test_a_call_that_breaks_off_is_never_spoken(
    tiny_server: Running, scripted: Callable[[list[int]], None]
) -> None:
    scripted(sentence_with_a_call(tiny_server, "día"))

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, tools=[TOOL])
            response = await reply(talking, max_output_tokens=30)
            assert response["status_details"]["reason"] == "max_output_tokens"
            told = "".join(event["delta"] for event in talking.of("response.output_audio_transcript.delta"))
            assert "look_up" not in told and "{" not in told
            broken = {"type": "function_call", "name": "look_up", "arguments": '{"word": "d'}
            await talking.send("conversation.item.create", item={**broken, "call_id": "call_2"})
            item = await talking.until("conversation.item.done", lambda event: "arguments" in event["item"])
            assert item["item"]["arguments"] == broken["arguments"]
            assert (await reply(talking, max_output_tokens=3))["status"] == "incomplete"

    run(main())


# ---- settings ----


@pytest.mark.parametrize(
    ("given", "place", "value"),
    [
        ({"modalities": ["text"]}, "output_modalities", ["text"]),
        ({"modalities": ["text", "audio"]}, "output_modalities", ["audio"]),
        ({"modalities": ["audio"]}, "output_modalities", ["audio"]),
        ({"max_response_output_tokens": 7}, "max_output_tokens", 7),
        ({"voice": "coral"}, "audio.output.voice", "coral"),
        ({"speed": 1.25}, "audio.output.speed", 1.25),
        ({"output_audio_format": "g711_ulaw"}, "audio.output.format", {"type": "audio/pcmu"}),
        ({"input_audio_format": "pcm16"}, "audio.input.format", {"type": "audio/pcm", "rate": 24000}),
        ({"input_audio_format": "g711_alaw"}, "audio.input.format", {"type": "audio/pcma"}),
        (
            {"input_audio_transcription": {"model": "whisper-1"}},
            "audio.input.transcription",
            {"model": "whisper-1"},
        ),
        (
            {"input_audio_noise_reduction": {"type": "far_field"}},
            "audio.input.noise_reduction.type",
            "far_field",
        ),
        ({"turn_detection": None}, "audio.input.turn_detection", None),
        ({"turn_detection": {"type": "semantic_vad"}}, "audio.input.turn_detection.type", "semantic_vad"),
        ({"temperature": 0.8}, "temperature", 0.8),
    ],
)
def test_the_words_of_the_beta_are_honoured(
    tiny_server: Running, given: dict, place: str, value: object
) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            found: object = await talking.update(**given)
            for step in place.split("."):
                assert isinstance(found, dict)
                found = found[step]
            assert found == value

    run(main())


@pytest.mark.parametrize(
    "given",
    [
        {"modalities": ["video"]},
        {"modalities": []},
        {"modalities": "text"},
        {"modalities": ["text"], "output_modalities": ["audio"]},
        {"voice": "nobody"},
        {"voice": "coral", "audio": {"output": {"voice": "ash"}}},
        {"input_audio_format": "mp3"},
        {"temperature": 7},
        {"turn_detection": {"type": "semantic_vad", "threshold": 0.5}},
        {"turn_detection": {"type": "server_vad", "eagerness": "high"}},
    ],
)
def test_what_cannot_be_honoured_is_refused(tiny_server: Running, given: dict) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            before = await talking.update(instructions="Be kind.")
            await talking.send(
                "session.update", session={"type": "realtime", "instructions": "changed", **given}
            )
            assert (await talking.until("error"))["error"]["type"] == "invalid_request_error"
            assert await talking.update() == before

    run(main())


def test_a_response_in_the_words_of_the_beta(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.write("Hello.")
            wanted = {"modalities": ["text"], "max_response_output_tokens": 3, "temperature": 0.7}
            await talking.send("response.create", response=wanted)
            response = (await talking.until("response.done"))["response"]
            assert response["output_modalities"] == ["text"] and response["max_output_tokens"] == 3
            assert not talking.of("response.output_audio.delta")

    run(main())


# ---- sockets ----


def test_a_refused_handshake_is_no_error_of_the_server(
    tiny_server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        for query, headers in (
            ("model=nobody", {}),
            ("call_id=rtc_none", {}),
            ("model=gpt-realtime", {"origin": "http://elsewhere.example"}),
        ):
            with pytest.raises(websockets.InvalidStatus):
                async with websockets.connect(
                    f"ws{tiny_server.url[4:]}/realtime?{query}", additional_headers=headers
                ):
                    pass
        await asyncio.sleep(0.3)

    with caplog.at_level(logging.WARNING):
        run(main())
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_closing_at_any_moment_is_no_error(
    tiny_server: Running,
    slow: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def leave_after(type: str) -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**QUICK)
            await talking.say(spoken())
            await talking.send("response.create", response={"conversation": "none"})
            while (await talking.read())["type"] != type:
                pass

    async def main() -> None:
        for type in (
            "input_audio_buffer.speech_started",
            "response.created",
            "response.output_audio.delta",
        ):
            await leave_after(type)
        await asyncio.sleep(0.3)

    with caplog.at_level(logging.WARNING):
        run(main())
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_history_survives_interruptions(tiny_server: Running, slow: None) -> None:
    """Whatever is cut off, the turns before it are still what the network is told."""

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            used = [(await reply(talking, max_output_tokens=3))["usage"]["input_tokens"]]
            for _ in range(3):
                await talking.write("Say: good morning.")
                await talking.send("response.create")
                await talking.until("response.output_audio_transcript.delta")
                await talking.send("input_audio_buffer.append", audio=wire(spoken(after=0.1)))
                await talking.send("input_audio_buffer.commit")
                await talking.send("response.cancel")
                await talking.until("response.done")
                used.append((await reply(talking, max_output_tokens=3))["usage"]["input_tokens"])
            assert all(after - before > 60 for before, after in zip(used, used[1:]))

    run(main())
