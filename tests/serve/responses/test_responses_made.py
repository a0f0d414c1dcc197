"""/v1/responses: calls, drawings, and what the weights that ship say."""

import base64
import io
import json
from collections.abc import Iterator

import openai
import pytest
from conftest import Running
from openai import OpenAI
from PIL import Image
from responses_cases import DRAW, GO, POINT, SKY, ask, short, strict_client

from unisono.core.home import shipped


@pytest.fixture(scope="module")
def client(tiny_server: Running) -> Iterator[OpenAI]:
    with strict_client(tiny_server) as made:
        yield made


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
