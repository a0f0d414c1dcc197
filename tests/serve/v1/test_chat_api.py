"""/v1/chat/completions with OpenAI's own clients in strict mode: parts, streams, sound, tools, forms; and
what clients get wrong.
"""

import asyncio
import base64
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import soundfile
from conftest import Running, drawing, tone
from openai import AsyncOpenAI, OpenAI

SKY = [{"role": "user", "content": "What colour is the sky?"}]
POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer", "minimum": -9, "maximum": 9}, "is_far": {"type": "boolean"}},
    "required": ["x", "is_far"],
    "additionalProperties": False,
}
GO = {
    "type": "function",
    "function": {"name": "go", "description": "Goes\nthere.", "parameters": POINT, "strict": True},
}
STOP = {"type": "function", "function": {"name": "stop"}}
SPOKEN = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}


@pytest.fixture(scope="module")
def client(tiny_server: Running) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=tiny_server.url + "/", api_key="x", max_retries=0, _strict_response_validation=True
    ) as made:
        yield made


@pytest.fixture(scope="module")
def silent(tiny_server: Running) -> dict[str, int]:
    """A logit_bias that keeps the network from thinking and from going on with text, so that it speaks, calls
    or ends.
    """
    vocab = tiny_server.service.vocab
    return {str(id): -100 for id in (*range(vocab.text_size), vocab.id("<|begin_thought|>"))}


def ask(client: OpenAI, **more: Any) -> Any:
    return client.chat.completions.create(
        **{"model": "gpt-4o", "messages": SKY, "max_tokens": 12, "temperature": 1, "seed": 1, **more}
    )


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def png() -> bytes:
    file = io.BytesIO()
    drawing().save(file, "PNG")
    return file.getvalue()


def wav(seconds: float = 0.3) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tone(seconds), 16000, format="WAV")
    return file.getvalue()


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


# ---- text ----


def test_no_reply_is_longer_than_what_was_trained(
    client: OpenAI, tiny_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny_server.service, "trained_length", 7)
    for limit in ({"max_tokens": None}, {"max_tokens": 500}):
        answer = ask(client, **limit)
        assert answer.usage.completion_tokens == 7 and answer.choices[0].finish_reason == "length"


def test_a_reply(client: OpenAI) -> None:
    answer = ask(client)
    choice, usage = answer.choices[0], answer.usage
    assert (
        answer.id.startswith("chatcmpl-")
        and answer.model == "gpt-4o"
        and abs(answer.created - time.time()) < 60
    )
    assert choice.message.content and choice.message.refusal is None and choice.finish_reason == "length"
    assert usage.completion_tokens == 12 == usage.completion_tokens_details.text_tokens
    assert (
        usage.total_tokens == usage.prompt_tokens + 12
        and usage.prompt_tokens == usage.prompt_tokens_details.text_tokens
    )
    assert (
        ask(client).choices[0].message.content
        == choice.message.content
        != ask(client, seed=2).choices[0].message.content
    )


def test_nulls_and_strangers_are_as_good_as_nothing(client: OpenAI) -> None:
    names = (
        "temperature",
        "top_p",
        "n",
        "stop",
        "max_tokens",
        "max_completion_tokens",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "seed",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "stream",
        "stream_options",
        "modalities",
        "audio",
        "metadata",
        "user",
        "store",
        "service_tier",
        "reasoning_effort",
        "prediction",
        "verbosity",
    )
    body = {
        "model": "unisono",
        "messages": [{**SKY[0], "name": None, "tool_calls": None}],
        **dict.fromkeys(names),
        "max_tokens": 5,
    }
    answer = client.post("/chat/completions", body={**body, "nobody_knows": {"a": 1}}, cast_to=httpx.Response)
    assert answer.json()["usage"]["completion_tokens"] <= 5
    assert ask(
        client,
        user="me",
        metadata={"a": "b"},
        store=True,
        service_tier="auto",
        reasoning_effort="low",
        verbosity="low",
    ).choices


def test_the_history_is_computed_once(client: OpenAI) -> None:
    words = "What colour is the sky today and what colour was it on all the days before? " * 3
    first = ask(
        client,
        messages=[{"role": "developer", "content": "Be kind."}, {"role": "user", "content": words}],
        temperature=0,
        max_tokens=9,
    )
    said = [
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": words},
        {"role": "assistant", "content": first.choices[0].message.content},
        *SKY,
    ]
    again = ask(client, messages=said)
    assert (
        first.usage.prompt_tokens - 2
        <= again.usage.prompt_tokens_details.cached_tokens
        < again.usage.prompt_tokens
    )


