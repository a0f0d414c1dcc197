"""JSON after a schema: facts taken from a sentence, lists, labels and sums, asked for as many clients do."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from unisono.data.calls.functions import Function, a, functions_of, part_of
from unisono.data.calls.request import SLOT, offer, request, tidy
from unisono.data.calls.values import draw, joined, schema_of
from unisono.data.calls.words import WORDS
from unisono.data.world.sayings import CAPITALS, OPPOSITES
from unisono.tokens.message import Message, Text
from unisono.tokens.phrases import ANY_JSON, AS_JSON

# How clients tell the schema: instructor, LangChain, and people who write it themselves.
TELLING = (
    AS_JSON,
    "Reply only with JSON that fits this schema: {schema}",
    "Respond with a JSON object. Schema: {schema}",
    "Return an instance of the JSON, not the schema itself. The schema is: {schema}",
    "The output should be formatted as a JSON instance that conforms to the JSON schema below.\n{schema}",
    "As a genius expert, your task is to understand the content and provide the parsed objects in json that "
    "match the following json_schema:\n\n{schema}",
    "Answer in JSON with the keys {keys}.",
    "Give me JSON. Keys: {keys}.",
)
UNTOLD = (ANY_JSON, "Reply with a JSON object.", "Give the result as JSON.", "Use JSON.")
TAKE = (
    "Extract the {}: {}",
    "Take the {} from this text: {}",
    "Read the {}. {}",
    "Parse this {}: {}",
    "{} {}",
)
FEELINGS = ("positive", "negative", "neutral")  # sentences of each stand in words.txt
MAX_TRIES = 100
LISTS = ("city", "country", "food", "colour", "sport", "language", "plant", "job", "film", "song", "genre")


@dataclass(frozen=True)
class Form:
    """What is asked, the schema of the answer, and the answer."""

    text: str
    schema: dict[str, Any]
    answer: dict[str, Any]
    name: str

    @property
    def json(self) -> str:
        """The answer as the network writes it; see serve/reply/forms.py, STYLE."""
        return json.dumps(self.answer, ensure_ascii=False)


def _closed(members: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """As strict schemas are: all members, and no others."""
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def record(function: Function, rng: random.Random) -> Form:
    """A thing with its members, from a sentence that tells them."""
    told = function.asks[0]
    pieces = told[told.index(function.domain.replace("_", " ")) :].rstrip(".").replace("[", "").split("]")
    chosen = [piece for piece in pieces if piece and (piece is pieces[0] or rng.random() < 0.75)]
    kinds = {one.name: one.kind for one in function.parameters}
    values = {name: draw(kinds[name], rng) for piece in chosen for name in SLOT.findall(piece)}
    said = SLOT.sub(lambda found: values[found[1]].said, "".join(chosen))
    thing = function.domain.replace("_", " ")
    text = rng.choice(TAKE[:-1]).format(thing, tidy(f"{a(said)}."))
    schema = _closed({name: schema_of(kinds[name]) for name in values})
    return Form(text, schema, {name: value.json for name, value in values.items()}, function.domain)


def request_as_json(function: Function, rng: random.Random) -> Form:
    """What somebody wants, as an object: the arguments of a function that nobody offers."""
    wanted = request(offer(function, rng), rng)
    kinds = {one.name: one.kind for one in function.parameters}
    schema = _closed({name: schema_of(kinds[name]) for name in wanted.arguments})
    return Form(wanted.text, schema, wanted.arguments, function.key)


def feeling(rng: random.Random) -> Form:
    """The label of a sentence."""
    label = rng.choice(FEELINGS)
    sentence = rng.choice(WORDS[label])
    key = rng.choice(("label", "sentiment", "feeling", "class"))
    ask = rng.choice(("Classify: {}", "Is this positive, negative or neutral? {}", "How does this sound? {}"))
    schema = _closed({key: {"type": "string", "enum": list(FEELINGS)}})
    return Form(ask.format(sentence), schema, {key: label}, sentence)


def some(rng: random.Random) -> Form:
    """A list taken from a sentence, with how many there are."""
    kind = rng.choice(LISTS)
    words = rng.sample(WORDS[kind], rng.randint(2, 5))
    key = kind[:-1] + "ies" if kind in ("city", "country") else kind + "s"
    ask = rng.choice(
        (
            "Which {} are named here? {}",
            "List the {}: {}",
            "Collect all {} in this text: {}",
        )
    )
    text = ask.format(
        key, rng.choice(("There are {}.", "We talked about {}.", "I like {}.")).format(joined(words))
    )
    schema = _closed({key: {"type": "array", "items": {"type": "string"}}, "count": {"type": "integer"}})
    return Form(text, schema, {key: words, "count": len(words)}, " ".join(words))


def fact(rng: random.Random) -> Form:
    """A sum, a capital or an opposite."""
    if rng.random() < 0.4:
        x, y = rng.randint(0, 20), rng.randint(0, 20)
        schema = _closed({"sum": {"type": "integer"}, "is_even": {"type": "boolean"}})
        return Form(f"What is {x} plus {y}?", schema, {"sum": x + y, "is_even": (x + y) % 2 == 0}, f"{x}+{y}")
    if rng.random() < 0.5:
        country = rng.choice(list(CAPITALS))
        schema = _closed({"country": {"type": "string"}, "capital": {"type": "string"}})
        answer = {"country": country, "capital": CAPITALS[country]}
        return Form(f"What is the capital of {country}?", schema, answer, country)
    word = rng.choice(list(OPPOSITES))
    schema = _closed({"word": {"type": "string"}, "opposite": {"type": "string"}})
    return Form(f"What is the opposite of {word}?", schema, {"word": word, "opposite": OPPOSITES[word]}, word)


def _of_split(make: Callable[[random.Random], Form], split: str, rng: random.Random) -> Form:
    """One that belongs to the split; a list where `make` has none, for there are enough of them."""
    for _ in range(MAX_TRIES):
        if part_of((form := make(rng)).name) == split:
            return form
    return _of_split(some, split, rng)


def form(split: str, rng: random.Random) -> Form:
    """A form of a split. Things and functions are whole in one split."""
    kind = rng.random()
    if kind < 0.45:
        things = [
            one for one in functions_of(split) if one.names[0].startswith("create_") and not one.is_by_hand
        ]
        return record(rng.choice(things), rng)
    if kind < 0.7:
        return request_as_json(rng.choice([one for one in functions_of(split) if one.is_by_hand]), rng)
    return _of_split(rng.choice((feeling, some, some, fact)), split, rng)


def asked(made: Form, rng: random.Random) -> list[Message]:
    """The messages before the answer, as one of many clients writes them."""
    if rng.random() < 0.2:
        return [Message("user", [Text(f"{made.text} {rng.choice(UNTOLD)}")])]
    schema = made.schema
    if rng.random() < 0.3:  # as pydantic writes it
        titled = {
            name: {"title": name.replace("_", " ").title(), **one}
            for name, one in schema["properties"].items()
        }
        schema = {"properties": titled, "required": schema["required"], "title": "Answer", "type": "object"}
    keys = ", ".join(made.answer)
    how = rng.choice(TELLING).format(schema=json.dumps(schema, ensure_ascii=False), keys=keys)
    if rng.random() < 0.5:
        return [Message("system", [Text(how)]), Message("user", [Text(made.text)])]
    first, second = (made.text, how) if rng.random() < 0.5 else (how, made.text)
    return [Message("user", [Text(f"{first}\n{second}")])]


def conversation(split: str, rng: random.Random) -> list[Message]:
    """Asked for JSON, the network writes it, and nothing else."""
    made = form(split, rng)
    return [*asked(made, rng), Message("assistant", [Text(made.json)])]


def conversations(split: str, count: int, seed: int) -> Iterator[list[Message]]:
    """`count` of them."""
    rng = random.Random(f"forms {seed} {split}")
    for _ in range(count):
        yield conversation(split, rng)
