"""Schemas become forms: what is left open is closed, what cannot be compiled is named or left out."""

import json
from typing import Any

import pytest
from conftest import Running

from unisono.serve.reply.forms import Compiler, json_grammar
from unisono.serve.reply.schema import MAX_CHARACTERS, check_schema, check_strict, closed
from unisono.serve.reply.service import Service
from unisono.serve.reply.smallest import Smallest, smallest_match
from unisono.serve.wire.errors import ApiError

TEXT = {"type": "string"}


@pytest.fixture(scope="module")
def service(tiny_server: Running) -> Service:
    return tiny_server.service


def shortest(service: Service, schema: dict[str, Any], is_strict: bool = False) -> str:
    form = Compiler(service.pieces).text(schema, is_strict, "schema")
    return b"".join(service.pieces.tokens[id] for id in form.shortest).decode()


def allows(service: Service, schema: dict[str, Any], value: Any) -> bool:
    """Whether a value can be written in the form of a schema."""
    form = Compiler(service.pieces).text(schema, False, "schema")
    text = json.dumps(value, ensure_ascii=False)
    return form.endings.is_ending(form.matcher, service.pieces.encode(text))


# ---- what is left open ----


def named(*names: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": dict.fromkeys(names, TEXT), **more}


@pytest.mark.parametrize(
    "schema, good, bad",
    [
        (named("a"), {"a": "x"}, {"a": "x", "b": 1}),
        (named("a", additionalProperties=True), {"a": "x"}, {"b": 1}),
        (named("a", additionalProperties={}), {}, {"b": 1}),
        ({"type": "array", "items": named("a")}, [{"a": "x"}], [{"b": 1}]),
        ({"anyOf": [named("a"), {"type": "null"}]}, {"a": "x"}, {"b": 1}),
        ({"$ref": "#/$defs/one", "$defs": {"one": named("a")}}, {"a": "x"}, {"b": 1}),
        ({"allOf": [named("a"), named("b")]}, {"a": "x", "b": "y"}, {"c": 1}),
        (named("a", allOf=[named("b"), {"anyOf": [named("c"), named("d")]}]), {"a": "x", "c": "y"}, {"e": 1}),
        (
            {"allOf": [{"$ref": "#/$defs/one"}, named("b")], "$defs": {"one": named("a")}},
            {"a": "x", "b": "y"},
            {"c": 1},
        ),
        (
            {"$ref": "#/$defs/one", "properties": {"b": TEXT}, "$defs": {"one": named("a")}},
            {"b": "y", "a": "x"},
            {"c": 1},
        ),
        (named("a", patternProperties={"^x": TEXT}), {"a": "x", "xy": "y"}, {"b": "z"}),
        (named("a", required=["z"]), {"a": "x", "z": 1}, {"b": 1, "z": 1}),
        (named("a", properties={"a": named("b")}), {"a": {"b": "x"}}, {"a": {"c": 1}}),
        ({"type": "object", "properties": {"a": {"type": "object"}}}, {"a": {"free": 1}}, {"free": 1}),
        ({"type": "object", "additionalProperties": named("a")}, {"k": {"a": "x"}}, {"k": {"b": 1}}),
    ],
)
def test_objects_that_name_their_members_are_closed(
    service: Service, schema: dict[str, Any], good: Any, bad: Any
) -> None:
    assert allows(service, schema, good) and not allows(service, schema, bad)


def test_keywords_without_a_value_are_left_out() -> None:
    schema = {"type": "object", "properties": None, "required": None, "default": None}
    assert closed(schema) == {"type": "object", "default": None}


def test_schemas_that_hold_themselves_are_closed_once() -> None:
    node = named("a", allOf=[{"$ref": "#/$defs/node"}])
    assert closed({"$ref": "#/$defs/node", "$defs": {"node": node}})["$defs"]["node"]["allOf"]


# ---- strict ----


@pytest.mark.parametrize(
    "schema, place",
    [
        (named("a", required=["a"]), "schema: strict schemas need additionalProperties"),
        (
            {"type": "object", "additionalProperties": True},
            "schema: strict schemas need additionalProperties",
        ),
        (named("a", additionalProperties=False), "'a' is missing"),
        (
            {
                "type": "object",
                "properties": {"in": {"type": "array", "items": named("a")}},
                "required": ["in"],
                "additionalProperties": False,
            },
            "schema.properties.in.items: strict schemas need additionalProperties",
        ),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": ["object", "null"]}}}, r"schema.\$defs.a: strict"),
    ],
)
def test_strict_schemas_say_all(schema: dict[str, Any], place: str) -> None:
    with pytest.raises(ApiError, match=place) as raised:
        check_strict(schema, "schema")
    assert raised.value.status == 400 and raised.value.param == "schema"


def test_strict_schemas_of_the_official_library_pass(service: Service) -> None:
    from typing import Literal

    from openai import pydantic_function_tool
    from openai.lib._pydantic import to_strict_json_schema
    from pydantic import BaseModel, Field

    class Step(BaseModel):
        kind: Literal["walk", "run"] = "walk"
        metres: float | None = None

    class Route(BaseModel):
        """A way."""

        name: str = Field(description="its name")
        steps: list[Step]
        weights: dict[str, int]
        back: "Route | None" = None

    compiler = Compiler(service.pieces)
    form = compiler.text(to_strict_json_schema(Route), True, "schema")
    text = b"".join(service.pieces.tokens[id] for id in form.shortest).decode()
    assert Route.model_validate_json(text).steps == []
    function = pydantic_function_tool(Step)["function"]
    assert compiler.calls([("Step", function["parameters"], True)], ["tools.0"]).shortest


WRONG: list[dict[str, Any]] = [
    {"type": 9},
    {"type": "objekt"},
    {"properties": [1]},
    {"enum": []},
    {"$ref": "#"},
    {"$ref": "#/$defs/none"},
    {"$ref": "file:///etc/passwd"},
    {"$ref": "http://127.0.0.1/x"},
    {"allOf": "x"},
    {"properties": {"a": 10**30}},
    {"type": "array", "items": 3},
]
MENDED: list[dict[str, Any]] = [
    {"type": "string", "pattern": "("},
    {"type": "string", "not": {"type": "string"}},
    {"type": "string", "minLength": -1},
    {"type": "integer", "minimum": 3, "maximum": 2},
    {"type": "string", "minLength": 3, "maxLength": 2},
    {"type": "object", "properties": {"a": TEXT}, "required": True},
    {"type": "string", "format": "no-such-format"},
    {"type": "string", "pattern": "^(?!x)a"},
    {"type": "object", "patternProperties": {"^(?=x)": TEXT}},
    {"type": "array", "items": {"$ref": "#/$defs/none"}},
    {"type": "array", "items": {"enum": []}, "minItems": 1},
    {"type": "object", "properties": [], "minProperties": 0},
]


@pytest.mark.parametrize("schema", [*WRONG, *MENDED])
def test_strict_schemas_that_cannot_be_kept_to_are_named(service: Service, schema: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="cannot be followed|strict schemas need") as raised:
        shortest(service, schema, True)
    assert raised.value.status == 400 and raised.value.param == "schema" and "\n" not in raised.value.message


@pytest.mark.parametrize("schema", WRONG)
def test_schemas_of_which_nothing_can_be_kept_are_named(service: Service, schema: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="cannot be followed") as raised:
        shortest(service, schema)
    assert raised.value.status == 400 and raised.value.param == "schema" and "\n" not in raised.value.message


@pytest.mark.parametrize("schema", MENDED)
def test_a_keyword_that_cannot_be_kept_to_is_left_out(service: Service, schema: dict[str, Any]) -> None:
    kinds = {"string": str, "integer": int, "object": dict, "array": list}
    assert isinstance(json.loads(shortest(service, schema)), kinds[schema["type"]])


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 10**9},
        {"type": "array", "minItems": 10**9},
        {"type": "string", "pattern": "^(a{1000}){1000}$"},
        {"type": "string", "pattern": "(a|b)*a(a|b){300}"},
        {"enum": [str(number) for number in range(9000)]},
        {
            "type": "object",
            "patternProperties": {"^(a+)+$": {"type": "string"}},
            "additionalProperties": False,
        },
    ],
)
def test_costly_schemas_cost_little(service: Service, schema: dict[str, Any]) -> None:
    """Either they are refused, or there is a form with a known ending."""
    try:
        assert shortest(service, schema, True)
    except ApiError as error:
        assert "cannot be followed" in error.message