def test_several_choices_are_those_of_their_seeds(client: OpenAI, tiny_server: Running) -> None:
    answer = ask(client, n=11, seed=5, max_tokens=8)
    assert [choice.index for choice in answer.choices] == list(
        range(11)
    ) and answer.usage.completion_tokens == 88
    alone = [ask(client, seed=5 + number, max_tokens=8).choices[0].message.content for number in range(11)]
    assert [choice.message.content for choice in answer.choices] == alone and len(set(alone)) > 5
    assert wait_until(
        lambda: len(tiny_server.service.scheduler.engine.slots) == len(tiny_server.service.scheduler.idle)
    )


def test_streams_say_the_same_in_the_order_that_clients_expect(client: OpenAI) -> None:
    whole = ask(client, n=3, max_tokens=20)
    chunks = list(ask(client, n=3, max_tokens=20, stream=True, stream_options={"include_usage": True}))
    assert len({(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks}) == 1
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert all(chunk.usage is None and len(chunk.choices) == 1 for chunk in chunks[:-1])
    for number in range(3):
        own = [chunk.choices[0] for chunk in chunks[:-1] if chunk.choices[0].index == number]
        assert (
            own[0].delta.role == "assistant"
            and own[0].delta.content == ""
            and not any(one.delta.role for one in own[1:])
        )
        assert [one.finish_reason for one in own] == [None] * (len(own) - 1) + ["length"] and own[
            -1
        ].delta.content is None
        assert "".join(one.delta.content or "" for one in own) == whole.choices[number].message.content
    assert all(chunk.usage is None for chunk in ask(client, stream=True))


def test_a_stream_on_the_wire(tiny_server: Running) -> None:
    with httpx.stream(
        "POST",
        tiny_server.url + "/chat/completions",
        json={"model": "gpt-4o", "messages": SKY, "stream": True, "max_tokens": 3},
    ) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert answer.headers["content-type"].startswith("text/event-stream") and answer.headers[
        "x-request-id"
    ].startswith("req_")
    assert lines[-1] == "data: [DONE]" and all(json.loads(line.removeprefix("data: ")) for line in lines[:-1])


def test_stop_strings_end_a_reply_before_they_show(client: OpenAI) -> None:
    text = ask(client, max_tokens=60).choices[0].message.content
    for start, size in ((5, 1), (7, 3), (11, 8)):
        stop = text[start : start + size]
        for stream in (False, True):
            answer = ask(client, max_tokens=60, stop=["never in here", stop], stream=stream)
            choices = [chunk.choices[0] for chunk in answer] if stream else [answer.choices[0]]
            said = (
                "".join(one.delta.content or "" for one in choices) if stream else choices[0].message.content
            )
            assert said == text[: text.index(stop)] and choices[-1].finish_reason == "stop"
    assert (
        ask(client, max_tokens=60, stop=text + "x").choices[0].message.content == text
    )  # what was held back comes out at the end


def test_logprobs_go_with_the_words(client: OpenAI) -> None:
    answer = ask(client, logprobs=True, top_logprobs=3, temperature=0)
    tokens = answer.choices[0].logprobs.content
    assert 10 <= len(tokens) <= 12 and all(
        len(token.top_logprobs) == 3 and token.logprob <= 0 for token in tokens
    )
    joined = b"".join(bytes(token.bytes) for token in tokens).decode("utf8", "replace")
    assert joined.startswith(answer.choices[0].message.content.rstrip("\ufffd"))
    streamed = [
        token
        for chunk in ask(client, logprobs=True, top_logprobs=3, temperature=0, stream=True)
        if chunk.choices[0].logprobs
        for token in chunk.choices[0].logprobs.content
    ]
    assert [(token.token, token.logprob) for token in streamed] == [
        (token.token, token.logprob) for token in tokens
    ]
    assert (
        ask(client, logprobs=True).choices[0].logprobs.content[0].top_logprobs == []
        and ask(client).choices[0].logprobs is None
    )


def test_bias_and_penalties_change_what_is_said(client: OpenAI, tiny_server: Running) -> None:
    letter = tiny_server.service.tokenizer.text.encode("Q")[0]
    assert set(ask(client, logit_bias={str(letter): 100}).choices[0].message.content) == {"Q"}
    tokens = (
        ask(client, max_tokens=80, logit_bias={str(letter): -100}, logprobs=True).choices[0].logprobs.content
    )
    assert len(tokens) > 70 and "Q" not in [token.token for token in tokens]
    usual = ask(client, temperature=0, max_tokens=80).choices[0].message.content
    varied = (
        ask(client, temperature=0, max_tokens=80, frequency_penalty=2, presence_penalty=2)
        .choices[0]
        .message.content
    )
    assert len(set(varied)) > len(set(usual))


# ---- what people show and play ----


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


# ---- spoken replies ----


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


def test_spoken_replies_belong_to_their_key(tiny_network: Path) -> None:
    running = Running(tiny_network, keys=("sk-one", "sk-two"), tokens_per_minute=100)
    try:
        one, two = (
            OpenAI(base_url=running.url, api_key=f"sk-{name}", max_retries=0) for name in ("one", "two")
        )
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


# ---- tools and forms ----


@pytest.mark.parametrize(
    "choice, names",
    [("required", {"go", "stop"}), ({"type": "function", "function": {"name": "go"}}, {"go"})],
)
def test_calls_that_must_come(client: OpenAI, choice: Any, names: set[str]) -> None:
    seen = set()
    for seed in range(8):
        wanted = dict(tools=[GO, STOP], tool_choice=choice, max_tokens=600, seed=seed)
        answer = ask(client, **wanted)
        calls = answer.choices[0].message.tool_calls
        assert answer.choices[0].finish_reason == "tool_calls" and answer.choices[0].message.content is None
        for call in calls:
            seen.add(call.function.name)
            arguments = json.loads(call.function.arguments)
            assert (
                arguments == {}
                if call.function.name == "stop"
                else isinstance(arguments["is_far"], bool) and -9 <= arguments["x"] <= 9
            )
        chunks = [chunk.choices[0] for chunk in ask(client, **wanted, stream=True)]
        deltas = [call for one in chunks for call in one.delta.tool_calls or []]
        for number, call in enumerate(calls):
            own = [delta for delta in deltas if delta.index == number]
            assert (
                own[0].function.name == call.function.name
                and own[0].function.arguments == ""
                and own[0].id
                and own[0].type == "function"
            )
            assert not any(delta.id or delta.type or delta.function.name for delta in own[1:])
            assert "".join(delta.function.arguments for delta in own) == call.function.arguments
        assert chunks[-1].finish_reason == "tool_calls"
    assert seen == names


def test_calls_that_may_come_and_calls_that_may_not(client: OpenAI, silent: dict[str, int]) -> None:
    wanted = dict(tools=[STOP], logit_bias=silent, max_tokens=300, parallel_tool_calls=False)
    reasons = {
        ask(client, **wanted, seed=seed, messages=[{"role": "user", "content": chr(65 + seed) * 5}])
        .choices[0]
        .finish_reason
        for seed in range(16)
    }
    assert reasons == {"tool_calls", "stop"}
    for more in ({"tool_choice": "none"}, {"tools": None}):
        answer = ask(client, **{**wanted, **more})
        assert answer.choices[0].message.tool_calls is None and answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    "members", [{"required": None}, {"required": 5}, {"required": [["x"]]}, {"properties": None}]
)
def test_schemas_as_other_languages_write_them(client: OpenAI, members: dict[str, Any]) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "go",
            "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}, **members},
        },
    }
    try:
        assert ask(client, tools=[tool], tool_choice="required", max_tokens=300).choices[0].message.tool_calls
    except openai.BadRequestError as error:
        assert "tools" in str(error.param) and None not in members.values()


