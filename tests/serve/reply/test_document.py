"""A document ends within the ids that are left, whatever the network wants: schemas, adversaries, budgets."""

import json
from typing import Any

import jsonschema_rs
import pytest
from adversaries import ADVERSARIES, follow, spelled
from conftest import Running
from hypothesis import HealthCheck, given, settings, strategies as st

from unisono.core.errors import UserError
from unisono.engine.grammar import Rules
from unisono.serve.reply.constrain import Constrained
from unisono.serve.reply.document import MAX_DEPTH, MAX_NUMBER, MAX_WHOLE, Reader
from unisono.serve.reply.forms import Compiler
from unisono.serve.reply.service import Service

WORDS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
PLACE = {"type": "object", "properties": {"x": {"type": "integer"}, "name": {"type": "string"}}}
NODE = {
    "type": "object",
    "properties": {
        "value": {"type": "number"},
        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
    },
    "required": ["value", "next", "children"],
}
LEAF = {"type": "object", "properties": {"kind": {"const": "leaf"}}, "required": ["kind"]}
PAIR = {
    "type": "object",
    "properties": {"kind": {"const": "pair"}, "a": {"$ref": "#/$defs/one"}, "b": {"$ref": "#/$defs/one"}},
    "required": ["kind", "a", "b"],
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "anything": {},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "string": {"type": "string"},
    "list": {"type": "array"},
    "object": {"type": "object"},
    "open": {**PLACE, "required": ["x", "name"]},
    "open inside": {"type": "object", "properties": {"at": PLACE, "all": {"type": "array", "items": PLACE}}},
    "dict of numbers": {"type": "object", "additionalProperties": {"type": "integer"}},
    "dict of lists": {"type": "object", "properties": {"a": {"additionalProperties": WORDS}}},
    "tree": {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
    "union": {"$ref": "#/$defs/one", "$defs": {"one": {"anyOf": [PAIR, LEAF]}}},
    "pattern": {"type": "string", "pattern": "^[a-z]{3,9}-\\d{4}@x\\.(com|org)$"},
    "searched": {"type": "string", "pattern": ".*@.*\\.com$"},
    "uuid": {"type": "string", "format": "uuid"},
    "date": {"type": "string", "format": "date-time"},
    "email": {"type": "string", "format": "email"},
    "long": {"type": "array", "items": {"type": "string", "minLength": 5}, "minItems": 4},
    "range": {"type": "integer", "minimum": 1000, "maximum": 99999},
    "small": {"type": "number", "exclusiveMinimum": 0.001, "maximum": 0.01},
    "enum": {"enum": ["red", 'ue\u0308ber "quoted"', {"a": [1, 2]}]},
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]},
        ]
    },
    "patterned names": {"type": "object", "patternProperties": {"^x_": {"type": "integer"}}},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2},
}


@pytest.fixture(scope="module")
def service(tiny_server: Running) -> Service:
    return tiny_server.service


def finished(service: Service, schema: dict[str, Any], wanted: str, left: int | None, seed: int = 0) -> Any:
    """The value that is written within `left` ids, None: as few as may be; checked against its schema."""
    form = Compiler(service.pieces).text(schema, False, "schema")
    grammar = Constrained(service.vocab, Rules(), text=form)
    left = grammar.need if left is None else max(left, grammar.need)
    ids = follow(service, grammar, left, wanted, seed)
    text = spelled(service, ids)
    assert grammar.done and len(ids) <= left and text.endswith("<|end|>"), text[-200:]
    value = json.loads(text.removesuffix("<|end|>"))
    assert jsonschema_rs.is_valid(schema, value), text
    return value


@pytest.mark.parametrize("wanted", ADVERSARIES)
@pytest.mark.parametrize("name", SCHEMAS)
def test_documents_end_whatever_the_network_wants(service: Service, name: str, wanted: str) -> None:
    for left in (None, 40, 150):
        finished(service, SCHEMAS[name], wanted, left)


@pytest.mark.parametrize("left", range(2, 30))
def test_every_budget_from_the_smallest_on_is_kept(service: Service, left: int) -> None:
    for name in ("anything", "object", "dict of numbers"):
        for seed in range(3):
            finished(service, SCHEMAS[name], "random", left, seed)


def test_each_part_of_a_document_gets_something(service: Service) -> None:
    names = ["a", "b", "c", "d"]
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": names}
    value = finished(service, schema, "letters", 200)
    assert all(value[name] for name in names), value


