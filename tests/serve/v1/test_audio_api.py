"""/v1/audio with OpenAI's own client: every format of speech and of transcripts, streams, limits and
errors.
"""

import asyncio
import base64
import io
import json
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import aclosing

import httpx
import numpy as np
import openai
import pytest
import soundfile
from conftest import Running, tone
from openai import OpenAI

from unisono.assess.quality.judge import transcribe, word_error_rate
from unisono.core.home import shipped
from unisono.media import Sound, read_sound
from unisono.serve.reply import hear, speak
from unisono.serve.reply.events import Usage
from unisono.serve.wire.sound import FORMATS
from unisono.tokens.phrases import MEANING, WRITE_DOWN

TEXT = "Good morning. It says 42."
has_weights = pytest.mark.skipif(
    not list(shipped().glob("*/model.safetensors")), reason="no weights in the package"
)


@pytest.fixture(scope="module")
def client(tiny_server: Running) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=tiny_server.url, api_key="x", max_retries=0, _strict_response_validation=True
    ) as made:
        yield made


def wav(pcm: np.ndarray, rate: int = 16000, format: str = "WAV") -> io.BytesIO:
    file = io.BytesIO()
    soundfile.write(file, pcm, rate, format=format)
    file.seek(0)
    file.name = f"sound.{format.lower()}"
    return file


def long_sound() -> np.ndarray:
    """14 s: a tone, two seconds of quiet in which to cut, a tone, and quiet that nobody needs to hear."""
    quiet = np.zeros(32000, np.float32)
    return np.concatenate([tone(4.0), quiet, tone(6.0), quiet]) + 1e-5


# ---- speech ----


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


# ---- hearing ----


@pytest.mark.parametrize("name", ["sound.wav", "sound.flac", "sound.mp3", "sound.ogg", "clip.mp4"])
def test_files_are_known_by_content(client: OpenAI, media, name: str) -> None:
    answer = client.audio.transcriptions.create(
        model="whisper-1",
        file=("recording", media(name).read_bytes()),
        language="en",
        prompt="x",
        temperature=0,
    )
    assert (
        isinstance(answer.text, str)
        and answer.usage.type == "tokens"
        and answer.usage.input_token_details.audio_tokens > 5
    )


def test_verbose_json_has_segments_where_something_is_heard(client: OpenAI) -> None:
    answer = client.audio.transcriptions.create(
        model="whisper-1",
        file=wav(long_sound()),
        response_format="verbose_json",
        timestamp_granularities=["segment"],
    )
    assert answer.duration == 14 and answer.usage.seconds == 14 and answer.language
    (first, second) = answer.segments
    assert (
        first.start == 0
        and 4.0 <= first.end <= 6 <= second.end - 5.5
        and 5.8 <= second.start <= 6
        and second.end <= 12.2
    )
    assert answer.text == " ".join(one.text for one in answer.segments if one.text)


@pytest.mark.parametrize("format", ["text", "srt", "vtt"])
def test_plain_formats_are_not_json(tiny_server: Running, client: OpenAI, format: str) -> None:
    answer = httpx.post(
        tiny_server.url + "/audio/transcriptions",
        data={"model": "whisper-1", "response_format": format},
        files={"file": wav(long_sound(), format="FLAC")},
    )
    assert (
        answer.status_code == 200
        and answer.headers["content-type"].startswith("text/plain")
        and not answer.text.startswith('"')
    )
    if format == "srt" and answer.text.strip():
        assert answer.text.startswith("1\n00:00:00,000 --> 00:00:0")
    assert format != "vtt" or answer.text.startswith("WEBVTT\n\n")
    assert isinstance(
        client.audio.transcriptions.create(model="whisper-1", file=wav(tone()), response_format=format), str
    )


def test_diarized_json_does_not_invent_speakers(client: OpenAI) -> None:
    answer = client.audio.transcriptions.create(
        model="gpt-4o-transcribe",
        file=wav(long_sound()),
        response_format="diarized_json",
        chunking_strategy={"type": "server_vad"},
        extra_body={"known_speaker_names": ["a"]},
    )
    assert len(answer.segments) == 2 and {one.speaker for one in answer.segments} == {"unknown"}


def test_streamed_deltas_are_the_text(client: OpenAI) -> None:
    events = list(
        client.audio.transcriptions.create(
            model="gpt-4o-transcribe", file=wav(long_sound()), stream=True, include=["logprobs"]
        )
    )
    assert {event.type for event in events[:-1]} <= {"transcript.text.delta"} and events[
        -1
    ].type == "transcript.text.done"
    assert (
        "".join(event.delta for event in events[:-1]) == events[-1].text
        and events[-1].usage.total_tokens > 100
    )
    assert all(one.logprob <= 0 and one.token is not None for one in events[-1].logprobs)


def test_logprobs(client: OpenAI) -> None:
    answer = client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=wav(tone()), include=["logprobs"]
    )
    assert b"".join(bytes(int(byte) for byte in one.bytes) for one in answer.logprobs).decode(
        "utf8", "replace"
    ).strip(" \ufffd") == answer.text.strip("\ufffd")


