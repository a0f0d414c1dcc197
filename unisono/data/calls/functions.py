"""Functions: name, schema, requests, results. Whole ones are kept for the validation and for the test."""

import random
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

from unisono.data.calls.objects import OBJECTS, VERBS
from unisono.data.calls.values import schema_of

FILE = Path(__file__).with_name("functions.txt")
DESCRIBED = {
    "date": "Date as YYYY-MM-DD",
    "time": "Time as HH:MM",
    "money": "Amount",
    "percent": "From 0 to 100",
    "code": "Number or code",
}


@dataclass(frozen=True)
class Parameter:
    """An argument of a function."""

    name: str
    kind: str
    is_required: bool

    @property
    def label(self) -> str:
        """As people call it."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Function:
    """`asks`: requests with <parameter> for its value and [ ] around what may be left out. `result`: member
    and kind. `key`: functions with the same key belong to the same split."""

    key: str
    domain: str
    names: tuple[str, ...]
    description: str
    parameters: tuple[Parameter, ...]
    asks: tuple[str, ...]
    result: tuple[tuple[str, str], ...]
    answer: str
    split: str
    is_by_hand: bool

    def schema(self, rng: random.Random) -> dict[str, Any]:
        """The schema of its arguments as one of many clients writes it."""
        is_told, properties = rng.random() < 0.4, dict[str, Any]()
        for one in self.parameters:
            properties[one.name] = schema_of(one.kind)
            if is_told:
                told = DESCRIBED.get(one.kind, one.label.capitalize())
                properties[one.name] = {**properties[one.name], "description": told}
        required = [one.name for one in self.parameters if one.is_required]
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        if required:  # the server leaves an empty list out before the network reads it
            schema["required"] = required
        if rng.random() < 0.3:
            schema["additionalProperties"] = False
        return schema


def part_of(key: str) -> str:
    """train (82 %), val (4 %) or test (14 %): there are few functions, and the test needs many."""
    number = crc32(key.encode("utf8")) % 100
    return "train" if number < 82 else "val" if number < 86 else "test"


@lru_cache(maxsize=1)
def functions() -> tuple[Function, ...]:
    """All functions of all splits."""
    return (*_by_hand(), *_by_grammar())


@lru_cache(maxsize=3)
def functions_of(split: str) -> tuple[Function, ...]:
    """Those of train, val or test."""
    return tuple(one for one in functions() if one.split == split)


def styled(name: str, rng: random.Random) -> str:
    """get_weather, getWeather, get-weather or GetWeather."""
    words, style = name.split("_"), rng.random()
    if style < 0.6:
        return name
    if style < 0.8:
        return words[0] + "".join(word.capitalize() for word in words[1:])
    return "-".join(words) if style < 0.9 else "".join(word.capitalize() for word in words)


def _parameters(text: str) -> tuple[Parameter, ...]:
    found = re.findall(r"(\w+)(\??):(\w+(?:\([^)]*\))?)", text)
    return tuple(Parameter(name, kind, not mark) for name, mark, kind in found)


def _by_hand() -> list[Function]:
    blocks = FILE.read_text(encoding="utf8").strip().split("\n\n")[1:]
    found = []
    for block in blocks:
        names, description, parameters, *asks, result, answer = block.split("\n")
        domain, *rest = names.split()
        members = re.findall(r"(\w+):(\w+(?:\([^)]*\))?)", result)
        split = part_of(rest[0])
        found.append(
            Function(
                rest[0],
                domain,
                tuple(rest),
                description,
                _parameters(parameters),
                tuple(asks),
                tuple(members),
                answer,
                split,
                True,
            )
        )
    return found


def a(word: str) -> str:
    """With its article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def plural(word: str) -> str:
    """Of the last of its words."""
    return word[:-1] + "ies" if word.endswith(("ry", "ty")) else word + "s"


def _by_grammar() -> list[Function]:
    found = []
    for line in OBJECTS:
        thing, _, told = line.partition(": ")
        members = []
        for member in told.split("; "):
            name, kind, said = re.fullmatch(r"(\w+)=([^:]+):(.*)", member).groups()  # type: ignore[union-attr]
            members.append((name, kind, said))
        found += [_of_verb(thing, members, verb) for verb in VERBS]
    return found


def _of_verb(thing: str, members: list[tuple[str, str, str]], verb: str) -> Function:
    """A verb of a thing: what it takes, and how it is asked for."""
    names, description, asks, answer = VERBS[verb]
    words = {"a": a(thing.replace("_", " ")).split()[0], "thing": thing.replace("_", " ")}
    words["things"] = plural(words["thing"])
    parameters = [Parameter("id", "code", True)] if verb in ("update", "delete", "get") else []
    pieces = []
    if verb in ("create", "update", "search", "count"):
        for number, (name, kind, said) in enumerate(members):
            is_first = verb == "create" and number == 0
            parameters.append(Parameter(name, kind, is_first))
            piece = f"{said}<{name}>" if kind == "flag" else said.replace("<>", f"<{name}>")
            pieces.append(f" {piece}" if is_first else f"[ {piece}]")
    result = {"create": (("id", "code"),), "search": (("count", "few"),), "count": (("count", "count"),)}
    results = {**result, "get": (("changed_by", "person"),)}
    return Function(
        thing,
        thing,
        tuple(f"{name}_{thing}{'s' if verb in ('search', 'count') else ''}" for name in names.split()),
        _put(description, words, ""),
        tuple(parameters),
        tuple(_put(ask, words, "".join(pieces)) for ask in re.split(r"(?<=[.?])\|", asks)),
        results.get(verb, (("status", "enum(ok)"),)),
        _put(answer, words, ""),
        part_of(thing),
        False,
    )


def _put(form: str, words: dict[str, str], pieces: str) -> str:
    """The form with the thing's names and its members."""
    for name, word in words.items():
        form = form.replace("{" + name + "}", word)
    return form.replace(" {members}", pieces)
