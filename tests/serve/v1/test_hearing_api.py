"""/v1/audio/transcriptions and translations with OpenAI's own client: every format, streams and errors."""

import asyncio

import httpx
import numpy as np
import pytest
from coded import long_sound, wav
from conftest import Running, tone
from openai import OpenAI

from unisono.core.home import shipped
from unisono.media import Sound, read_sound
from unisono.serve.reply import hear
from unisono.serve.reply.word_times import words_of
from unisono.signals import to_mono
from unisono.tokens.phrases import MEANING, WRITE_DOWN

has_weights = pytest.mark.skipif(
    not list(shipped().glob("*/model.safetensors")), reason="no weights in the package"
)
# OpenAI's client calls its `translations` deprecated; servers are asked for them all the same.
translates = pytest.mark.filterwarnings("ignore:deprecated$:DeprecationWarning")


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


@translates
@pytest.mark.parametrize("format", ["json", "verbose_json", "text", "srt", "vtt"])
def test_translations(client: OpenAI, format: str) -> None:
    answer = client.audio.translations.create(model="whisper-1", file=wav(tone()), response_format=format)
    assert isinstance(answer if isinstance(answer, str) else answer.text, str)
    assert format != "verbose_json" or answer.language == "english"


@translates
def test_what_is_not_english_is_asked_for_in_english(
    tiny_server: Running, client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, service = list[str](), tiny_server.service
    prompt = service.prompt
    monkeypatch.setattr(hear, "is_english", lambda text: False)
    monkeypatch.setattr(
        service,
        "prompt",
        lambda messages, request: asked.append(messages[-1].text) or prompt(messages, request),
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
            {"timestamp_granularities[]": "word", "response_format": "srt"},
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


def test_words_have_times_in_their_order(client: OpenAI) -> None:
    answer = client.audio.transcriptions.create(
        model="whisper-1",
        file=wav(long_sound()),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert [word.word for word in answer.words] == answer.text.split() or not answer.text
    ends = 0.0
    for word in answer.words:
        assert ends <= word.start + 1e-6 < word.end <= answer.duration + 1e-6
        ends = word.start
    shorter = client.audio.transcriptions.create(
        model="whisper-1", file=wav(tone(0.5)), response_format="verbose_json"
    )
    assert shorter.words is None


@has_weights
def test_the_words_of_a_segment_lie_where_their_sound_is(shipped_server: Running) -> None:
    """A recording made of two sentences with a pause: each word lies on its own side of it."""
    service = shipped_server.service
    pcm = [read_sound(said(shipped_server, text)).pcm for text in ("There is one red star.", "Good morning.")]
    rate = 24000
    pause = np.zeros(rate, np.float32)
    whole = to_mono(np.concatenate([pcm[0], pause, pcm[1]]), rate, hear.CODEC_RATE)
    segment = hear.TranscriptSegment(0.0, len(whole) / hear.CODEC_RATE, whole)
    segment.text = "There is one red star. Good morning."
    words = asyncio.run(words_of(service, segment))
    assert [word["word"] for word in words] == segment.text.split()
    before, after = len(pcm[0]) / rate, len(pcm[0]) / rate + 1
    assert all(word["start"] < word["end"] for word in words)
    assert words[4]["end"] <= before + 0.3 and words[5]["start"] >= after - 0.6
    assert words[0]["start"] < 0.5 and words[-1]["end"] > after + 0.2


def said(server: Running, text: str) -> bytes:
    with OpenAI(base_url=server.url, api_key="x", max_retries=0) as client:
        return client.audio.speech.create(
            model="tts-1", voice="alloy", input=text, response_format="wav"
        ).content
