"""JSON schemas as clients send them: how large they may be, and what they leave open closed.

Clients leave unsaid that an object has no other members than those it names, and mean it. A network that is
held to the schema alone would invent some.
"""

import json
from typing import Any

from unisono.serve.reply.smallest import MAPS, nodes, target
from unisono.serve.wire.errors import ApiError

Schema = dict[str, Any]
MAX_CHARACTERS = 100_000  # of a schema, spelled out
MAX_LEVELS = 64  # of a schema: deeper ones would overflow the compiler's stack
NO_ARGUMENTS: Schema = {"type": "object", "properties": {}, "additionalProperties": False}
COMBINING = ("allOf", "anyOf", "oneOf")
MAY_BE_NULL = {"const", "default", "example", "examples"}


def check_schema(schema: object, param: str) -> Schema:
    """A JSON schema that is small enough to be compiled; ApiError otherwise."""
    if not isinstance(schema, dict):
        raise ApiError(f"{param} must be a JSON schema, an object.", 400, param)
    if _levels(schema) > MAX_LEVELS:
        raise ApiError(f"{param} is nested deeper than {MAX_LEVELS} levels.", 400, param)
    if len(json.dumps(schema)) > MAX_CHARACTERS:
        raise ApiError(f"{param} is longer than {MAX_CHARACTERS} characters.", 400, param)
    return schema


def _levels(value: object) -> int:
    """How deep a JSON value is nested, without recursion."""
    depth, layer = 0, [value]
    while layer := [
        inner
        for outer in layer
        if isinstance(outer, dict | list)
        for inner in (outer.values() if isinstance(outer, dict) else outer)
    ]:
        depth += 1
    return depth


def read_parameters(given: object, param: str) -> Schema:
    """The schema of a tool's arguments. However a client spells that there are none, it is NO_ARGUMENTS."""
    if given is None or given == []:
        return dict(NO_ARGUMENTS)
    schema = check_schema(given, param)
    if schema.get("type") not in (None, "object", ["object"]):
        raise ApiError(f"{param} must be the schema of an object.", 400, param)
    names = schema.get("properties")
    is_bare = not names and not schema.keys() & {*COMBINING, "$ref", "patternProperties", "const", "enum"}
    if (
        is_bare
        and not schema.get("required")
        and schema.get("additionalProperties") in (None, True, False, {})
    ):
        return dict(NO_ARGUMENTS)
    without = {key: value for key, value in schema.items() if value is not None and value != []}
    return {**without, "type": "object"}


def check_strict(schema: Schema, param: str, place: str | None = None) -> None:
    """ApiError where an object is open or may lack a member: OpenAI asks strict schemas to say it all."""
    for path, node in nodes(schema):
        where = ".".join((place or param, *path))
        names = node.get("properties")
        kinds = node.get("type")
        if (
            not isinstance(names, dict)
            and kinds != "object"
            and not (isinstance(kinds, list) and "object" in kinds)
        ):
            continue
        if node.get("additionalProperties", True) in (True, None):
            raise ApiError(
                f"{where}: strict schemas need additionalProperties: false in every object.",
                400,
                param,
                "invalid_schema",
            )
        required = node.get("required")
        missing = [name for name in names or {} if not isinstance(required, list) or name not in required]
        if missing:
            raise ApiError(
                f"{where}: strict schemas need all properties in required; {missing[0]!r} is missing.",
                400,
                param,
                "invalid_schema",
            )


def closed(schema: Schema) -> Schema:
    """The schema with every object closed that names its members; keywords without a value are left out."""
    return _Closing(schema).node(schema, frozenset())


class _Closing:
    def __init__(self, root: Schema) -> None:
        self.root = root
        self.inlined: list[str] = []  # references that are being put in place

    def node(self, node: Any, others: frozenset[str]) -> Any:
        """Closes one schema. others: members that are named beside this schema, for the same object."""
        if not isinstance(node, dict):
            return node
        made = {key: value for key, value in node.items() if value is not None or key in MAY_BE_NULL}
        for key in MAPS:
            if made.get(key) == []:  # how PHP writes an empty object
                made[key] = {}
            if isinstance(made.get(key), dict):
                made[key] = {name: self.node(part, frozenset()) for name, part in made[key].items()}
        for key in ("items", "additionalProperties", "additionalItems", "prefixItems"):
            if isinstance(part := made.get(key), list):
                made[key] = [self.node(one, frozenset()) for one in part]
            elif isinstance(part, dict):
                made[key] = self.node(part, frozenset())
        self._combine(made, node, others)
        self._close(made, node, others)
        return made

    def _combine(self, made: Schema, node: Schema, others: frozenset[str]) -> None:
        own = others | _own(node)
        parts = {key: node[key] for key in COMBINING if isinstance(node.get(key), list)}
        referred = self._names({"$ref": node["$ref"]}) if "$ref" in node else frozenset()
        for key, branches in parts.items():
            beside = own | referred
            for other in parts.keys() - {key}:
                beside |= self._names({other: parts[other]})
            made[key] = [
                self.node(
                    branch,
                    beside | self._names({"allOf": [one for one in branches if one is not branch]})
                    if key == "allOf"
                    else beside,
                )
                for branch in branches
            ]
        if "$ref" in node and (beside := own | self._names(parts)) - referred:
            self._inline(made, beside)

    def _inline(self, made: Schema, beside: frozenset[str]) -> None:
        """A schema that others refer to as well cannot be closed in its own place for this one alone."""
        ref = made["$ref"]
        found = target(self.root, ref)
        if not isinstance(found, dict) or ref in self.inlined:
            return
        self.inlined.append(ref)
        part = self.node(found, beside)
        self.inlined.pop()
        del made["$ref"]
        made["allOf"] = [*made.get("allOf", []), part]

    def _close(self, made: Schema, node: Schema, others: frozenset[str]) -> None:
        names, required = made.get("properties"), made.get("required")
        if not (isinstance(names, dict) and names or isinstance(made.get("patternProperties"), dict)):
            return
        if made.get("additionalProperties", True) not in (True, {}):
            return
        beside = others | self._names({key: node[key] for key in (*COMBINING, "$ref") if key in node})
        if isinstance(required, list):
            beside |= {name for name in required if isinstance(name, str)}
        names = names if isinstance(names, dict) else {}
        made["properties"] = {**names, **{name: True for name in sorted(beside - names.keys())}}
        made["additionalProperties"] = False

    def _names(self, node: Any, depth: int = 8) -> frozenset[str]:
        """Members that a schema names for the object itself, its branches included."""
        if not isinstance(node, dict) or not depth:
            return frozenset()
        names = _own(node)
        for key in COMBINING:
            if isinstance(node.get(key), list):
                for part in node[key]:
                    names |= self._names(part, depth - 1)
        if "$ref" in node:
            names |= self._names(target(self.root, node["$ref"]), depth - 1)
        return names


def _own(node: Schema) -> frozenset[str]:
    names = node.get("properties")
    return frozenset(names) if isinstance(names, dict) else frozenset()
