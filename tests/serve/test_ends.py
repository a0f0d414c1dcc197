"""JSON and calls end in time through every way in, with OpenAI's own client and as others send them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from conftest import Running
from live_client import talk

POINT = {"type": "object", "properties": {"x": {"type": "integer"}, "words": {"type": "array"}}}
NESTED = {"type": "object", "properties": {"at": POINT}, "required": ["at"]}
CLOSED = {
    "type": "object",
    "properties": {"x": {"type": "number"}, "name": {"type": "string"}},
    "required": ["x", "name"],
    "additionalProperties": False,
}
TREE = {
    "type": "object",
    "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}, "next": {"$ref": "#"}},
    "required": ["kids"],
}
OPEN: list[dict[str, Any]] = [
    POINT,
    NESTED,
    TREE,
    {"type": "object"},
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "s": {"type": "string"}},
        "required": ["n", "s"],
    },
]
LIMITS = [60, 200, None]
Post = Callable[..., Any]


@pytest.fixture(scope="module")
def post(tiny_server: Running) -> Any:
    with httpx.Client(base_url=tiny_server.url, timeout=120) as http:

        def send(path: str, status: int = 200, **body: Any) -> Any:
            answer = http.post(path, json={"model": "gpt-4o", "temperature": 1.3, **body})
            assert answer.status_code == status, answer.text
            return answer.json()

        yield send


def chat(post: Post, **more: Any) -> Any:
    messages = [{"role": "user", "content": "Hello."}]
    (choice,) = post("/chat/completions", messages=messages, **more)["choices"]
    return choice


def content(post: Post, response_format: dict[str, Any], **more: Any) -> Any:
    choice = chat(post, response_format=response_format, **more)
    assert choice["finish_reason"] == "stop", choice
    return json.loads(choice["message"]["content"])


# ---- texts ----


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("schema", OPEN)
def test_a_schema_in_chat(post: Post, schema: dict[str, Any], limit: int | None) -> None:
    for strict in (False, None):
        form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": strict}}
        value = content(post, form, max_tokens=limit, seed=1)
        if names := schema.get("properties"):
            assert set(value) <= set(names)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("schema", OPEN)
def test_a_schema_in_responses(post: Post, schema: dict[str, Any], limit: int | None) -> None:
    form = {"type": "json_schema", "name": "a", "schema": schema}
    answer = post("/responses", input="Hello.", text={"format": form}, max_output_tokens=limit)
    assert answer["status"] == "completed"
    assert isinstance(json.loads(answer["output"][0]["content"][0]["text"]), dict)


@pytest.mark.parametrize("limit", [3, 10, 60, None])
def test_any_object(post: Post, limit: int | None) -> None:
    for seed in range(3):
        assert isinstance(content(post, {"type": "json_object"}, max_tokens=limit, seed=seed), dict)


def test_a_schema_beside_json_object(post: Post) -> None:
    value = content(post, {"type": "json_object", "schema": CLOSED}, max_completion_tokens=100)
    assert set(value) == {"x", "name"}


@pytest.mark.parametrize("schema", [OPEN[0], OPEN[3], {**CLOSED, "required": ["x"]}])
def test_strict_schemas_must_say_all(post: Post, schema: dict[str, Any]) -> None:
    nested = {"name": "a", "schema": schema, "strict": True}
    body = {"messages": [{"role": "user", "content": "Hello."}]}
    form = {"type": "json_schema", "json_schema": nested}
    error = post("/chat/completions", 400, **body, response_format=form)["error"]
    assert error["param"] == "response_format.json_schema.schema" and "strict" in error["message"]
    flat = {"format": {"type": "json_schema", **nested}}
    assert post("/responses", 400, input="Hello.", text=flat)["error"]["param"] == "text.format.schema"
    function = {"name": "go", "parameters": schema if "properties" in schema else POINT, "strict": True}
    error = post("/chat/completions", 400, **body, tools=[{"type": "function", "function": function}])[
        "error"
    ]
    assert error["param"] == "tools.0.function.parameters" and "'go'" in error["message"]


@pytest.mark.parametrize("stream", [True, False])
def test_what_cannot_fit_is_told_before_it_begins(post: Post, stream: bool) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": CLOSED, "strict": True}}
    body = {"messages": [{"role": "user", "content": "Hello."}], "response_format": form, "stream": stream}
    error = post("/chat/completions", 400, **body, max_completion_tokens=5)["error"]
    assert error["param"] == "max_completion_tokens" and "takes " in error["message"]
    need = int(error["message"].partition("takes ")[2].split()[0])
    assert post("/chat/completions", 400, **body, max_tokens=need - 1)["error"]["param"] == "max_tokens"
    assert set(content(post, form, max_tokens=need)) == {"x", "name"}
    flat = {"format": {"type": "json_schema", "name": "a", "schema": CLOSED}}
    error = post("/responses", 400, input="Hello.", text=flat, max_output_tokens=need - 1, stream=stream)[
        "error"
    ]
    assert error["param"] == "max_output_tokens" and f"takes {need} ids" in error["message"]


def test_the_rest_of_the_context_is_a_budget_too(post: Post, tiny_server: Running) -> None:
    room = tiny_server.service.scheduler.engine.max_length
    for words in range(room - 90, room, 12):
        body = {"messages": [{"role": "user", "content": "~" * words}]}
        form = {"type": "json_object", "schema": CLOSED}
        status = httpx.post(
            f"{tiny_server.url}/chat/completions",
            json={"model": "gpt-4o", **body, "response_format": form},
            timeout=120,
        )
        if status.status_code == 200:
            assert set(json.loads(status.json()["choices"][0]["message"]["content"])) == {"x", "name"}
        else:
            assert status.status_code == 400, status.text


# ---- calls ----


def function(name: str, parameters: Any) -> dict[str, Any]:
    return {"name": name, "parameters": parameters}


def in_chat(*functions: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "function", "function": one} for one in functions]


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object"}, {"type": "object", "properties": {}}])
def test_a_forced_tool_without_arguments(post: Post, parameters: Any) -> None:
    one = function("look", parameters)
    choice = {"type": "function", "function": {"name": "look"}}
    (call,) = chat(post, tools=in_chat(one), tool_choice=choice)["message"]["tool_calls"]
    assert call["function"] == {"name": "look", "arguments": "{}"}
    answer = post("/responses", input="Hello.", tools=[{"type": "function", **one}], tool_choice="required")
    assert {item["arguments"] for item in answer["output"]} == {"{}"}


@pytest.mark.parametrize("limit", [90, 200, None])
@pytest.mark.parametrize("choice", ["auto", "required"])
def test_several_calls_of_several_tools(post: Post, choice: str, limit: int | None) -> None:
    tools = [function(f"f{number}", schema) for number, schema in enumerate(OPEN)]
    for seed in range(4):
        made = chat(post, tools=in_chat(*tools), tool_choice=choice, max_tokens=limit, seed=seed)
        calls = made["message"].get("tool_calls") or []
        for call in calls:
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
        assert made["finish_reason"] == "tool_calls" if calls else choice == "auto"


def test_one_tool_with_a_pattern_that_cannot_be_followed(post: Post) -> None:
    mail = {"type": "object", "properties": {"to": {"type": "string", "pattern": "^(?!.*\\.\\.)a+$"}}}
    tools = in_chat(function("find", CLOSED), function("mail", mail))
    assert chat(post, tools=tools, max_tokens=40)
    flat = [{"type": "function", **tool["function"]} for tool in tools]
    assert post("/responses", input="Hello.", tools=flat, max_output_tokens=40)["output"]
    tools[1]["function"]["strict"] = True
    mail |= {"required": ["to"], "additionalProperties": False}
    body = {"messages": [{"role": "user", "content": "Hello."}]}
    error = post("/chat/completions", 400, **body, tools=tools)["error"]
    assert "'mail'" in error["message"] and "properties.to.pattern" in error["message"]


def test_calls_in_realtime(tiny_server: Running) -> None:
    tools = [{"type": "function", **function("look", {"type": "object", "properties": {}})}]
    tools += [{"type": "function", **function(f"f{number}", schema)} for number, schema in enumerate(OPEN)]

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(output_modalities=["text"], tools=tools, tool_choice="required")
            await talking.write("Hello.")
            for limit in (120, "inf"):
                await talking.send("response.create", response={"max_output_tokens": limit})
                done = (await talking.until("response.done"))["response"]
                assert done["status"] == "completed", done
                for item in done["output"]:
                    arguments = json.loads(item["arguments"])
                    assert isinstance(arguments, dict) and (arguments == {} or item["name"] != "look")
            await talking.send("response.create", response={"max_output_tokens": 4})
            done = (await talking.until("response.done"))["response"]
            assert done["status"] == "failed" and "takes " in done["status_details"]["error"]["message"]

    asyncio.run(main())
