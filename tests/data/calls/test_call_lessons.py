"""Generated conversations with functions: whole functions are held out, and the server would read them so."""

import asyncio
import json
import random
import re
from typing import Any

import jsonschema_rs
import pytest
from conftest import Running

from unisono.data.calls import conversations as calls, forms
from unisono.data.calls.conversations import Asked, ask_none, ask_one, ask_too_little, ask_two
from unisono.data.calls.functions import functions, functions_of
from unisono.data.calls.request import SLOT, can_miss, offer, request
from unisono.data.calls.values import draw, schema_of
from unisono.serve.reply.document import Form
from unisono.serve.reply.forms import Compiler
from unisono.serve.reply.plan import with_tools
from unisono.serve.reply.service import Service
from unisono.serve.reply.tools import read_tools, written
from unisono.tokens.message import Call, Message, Text

TALK = [("How are you?", "I am well.")]
PLACES = [(split, number) for split in ("train", "val", "test") for number in range(60)]


@pytest.fixture(scope="module")
def service(tiny_server: Running) -> Service:
    return tiny_server.service


def test_there_are_hundreds_of_functions_and_whole_ones_are_held_out() -> None:
    names = {
        split: {name for one in functions_of(split) for name in one.names} for split in ("train", "test")
    }
    assert len(functions()) > 350 and len(names["train"]) > 900 and len(functions_of("test")) >= 50
    assert not names["train"] & names["test"]
    things = {split: {one.key for one in functions_of(split)} for split in ("train", "val", "test")}
    assert not things["train"] & (things["val"] | things["test"]) and not things["val"] & things["test"]


@pytest.mark.parametrize("function", functions(), ids=lambda one: one.names[0])
def test_every_function_can_be_asked_for_and_answered(function: Any) -> None:
    names, needed = (
        {one.name for one in function.parameters},
        {o.name for o in function.parameters if o.is_required},
    )
    for ask in function.asks:
        assert needed <= set(SLOT.findall(ask)) <= names, ask
    assert set(SLOT.findall(function.answer)) <= names | {name for name, _ in function.result}
    for number in range(6):
        rng = random.Random(number)
        wanted = request(offer(function, rng), rng)
        assert needed <= set(wanted.arguments) and not set("<>[]{}|") & set(wanted.text), wanted.text
        jsonschema_rs.validate(wanted.offered.schema, wanted.arguments)
        assert all(
            str(value.said) in wanted.text for value in wanted.values.values() if value.said[0:1].isupper()
        )
        for name in can_miss(function):
            assert name not in request(offer(function, rng), rng, name).arguments


@pytest.mark.parametrize(
    "kind", ["city", "date", "list(city)", "enum(a_b,c)", "order_items", "flag", "money"]
)
def test_values_fit_their_schemas(kind: str) -> None:
    for number in range(20):
        value = draw(kind, random.Random(number))
        jsonschema_rs.validate(schema_of(kind), value.json)
        assert json.loads(json.dumps(value.json)) == value.json


def test_dates_and_times_are_told_in_many_ways_and_written_in_one() -> None:
    rng = random.Random(1)
    said = {draw("date", rng).said for _ in range(40)}
    assert any("," in one for one in said) and any(one[:2] == "20" for one in said)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", draw("date", rng).json) for _ in range(20))
    assert {draw("time", rng).json[2] for _ in range(20)} == {":"}


@pytest.mark.parametrize("make", [ask_one, ask_two, ask_none])
def test_the_server_tells_functions_and_writes_calls_in_the_same_way(make: Any, service: Service) -> None:
    for number in range(8):
        rng = random.Random(number)
        asked: Asked = make("train", rng, TALK)
        tools = [(one.tool["function"], f"tools.{n}.function") for n, one in enumerate(asked.offered)]
        toolbox = read_tools(tools, None, None)
        told = with_tools([Message("user", [Text(asked.text)])], toolbox)[0].text.split("\n")
        assert sorted(told) == sorted(one.line for one in asked.offered)
        form = asyncio.run(toolbox.form(service))
        assert form is not None
        for wanted in asked.wanted:
            arguments = json.dumps(wanted.arguments)
            assert wanted.call.text == written(wanted.offered.name, arguments, "messages.1")
            assert follows(form, service, wanted.call.text)
            assert not follows(form, service, wanted.call.text.replace('"name"', '"nome"'))


def follows(form: Form, service: Service, text: str) -> bool:
    """Whether the server's form lets the network write this text, and end there."""
    return form.endings.is_ending(form.matcher, service.pieces.encode(text))


def test_conversations_are_the_same_for_a_seed_and_of_every_kind() -> None:
    first, again = (list(calls.conversations("train", 80, 3, TALK)) for _ in range(2))
    assert first == again != list(calls.conversations("train", 80, 4, TALK))
    numbers = [sum(isinstance(part, Call) for one in talk for part in one.parts) for talk in first]
    assert {0, 1, 2} <= set(numbers)
    texts = [" ".join(one.text for one in talk) for talk in first]
    assert any("Error:" in text or '"error"' in text for text in texts)
    for talk in first:
        assert talk[0].role == "system" and talk[0].text.count("tool ") >= 1 and talk[-1].role == "assistant"
        roles = [one.role for one in talk]
        made = [one for one in talk if any(isinstance(part, Call) for part in one.parts)]
        assert roles.count("tool") in (sum(len(one.parts) for one in made), 0)


def test_what_is_missing_is_asked_for_and_then_used() -> None:
    for number in range(20):
        rng = random.Random(number)
        asked, parameter = ask_too_little("train", rng, TALK)
        assert parameter.name not in asked.wanted[0].arguments and parameter.label in asked.answer
        talk = calls.missing("train", random.Random(number), TALK)
        call = next(part for one in talk for part in one.parts if isinstance(part, Call))
        assert parameter.name in json.loads(call.text)["arguments"]


@pytest.mark.parametrize(("split", "number"), PLACES)
def test_json_fits_its_schema(split: str, number: int, service: Service) -> None:
    made = forms.form(split, random.Random(number))
    jsonschema_rs.validate(made.schema, made.answer)
    assert list(made.schema["properties"]) == list(made.answer)
    messages = forms.asked(made, random.Random(number))
    assert made.text in messages[-1].text
    if number < 6:
        assert follows(Compiler(service.pieces).text(made.schema, True, "schema"), service, made.json)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_every_split_has_enough_functions_for_its_conversations(split: str) -> None:
    """Of the validation's functions none can miss a value."""
    made = list(calls.conversations(split, 300, 1, [("How are you?", "I am well.")]))
    assert len(made) == 300 and all(messages[0].role == "system" for messages in made)