def test_silence_is_nothing(client: OpenAI) -> None:
    answer = client.audio.transcriptions.create(
        model="whisper-1", file=wav(np.zeros(16000, np.float32)), response_format="verbose_json"
    )
    assert answer.text == "" and answer.segments == [] and answer.duration == 1


@pytest.mark.parametrize("format", ["json", "verbose_json", "text", "srt", "vtt"])
def test_translations(client: OpenAI, format: str) -> None:
    answer = client.audio.translations.create(model="whisper-1", file=wav(tone()), response_format=format)
    assert isinstance(answer if isinstance(answer, str) else answer.text, str)
    assert format != "verbose_json" or answer.language == "english"


def test_what_is_not_english_is_asked_for_in_english(
    tiny_server: Running, client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, service = list[str](), tiny_server.service
    prompt = service.prompt
    monkeypatch.setattr(hear, "is_english", lambda text: False)
    monkeypatch.setattr(
        service, "prompt", lambda messages, wish: asked.append(messages[-1].text) or prompt(messages, wish)
    )
    client.audio.translations.create(model="whisper-1", file=wav(tone()))
    assert asked == [WRITE_DOWN[0], MEANING[0]]


@pytest.mark.parametrize(
    "fields, content, param",
    [
        ({}, b"", "file"),
        ({}, b"not sound at all", "file"),
        ({"model": ""}, None, "model"),
        ({"temperature": "7"}, None, "temperature"),
        ({"temperature": "NaN"}, None, "temperature"),
        ({"response_format": "xml"}, None, "response_format"),
        (
            {"timestamp_granularities[]": "word", "response_format": "verbose_json"},
            None,
            "timestamp_granularities",
        ),
        ({"stream": "maybe"}, None, "stream"),
        ({"timestamp_granularities[]": "letter"}, None, "timestamp_granularities.0"),
    ],
)
def test_wrong_hearing_requests(
    tiny_server: Running, fields: dict, content: bytes | None, param: str
) -> None:
    sent = wav(tone()) if content is None else content
    answer = httpx.post(
        tiny_server.url + "/audio/transcriptions",
        data={"model": "whisper-1"} | fields,
        files={"file": ("a.wav", sent)},
    )
    assert answer.status_code == 400 and answer.json()["error"]["param"] == param


def test_missing_file_and_wrong_kind_of_body(tiny_server: Running) -> None:
    url = tiny_server.url + "/audio/transcriptions"
    for answer in (
        httpx.post(url, json={"model": "whisper-1"}),
        httpx.post(url, data={"model": "whisper-1"}, files={"x": b"x"}),
        httpx.post(url, content=b"--", headers={"content-type": "multipart/form-data"}),
        httpx.post(url, content=b"junk", headers={"content-type": "multipart/form-data; boundary=x"}),
    ):
        assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"


def test_ten_minutes_and_no_more(tiny_server: Running) -> None:
    url, fields = (
        tiny_server.url + "/audio/transcriptions",
        {"model": "whisper-1", "response_format": "verbose_json"},
    )
    quiet = np.zeros(8000 * 601, np.float32)
    quiet[-16000:-9000] = 0.2
    whole = httpx.post(url, data=fields, files={"file": wav(quiet[8000:], 8000, "FLAC")}, timeout=60).json()
    assert (
        whole["duration"] == 600 and len(whole["segments"]) == 1 and 597 < whole["segments"][0]["start"] < 599
    )
    answer = httpx.post(
        url,
        data=fields,
        files={"file": wav(quiet[:1] + np.zeros(8000 * 603, np.float32), 8000, "FLAC")},
        timeout=60,
    )
    assert answer.status_code == 400 and "600 s" in answer.json()["error"]["message"]


def test_cuts_lie_in_pauses_and_no_segment_is_too_long() -> None:
    pcm = np.concatenate([np.concatenate([tone(2.6), np.zeros(8000, np.float32)]) for _ in range(12)])
    found = hear.segments(Sound(pcm, 16000))
    assert len(found) >= 4 and all(one.end_s - one.start_s <= hear.LONGEST_S for one in found)
    for one in found[1:]:
        assert one.start_s % 3.1 > 2.4 or one.start_s % 3.1 < 0.1
    noise = np.random.default_rng(0).normal(0, 0.1, 16000 * 65).astype(np.float32)
    found = hear.segments(Sound(noise, 16000))
    assert sum(len(one.pcm) for one in found) == len(noise)  # without a pause nothing is lost


@has_weights
def test_the_network_speaks_and_hears(shipped_server: Running) -> None:
    client = OpenAI(base_url=shipped_server.url, api_key="x", max_retries=0, _strict_response_validation=True)
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
def test_what_it_speaks_is_what_it_was_given(shipped_server: Running) -> None:
    client, given = (
        OpenAI(base_url=shipped_server.url, api_key="x", max_retries=0),
        "The opposite of hot is cold.",
    )
    sound = read_sound(
        client.audio.speech.create(model="tts-1", voice="alloy", input=given, response_format="flac").read()
    )
    assert word_error_rate([given], [transcribe(sound.pcm, sound.sample_rate)]).rate < 0.5
