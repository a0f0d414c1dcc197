"""/v1/responses: who leaves or cancels, and what clients get wrong."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from conftest import Running
from openai import AsyncOpenAI, OpenAI
from responses_cases import DRAW, GO, SKY, ask, forever, png, short, strict_client, wait_until


@pytest.fixture(scope="module")
def client(tiny_server: Running) -> Iterator[OpenAI]:
    with strict_client(tiny_server) as made:
        yield made


# ---- who leaves, who cancels, what runs by itself ----


def test_a_stream_in_the_background_goes_on_alone(client: OpenAI) -> None:
    with ask(client, background=True, stream=True) as events:
        begun = next(iter(events)).response  # and leaves
    assert begun.background is True
    end = time.monotonic() + 20
    while (found := client.responses.retrieve(begun.id)).status == "in_progress" and time.monotonic() < end:
        time.sleep(0.05)
    assert found.status in ("completed", "incomplete") and found.output
    whole = list(ask(client, background=True, stream=True))
    assert (
        whole[-1].type in ("response.completed", "response.incomplete")
        and client.responses.retrieve(whole[0].response.id).output
    )


def test_a_response_in_the_background(client: OpenAI) -> None:
    wanted = dict(max_output_tokens=5, temperature=0)
    begun, whole = ask(client, background=True, **wanted), ask(client, **wanted)
    assert begun.status == "in_progress" and begun.background is True and begun.output == []
    assert wait_until(lambda: client.responses.retrieve(begun.id).status == whole.status)
    assert (
        client.responses.retrieve(begun.id).output_text == whole.output_text
        and client.responses.cancel(begun.id).status == whole.status
    )


def test_cancelling(client: OpenAI, tiny_server: Running) -> None:
    scheduler = tiny_server.service.scheduler
    begun = ask(client, background=True, max_output_tokens=None, **forever(tiny_server))
    assert client.responses.cancel(begun.id).status == "cancelled"
    assert (
        wait_until(lambda: not scheduler.running)
        and client.responses.retrieve(begun.id).status == "cancelled"
    )
    stream = ask(client, max_output_tokens=None, stream=True, **forever(tiny_server))
    id = next(iter(stream)).response.id
    assert client.responses.cancel(id).status == "cancelled"
    assert list(stream)[-1].response.status == "cancelled"
    gone = ask(client, background=True, max_output_tokens=None, **forever(tiny_server))
    client.responses.delete(gone.id)
    assert wait_until(lambda: not scheduler.running)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(gone.id)


@pytest.mark.parametrize("stream", [True, False])
def test_who_leaves_stops_the_network(tiny_server: Running, stream: bool) -> None:
    scheduler, body = (
        tiny_server.service.scheduler,
        {"model": "gpt-4o", "input": SKY, "stream": stream, **forever(tiny_server)},
    )
    assert wait_until(lambda: not scheduler.running)
    with httpx.Client() as leaving:
        if stream:
            with leaving.stream("POST", tiny_server.url + "/responses", json=body) as answer:
                next(answer.iter_lines())
        else:
            with pytest.raises(httpx.ReadTimeout):
                leaving.post(tiny_server.url + "/responses", json=body, timeout=0.1)
    assert wait_until(lambda: not scheduler.running, 2) and wait_until(
        lambda: len(scheduler.engine.slots) == len(scheduler.idle)
    )
    assert wait_until(lambda: not tiny_server.server.config.app.state.server.responses.running)


def test_the_asynchronous_client(tiny_server: Running) -> None:
    async def main() -> None:
        async with AsyncOpenAI(
            base_url=tiny_server.url, api_key="x", max_retries=0, _strict_response_validation=True
        ) as client:
            wanted = dict(model="gpt-4o", input=SKY, max_output_tokens=16, temperature=0)
            whole = await client.responses.create(**wanted)
            for stream in await asyncio.gather(
                *(client.responses.create(**wanted, stream=True) for _ in range(8))
            ):
                events = [event async for event in stream]
                assert events[-1].response.output_text == whole.output_text

    asyncio.run(main())


# ---- what clients get wrong ----


@pytest.mark.parametrize(
    "body, param",
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 3}, "input"),
        ({"input": [3]}, "input.0"),
        ({"input": [{}]}, "input.0"),
        ({"input": [{"type": "message"}]}, "input.0.role"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input.0.role"),
        ({"input": [{"role": "user"}]}, "input.0.content"),
        ({"input": [{"role": "user", "content": 3}]}, "input.0.content"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input.0.content.0.text"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input.0.content.0.image_url"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,x"}]}]},
            "input.0.content.0",
        ),
        (
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_image", "image_url": "http://localhost/x"}]}
                ]
            },
            "input.0.content.0",
        ),
        (
            {"input": [{"role": "system", "content": [{"type": "input_image", "image_url": png()}]}]},
            "input.0.content.0",
        ),
        ({"input": [{"type": "web_search_call", "id": "x"}]}, "input.0"),
        ({"input": [{"type": "item_reference"}]}, "input.0.id"),
        ({"input": [{"type": "function_call", "name": "go", "arguments": "{}"}]}, "input.0.call_id"),
        (
            {"input": [{"type": "function_call", "call_id": "a", "name": "g o", "arguments": "{}"}]},
            "input.0.name",
        ),
        (
            {"input": [{"type": "function_call", "call_id": "a", "name": "go", "arguments": {}}]},
            "input.0.arguments",
        ),
        ({"input": [{"type": "function_call_output", "call_id": "a", "output": "x"}]}, "input.0.call_id"),
        ({"input": [{"type": "function_call_output", "call_id": {}, "output": "x"}]}, "input.0.call_id"),
        (
            {
                "input": [
                    {"type": "function_call", "call_id": "a", "name": "go", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "a"},
                ]
            },
            "input.1.output",
        ),
        (
            {
                "input": [
                    {"type": "image_generation_call", "id": "ig", "status": "completed", "result": "AAAA"}
                ]
            },
            "input.0.result",
        ),
        ({"temperature": 3}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"instructions": 3}, "instructions"),
        ({"truncation": "x"}, "truncation"),
        ({"metadata": {"a": 3}}, "metadata.a"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True, "store": False}, "background"),
        ({"text": {"format": {"type": "x"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": 3}}}, "text.format.schema"),
        (
            {
                "text": {
                    "format": {"type": "json_schema", "name": "x", "strict": True, "schema": {"type": "x"}}
                }
            },
            "text.format.schema",
        ),
        (
            {
                "text": {
                    "format": {"type": "json_schema", "name": "x", "schema": {"properties": {"a": 10**30}}}
                }
            },
            "text.format.schema",
        ),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [{}]}, "tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tools": [{**DRAW, "size": "3x3"}]}, "size"),
        ({"tools": [{**DRAW, "partial_images": 4}]}, "partial_images"),
        ({"tools": [{**DRAW, "background": "transparent"}]}, "background"),
        ({"tools": [GO], "tool_choice": DRAW}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "name": "go"}}, "tool_choice"),
        ({"tools": "x"}, "tools"),
    ],
)
def test_wrong_requests(tiny_server: Running, body: dict[str, Any], param: str) -> None:
    for path in ("", "/input_tokens"):
        answer = httpx.post(
            tiny_server.url + "/responses" + path,
            json={"model": "gpt-4o", "input": SKY, "max_output_tokens": 2, **body},
        )
        assert answer.status_code == 400, answer.text
        error = answer.json()["error"]
        assert (
            error["param"] == param
            and error["type"] == "invalid_request_error"
            and error["message"][-1] in ".?!"
        )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"model": "gpt-4o", "input": NaN}',
        b'{"model": "gpt-4o", "input": "\\udc00"}',
        b"[" * 100_000,
        b'{"model": "gpt-4o", "input": ' + b"[" * 900 + b"]" * 900 + b"}",
    ],
)
def test_what_is_not_json(tiny_server: Running, content: bytes) -> None:
    answer = httpx.post(tiny_server.url + "/responses", content=content)
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error", (
        answer.text
    )


def test_errors_arrive_as_the_clients_know_them(client: OpenAI, tiny_server: Running) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        ask(client, model="gpt-9")
    assert missing.value.code == "model_not_found"
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as too_long:
            ask(client, input=SKY * 300, stream=stream)
        assert too_long.value.code == "context_length_exceeded"
    for query in ("limit=0", "limit=101", "order=up", "after=none"):
        assert (
            httpx.get(f"{tiny_server.url}/responses/{ask(client).id}/input_items?{query}").status_code == 400
        )
    assert httpx.get(f"{tiny_server.url}/responses/{ask(client).id}?stream=true").status_code == 400


def test_an_error_within_a_stream(client: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    with monkeypatch.context() as patch:
        patch.setattr("unisono.serve.responses.events.Output.of", broken)
        events = list(ask(client, stream=True))
        assert client.responses.retrieve(events[0].response.id).status == "failed"
        begun = ask(client, background=True)
        assert wait_until(lambda: client.responses.retrieve(begun.id).status == "failed")
        assert "secret" not in client.responses.retrieve(begun.id).error.message
        with pytest.raises(openai.InternalServerError):
            ask(client)
    assert (
        short(events) == ["created", "in_progress", "error", "failed"]
        and events[-1].response.error.code == "server_error"
    )
    assert "secret" not in events[-2].message
