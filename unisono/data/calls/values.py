"""Kinds of values of arguments: what is said, what stands in the JSON, and the schema of it.

A kind is a name, such as `city`, or `enum(a,b)`, or `list(kind)`.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unisono.data.calls.words import WORDS
from unisono.data.world.sayings import MONTHS, number_word

STRING: dict[str, Any] = {"type": "string"}
INTEGER: dict[str, Any] = {"type": "integer"}
NUMBER: dict[str, Any] = {"type": "number"}


@dataclass(frozen=True)
class Value:
    """`said` in a request, `json` in the arguments."""

    said: str
    json: Any


def _digits(number: int, rng: random.Random) -> Value:
    """A whole number in digits, a small one often in words."""
    return Value(number_word(number) if number <= 12 and rng.random() < 0.4 else str(number), number)


def _between(low: int, high: int, step: int = 1) -> Callable[[random.Random], Value]:
    return lambda rng: _digits(rng.randrange(low, high + 1, step), rng)


def _money(rng: random.Random) -> Value:
    amount = rng.choice((rng.randint(5, 500), rng.randint(1, 40) * 25, rng.randint(100, 9999) / 100))
    return Value(str(amount), amount)


def _degrees(rng: random.Random) -> Value:
    number = rng.choice((rng.randint(15, 30), rng.randint(30, 60) / 2))
    return Value(str(number), number)


def _date(rng: random.Random) -> Value:
    year, month, day = rng.randint(2025, 2028), rng.randint(1, 12), rng.randint(1, 28)
    iso, name = f"{year}-{month:02}-{day:02}", MONTHS[month - 1]
    return Value(rng.choice((iso, iso, f"{name} {day}, {year}", f"{day} {name} {year}")), iso)


def _time(rng: random.Random) -> Value:
    hour, minute = rng.randint(6, 22), rng.choice((0, 0, 0, 15, 30, 45))
    half = f"{(hour - 1) % 12 + 1}{f':{minute:02}' if minute else ''} {'am' if hour < 12 else 'pm'}"
    return Value(rng.choice((f"{hour}:{minute:02}", half)), f"{hour:02}:{minute:02}")


def _code(rng: random.Random) -> Value:
    letters = "".join(rng.choices("ABCDEFGHJKLMNPRSTUVWXYZ", k=2))
    code = rng.choice((f"{letters}-{rng.randint(100, 9999)}", f"{letters}{rng.randint(10, 999)}"))
    return Value(code, code)


def _flight(rng: random.Random) -> Value:
    number = f"{rng.choice(('LH', 'BA', 'UA', 'AF', 'KL', 'DL'))}{rng.randint(10, 999)}"
    return Value(number, number)


def _email(rng: random.Random) -> Value:
    name = rng.choice(WORDS["person"]).lower().replace(" ", ".").replace("'", "")
    address = f"{name}@{rng.choice(('example.com', 'mail.example.org', 'example.net'))}"
    return Value(address, address)


def _phone(rng: random.Random) -> Value:
    number = f"555-{rng.randint(100, 999)}-{rng.randint(1000, 9999)}"
    return Value(number, number)


def _street_address(rng: random.Random) -> Value:
    place = f"{rng.randint(1, 99)} {rng.choice(WORDS['street'])}"
    return Value(place, place)


def _address(rng: random.Random) -> Value:
    street, city = _street_address(rng).json, rng.choice(WORDS["city"])
    return Value(f"{street} in {city}", {"street": street, "city": city})


def _order_items(rng: random.Random) -> Value:
    dishes = rng.sample(
        ("pizza", "salad", "soup", "burger", "curry", "lemonade", "lasagna"), rng.randint(1, 3)
    )
    counts = [_digits(rng.randint(1, 5), rng) for _ in dishes]
    said = joined([f"{count.said} {dish}" for count, dish in zip(counts, dishes, strict=True)])
    items = zip(counts, dishes, strict=True)
    return Value(said, [{"item": dish, "quantity": count.json} for count, dish in items])


def _guests(rng: random.Random) -> Value:
    people = rng.sample(WORDS["person"], rng.randint(1, 3))
    ages = [rng.randint(4, 80) for _ in people]
    told = [f"{name} ({age})" for name, age in zip(people, ages, strict=True)]
    return Value(joined(told), [{"name": n, "age": a} for n, a in zip(people, ages, strict=True)])


def _pairs(rng: random.Random) -> Value:
    labels = rng.sample(("January", "February", "March", "apples", "pears", "north", "south", "tea"), 3)
    values = [rng.randint(1, 90) for _ in labels]
    told = [f"{label} {value}" for label, value in zip(labels, values, strict=True)]
    items = zip(labels, values, strict=True)
    return Value(joined(told), [{"label": label, "value": value} for label, value in items])


def _expression(rng: random.Random) -> Value:
    a, b, c = (rng.randint(2, 99) for _ in range(3))
    sign, other = rng.choice("+-*/"), rng.choice("+-*")
    text = rng.choice((f"{a} {sign} {b}", f"({a} {sign} {b}) {other} {c}", f"{a} {other} {b} {other} {c}"))
    return Value(text, text)


def _coupon(rng: random.Random) -> Value:
    text = f"{rng.choice(('SAVE', 'SPRING', 'HELLO', 'FREE'))}{rng.randint(5, 50)}"
    return Value(text, text)


def _object(**members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": list(members)}


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


# name -> what makes a value, and its schema; every list of words is a kind too.
KINDS: dict[str, tuple[Callable[[random.Random], Value], dict[str, Any]]] = {
    "few": (_between(1, 12), INTEGER),
    "stars": (_between(2, 5), {"type": "integer", "minimum": 1, "maximum": 5}),
    "minutes": (_between(5, 90, 5), INTEGER),
    "percent": (_between(5, 100, 5), {"type": "integer", "minimum": 0, "maximum": 100}),
    "count": (_between(10, 999), INTEGER),
    "grams": (_between(50, 900, 50), INTEGER),
    "years": (_between(5, 30, 5), INTEGER),
    "year": (_between(1950, 2026), INTEGER),
    "weight": (_between(45, 110), NUMBER),
    "height": (_between(150, 200), NUMBER),
    "pixels": (_between(100, 1600, 100), INTEGER),
    "large": (_between(20_000, 400_000, 5000), INTEGER),
    "rate": (lambda rng: Value(str(x := rng.randint(10, 70) / 10), x), NUMBER),
    "money": (_money, NUMBER),
    "degrees": (_degrees, NUMBER),
    "date": (_date, {"type": "string", "format": "date"}),
    "time": (_time, {"type": "string"}),
    "flag": (lambda rng: Value("", True), {"type": "boolean"}),
    "code": (_code, STRING),
    "flight": (_flight, STRING),
    "email": (_email, STRING),
    "phone": (_phone, STRING),
    "coupon": (_coupon, STRING),
    "street_address": (_street_address, STRING),
    "expression": (_expression, STRING),
    "address": (_address, _object(street=STRING, city=STRING)),
    "order_items": (_order_items, _array(_object(item=STRING, quantity=INTEGER))),
    "guests": (_guests, _array(_object(name=STRING, age=INTEGER))),
    "pairs": (_pairs, _array(_object(label=STRING, value=NUMBER))),
}
ARTICLES = ("a ", "an ", "on ", "some ")  # said before a value, and not in it


def joined(told: list[str]) -> str:
    """a, b and c."""
    return told[0] if len(told) == 1 else ", ".join(told[:-1]) + " and " + told[-1]


def _bare(text: str, kind: str) -> str:
    """The value of words: "a desk lamp" is said, "desk lamp" is meant."""
    if kind in ("product", "dish", "day"):
        for article in ARTICLES:
            text = text.removeprefix(article)
    return text


def schema_of(kind: str) -> dict[str, Any]:
    """The schema of a kind. ValueError for one that there is not."""
    name, _, inner = kind.rstrip(")").partition("(")
    if name == "enum":
        return {"type": "string", "enum": inner.split(",")}
    if name == "list":
        return _array(schema_of(inner))
    if name in KINDS:
        return dict(KINDS[name][1])
    if name in WORDS:
        return dict(STRING)
    raise ValueError(f"no kind of value {kind!r}")


def draw(kind: str, rng: random.Random) -> Value:
    """A value of a kind."""
    name, _, inner = kind.rstrip(")").partition("(")
    if name == "enum":
        chosen = rng.choice(inner.split(","))
        return Value(chosen.replace("_", " "), chosen)
    if name == "list":
        found = {value.said: value for value in (draw(inner, rng) for _ in range(rng.randint(2, 4)))}
        return Value(joined(list(found)), [value.json for value in found.values()])
    if name in KINDS:
        return KINDS[name][0](rng)
    text = rng.choice(WORDS[name])
    return Value(text, _bare(text, name))