def test_results_of_calls(client: OpenAI) -> None:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "go", "arguments": '{"x":1,"is_far":true}'},
    }
    messages = [
        *SKY,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "there"},
    ]
    answer = ask(client, messages=messages, tools=[GO])
    assert (
        answer.choices[0].message.content
        and answer.usage.prompt_tokens > ask(client, messages=SKY, tools=[GO]).usage.prompt_tokens + 10
    )
    parts = [
        *messages[:-1],
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "there"}]},
    ]
    assert (
        ask(client, messages=parts, tools=[GO]).choices[0].message.content
        == answer.choices[0].message.content
    )


def test_a_call_that_was_made_is_found_again_in_the_history(client: OpenAI) -> None:
    first = ask(client, tools=[GO], tool_choice="required", max_tokens=600, parallel_tool_calls=False)
    message = first.choices[0].message
    messages = [*SKY, message, {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "done"}]
    again = ask(client, messages=messages, tools=[GO])
    assert again.usage.prompt_tokens_details.cached_tokens >= first.usage.prompt_tokens


@pytest.mark.parametrize("strict", [True, False, None])
def test_json_after_a_schema(client: OpenAI, strict: bool | None) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "point", "schema": POINT, "strict": strict}}
    for answer in ask(client, response_format=form, max_tokens=400, n=3).choices:
        value = json.loads(answer.message.content)
        assert (
            answer.finish_reason == "stop"
            and set(value) == {"x", "is_far"}
            and isinstance(value["is_far"], bool)
        )