# ---- tools ----


def broken(**keyword: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"to": {"type": "string", **keyword}, "count": {"type": "integer", "minimum": 2}},
        "required": ["to", "count"],
    }


@pytest.mark.parametrize(
    "keyword",
    [
        {"pattern": "^(?!.*\\.\\.)[a-z.]+$"},
        {"pattern": "("},
        {"format": "no-such-format"},
        {"minLength": 4, "maxLength": 2},
        {"type": "text"},
        {"enum": []},
        {"$ref": "#/$defs/none"},
    ],
)
def test_one_keyword_does_not_take_the_tools_away(service: Service, keyword: dict[str, Any]) -> None:
    compiler, good = Compiler(service.pieces), {**named("q"), "required": ["q"]}
    form = compiler.calls([("find", good, False), ("mail", broken(**keyword), False)], ["tools.0", "tools.1"])

    def writes(call: str) -> bool:
        return form.endings.is_ending(form.matcher, service.pieces.encode(call))

    assert writes('{"name": "find", "arguments": {"q": "x"}}')
    assert writes('{"name": "mail", "arguments": {"to": "ab", "count": 2}}')
    assert not writes('{"name": "mail", "arguments": {"to": "ab", "count": 1}}')  # the rest still holds
    assert not writes('{"name": "find", "arguments": {"r": "x"}}')


