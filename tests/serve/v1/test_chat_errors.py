"""/v1/chat/completions: what clients get wrong, who leaves, and who comes side by side."""

import asyncio
import base64
import io
from typing import Any

import httpx
import openai
import pytest
import soundfile
from chat_client import GO, SKY, SPOKEN, ask, png, url, user, wait_until
from conftest import Running
from openai import AsyncOpenAI, OpenAI


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


def test_a_file_that_is_cut_off_says_so_itself(tiny_server: Running) -> None:
    """Not that it could be nothing that is read here."""
    given = {"filename": "a.png", "file_data": url(png()[:-60], "image/png")}
    told = wrong(tiny_server, {"messages": [{"role": "user", "content": [{"type": "file", "file": given}]}]})
    assert "is truncated" in told["message"] and told["param"] == "messages.0.content.0"


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
