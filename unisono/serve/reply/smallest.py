"""Small JSON values that a schema allows, one for each place in it.

They are suggestions for the search of the shortest ending (ending.py), which checks every one of them. So
they need not be right where a schema is intricate; they only save searching.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

try:
    from re import _parser as regular  # type: ignore[attr-defined]
except ImportError:  # Python 3.10
    import sre_parse as regular  # type: ignore[no-redef]

MAX_ROUNDS = 24  # a value that holds itself gets one as soon as its parts have theirs
MAX_LENGTH = 8000  # characters of a suggestion
MAX_SUGGESTIONS = 200
MAX_COUNT = 1000  # of a repetition
FORMATS = {
    "date-time": "2000-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "date": "2000-01-01",
    "duration": "P1D",
    "email": "a@a.aa",
    "hostname": "a",
    "ipv4": "0.0.0.0",
    "ipv6": "::",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "uri": "a:",
    "json-pointer": "",
}
MAPS = ("properties", "patternProperties", "$defs", "definitions")
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
SINGLE = ("items", "additionalProperties", "additionalItems")


def inner(node: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The schemas directly within a schema: (steps to it, schema). `not` and conditions are no part of it."""
    for key in MAPS:
        if isinstance(found := node.get(key), dict):
            yield from (((key, name), value) for name, value in found.items())
    for key in LISTS:
        if isinstance(found := node.get(key), list):
            yield from (((key, str(number)), value) for number, value in enumerate(found))
    for key in SINGLE:
        if isinstance(found := node.get(key), dict):
            yield (key,), found