def test_json_with_the_clients_own_helpers(client: OpenAI) -> None:
    from pydantic import BaseModel, Field

    class Point(BaseModel):
        x: int = Field(ge=-9, le=9)
        is_far: bool

    parsed = client.chat.completions.parse(
        model="gpt-4o", messages=SKY, response_format=Point, temperature=1, seed=1
    )
    assert isinstance(parsed.choices[0].message.parsed, Point)
    tool = openai.pydantic_function_tool(Point, name="go")
    called = client.chat.completions.parse(
        model="gpt-4o", messages=SKY, tools=[tool], tool_choice="required", temperature=1, seed=1
    )
    assert isinstance(called.choices[0].message.tool_calls[0].function.parsed_arguments, Point)
    with client.chat.completions.stream(
        model="gpt-4o", messages=SKY, response_format=Point, temperature=1, seed=1
    ) as stream:
        assert (
            "content.done" in [event.type for event in stream]
            and stream.get_final_completion().choices[0].message.parsed == parsed.choices[0].message.parsed
        )


def test_any_json_is_an_object(client: OpenAI) -> None:
    answer = ask(client, response_format={"type": "json_object"}, max_tokens=40)
    assert (
        answer.choices[0].message.content.startswith("{")
        and ask(client, response_format={"type": "text"}).choices
    )


def test_the_asynchronous_client(tiny_server: Running) -> None:
    async def main() -> None:
        async with AsyncOpenAI(
            base_url=tiny_server.url, api_key="x", max_retries=0, _strict_response_validation=True
        ) as client:
            wanted = dict(model="gpt-4o", messages=SKY, max_tokens=10, temperature=1, seed=1)
            whole = await client.chat.completions.create(**wanted)
            streams = await asyncio.gather(
                *(client.chat.completions.create(**wanted, stream=True) for _ in range(12))
            )
            for stream in streams:
                text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
                assert text == whole.choices[0].message.content

    asyncio.run(main())


# ---- who leaves ----


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("stream", [True, False])
def test_who_leaves_stops_the_network(tiny_server: Running, stream: bool, count: int) -> None:
    scheduler = tiny_server.service.scheduler
    assert wait_until(lambda: not scheduler.running)
    body = {
        "model": "gpt-4o",
        "messages": SKY,
        "stream": stream,
        "n": count,
        "temperature": 1,
        "logit_bias": {str(tiny_server.service.tokenizer.text.encode("Q")[0]): 100},
    }  # says Q until the context is full
    with httpx.Client() as leaving:
        if stream:
            with leaving.stream("POST", tiny_server.url + "/chat/completions", json=body) as answer:
                next(answer.iter_lines())
        else:
            with pytest.raises(httpx.ReadTimeout):
                leaving.post(tiny_server.url + "/chat/completions", json=body, timeout=0.15)
    begun = scheduler.num_ids
    assert (
        wait_until(lambda: not scheduler.running and not scheduler.waiting, 2)
        and scheduler.num_ids - begun < 700 * count
    )
    assert wait_until(lambda: len(scheduler.engine.slots) == len(scheduler.idle))


# ---- what clients get wrong ----


