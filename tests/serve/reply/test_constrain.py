"""Constrained decoding: whatever a network thinks likely, what comes out has the form that was asked for."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from conftest import Running

from unisono.engine.grammar import Grammar, Rules
from unisono.engine.sample import Sampler, Sampling
from unisono.serve.reply.constrain import (
    MAX_CHARACTERS,
    Constrained,
    calls_form,
    check_schema,
    compiled,
    json_form,
)
from unisono.serve.reply.service import Service
from unisono.serve.reply.tools import CallReader, read_tools, written
from unisono.serve.wire.errors import ApiError

POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer", "minimum": -9, "maximum": 9}, "is_far": {"type": "boolean"}},
    "required": ["x", "is_far"],
    "additionalProperties": False,
}
SHAPES: list[dict[str, Any]] = [
    POINT,
    {"enum": ["red", "green", '\u00fcber "quoted"']},
    {"type": "array", "items": POINT, "maxItems": 2},
    {"anyOf": [{"type": "null"}, {"const": {"a": [1, "b"]}}]},
    {"type": "string", "maxLength": 5},
    {"$ref": "#/$defs/point", "$defs": {"point": POINT}},
]


@pytest.fixture(scope="module")
def service(tiny_server: Running) -> Service:
    return tiny_server.service


def matcher(service: Service, form: str) -> Any:
    return asyncio.run(compiled(service, form, "schema"))


def follow(service: Service, grammar: Grammar, seed: int, most: int = 400) -> list[int]:
    """A reply of a network that thinks at random."""
    random, sampler, ids = (
        np.random.default_rng(seed),
        Sampler(dict.fromkeys(("text", "audio", "image"), Sampling()), seed),
        [],
    )
    while not grammar.done and len(ids) < most:
        id = sampler.choose(
            random.normal(0, 3, service.vocab.size).astype(np.float32), grammar.mask(), grammar.modality
        )
        grammar.advance(id)
        ids.append(id)
    return ids


def spelled(service: Service, ids: list[int]) -> str:
    """Text, with marks by name."""
    stream, text = service.tokenizer.text.stream(), ""  # a character may break off before a mark
    for id in ids:
        text += stream.push(id) if id < service.vocab.text_size else stream.flush() + service.vocab.name(id)
    return text


@pytest.mark.parametrize("schema", SHAPES)
def test_text_has_its_form_and_ends_with_it(service: Service, schema: dict[str, Any]) -> None:
    form, seen = matcher(service, json_form(schema, True)), set()
    for seed in range(12):
        text = spelled(service, follow(service, Constrained(service.vocab, Rules(), text=form), seed))
        assert text.endswith("<|end|>"), text
        value = json.loads(text.removesuffix("<|end|>"))
        seen.add(json.dumps(value))
        if schema is POINT:
            assert (
                list(value) == ["x", "is_far"]
                and value["x"] in range(-9, 10)
                and value["is_far"] in (True, False)
            )
        elif "enum" in schema:
            assert value in schema["enum"]
    assert len(seen) > 1


def test_json_of_any_kind_is_an_object(service: Service) -> None:
    form = matcher(service, json_form({"type": "object"}, True))
    for seed in range(20):
        text = spelled(service, follow(service, Constrained(service.vocab, Rules(), text=form), seed))
        assert text.startswith("{")
        if text.endswith("<|end|>"):
            assert isinstance(json.loads(text.removesuffix("<|end|>")), dict)


def test_calls_have_their_tools_forms_and_come_last(service: Service) -> None:
    definitions = {
        "type": "object",
        "properties": {"at": {"$ref": "#/$defs/point"}},
        "required": ["at"],
        "additionalProperties": False,
        "$defs": {"point": POINT},
    }
    form = matcher(service, calls_form([("go", POINT, True), ("look-at", definitions, True)]))
    names = set()
    for seed in range(20):
        grammar = Constrained(service.vocab, Rules(calls=True), call=form, must_call=True, max_calls=2)
        text = spelled(service, follow(service, grammar, seed, 2000))
        calls = (
            text.removesuffix("<|end|>")
            .removeprefix("<|begin_call|>")
            .removesuffix("<|end_call|>")
            .split("<|end_call|><|begin_call|>")
        )
        assert 1 <= len(calls) <= 2 and text.endswith("<|end_call|><|end|>")
        for call in map(json.loads, calls):
            names.add(call["name"])
            point = call["arguments"] if call["name"] == "go" else call["arguments"]["at"]
            assert (
                list(call) == ["name", "arguments"]
                and isinstance(point["x"], int)
                and isinstance(point["is_far"], bool)
            )
    assert names == {"go", "look-at"}


def test_calls_have_no_arguments_that_nobody_named(service: Service) -> None:
    form = matcher(
        service,
        calls_form(
            [
                (
                    "look_at",
                    {
                        "type": "object",
                        "properties": {"place": {"enum": ["sea", "sky"]}},
                        "required": ["place"],
                    },
                    False,
                )
            ]
        ),
    )
    for seed in range(12):
        text = spelled(
            service,
            follow(
                service,
                Constrained(service.vocab, Rules(calls=True), call=form, must_call=True, max_calls=1),
                seed,
                2000,
            ),
        )
        call = json.loads(text.removeprefix("<|begin_call|>").removesuffix("<|end_call|><|end|>"))
        assert set(call["arguments"]) == {"place"}


def test_a_network_calls_on_its_own_or_not_at_all(service: Service) -> None:
    form = matcher(
        service,
        calls_form([("go", {"type": "object", "properties": {}, "additionalProperties": False}, True)]),
    )
    texts = [
        spelled(
            service, follow(service, Constrained(service.vocab, Rules(calls=True), call=form), seed, 3000)
        )
        for seed in range(60)
    ]
    called = [text for text in texts if "<|begin_call|>" in text]
    assert called and len(called) < len(texts)
    assert all(
        text.partition("<|begin_call|>")[2].startswith('{"name": "go", "arguments": {}}<|end_call|><|')
        for text in called
    )
    silent = Constrained(service.vocab, Rules())
    assert not silent.mask()[service.vocab.id("<|begin_call|>")]


def test_json_and_calls_exclude_each_other(service: Service) -> None:
    text, call = matcher(service, json_form(POINT, True)), matcher(service, calls_form([("go", POINT, True)]))
    kinds = set()
    for seed in range(40):
        said = spelled(
            service,
            follow(
                service,
                Constrained(service.vocab, Rules(calls=True), text=text, call=call, max_calls=1),
                seed,
            ),
        )
        kinds.add(said[:2])
        json.loads(said.removesuffix("<|end|>").removeprefix("<|begin_call|>").removesuffix("<|end_call|>"))
    assert '{"' in kinds


def test_copies_are_independent_and_interrupted_calls_can_be_closed(service: Service) -> None:
    form = matcher(service, calls_form([("go", POINT, True)]))
    grammar = Constrained(service.vocab, Rules(calls=True), call=form, must_call=True)
    follow(service, grammar, 0, 7)
    before, copied = grammar.mask().copy(), grammar.copy()
    follow(service, copied, 1)
    assert copied.done and not grammar.done and (grammar.mask() == before).all()
    assert [service.vocab.name(id) for id in grammar.closing()] == ["<|end_call|>", "<|end|>"]
    first = Constrained(service.vocab, Rules(calls=True), call=form, must_call=True)
    ids = follow(service, first.copy(), 3)
    assert first.copy().replay(ids).done


def test_text_ids_without_a_piece_never_come(service: Service) -> None:
    mask = Constrained(
        service.vocab, Rules(), text=matcher(service, json_form({"type": "string"}, True))
    ).mask()
    allowed = [id for id in np.flatnonzero(mask) if id < service.vocab.text_size]
    assert allowed and all(service.tokenizer.text.piece(id).startswith(b'"') for id in allowed)
    assert not mask[service.vocab.id("<|end|>")]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 9},
        {"type": "objekt"},
        {"properties": [1]},
        {"enum": []},
        {"$ref": "#"},
        {"$ref": "#/$defs/none"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "http://127.0.0.1/x"},
        {"type": "string", "pattern": "("},
        {"not": {"type": "string"}},
        {"type": "string", "minLength": -1},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "string", "minLength": 3, "maxLength": 2},
        {"allOf": "x"},
        {"required": "x"},
        {"type": "string", "format": "no-such-format"},
    ],
)
def test_schemas_that_cannot_be_kept_to_are_named(service: Service, schema: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="cannot be followed") as raised:
        matcher(service, json_form(schema, True))
    assert raised.value.status == 400 and raised.value.param == "schema" and "\n" not in raised.value.message


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 10**9},
        {"type": "array", "minItems": 10**9},
        {"type": "string", "pattern": "^(a{1000}){1000}$"},
        {"type": "string", "pattern": "(a|b)*a(a|b){300}"},
        {"enum": [str(number) for number in range(9000)]},
        {"type": "object", "patternProperties": {"^(a+)+$": {"type": "string"}}},
    ],
)
def test_costly_schemas_cost_little(service: Service, schema: dict[str, Any]) -> None:
    """Either they are refused, or they are followed step by step, or a step says that it is too much."""
    try:
        form = matcher(service, json_form(schema, True))
        follow(service, Constrained(service.vocab, Rules(), text=form), 0, 5)
    except Exception as error:
        assert "too complex" in str(error) or "cannot be followed" in str(error)


def test_lenient_forms_pass_over_what_they_do_not_know(service: Service) -> None:
    schema = {
        "type": "object",
        "not": {"required": ["a"]},
        "properties": {"at": {"type": "string", "format": "no-such-format"}},
    }
    assert matcher(service, json_form(schema, False)) and matcher(
        service, calls_form([("go", schema, False)])
    )
    with pytest.raises(ApiError):
        matcher(service, calls_form([("go", schema, True)]))


@pytest.mark.parametrize(
    "schema, words",
    [
        ([], "must be a JSON schema"),
        ("{}", "must be a JSON schema"),
        (None, "must be a JSON schema"),
        (json.loads('{"items":' * 65 + "{}" + "}" * 65), "deeper than"),
        ({"enum": ["x" * MAX_CHARACTERS]}, "longer than"),
    ],
)
def test_what_is_no_schema_or_too_much_of_one(schema: object, words: str) -> None:
    with pytest.raises(ApiError, match=words):
        check_schema(schema, "schema")


# ---- tools: reading requests, reading calls ----


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
