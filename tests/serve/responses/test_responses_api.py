"""/v1/responses with OpenAI's own clients in strict mode: items, events in order, calls, drawings, what is
kept; and what goes wrong.
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
import openai
import pytest
from conftest import Running, drawing
from openai import AsyncOpenAI, OpenAI
from PIL import Image

from unisono.core.home import shipped

SKY = "What colour is the sky?"
POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer", "minimum": -9, "maximum": 9}, "is_far": {"type": "boolean"}},
    "required": ["x", "is_far"],
    "additionalProperties": False,
}
GO = {"type": "function", "name": "go", "description": "Goes there.", "parameters": POINT, "strict": True}
DRAW = {"type": "image_generation"}


@pytest.fixture(scope="module")
def client(tiny_server: Running) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=tiny_server.url, api_key="x", max_retries=0, _strict_response_validation=True
    ) as made:
        yield made


def ask(client: OpenAI, **more: Any) -> Any:
    return client.responses.create(
        **{"model": "gpt-4o", "input": SKY, "max_output_tokens": 16, "temperature": 1, **more}
    )


def png() -> str:
    file = io.BytesIO()
    drawing().save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def short(events: list[Any]) -> list[str]:
    """Types of events, repeated ones once; their numbers count up."""
    assert [event.sequence_number for event in events] == list(range(len(events)))
    names = [event.type.removeprefix("response.") for event in events]
    return [name for number, name in enumerate(names) if number == 0 or names[number - 1] != name]


def forever(server: Running) -> dict[str, Any]:
    """Members of a chat request have a bias; here a schema keeps the network busy until its context is
    full.
    """
    return {
        "text": {
            "format": {
                "type": "json_schema",
                "name": "long",
                "strict": True,
                "schema": {"type": "string", "minLength": 900},
            }
        }
    }


# ---- text ----


def test_a_response(client: OpenAI) -> None:
    answer = ask(
        client,
        instructions="Be kind.",
        metadata={"a": "b"},
        user="me",
        reasoning={"effort": "low"},
        include=[],
        temperature=0,
    )
    assert (
        answer.id.startswith("resp_")
        and answer.status == "incomplete"
        and answer.incomplete_details.reason == "max_output_tokens"
    )
    assert (
        answer.instructions == "Be kind."
        and answer.metadata == {"a": "b"}
        and answer.temperature == 0
        and answer.tools == []
    )
    message = answer.output[0]
    assert (
        message.type == "message"
        and message.role == "assistant"
        and message.status == "incomplete"
        and message.id.startswith("msg_")
    )
    assert (
        answer.output_text == message.content[0].text
        and answer.usage.output_tokens == 16
        and answer.error is None
    )
    assert (
        answer.usage.total_tokens == answer.usage.input_tokens + 16
        and answer.usage.input_tokens_details.cached_tokens >= 0
    )


def test_nulls_and_strangers_are_as_good_as_nothing(tiny_server: Running) -> None:
    names = (
        "instructions",
        "temperature",
        "top_p",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "metadata",
        "stream",
        "text",
        "store",
        "previous_response_id",
        "conversation",
        "include",
        "truncation",
        "background",
        "top_logprobs",
        "reasoning",
        "user",
        "prompt",
    )
    body = {
        "model": "unisono",
        "input": [{"role": "user", "content": SKY, "id": None, "status": None}],
        **dict.fromkeys(names),
        "max_output_tokens": 3,
    }
    answer = httpx.post(tiny_server.url + "/responses", json={**body, "nobody_knows": [1]})
    assert (
        answer.status_code == 200
        and answer.json()["object"] == "response"
        and answer.json()["tool_choice"] == "auto"
    )


def test_a_stream_in_order(client: OpenAI) -> None:
    events = list(ask(client, stream=True, temperature=0))
    assert short(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
    ]
    created, added, final = events[0].response, events[2].item, events[-1].response
    assert (
        created.status == "in_progress"
        and created.output == []
        and created.usage is None
        and added.content == []
    )
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    text = "".join(event.delta for event in deltas)
    assert (
        text
        == events[-4].text
        == events[-3].part.text
        == events[-2].item.content[0].text
        == final.output_text
    )
    assert {event.item_id for event in deltas} == {added.id} and all(event.logprobs == [] for event in deltas)
    assert (
        final.id == created.id
        and final.usage.output_tokens == 16
        and final.output_text == ask(client, temperature=0).output_text
    )


def test_a_stream_on_the_wire(tiny_server: Running) -> None:
    body = {"model": "gpt-4o", "input": SKY, "stream": True, "max_output_tokens": 3}
    with httpx.stream("POST", tiny_server.url + "/responses", json=body) as answer:
        blocks = "".join(answer.iter_text()).strip().split("\n\n")
    for number, block in enumerate(blocks):
        head, data = block.split("\n")
        value = json.loads(data.removeprefix("data: "))
        assert head == f"event: {value['type']}" and value["sequence_number"] == number


def test_logprobs(client: OpenAI) -> None:
    part = (
        ask(client, include=["message.output_text.logprobs"], top_logprobs=2, temperature=0)
        .output[0]
        .content[0]
    )
    assert 10 < len(part.logprobs) <= 16 and all(len(one.top_logprobs) == 2 for one in part.logprobs)
    events = list(ask(client, include=["message.output_text.logprobs"], stream=True, temperature=0))
    assert sum(len(event.logprobs) for event in events if event.type == "response.output_text.delta") > 10


def test_items_of_all_kinds(client: OpenAI, media: Callable[[str], Path]) -> None:
    sound = base64.b64encode(media("sound.wav").read_bytes()).decode()
    picture = png()
    items = [
        {"role": "developer", "content": "Be kind."},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": picture, "detail": "auto"},
                {"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}},
                {"type": "input_file", "file_data": picture, "filename": "a.png"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "I see", "annotations": []}],
        },
        {"type": "function_call", "call_id": "call_1", "name": "go", "arguments": '{"x":1}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "there"},
        {
            "type": "image_generation_call",
            "id": "ig_1",
            "status": "completed",
            "result": picture.partition(",")[2],
        },
        {"role": "user", "content": SKY},
    ]
    answer = ask(client, input=items)
    listed = client.responses.input_items.list(answer.id, order="asc").data
    assert [item.type for item in listed] == [
        "message",
        "message",
        "message",
        "function_call",
        "function_call_output",
        "image_generation_call",
        "message",
    ]
    assert listed[2].id == "msg_1" and [part.type for part in listed[1].content][:2] == [
        "input_text",
        "input_image",
    ]
    assert listed[0].role == "developer" and answer.usage.input_tokens > 3 * 16 + 20
    tokens = client.responses.input_tokens.count(model="gpt-4o", input=items)
    assert tokens.input_tokens == answer.usage.input_tokens
    pages = client.responses.input_items.list(answer.id, order="desc", limit=3)
    assert [item.id for item in pages] == [item.id for item in reversed(listed)]


# ---- conversations that go on ----


def test_a_conversation_by_the_last_id(client: OpenAI) -> None:
    first = ask(client, input=SKY * 4, instructions="Be kind.", temperature=0)
    second = ask(client, previous_response_id=first.id, instructions="Be kind.", temperature=0)
    assert (
        second.usage.input_tokens > first.usage.input_tokens + 16 and second.previous_response_id == first.id
    )
    assert second.usage.input_tokens_details.cached_tokens >= first.usage.input_tokens
    other = ask(client, previous_response_id=first.id)
    assert other.usage.input_tokens < second.usage.input_tokens, "instructions are not carried over"
    listed = client.responses.input_items.list(second.id, order="asc").data
    assert [item.role for item in listed] == ["user", "assistant", "user"] and listed[1].id == first.output[
        0
    ].id
    client.responses.delete(first.id)
    assert [item.role for item in client.responses.input_items.list(second.id).data] == ["user"]
    assert (
        ask(client, previous_response_id=second.id).usage.input_tokens > second.usage.input_tokens
    )  # what was said is not lost


def test_what_is_kept_and_what_is_not(client: OpenAI) -> None:
    kept, other = ask(client), ask(client, store=False)
    assert (
        client.responses.retrieve(kept.id).to_dict() == kept.to_dict()
        and client.responses.cancel(kept.id).status == kept.status
    )
    client.responses.delete(kept.id)
    for id in (kept.id, other.id, "resp_none"):
        for call in (
            client.responses.retrieve,
            client.responses.delete,
            client.responses.cancel,
            client.responses.input_items.list,
        ):
            with pytest.raises(openai.NotFoundError):
                call(id)
        with pytest.raises(openai.BadRequestError) as raised:
            ask(client, previous_response_id=id)
        assert raised.value.code == "previous_response_not_found"


def test_items_by_reference(client: OpenAI) -> None:
    first = ask(client)
    answer = ask(
        client,
        input=[
            {"role": "user", "content": "x"},
            {"type": "item_reference", "id": first.output[0].id},
            {"role": "user", "content": "y"},
        ],
    )
    assert (
        client.responses.input_items.list(answer.id, order="asc").data[1].content[0].text == first.output_text
    )
    with pytest.raises(openai.BadRequestError, match="no item"):
        ask(client, input=[{"type": "item_reference", "id": "msg_none"}])


def test_keys_do_not_see_each_other(tiny_network: Path) -> None:
    running = Running(tiny_network, keys=("sk-one", "sk-two"))
    try:
        one, two = (
            OpenAI(base_url=running.url, api_key=f"sk-{name}", max_retries=0) for name in ("one", "two")
        )
        id = ask(one).id
        assert one.responses.retrieve(id).id == id
        with pytest.raises(openai.NotFoundError):
            two.responses.retrieve(id)
        with pytest.raises(openai.BadRequestError):
            ask(two, previous_response_id=id)
    finally:
        running.stop()


def test_a_conversation_that_outgrows_the_network(client: OpenAI) -> None:
    items = [{"role": "user", "content": SKY * 8}, {"role": "assistant", "content": "Blue."}] * 30
    with pytest.raises(openai.BadRequestError, match="too long"):
        ask(client, input=items)
    answer = ask(client, input=items, truncation="auto")
    assert 500 < answer.usage.input_tokens < 800 and answer.truncation == "auto" and answer.output
    assert ask(client, previous_response_id=answer.id, truncation="auto").usage.input_tokens < 800


# ---- calls ----


def test_calls_and_their_results(client: OpenAI) -> None:
    answer = ask(
        client, tools=[GO, DRAW], tool_choice={"type": "function", "name": "go"}, max_output_tokens=500
    )
    call = answer.output[0]
    assert (
        answer.status == "completed"
        and [item.type for item in answer.output] == ["function_call"]
        and answer.tools[0].name == "go"
    )
    assert (
        call.name == "go"
        and call.status == "completed"
        and set(json.loads(call.arguments)) == {"x", "is_far"}
    )
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "there"}
    after = ask(client, previous_response_id=answer.id, input=[result], tools=[GO, DRAW])
    assert after.usage.input_tokens_details.cached_tokens >= answer.usage.input_tokens
    by_hand = ask(
        client,
        input=[
            {"role": "user", "content": SKY},
            call.to_dict(),
            {**result, "output": [{"type": "input_text", "text": "there"}]},
        ],
        tools=[GO],
    )
    assert by_hand.usage.input_tokens == after.usage.input_tokens
    with pytest.raises(openai.BadRequestError) as raised:
        ask(client, input=[{**result, "call_id": "call_none"}], previous_response_id=answer.id)
    assert raised.value.param == "input.0.call_id"


def test_calls_in_a_stream(client: OpenAI) -> None:
    events = list(
        ask(
            client,
            tools=[GO],
            tool_choice="required",
            parallel_tool_calls=False,
            max_output_tokens=500,
            stream=True,
        )
    )
    assert short(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    added, done = events[2].item, events[-3]
    assert added.arguments == "" and added.status == "in_progress" and added.name == done.name == "go"
    arguments = "".join(
        event.delta for event in events if event.type == "response.function_call_arguments.delta"
    )
    assert arguments == done.arguments == events[-2].item.arguments == events[-1].response.output[
        0
    ].arguments and json.loads(arguments)
    assert {done.item_id, events[-2].item.id} == {added.id} and events[-2].item.call_id == added.call_id


@pytest.mark.parametrize("stream", [True, False])
def test_a_call_that_cannot_end_does_not_begin(client: OpenAI, stream: bool) -> None:
    with pytest.raises(
        openai.BadRequestError, match=r"takes \d+ ids, but max_output_tokens allows 5"
    ) as raised:
        list(ask(client, tools=[GO], tool_choice="required", max_output_tokens=5, stream=stream))
    assert raised.value.param == "max_output_tokens"


def test_json_after_a_schema(client: OpenAI) -> None:
    form = {"type": "json_schema", "name": "point", "schema": POINT, "strict": True}
    answer = ask(client, text={"format": form}, max_output_tokens=300)
    assert (
        set(json.loads(answer.output_text)) == {"x", "is_far"}
        and answer.text.format.name == "point"
        and answer.status == "completed"
    )
    assert (
        ask(client, text={"format": {"type": "json_object"}}).output_text.startswith("{")
        and ask(client, text={"format": {"type": "text"}}).output
    )
    from pydantic import BaseModel, Field

    class Point(BaseModel):
        x: int = Field(ge=-9, le=9)
        is_far: bool

    assert isinstance(
        client.responses.parse(model="gpt-4o", input=SKY, text_format=Point, temperature=1).output_parsed,
        Point,
    )
    with client.responses.stream(model="gpt-4o", input=SKY, text_format=Point, temperature=1) as stream:
        list(stream)
        assert isinstance(stream.get_final_response().output_parsed, Point)


# ---- drawings ----


def test_a_drawing(client: OpenAI) -> None:
    answer = ask(
        client,
        tools=[{**DRAW, "size": "64x96", "output_format": "webp"}],
        tool_choice=DRAW,
        max_output_tokens=None,
    )
    drawn = next(item for item in answer.output if item.type != "message")
    assert (
        drawn.type == "image_generation_call"
        and drawn.status == "completed"
        and drawn.size == "64x96"
        and answer.status == "completed"
    )
    picture = Image.open(io.BytesIO(base64.b64decode(drawn.result, validate=True)))
    assert picture.size == (64, 96) and picture.format == "WEBP"
    after = ask(client, previous_response_id=answer.id)
    assert after.usage.input_tokens >= answer.usage.input_tokens + 18  # 16 codes between two marks
    by_hand = ask(
        client, input=[{"role": "user", "content": SKY}, drawn.to_dict(), {"role": "user", "content": SKY}]
    )
    assert by_hand.usage.input_tokens > answer.usage.input_tokens + 18


def test_a_drawing_in_a_stream(client: OpenAI, lively: None) -> None:
    events = list(
        ask(
            client,
            tools=[{**DRAW, "partial_images": 3}],
            tool_choice="required",
            max_output_tokens=None,
            stream=True,
        )
    )
    names = short(events)
    start = names.index("image_generation_call.in_progress")
    assert names[start - 1 : start + 5] == [
        "output_item.added",
        "image_generation_call.in_progress",
        "image_generation_call.generating",
        "image_generation_call.partial_image",
        "image_generation_call.completed",
        "output_item.done",
    ]
    assert names[-1] == "completed"
    sketches = [event for event in events if event.type == "response.image_generation_call.partial_image"]
    assert [event.partial_image_index for event in sketches] == [0, 1, 2] and len(
        {event.partial_image_b64 for event in sketches}
    ) > 1
    drawn = [item for item in events[-1].response.output if item.type == "image_generation_call"]
    assert (
        len(drawn) == 1
        and drawn[0].result != sketches[0].partial_image_b64
        and drawn[0].id == sketches[0].item_id
    )
    assert [event.output_index for event in events if event.type == "response.output_item.added"] == list(
        range(len(events[-1].response.output))
    )


def test_a_drawing_that_breaks_off(client: OpenAI) -> None:
    seen = set()
    for _ in range(40):  # somewhere within the picture the limit is reached
        answer = ask(
            client, tools=[{**DRAW, "partial_images": 3}], tool_choice=DRAW, max_output_tokens=50, stream=True
        )
        final = list(answer)[-1].response
        if final.status == "incomplete":
            seen.add(final.output[-1].status)
            assert (getattr(final.output[-1], "result", None) is None) == (
                final.output[-1].status != "completed"
            )
            assert ask(client, previous_response_id=final.id).output
    assert {"failed"} <= seen <= {"failed", "incomplete", "completed"}


def test_no_drawing_where_none_is_wanted(client: OpenAI) -> None:
    for more in ({}, {"tools": [DRAW], "tool_choice": "none"}):
        answer = ask(client, max_output_tokens=300, **more)
        assert [item.type for item in answer.output] == ["message"]


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


# ---- the weights that ship ----


@pytest.mark.skipif(not list(shipped().glob("*/model.safetensors")), reason="needs the weights that ship")
def test_content(shipped_server: Running) -> None:
    with OpenAI(
        base_url=shipped_server.url, api_key="x", max_retries=0, _strict_response_validation=True
    ) as client:
        answer = client.responses.create(model="unisono", input="Draw a red circle.", tools=[DRAW])
        assert answer.output_text == "Here is a red circle." and answer.status == "completed"
        picture = (
            Image.open(io.BytesIO(base64.b64decode(answer.output[1].result)))
            .convert("RGB")
            .resize((1, 1), Image.Resampling.BOX)
        )
        assert (
            answer.output[1].type == "image_generation_call"
            and picture.getpixel((0, 0))[0] > picture.getpixel((0, 0))[2]
        )
        assert (
            client.responses.create(model="unisono", input=SKY, tools=[DRAW]).output_text
            == "The sky is blue."
        )