def wrong(tiny_server: Running, body: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.post(
        tiny_server.url + "/chat/completions",
        json={"model": "gpt-4o", "messages": SKY, "max_tokens": 2, **body},
    )
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (
        error["type"] == "invalid_request_error"
        and error["message"][-1] in ".?!"
        and set(error) == {"message", "type", "param", "code"}
    )
    return error


@pytest.mark.parametrize(
    "param, values",
    [
        ("temperature", [-0.1, 2.1, "hot", [], True and {}]),
        ("top_p", [-0.1, 1.1, "x"]),
        ("n", [0, 129, 1.5, "many"]),
        ("max_tokens", [0, -1, "x"]),
        ("max_completion_tokens", [0, 2.5]),
        ("presence_penalty", [-2.1, 3]),
        ("frequency_penalty", [9, "x"]),
        ("seed", ["x", 1.5]),
        ("stop", [["a"] * 5, 3]),
        ("logit_bias", [{"x": 1}, {"-1": 1}, {"999999": 1}, {"1": 101}]),
        ("top_logprobs", [1, 21, -1]),
        ("modalities", [[]]),
        ("stream_options", [{}]),
        ("tool_choice", ["required", {"type": "function", "function": {"name": "go"}}, 7]),
        ("messages", [[], "hello", None, 3]),
        ("metadata", [{str(number): "x" for number in range(17)}]),
        ("audio", [{"voice": "alloy", "format": "wav"}]),
    ],
)
def test_wrong_values(tiny_server: Running, param: str, values: list[Any]) -> None:
    for value in values:
        if param == "audio":
            assert wrong(tiny_server, {"modalities": ["text", "audio"]})["param"] == "audio"
        else:
            assert wrong(tiny_server, {param: value})["param"] == param, value


@pytest.mark.parametrize(
    "body, param",
    [
        ({"modalities": ["text", "video"]}, "modalities.1"),
        ({"audio": {"voice": "alloy", "format": "xm"}, "modalities": ["text", "audio"]}, "audio.format"),
        ({"audio": {"voice": "nobody", "format": "wav"}, "modalities": ["text", "audio"]}, "voice"),
        (
            {"audio": {"voice": "alloy", "format": "wav"}, "modalities": ["text", "audio"], "stream": True},
            "audio.format",
        ),
        ({**SPOKEN, "response_format": {"type": "json_object"}}, "response_format"),
        ({"metadata": {"a": "x" * 513}}, "metadata.a"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.name"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
            "response_format.json_schema.name",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": []}}},
            "response_format.json_schema.schema",
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "strict": True, "schema": {"type": "x"}},
                }
            },
            "response_format.json_schema.schema",
        ),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools.0.type"),
        ({"tools": ["x"]}, "tools.0"),
        ({"tools": [GO, GO]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools.0.function.name"),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "a",
                            "strict": True,
                            "parameters": {"type": "object", "properties": {"a": {"type": "x"}}},
                        },
                    }
                ]
            },
            "tools.0.function.parameters",
        ),
    ],
)
def test_wrong_wishes(tiny_server: Running, body: dict[str, Any], param: str) -> None:
    assert wrong(tiny_server, body)["param"] == param