def test_strict_tools_name_the_keyword(service: Service) -> None:
    schema = {**broken(pattern="^(?=x)a"), "additionalProperties": False}
    with pytest.raises(ApiError, match=r"tools.1 of 'mail'.*properties\.to\.pattern: look-around") as raised:
        Compiler(service.pieces).calls(
            [("find", named("q"), False), ("mail", schema, True)], ["tools.0", "tools.1"]
        )
    assert raised.value.status == 400 and raised.value.param == "tools.1"


def test_lenient_forms_pass_over_what_they_do_not_know(service: Service) -> None:
    schema = {
        **broken(),
        "not": {"required": ["a"]},
        "if": {"required": ["to"]},
        "additionalProperties": False,
    }
    compiler = Compiler(service.pieces)
    assert compiler.text(schema, False, "schema") and compiler.calls([("go", schema, False)], ["tools.0"])
    with pytest.raises(ApiError, match="Unimplemented keys"):
        compiler.calls([("go", schema, True)], ["tools.0"])


# ---- sizes ----


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


# ---- the smallest values ----


@pytest.mark.parametrize(
    "schema, text",
    [
        ({"type": "string", "minLength": 3}, '"aaa"'),
        ({"type": "integer", "minimum": 7}, "7"),
        ({"type": "integer", "exclusiveMinimum": 7}, "8"),
        ({"type": ["null", "integer"]}, "0"),
        ({"enum": ["long", "at"]}, '"at"'),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, "[true, true]"),
        ({**named("a", "b"), "required": ["b"]}, '{"b": ""}'),
        ({"anyOf": [named("a", required=["a"]), {"type": "null"}]}, "null"),
    ],
)
def test_the_shortest_document_is_short(service: Service, schema: dict[str, Any], text: str) -> None:
    assert Smallest(schema).root == text == shortest(service, schema)
    assert not Compiler(service.pieces).why_not(json_grammar(schema, True))


@pytest.mark.parametrize(
    "pattern, text",
    [
        ("^a{3}$", "aaa"),
        ("^(foo|b)[0-9]+$", "b0"),
        ("\\d{2}-\\w", "00-a"),
        ("[^a]x?", "b"),
        (".+@.+", "a@a"),
        ("^$", ""),
        ("(", None),
    ],
)
def test_patterns_have_a_smallest_match(pattern: str, text: str | None) -> None:
    assert smallest_match(pattern) == text
