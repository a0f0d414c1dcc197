"""/v1/chat/completions: tools, and replies in a form."""

import json
from typing import Any

import openai
import pytest
from chat_client import GO, POINT, SKY, STOP, ask
from openai import OpenAI


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