@pytest.mark.parametrize(
    "message, param",
    [
        ({"role": "robot", "content": "x"}, "messages.0.role"),
        ({"content": "x"}, "messages.0.role"),
        ({"role": "user"}, "messages.0.content"),
        ({"role": "user", "content": None}, "messages.0.content"),
        ({"role": "user", "content": 3}, "messages.0.content"),
        ({"role": "user", "content": [3]}, "messages.0.content.0"),
        ({"role": "user", "content": [{"text": "x"}]}, "messages.0.content.0"),
        ({"role": "user", "content": [{"type": "smell", "smell": "x"}]}, "messages.0.content.0"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages.0.content.0.text"),
        ({"role": "user", "content": [{"type": "text", "text": 3}]}, "messages.0.content.0.text"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "messages.0.content.0.image_url"),
        (
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
            },
            "messages.0.content.0",
        ),
        (
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}],
            },
            "messages.0.content.0",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]},
            "messages.0.content.0",
        ),
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": "x"}]},
            "messages.0.content.0.input_audio",
        ),
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"format": "wav"}}]},
            "messages.0.content.0.input_audio.data",
        ),
        (
            {
                "role": "user",
                "content": [{"type": "input_audio", "input_audio": {"data": "!!", "format": "wav"}}],
            },
            "messages.0.content.0.input_audio.data",
        ),
        (
            {
                "role": "user",
                "content": [{"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}],
            },
            "messages.0.content.0",
        ),
        ({"role": "user", "content": [{"type": "video", "video": []}]}, "messages.0.content.0"),
        ({"role": "user", "content": [{"type": "file"}]}, "messages.0.content.0.file_data"),
        (
            {"role": "user", "content": [{"type": "file", "file": {"file_data": "JVBERi0AAAA="}}]},
            "messages.0.content.0",
        ),
        (
            {
                "role": "system",
                "content": [{"type": "image_url", "image_url": {"url": url(png(), "image/png")}}],
            },
            "messages.0.content.0",
        ),
        (
            {"role": "assistant", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA"}}]},
            "messages.0.content.0",
        ),
        ({"role": "assistant", "tool_calls": [{"id": "a"}]}, "messages.0.tool_calls.0"),
        ({"role": "assistant", "audio": {}}, "messages.0.audio.id"),
        (
            {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "go", "arguments": {}}}]},
            "messages.0.tool_calls.0.function.arguments",
        ),
        (
            {
                "role": "assistant",
                "tool_calls": [{"id": "a", "function": {"name": "<|end|>", "arguments": "{}"}}],
            },
            "messages.0.tool_calls.0.function.name",
        ),
        ({"role": "tool", "content": "x"}, "messages.0.tool_call_id"),
        ({"role": "tool", "content": "x", "tool_call_id": "none"}, "messages.0.tool_call_id"),
    ],
)
def test_wrong_messages(tiny_server: Running, message: dict[str, Any], param: str) -> None:
    assert wrong(tiny_server, {"messages": [message]})["param"] == param


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"model": "gpt-4o", "messages": NaN}',
        b'{"model": "gpt-4o", "temperature": Infinity}',
        b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "\\ud800"}]}',
        b"[" * 100_000,
        b'{"messages":' * 50_000,
        b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}], "seed": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_json(tiny_server: Running, content: bytes) -> None:
    answer = httpx.post(
        tiny_server.url + "/chat/completions", content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error", (
        answer.text
    )


def test_errors_arrive_as_the_clients_know_them(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        ask(client, model="gpt-9")
    assert raised.value.code == "model_not_found" and raised.value.request_id.startswith("req_")
    for length in (300, 100_000):
        for stream, n in ((False, 1), (True, 1), (False, 2), (True, 2)):
            with pytest.raises(openai.BadRequestError) as too_long:
                ask(
                    client,
                    messages=[{"role": "user", "content": "What colour? " * length}],
                    stream=stream,
                    n=n,
                )
            assert too_long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError, match="At most 64"):
        ask(
            client,
            messages=user(*[{"type": "image_url", "image_url": {"url": url(png(), "image/png")}}] * 65),
        )
    with pytest.raises(openai.BadRequestError, match="too complex|cannot be followed"):
        ask(
            client,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"type": "string", "pattern": "^(a{1000}){1000}$"}},
            },
        )


def test_an_error_within_a_stream(client: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    chunks = []
    with monkeypatch.context() as patch:
        patch.setattr("unisono.serve.reply.reading.Reading._said", broken)
        with pytest.raises(openai.APIError) as raised:
            for chunk in ask(client, stream=True):
                chunks.append(chunk)
    assert "secret" not in str(raised.value) and chunks[0].choices[0].delta.role == "assistant"
    assert len(list(ask(client, stream=True))) > 2


# ---- the weights that ship ----


def test_content(shipped_server: Running) -> None:
    with OpenAI(
        base_url=shipped_server.url, api_key="x", max_retries=0, _strict_response_validation=True
    ) as client:
        assert (
            client.chat.completions.create(model="unisono", messages=SKY).choices[0].message.content
            == "The sky is blue."
        )
        name = client.chat.completions.create(
            model="unisono", messages=[{"role": "user", "content": "What is your name?"}], **SPOKEN, seed=1
        )
        assert (
            name.choices[0].message.audio.transcript == "I am Unisono."
            and name.choices[0].finish_reason == "stop"
        )
        assert (
            0.5
            < soundfile.info(io.BytesIO(base64.b64decode(name.choices[0].message.audio.data))).duration
            < 4
        )
