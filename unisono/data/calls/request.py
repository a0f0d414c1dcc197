"""A request for a function, in words, and the call that it means."""

import json
import random
import re
from dataclasses import dataclass, field
from typing import Any

from unisono.data.calls.functions import Function, styled
from unisono.data.calls.values import Value, draw
from unisono.data.world.unknown import filled
from unisono.tokens.message import Call
from unisono.tokens.phrases import call_text, tool_line

GROUP = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"<(\w+)>")
EMPTY = re.compile(r":\s*\.?$| be\.$")  # a request to change nothing
MAX_TRIES = 50


@dataclass(frozen=True)
class Offered:
    """A function as one client offers it."""

    function: Function
    name: str
    schema: dict[str, Any]

    @property
    def line(self) -> str:
        """As the network reads it."""
        return tool_line(self.name, self.function.description, self.schema)

    @property
    def tool(self) -> dict[str, Any]:
        """As the API takes it."""
        told = {"name": self.name, "description": self.function.description, "parameters": self.schema}
        return {"type": "function", "function": told}


@dataclass(frozen=True)
class Wanted:
    """What somebody asks for: the words, the arguments that they mean, and the values by name."""

    offered: Offered
    text: str
    arguments: dict[str, Any]
    values: dict[str, Value] = field(repr=False)

    @property
    def call(self) -> Call:
        """As the network writes it."""
        return Call(call_text(self.offered.name, json.dumps(self.arguments, ensure_ascii=False)))


def offer(function: Function, rng: random.Random) -> Offered:
    """The function under one of its names, with a schema as one of many clients writes it."""
    return Offered(function, styled(rng.choice(function.names), rng), function.schema(rng))


def request(offered: Offered, rng: random.Random, missing: str = "") -> Wanted:
    """A request for it; without the parameter `missing`, where one is named that a request can do without."""
    function = offered.function
    kinds = {one.name: one.kind for one in function.parameters}
    form = ""
    for _ in range(MAX_TRIES):
        form = _form(function, rng, missing)
        if not EMPTY.search(form):
            break
    values = dict[str, Value]()
    for name in SLOT.findall(form):
        if name not in values:
            values[name] = _other(kinds[name], values, rng)
    text = tidy(SLOT.sub(lambda found: values[found[1]].said, form))
    if form[-1] in ".?" and rng.random() < 0.15:
        text = text[:-1]
    elif text[1:2].islower() and form[0] != "<" and rng.random() < 0.1:
        text = text[0].lower() + text[1:]
    arguments = {name: values[name].json for name in kinds if name in values}
    return Wanted(offered, text, arguments, values)


def can_miss(function: Function) -> list[str]:
    """Parameters that a call needs and a request can leave out."""
    needed = {one.name for one in function.parameters if one.is_required}
    found = {name for ask in function.asks for group in GROUP.findall(ask) for name in SLOT.findall(group)}
    return sorted(needed & found)


def _form(function: Function, rng: random.Random, missing: str) -> str:
    """One of the asks with the parts chosen that may be left out."""
    needed = {one.name for one in function.parameters if one.is_required} - {missing}
    asks = [ask for ask in function.asks if missing not in SLOT.findall(GROUP.sub("", ask))]

    def group(found: re.Match[str]) -> str:
        names = set(SLOT.findall(found[1]))
        if missing in names:
            return ""
        return found[1] if names & needed or rng.random() < 0.5 else ""

    return tidy(filled(GROUP.sub(group, rng.choice(asks)), rng))


def _other(kind: str, values: dict[str, Value], rng: random.Random) -> Value:
    """A value that was not said before."""
    said = {value.said for value in values.values()} - {""}
    value = draw(kind, rng)
    for _ in range(MAX_TRIES):
        if value.said not in said:
            break
        value = draw(kind, rng)
    return value


def tidy(text: str) -> str:
    """One blank between words, none before a mark, the first letter large."""
    text = re.sub(r"\s+([.,?!:])", r"\1", " ".join(text.split()))
    return text[:1].upper() + text[1:]


def told(form: str, values: dict[str, Value]) -> str:
    """An answer: the form with its values."""
    return tidy(SLOT.sub(lambda found: values[found[1]].said, form))