def nodes(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every schema within a schema, itself first: (path, schema)."""
    waiting = [(path, schema)]
    while waiting:
        place, node = waiting.pop()
        if isinstance(node, dict):
            yield place, node
            waiting.extend(((*place, *steps), part) for steps, part in inner(node))


def target(root: Any, ref: object) -> Any:
    """What "#/..." points to; None where it points nowhere."""
    if not isinstance(ref, str) or not ref.startswith("#"):
        return None
    found = root
    for step in ref[1:].split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        elif isinstance(found, dict) and step in found:
            found = found[step]
        else:
            return None
    return found


class Smallest:
    """Of one schema: `root` is a whole value; `values`, `keys` are those of its places, short ones first."""

    def __init__(self, schema: Any) -> None:
        self.schema, self.texts = schema, dict[int, str]()
        self.is_too_long = False  # a part needs more than MAX_LENGTH
        parts = [node for _, node in nodes(schema)]
        for _ in range(MAX_ROUNDS):
            before = len(self.texts), sum(map(len, self.texts.values()))
            for node in reversed(parts):  # inner ones first
                self._learn(node)
            if before == (len(self.texts), sum(map(len, self.texts.values()))):
                break
        self.root = self._of(schema)
        self.values = _short({text for text in self.texts.values()})
        self.keys = _keys(parts)

    def _learn(self, node: dict[str, Any]) -> None:
        text = self._text(node)
        known = self.texts.get(id(node))
        if text is not None and len(text) > MAX_LENGTH:
            self.is_too_long = True
        elif text is not None and (known is None or len(text) < len(known)):
            self.texts[id(node)] = text

    def _of(self, node: Any) -> str | None:
        return self.texts.get(id(node)) if isinstance(node, dict) else None if node is False else "0"

    def _text(self, node: dict[str, Any]) -> str | None:
        node = self._merged(node)
        if "const" in node:
            return _written(node["const"])
        if isinstance(node.get("enum"), list):
            return min((_written(value) for value in node["enum"]), key=len, default=None)
        for name in ("anyOf", "oneOf"):
            if isinstance(branches := node.get(name), list) and "properties" not in node:
                return min((text for one in branches if (text := self._of(one))), key=len, default=None)
        if isinstance(node.get("$ref"), str):
            return self._of(target(self.schema, node["$ref"]))
        kinds = node.get("type") or _kinds(node)
        texts = [self._of_kind(kind, node) for kind in (kinds if isinstance(kinds, list) else [kinds])]
        return min((text for text in texts if text is not None), key=len, default=None)

    def _merged(self, node: dict[str, Any], depth: int = 8) -> dict[str, Any]:
        """A schema with what it takes from others put into one, roughly."""
        found = node.get("allOf")
        parts: list[Any] = found if isinstance(found, list) else []
        if "$ref" in node and len(node.keys() - {"description", "title", "default"}) > 1:
            parts = [*parts, target(self.schema, node["$ref"])]
        if not parts or not depth:
            return node
        made = {key: value for key, value in node.items() if key not in ("allOf", "$ref")}
        for part in parts:
            if not isinstance(part, dict):
                continue
            part = self._merged(part, depth - 1)
            if "$ref" in part and isinstance(referred := target(self.schema, part["$ref"]), dict):
                part = self._merged(referred, depth - 1)
            for key, value in part.items():
                old = made.get(key)
                if isinstance(old, dict) and isinstance(value, dict):
                    made[key] = {**old, **value}
                elif key == "required" and isinstance(old, list) and isinstance(value, list):
                    made[key] = [*old, *value]
                else:
                    made[key] = value
        return made

    def _of_kind(self, kind: object, node: dict[str, Any]) -> str | None:
        if kind == "object":
            return self._object(node)
        if kind == "array":
            return self._array(node)
        if kind == "string":
            return _string(node)
        if kind in ("integer", "number"):
            return _number(node, kind == "integer")
        return {"boolean": "true", "null": "null"}.get(str(kind))

    def _object(self, node: dict[str, Any]) -> str | None:
        properties, required = node.get("properties"), node.get("required")
        properties = properties if isinstance(properties, dict) else {}
        required = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        names = [name for name in properties if name in required]
        names += dict.fromkeys(name for name in required if name not in properties)
        texts = []
        for name in names:
            text = self._of(properties.get(name, node.get("additionalProperties", True)))
            if text is None:
                return None
            texts.append(f"{_written(name)}: {text}")
        return "{" + ", ".join(texts) + "}"

    def _array(self, node: dict[str, Any]) -> str | None:
        items = node.get("items", True)
        first = node.get("prefixItems") or (items if isinstance(items, list) else [])
        rest = node.get("additionalItems", True) if isinstance(items, list) else items
        count = _whole(node.get("minItems")) or 0
        texts = [self._of(item) for item in [*first, *[rest] * (count - len(first))][:count]]
        known = [text for text in texts if text is not None]
        return "[" + ", ".join(known) + "]" if len(known) == len(texts) else None


def _kinds(node: dict[str, Any]) -> list[str]:
    """The types that a schema speaks of without naming one."""
    if "properties" in node or "required" in node:
        return ["object"]
    if "items" in node or "prefixItems" in node:
        return ["array"]
    return ["string"] if node.keys() & {"pattern", "format", "minLength"} else ["integer", "string"]


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(texts: Iterable[str]) -> list[str]:
    return sorted(texts, key=lambda text: (len(text), text))[:MAX_SUGGESTIONS]


def _keys(parts: Iterable[dict[str, Any]]) -> list[str]:
    """Names of members behind their opening quote; those that must come first."""
    must, may = dict[str, None](), dict[str, None]()
    for node in parts:
        required, properties = node.get("required"), node.get("properties")
        must |= (
            dict.fromkeys(name for name in required if isinstance(name, str))
            if isinstance(required, list)
            else {}
        )
        may |= dict.fromkeys(properties) if isinstance(properties, dict) else {}
    return [_written(name)[1:] + ": " for name in (must | may)][:MAX_SUGGESTIONS]


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or value < 0:
        return None
    return int(min(value, MAX_COUNT))


def _string(node: dict[str, Any]) -> str:
    least = _whole(node.get("minLength")) or 0
    if isinstance(node.get("pattern"), str):
        return _written((smallest_match(node["pattern"]) or "").ljust(least, "a"))
    return _written(FORMATS.get(str(node.get("format")), "a" * least))


def _number(node: dict[str, Any], is_whole: bool) -> str:
    def bound(name: str) -> float | None:
        value = node.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    least, above, most, below = (
        bound(name) for name in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    )
    value: float = 0
    if least is not None and least > 0:
        value = least
    if above is not None and above >= value:
        value = above + 1
    if most is not None and most < value:
        value = most
    if below is not None and below <= value:
        value = below - 1
    step = bound("multipleOf")
    if step and value % step:
        value = (value // step + 1) * step
    is_between = (most is None or value <= most) and (least is None or value >= least)
    if not is_between and least is not None and most is not None:
        value = (least + most) / 2
    return str(int(value)) if is_whole or value == int(value) else str(value)


# ---- patterns ----


def smallest_match(pattern: str) -> str | None:
    """A short text that a regular expression matches; None where Python cannot read it."""
    try:
        return _sequence(regular.parse(pattern))
    except (re.error, RecursionError, OverflowError, KeyError, IndexError, ValueError):
        return None


def _sequence(parsed: Any) -> str:
    return "".join(_operation(str(operation), value) for operation, value in parsed)


def _operation(operation: str, value: Any) -> str:
    if operation == "LITERAL":
        return chr(value)
    if operation in ("ANY", "NOT_LITERAL"):
        return "a" if value != ord("a") else "b"
    if operation == "IN":
        return _member(value)
    if operation == "BRANCH":
        return min((_sequence(branch) for branch in value[1]), key=len)
    if operation == "SUBPATTERN":
        return _sequence(value[-1])
    if operation in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _sequence(value[2]) * min(value[0], MAX_COUNT)
    return ""  # anchors, and what is not supported


def _member(parts: Any) -> str:
    if str(parts[0][0]) == "NEGATE":
        return next(letter for letter in "a0-_ .Z~" if not any(_holds(part, letter) for part in parts[1:]))
    operation, value = str(parts[0][0]), parts[0][1]
    if operation == "CATEGORY":
        return next(letter for letter in "a0 -" if _holds(parts[0], letter))
    return chr(value[0] if operation == "RANGE" else value)


def _holds(part: Any, letter: str) -> bool:
    operation, value = str(part[0]), part[1]
    if operation == "LITERAL":
        return ord(letter) == value
    if operation == "RANGE":
        return bool(value[0] <= ord(letter) <= value[1])
    name = str(value).removeprefix("CATEGORY_")
    kinds = {"DIGIT": letter.isdigit(), "WORD": letter.isalnum() or letter == "_", "SPACE": letter.isspace()}
    return not kinds[name.removeprefix("NOT_")] if name.startswith("NOT_") else kinds[name]
