"""Functions of a client: read from both spellings, told to the network, its calls read back."""

import json

import pytest

from unisono.serve.reply.schema import NO_ARGUMENTS
from unisono.serve.reply.tools import CallReader, read_tools, written
from unisono.serve.wire.errors import ApiError

POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer", "minimum": -9, "maximum": 9}, "is_far": {"type": "boolean"}},
    "required": ["x", "is_far"],
    "additionalProperties": False,
}


def tool(name: object = "go", **more: object) -> tuple[object, str]:
    return {"name": name, "parameters": POINT, **more}, "tools.0"


@pytest.mark.parametrize(
    "tools, choice, param",
    [
        ([tool("")], None, "tools.0.name"),
        ([tool("a b")], None, "tools.0.name"),
        ([tool("x" * 65)], None, "tools.0.name"),
        ([tool(None)], None, "tools.0.name"),
        ([tool('a"}')], None, "tools.0.name"),
        ([(None, "tools.0")], None, "tools.0"),
        ([tool(description=3)], None, "tools.0.description"),
        ([tool(parameters="x")], None, "tools.0.parameters"),
        ([tool(parameters={"type": "string"})], None, "tools.0.parameters"),
        ([tool(), tool()], None, "tools"),
        ([tool(f"f{number}") for number in range(129)], None, "tools"),
        ([], "required", "tool_choice"),
        ([tool()], "none of them", "tool_choice"),
        ([tool()], 3, "tool_choice"),
        ([tool()], {"type": "function"}, "tool_choice"),
        ([tool()], {"type": "function", "function": {"name": "stop"}}, "tool_choice"),
        ([tool()], {"type": "function", "name": "stop"}, "tool_choice"),
        ([tool()], {"type": "allowed_tools", "mode": "auto", "tools": []}, "tool_choice"),
        ([tool()], {"type": "web_search"}, "tool_choice"),
        (
            [tool()],
            {"type": "allowed_tools", "allowed_tools": {"mode": "never", "tools": [{"name": "go"}]}},
            "tool_choice",
        ),
    ],
)
def test_wrong_tools_and_choices(tools: list[tuple[object, str]], choice: object, param: str) -> None:
    with pytest.raises(ApiError) as raised:
        read_tools(tools, choice, None)
    assert raised.value.status == 400 and raised.value.param == param


@pytest.mark.parametrize(
    "choice, mode, names, in_parallel",
    [
        (None, "auto", ["go", "stop"], True),
        ("auto", "auto", ["go", "stop"], True),
        ("none", "none", ["go", "stop"], True),
        ("required", "required", ["go", "stop"], True),
        ({"type": "function", "function": {"name": "stop"}}, "required", ["stop"], False),
        ({"type": "function", "name": "stop"}, "required", ["stop"], False),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "go"}]},
            "required",
            ["go"],
            False,
        ),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "go"}}],
                },
            },
            "auto",
            ["go"],
            True,
        ),
    ],
)
def test_choices_in_both_spellings(choice: object, mode: str, names: list[str], in_parallel: bool) -> None:
    box = read_tools([tool("go"), tool("stop")], choice, None)
    assert (box.mode, [one.name for one in box.callable], box.in_parallel) == (mode, names, in_parallel)
    assert box.tools[0].line.startswith('tool go: {"type":"object","properties":')


@pytest.mark.parametrize(
    "arguments",
    ['{"x": 1, "deep": {"a": [1, "}"]}}', "{}", '{"quote": "\\"}}{"}', '{"letters": "\u00e4\U0001f600"}'],
)
@pytest.mark.parametrize("width", [1, 3, 1000])
def test_calls_are_read_as_they_come(arguments: str, width: int) -> None:
    text, reader = written("go", arguments, "calls"), CallReader()
    pieces = [
        piece for start in range(0, len(text), width) for piece in reader.push(text[start : start + width])
    ] + [*reader.end(True)]
    assert reader.name == "go" and "".join(pieces) == reader.arguments == json.dumps(
        json.loads(arguments), ensure_ascii=False
    )


@pytest.mark.parametrize("cut", range(1, 46))
def test_calls_that_break_off_keep_what_came(cut: int) -> None:
    text, reader = '{"name": "go", "arguments": {"x": 1, "y": 2}}'[:cut], CallReader()
    pieces = [*reader.push(text), *reader.end(False)]
    assert "".join(pieces) == reader.arguments == text[28:44] and reader.name == ("go" if cut >= 28 else "")


@pytest.mark.parametrize(
    "name, arguments", [(None, "{}"), ("a b", "{}"), ("go", None), ("go", {"x": 1}), (3, "{}")]
)
def test_wrong_calls_of_the_history(name: object, arguments: object) -> None:
    with pytest.raises(ApiError):
        written(name, arguments, "messages.1.tool_calls.0.function")
    assert written("go", "{broken", "x") == '{"name": "go", "arguments": {broken}'


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        [],
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": None},
        {"type": "object", "properties": []},
        {"type": "object", "properties": {}, "required": []},
        {"type": "object", "properties": {}, "required": None},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "properties": {}, "additionalProperties": {}},
        {"type": "object", "additionalProperties": False},
        {"properties": {}, "title": "Nothing", "description": "Takes nothing."},
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": ["object"], "properties": {}},
    ],
)
def test_no_arguments_however_they_are_spelled(parameters: object) -> None:
    box = read_tools([tool(parameters=parameters)], None, None)
    assert box.tools[0].parameters == NO_ARGUMENTS
