"""/v1/audio/speech with OpenAI's own client: every format, streams, limits and errors."""

import asyncio
import base64
import io
import json
import time
import wave
from collections.abc import Callable
from contextlib import aclosing

import httpx
import numpy as np
import openai
import pytest
from coded import long_sound, wav
from conftest import Connect, Running
from openai import OpenAI

from unisono.assess.quality.judge import transcribe, word_error_rate
from unisono.core.home import shipped
from unisono.media import read_sound
from unisono.serve.reply import speak
from unisono.serve.reply.events import Usage
from unisono.serve.wire.sound import FORMATS

TEXT = "Good morning. It says 42."


has_weights = pytest.mark.skipif(
    not list(shipped().glob("*/model.safetensors")), reason="no weights in the package"
)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_sound(client: OpenAI, format: str) -> None:
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format=format)
    content = answer.read()
    if format == "pcm":
        assert (
            len(content) % 2 == 0
            and len(content) > 1900
            and answer.response.headers["content-type"] == "audio/pcm"
        )
    else:
        sound = read_sound(content)
        assert sound.sample_rate in (24000, 48000) and sound.seconds > 0.035  # two sentences of a frame each


def test_speech_streams_and_its_header_is_read(client: OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts",
        voice={"id": "alloy"},
        input=TEXT * 3,
        response_format="wav",
        extra_body={"instructions": None},
    ) as answer:
        pieces = [piece for piece in answer.iter_bytes() if piece]
    assert len(pieces) > 1
    with wave.open(io.BytesIO(b"".join(pieces))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24000, 1, 2) and len(
            file.readframes(10**6)
        ) > 3700


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(500):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to be so")


def at_rest(server: Running) -> bool:
    """Whether nothing runs and every conversation is nobody's."""
    scheduler = server.service.scheduler
    return (
        not scheduler.running and not scheduler.waiting and len(scheduler.engine.slots) == len(scheduler.idle)
    )


def test_little_is_made_ahead_of_what_is_heard(tiny_server: Running) -> None:
    wait_until(lambda: at_rest(tiny_server))
    before = tiny_server.service.scheduler.num_ids

    async def first() -> int:
        async with aclosing(
            speak.speak(tiny_server.service, "Good morning to you all. " * 100, "alloy", 1.0, Usage())
        ) as sound:
            assert len(await anext(sound)) >= 0
            return tiny_server.service.scheduler.num_ids - before

    assert asyncio.run(first()) < 3 * 400  # three of the hundred sentences, none longer than that
    wait_until(lambda: at_rest(tiny_server))


def test_who_leaves_leaves_nothing_behind(tiny_server: Running, client: OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input="Good morning to you all. " * 100
    ) as answer:
        next(answer.iter_bytes(100))
    wait_until(lambda: at_rest(tiny_server))
    with httpx.stream(
        "POST",
        tiny_server.url + "/audio/transcriptions",
        data={"model": "whisper-1", "stream": "true"},
        files={"file": wav(np.concatenate([long_sound()] * 4))},
    ) as streamed:
        next(streamed.iter_bytes(50))
    wait_until(lambda: at_rest(tiny_server))
    with pytest.raises(httpx.ReadTimeout):  # one that reads nothing before the whole is made
        httpx.post(
            tiny_server.url + "/audio/transcriptions",
            data={"model": "whisper-1"},
            files={"file": wav(np.tile(long_sound(), 20))},
            timeout=httpx.Timeout(5, read=0.05),
        )
    wait_until(lambda: at_rest(tiny_server))


@pytest.mark.parametrize("speed", [None, 0.25, 2.0])
def test_speech_as_events_and_speed_changes_its_length(tiny_server: Running, speed: float | None) -> None:
    answer = httpx.post(
        tiny_server.url + "/audio/speech",
        json={
            "model": "tts-1",
            "voice": "alloy",
            "input": TEXT,
            "stream_format": "sse",
            "response_format": "pcm",
            "speed": speed,
        },
    )
    events = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"} and events[-1][
        "type"
    ] == "speech.audio.done"
    num_bytes = sum(len(base64.b64decode(event["audio"])) for event in events[:-1])
    usage, said = events[-1]["usage"], speak.sentences(TEXT)
    scripts = [tiny_server.service.tokenizer.script(sentence) for sentence in said]
    num_codes = usage["output_tokens"] - sum(1 + sum(len(word) + 2 for word in script) for script in scripts)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] and num_codes > len(said)
    assert abs(num_bytes - 2 * 480 * num_codes / (speed or 1)) <= 800


@pytest.mark.parametrize(
    "change",
    [
        {"input": ""},
        {"input": " \n "},
        {"input": "x" * 4097},
        {"voice": "nobody"},
        {"voice": None},
        {"voice": [1]},
        {"speed": 9},
        {"speed": 0},
        {"response_format": "mp4"},
        {"stream_format": "x"},
        {"input": 5},
        {"model": None},
    ],
)
def test_wrong_speech_requests(client: OpenAI, change: dict) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.speech.create(**({"model": "tts-1", "voice": "alloy", "input": "x"} | change))
    assert caught.value.param is not None and caught.value.param.split(".")[0] in change


def test_an_unknown_model(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.audio.speech.create(model="none", voice="alloy", input="x")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    "text, parts",
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("pi is 3.14 now", ["pi is 3.14 now"]),
        ("a\n\nb", ["a", "b"]),
        ('He said "no." Then he left.', ['He said "no.', "Then he left."]),
        ("", []),
        (" ... ", ["..."]),
    ],
)
def test_sentences(text: str, parts: list[str]) -> None:
    assert speak.sentences(text) == parts


def test_no_breath_is_too_long_and_nothing_is_lost() -> None:
    for text in ("word " * 200, "x" * 1000, "one, two, " * 60, "a" * 119 + " " + "b" * 300 + ", c"):
        found = speak.sentences(text)
        assert max(map(len, found)) <= speak.LONGEST and "".join(found).replace(" ", "") == text.replace(
            " ", ""
        )


@has_weights
def test_the_network_speaks_and_hears(shipped_server: Running, connect: Connect) -> None:
    client = connect(shipped_server)
    content = client.audio.speech.create(
        model="tts-1", voice="alloy", input="The sky is blue. What a day!", response_format="wav"
    ).read()
    sound = read_sound(content)
    assert 1 < sound.seconds < 12 and np.abs(sound.pcm).max() > 0.02
    heard = client.audio.transcriptions.create(
        model="whisper-1", file=("a.wav", content), response_format="verbose_json"
    )
    assert heard.segments and heard.segments[0].text and heard.segments[0].avg_logprob < 0


@has_weights
def test_what_it_speaks_is_what_it_was_given(shipped_server: Running, connect: Connect) -> None:
    client, given = connect(shipped_server), "The opposite of hot is cold."
    sound = read_sound(
        client.audio.speech.create(model="tts-1", voice="alloy", input=given, response_format="flac").read()
    )
    assert word_error_rate([given], [transcribe(sound.pcm, sound.sample_rate)]).rate < 0.5
