"""Constrained decoding: whatever a network thinks likely, what comes out has the form that was asked for."""

import json
from typing import Any

import numpy as np
import pytest
from adversaries import ADVERSARIES, follow, spelled
from conftest import Running

from unisono.engine.grammar import Rules
from unisono.serve.reply.constrain import Constrained
from unisono.serve.reply.document import Form
from unisono.serve.reply.forms import Compiler
from unisono.serve.reply.schema import NO_ARGUMENTS
from unisono.serve.reply.service import Service

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
LEFT = 300


@pytest.fixture(scope="module")
def service(tiny_server: Running) -> Service:
    return tiny_server.service


def text_form(service: Service, schema: dict[str, Any], is_strict: bool = True) -> Form:
    return Compiler(service.pieces).text(schema, is_strict, "schema")


def calls_form(service: Service, *tools: tuple[str, dict[str, Any], bool]) -> Form:
    return Compiler(service.pieces).calls(tools, [f"tools.{number}" for number in range(len(tools))])


def written(service: Service, form: Form, seed: int = 0) -> str:
    ids = follow(service, Constrained(service.vocab, Rules(), text=form), LEFT, seed=seed)
    return spelled(service, ids)


def calling(service: Service, form: Form, **more: Any) -> Constrained:
    return Constrained(service.vocab, Rules(calls=True), call=form, **more)


def calls_of(text: str) -> list[Any]:
    """What is between the marks; nothing else may be there."""
    assert text.startswith("<|begin_call|>") and text.endswith("<|end_call|><|end|>"), text
    inner = text.removeprefix("<|begin_call|>").removesuffix("<|end_call|><|end|>")
    return [json.loads(call) for call in inner.split("<|end_call|><|begin_call|>")]


@pytest.mark.parametrize("schema", SHAPES)
def test_text_has_its_form_and_ends_with_it(service: Service, schema: dict[str, Any]) -> None:
    form, seen = text_form(service, schema), set()
    for seed in range(12):
        text = written(service, form, seed)
        assert text.endswith("<|end|>"), text
        value = json.loads(text.removesuffix("<|end|>"))
        seen.add(json.dumps(value))
        if schema is POINT:
            assert list(value) == ["x", "is_far"] and value["x"] in range(-9, 10)
            assert value["is_far"] in (True, False)
        elif "enum" in schema:
            assert value in schema["enum"]
    assert len(seen) > 1


def test_json_of_any_kind_is_an_object(service: Service) -> None:
    form = text_form(service, {"type": "object"}, False)
    for seed in range(20):
        text = written(service, form, seed)
        assert text.endswith("<|end|>") and isinstance(json.loads(text.removesuffix("<|end|>")), dict)


def test_calls_have_their_tools_forms_and_come_last(service: Service) -> None:
    definitions = {
        "type": "object",
        "properties": {"at": {"$ref": "#/$defs/point"}},
        "required": ["at"],
        "additionalProperties": False,
        "$defs": {"point": POINT},
    }
    form = calls_form(service, ("go", POINT, True), ("look-at", definitions, True))
    names = set()
    for seed in range(20):
        grammar = calling(service, form, must_call=True, max_calls=2)
        calls = calls_of(spelled(service, follow(service, grammar, LEFT, seed=seed)))
        assert 1 <= len(calls) <= 2
        for call in calls:
            names.add(call["name"])
            point = call["arguments"] if call["name"] == "go" else call["arguments"]["at"]
            assert list(call) == ["name", "arguments"] and isinstance(point["x"], int)
            assert isinstance(point["is_far"], bool)
    assert names == {"go", "look-at"}


def test_calls_have_no_arguments_that_nobody_named(service: Service) -> None:
    place = {"enum": ["sea", "sky"]}
    schema = {"type": "object", "properties": {"place": place}, "required": ["place"]}
    form = calls_form(service, ("look_at", schema, False))
    for seed in range(12):
        grammar = calling(service, form, must_call=True, max_calls=1)
        (call,) = calls_of(spelled(service, follow(service, grammar, LEFT, seed=seed)))
        assert set(call["arguments"]) == {"place"}


@pytest.mark.parametrize("wanted", ADVERSARIES)
def test_a_tool_without_arguments_gets_none(service: Service, wanted: str) -> None:
    form = calls_form(service, ("look", NO_ARGUMENTS, False))
    grammar = calling(service, form, must_call=True, max_calls=1)
    (call,) = calls_of(spelled(service, follow(service, grammar, LEFT, wanted)))
    assert call == {"name": "look", "arguments": {}}


