"""What cannot be compiled in a schema: found and named, and left out where strictness is not asked for.

Tools come from everywhere: one pattern with lookahead must not make all the others unusable.
"""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from unisono.serve.reply.schema import Schema
from unisono.serve.reply.smallest import LISTS, MAPS, SINGLE, inner, nodes, target

Compiles = Callable[[Schema], str]  # a schema -> why it cannot be compiled, empty where it can
MAX_TRIALS = 400  # compilations for one schema
STRUCTURE = {*MAPS, *LISTS, *SINGLE, "$ref", "not", "if", "then", "else", "required"}
SILENT = {
    "title",
    "description",
    "default",
    "examples",
    "example",
    "$schema",
    "$id",
    "$comment",
    "deprecated",
}
LAST = (
    "patternProperties",
    "allOf",
    "oneOf",
    "anyOf",
    "required",
    "additionalProperties",
    "prefixItems",
    "items",
    "$ref",
    "properties",
)


@dataclass(frozen=True)
class Fault:
    """A keyword that cannot be compiled."""

    path: tuple[str, ...]
    keyword: str
    reason: str
    is_fatal: bool = False  # what is left without it would not be what the client means

    def __str__(self) -> str:
        return f"{'.'.join((*self.path, self.keyword))}: {self.reason}"


@dataclass
class Repair:
    """Finds faults by compiling parts of a schema; `compiles` is called at most MAX_TRIALS times."""

    compiles: Compiles
    num_trials: int = 0
    known: dict[str, str] = field(default_factory=dict)

    def faults(self, schema: Schema) -> Iterator[Fault]:
        """Each is taken out of `schema`, which is changed, before the next is looked for."""
        for path, node in list(nodes(schema)):
            yield from self._wrong_shape(path, node)
            yield from self._local(path, node)
            if "$ref" in node and target(schema, node["$ref"]) is None:
                node.pop("$ref")
                yield Fault(path, "$ref", "it points to nothing in this schema", is_fatal=not path)
            for pattern in list(node.get("patternProperties", ())):
                if reason := self._why({"type": "object", "patternProperties": {pattern: True}}):
                    del node["patternProperties"][pattern]
                    yield Fault(path, "patternProperties", reason)
        if reason := self._why(schema):
            yield from self._structural(schema, reason)

    def _why(self, schema: Schema) -> str:
        text = json.dumps(schema)
        if text not in self.known:
            self.num_trials += 1
            self.known[text] = self.compiles(schema) if self.num_trials <= MAX_TRIALS else ""
        return self.known[text]

    def _wrong_shape(self, path: tuple[str, ...], node: Schema) -> Iterator[Fault]:
        """Keywords whose value is no schema, or none of the kind that they need."""
        for key in (*MAPS, *LISTS):
            fits = isinstance(node.get(key, []), dict if key in MAPS else list)
            if key in node and not fits and not (key in SINGLE and isinstance(node[key], dict | bool)):
                yield Fault(path, key, "it has the wrong type", is_fatal=True)
                node.pop(key)
        for steps, part in inner(node):
            if not isinstance(part, dict | bool):
                yield Fault((*path, *steps[:-1]), steps[-1], "it is no schema", is_fatal=True)
        if "required" in node and not isinstance(node["required"], list):
            node.pop("required")
            yield Fault(path, "required", "it has the wrong type")

    def _local(self, path: tuple[str, ...], node: Schema) -> Iterator[Fault]:
        """Keywords that are wrong by themselves or together, such as a pattern or bounds."""
        own = {key: value for key, value in node.items() if key not in STRUCTURE | SILENT}
        while reason := self._why(own) if own else "":
            wrong = next(
                (key for key in sorted(own, key="type".__eq__) if not self._why(_without(own, key))), None
            )
            for key in [wrong] if wrong else [key for key in own if key != "type"] or list(own):
                node.pop(key)
                own.pop(key)
                yield Fault(path, key, reason, is_fatal=not path and key in ("type", "enum", "const"))

    def _structural(self, schema: Schema, reason: str) -> Iterator[Fault]:
        """One keyword that makes the whole schema compile once it is gone."""
        for path, node in sorted(nodes(schema), key=lambda found: -len(found[0])):
            for key in LAST:
                if key not in node:
                    continue
                kept = copy.copy(node)
                node.pop(key)
                if not self._why(schema) and self.num_trials <= MAX_TRIALS:
                    yield Fault(path, key, reason, is_fatal=not path and key != "required")
                    return
                node.clear()
                node.update(kept)
        yield Fault((), "schema", reason, is_fatal=True)


def _without(schema: Schema, key: str) -> dict[str, Any]:
    return {other: value for other, value in schema.items() if other != key}


def repaired(schema: Schema, compiles: Compiles) -> tuple[Schema, Fault | None]:
    """The schema without what cannot be compiled; the fault that cannot be mended, None where all were."""
    made: Schema = json.loads(json.dumps(schema))
    fatal = next((fault for fault in Repair(compiles).faults(made) if fault.is_fatal), None)
    return made, fatal