@pytest.mark.parametrize("wanted", ["digits", "exponents", "random"])
def test_numbers_stay_within_what_readers_hold(service: Service, wanted: str) -> None:
    for seed in range(5):
        integer = finished(service, {"type": "integer"}, wanted, 300, seed)
        assert abs(integer) < 10**MAX_WHOLE
        number = finished(service, {"type": "number"}, wanted, 300, seed)
        assert abs(number) < 1e120 and len(repr(number)) <= MAX_NUMBER + 8


def test_brackets_do_not_nest_without_end(service: Service) -> None:
    def depth(value: Any) -> int:
        return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0

    found = [depth(finished(service, {"type": "array"}, "brackets", 600, seed)) for seed in range(3)]
    assert 4 < max(found) <= MAX_DEPTH


def schemas(depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas as clients write them: most of it left open."""
    leaf = st.one_of(
        st.sampled_from([{"type": kind} for kind in ("string", "integer", "number", "boolean", "null")]),
        st.builds(lambda least: {"type": "string", "minLength": least}, st.integers(0, 12)),
        st.builds(lambda least: {"type": "integer", "minimum": least}, st.integers(-(10**6), 10**6)),
        st.builds(lambda texts: {"enum": texts}, st.lists(st.text(max_size=6), min_size=1, max_size=4)),
        st.sampled_from(
            [
                {"type": "string", "pattern": pattern}
                for pattern in ("^[A-Z]{2}\\d+$", "a|bc", "^(ab)+$", "x?")
            ]
        ),
    )

    def wider(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
        members = st.dictionaries(st.text('abc \u00e9"', min_size=1, max_size=4), inner, max_size=4)
        return st.one_of(
            st.builds(
                lambda names, count: {
                    "type": "object", "properties": names, "required": list(names)[:count]
                },
                members, st.integers(0, 4),
            ),
            st.builds(lambda item: {"type": "object", "additionalProperties": item}, inner),
            st.builds(
                lambda item, least: {"type": "array", "items": item, "minItems": least},
                inner, st.integers(0, 3),
            ),
            st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        )  # fmt: skip

    return st.recursive(leaf, wider, max_leaves=6)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(schema=schemas(), wanted=st.sampled_from(sorted(ADVERSARIES)), left=st.sampled_from([None, 30, 120]))
def test_generated_schemas_end_as_well(
    service: Service, schema: dict[str, Any], wanted: str, left: int | None
) -> None:
    finished(service, schema, wanted, left)


def test_where_the_matcher_gives_up_the_known_ending_is_followed(service: Service) -> None:
    form = Compiler(service.pieces).text(SCHEMAS["open"], False, "schema")
    grammar = Constrained(service.vocab, Rules(), text=form)
    ids = follow(service, grammar, 200, most=5)
    assert grammar.in_text
    grammar.in_text.is_lost = True
    ids += follow(service, grammar, 200, "members")
    assert grammar.done and json.loads(spelled(service, ids[:-1]))


def test_a_session_refuses_what_does_not_fit(service: Service) -> None:
    from unisono.engine.session import Session

    form = Compiler(service.pieces).text(SCHEMAS["open"], False, "schema")
    grammar = Constrained(service.vocab, Rules(), text=form)
    with Session(service.scheduler.engine) as session:
        session.append([service.vocab.id("<|assistant|>")])
        with pytest.raises(UserError, match=f"takes {grammar.need} ids, but {grammar.need - 1} are left"):
            session.begin(grammar, None, grammar.need - 1)
        session.append([0] * (session.room - grammar.need - 1))
        with pytest.raises(UserError, match="are left for it"):
            session.begin(grammar)


def test_a_reader_knows_what_is_open() -> None:
    reader = Reader().after(b'{"a": [1.5, "\\"[').with_shares(100)
    assert [kind for kind, _ in reader.levels] == ["{", "[", "s"]
    assert [kept for _, kept in reader.levels] == [0, 20, 60]
    reader = reader.after(b'"], "b": -12')
    assert [kind for kind, _ in reader.levels] == ["{", "n"] and reader.number == "-12"
    assert Reader().after(b"1e123").goes_too_far() and not Reader().after(b"1e99").goes_too_far()
    assert Reader().after(b"-" + b"1" * (MAX_WHOLE + 1)).goes_too_far()
    assert Reader().after(b"[" * (MAX_DEPTH + 1)).goes_too_far()
    assert not Reader().after(b'{"a": 1}').levels