def test_a_network_calls_on_its_own_or_not_at_all(service: Service) -> None:
    form = calls_form(service, ("go", NO_ARGUMENTS, True))
    texts = [spelled(service, follow(service, calling(service, form), LEFT, seed=seed)) for seed in range(60)]
    called = [text for text in texts if "<|begin_call|>" in text]
    assert called and len(called) < len(texts)
    assert all(
        text.partition("<|begin_call|>")[2].startswith('{"name": "go", "arguments": {}}<|end_call|><|')
        for text in called
    )
    silent = Constrained(service.vocab, Rules())
    assert not silent.mask()[service.vocab.id("<|begin_call|>")]


def test_json_and_calls_exclude_each_other(service: Service) -> None:
    text, call = text_form(service, POINT), calls_form(service, ("go", POINT, True))
    kinds = set()
    for seed in range(40):
        grammar = calling(service, call, text=text, max_calls=1)
        said = spelled(service, follow(service, grammar, LEFT, seed=seed))
        kinds.add(said[:2])
        json.loads(said.removesuffix("<|end|>").removeprefix("<|begin_call|>").removesuffix("<|end_call|>"))
    assert '{"' in kinds


@pytest.mark.parametrize("left", [*range(40, 60), 100, 200])
@pytest.mark.parametrize("wanted", ["random", "members", "long pieces"])
def test_several_calls_all_end_within_what_is_left(service: Service, left: int, wanted: str) -> None:
    open_schema = {"type": "object", "properties": {"words": {"type": "array", "items": {"type": "string"}}}}
    form = calls_form(service, ("go", POINT, True), ("say", open_schema, False))
    grammar = calling(service, form, must_call=True, max_calls=8)
    assert grammar.need <= left
    ids = follow(service, grammar, left, wanted, seed=left)
    assert grammar.done and len(ids) <= left
    assert {call["name"] for call in calls_of(spelled(service, ids))} <= {"go", "say"}


def test_a_call_that_does_not_fit_does_not_begin(service: Service) -> None:
    form = calls_form(service, ("go", POINT, True))
    grammar, begin = calling(service, form), service.vocab.id("<|begin_call|>")
    assert grammar.mask(grammar.call_need)[begin] and not grammar.mask(grammar.call_need - 1)[begin]
    for seed in range(40):
        grammar = calling(service, form)
        text = spelled(service, follow(service, grammar, 60, seed=seed))
        _, _, called = text.partition("<|begin_call|>")
        assert not called or called.endswith("<|end_call|><|end|>")


def test_copies_are_independent_and_interrupted_calls_can_be_closed(service: Service) -> None:
    form = calls_form(service, ("go", POINT, True))
    grammar = calling(service, form, must_call=True)
    follow(service, grammar, LEFT, most=7)
    assert not grammar.done
    before, copied = grammar.mask().copy(), grammar.copy()
    follow(service, copied, LEFT, seed=1)
    assert copied.done and not grammar.done and (grammar.mask() == before).all()
    assert [service.vocab.name(id) for id in grammar.closing()] == ["<|end_call|>", "<|end|>"]
    first = calling(service, form, must_call=True)
    ids = follow(service, first.copy(), LEFT, seed=3)
    assert first.copy().replay(ids).done


def test_a_form_is_followed_on_after_ids_that_nobody_weighed(service: Service) -> None:
    form = text_form(service, POINT)
    ids = follow(service, Constrained(service.vocab, Rules(), text=form), LEFT)
    for cut in range(1, len(ids)):
        grammar = Constrained(service.vocab, Rules(), text=form).replay(ids[:cut])
        assert isinstance(grammar, Constrained)
        rest = follow(service, grammar, grammar.need, seed=cut)
        assert grammar.done and json.loads(spelled(service, [*ids[:cut], *rest[:-1]]))


def test_text_ids_without_a_piece_never_come(service: Service) -> None:
    mask = Constrained(service.vocab, Rules(), text=text_form(service, {"type": "string"})).mask()
    allowed = [id for id in np.flatnonzero(mask) if id < service.vocab.text_size]
    assert allowed and all(service.tokenizer.text.piece(id).startswith(b'"') for id in allowed)
    assert not mask[service.vocab.id("<|end|>")]
