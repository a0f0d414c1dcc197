"""/v1/chat/completions: parts of messages, and replies that are spoken."""

import base64
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openai
import pytest
import soundfile
from chat_client import SKY, SPOKEN, ask, png, url, user, wav
from conftest import Connect, Running
from openai import OpenAI


def test_all_kinds_of_parts(client: OpenAI, media: Callable[[str], Path]) -> None:
    clip, picture, sound = media("clip.mp4").read_bytes(), png(), wav()
    bare = {"role": "user", "content": [{"type": "text", "text": "x"}]}
    usual = ask(client, messages=[bare], max_tokens=1).usage.prompt_tokens_details
    pictures = [
        {"type": "image_url", "image_url": {"url": url(picture, "image/png"), "detail": "low"}},
        {"type": "image_url", "image_url": url(picture, "image/png")},
        {"type": "file", "file": {"file_data": url(picture, "image/png")}},
        {"type": "file", "file": {"file_data": base64.b64encode(picture).decode()}},
    ]
    for part in pictures:
        usage = ask(client, messages=[bare, *user(part)], max_tokens=1).usage.prompt_tokens_details
        assert usage.image_tokens == 16 and usage.audio_tokens == 0 and usage.text_tokens > usual.text_tokens
    sounds = [
        {"type": "input_audio", "input_audio": {"data": base64.b64encode(sound).decode(), "format": "wav"}},
        {"type": "audio_url", "audio_url": {"url": url(sound, "audio/wav")}},
        {"type": "file", "file": {"file_data": base64.b64encode(sound).decode(), "filename": "a.wav"}},
    ]
    for part in sounds:
        assert (
            10
            <= ask(client, messages=user(part), max_tokens=1).usage.prompt_tokens_details.audio_tokens
            <= 20
        )
    clips = [
        {"type": "video_url", "video_url": {"url": url(clip, "video/mp4")}, "uuid": None},
        {"type": "video_url", "video_url": url(clip, "video/mp4")},
        {"type": "video", "video": [url(picture, "image/png")] * 2},
        {"type": "file", "file": {"file_data": url(clip, "video/mp4"), "filename": "a.mp4"}},
    ]
    for part in clips:
        assert ask(client, messages=user(part), max_tokens=1).usage.prompt_tokens_details.image_tokens == 32
    text = ask(
        client,
        messages=user(
            {
                "type": "file",
                "file": {"file_data": base64.b64encode("Grüße".encode()).decode(), "filename": "a.txt"},
            }
        ),
        max_tokens=1,
    )
    assert text.usage.prompt_tokens > 4 and text.usage.prompt_tokens_details.image_tokens == 0


def test_files_by_their_id(client: OpenAI) -> None:
    stored = client.files.create(file=("a.png", png()), purpose="vision")
    answer = ask(client, messages=user({"type": "file", "file": {"file_id": stored.id}}))
    assert answer.usage.prompt_tokens_details.image_tokens == 16
    with pytest.raises(openai.NotFoundError):
        ask(client, messages=user({"type": "file", "file": {"file_id": "file-none"}}))


@pytest.mark.parametrize("format", ["wav", "mp3", "flac", "opus", "aac", "pcm16"])
def test_a_spoken_reply(client: OpenAI, silent: dict[str, int], format: str) -> None:
    answer = ask(
        client,
        max_tokens=200,
        logit_bias=silent,
        modalities=["text", "audio"],
        audio={"voice": {"id": "alloy"}, "format": format},
    )
    message, num_codes = answer.choices[0].message, answer.usage.completion_tokens_details.audio_tokens
    assert (
        message.content is None
        and message.audio.transcript
        and message.audio.expires_at > time.time()
        and num_codes > 0
    )
    content = base64.b64decode(message.audio.data, validate=True)
    if format == "pcm16":
        assert len(content) == num_codes * 960  # 20 ms a code, at 24 kHz
    elif format in ("wav", "flac"):
        pcm, rate = soundfile.read(io.BytesIO(content))
        assert rate == 24000 and len(pcm) == num_codes * 480
    else:
        assert len(content) > 100


def test_a_spoken_stream(client: OpenAI, silent: dict[str, int]) -> None:
    wanted = {
        "max_tokens": 200,
        "logit_bias": silent,
        "modalities": ["text", "audio"],
        "audio": {"voice": "alloy", "format": "pcm16"},
    }
    whole = ask(client, **wanted).choices[0].message.audio
    choices = [chunk.choices[0] for chunk in ask(client, **wanted, stream=True)]
    audio = [one.delta.to_dict()["audio"] for one in choices if "audio" in one.delta.to_dict()]
    pieces = [one["data"] for one in audio if "data" in one]
    assert [list(one) for one in audio][0] == ["id"] and sum("id" in one for one in audio) == 1
    assert (
        list(audio[-1]) == ["expires_at"]
        and choices[-1].finish_reason is None
        and choices[-2].finish_reason == "stop"
    )
    assert (
        all(len(base64.b64decode(piece)) % 6 == 0 and "=" not in piece for piece in pieces[:-1])
        and len(pieces) > 1
    )
    joined, direct = base64.b64decode("".join(pieces)), base64.b64decode(whole.data)
    assert (
        len(joined) == len(direct)
        and np.abs(np.frombuffer(joined, "<i2").astype(int) - np.frombuffer(direct, "<i2")).max() <= 1
    )
    assert "".join(one.get("transcript", "") for one in audio) == whole.transcript


def test_a_spoken_reply_can_be_referred_to(client: OpenAI, silent: dict[str, int]) -> None:
    first = ask(client, max_tokens=200, logit_bias=silent, **SPOKEN)
    audio, count = first.choices[0].message.audio, first.usage.completion_tokens_details.audio_tokens
    messages = [*SKY, {"role": "assistant", "audio": {"id": audio.id}}, *SKY]
    for _ in range(2):
        again = ask(client, messages=messages, **SPOKEN)
        assert again.usage.prompt_tokens_details.audio_tokens == count
    assert again.usage.prompt_tokens_details.cached_tokens >= again.usage.prompt_tokens - 1
    with pytest.raises(openai.BadRequestError, match="no spoken reply") as raised:
        ask(client, messages=[*SKY, {"role": "assistant", "audio": {"id": "audio_none"}}, *SKY])
    assert raised.value.param == "messages.1.audio.id"


def test_spoken_replies_belong_to_their_key(tiny_network: Path, connect: Connect) -> None:
    running = Running(tiny_network, keys=("sk-one", "sk-two"), tokens_per_minute=100)
    try:
        one, two = connect(running, "sk-one"), connect(running, "sk-two")
        id = ask(one, **SPOKEN, max_tokens=5).choices[0].message.audio.id
        messages = [*SKY, {"role": "assistant", "audio": {"id": id}}, *SKY]
        assert ask(one, messages=messages).choices
        with pytest.raises(openai.BadRequestError):
            ask(two, messages=messages)
        with pytest.raises(openai.RateLimitError):  # all ids of a reply count
            for _ in range(20):
                ask(one)
    finally:
        running.stop()
