"""JSON schemas and tools -> compiled forms. llguidance says what may follow, the network chooses."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from llguidance import LLMatcher, LLParserLimits

from unisono.serve.reply.document import UNLIMITED, Form
from unisono.serve.reply.ending import Endings
from unisono.serve.reply.pieces import Pieces
from unisono.serve.reply.repair import Fault, Repair, repaired
from unisono.serve.reply.schema import Schema, check_strict, closed
from unisono.serve.reply.smallest import Smallest
from unisono.serve.wire.errors import ApiError

# As json.dumps writes it. Free white space would let a network write blanks for ever.
STYLE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
# A tenth of llguidance's own: one mask is computed between two steps of everybody.
LIMITS: dict[str, Any] = dict(
    initial_lexer_fuel=500_000,
    step_lexer_fuel=50_000,
    step_max_items=20_000,
    max_lexer_states=50_000,
    max_grammar_size=200_000,
    verbose_errors=False,
)
ANY_OBJECT: Schema = {"type": "object"}
Callable_ = tuple[str, Schema, bool]  # name, schema of the arguments, is_strict


def json_grammar(schema: Schema, is_strict: bool) -> str:
    """The grammar of JSON after a schema. Strict: an unknown keyword is an error, otherwise it is passed
    over.
    """
    overrides: Any = {**STYLE, "lenient": not is_strict}
    return LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=overrides)


def calls_grammar(tools: Sequence[Callable_]) -> str:
    """The grammar of one call of one of the tools. The name comes first.

    Each schema stands by itself, so that "#/$defs/..." in it means its own definitions.
    """
    lines = ["start: " + " | ".join(f"call_{number}" for number in range(len(tools)))]
    for number, (name, schema, is_strict) in enumerate(tools):
        guided = {**schema, "x-guidance": {**STYLE, "lenient": not is_strict}}
        lines += [
            f'call_{number}: {json.dumps(_begin(name))} arguments_{number} "}}"',
            f"arguments_{number}: %json {json.dumps(guided)}",
        ]
    return LLMatcher.grammar_from_lark("\n".join(lines))


def _begin(name: str) -> str:
    return f'{{"name": "{name}", "arguments": '


class Compiler:
    """Makes forms for the ids of one network. Used beside the event loop: a large schema takes a while."""

    def __init__(self, pieces: Pieces) -> None:
        self.pieces = pieces

    def matcher(self, grammar: str) -> LLMatcher:
        """A matcher at its beginning, or in its error state."""
        matcher = LLMatcher(self.pieces.llguidance, grammar, log_level=0, limits=LLParserLimits(**LIMITS))
        matcher.compute_bitmask()  # the costly one, and the one that finds what can never be fulfilled
        return matcher

    def why_not(self, grammar: str) -> str:
        """Why a grammar cannot be followed, in a few words; empty where it can."""
        return self._reason(self.matcher(grammar))

    @staticmethod
    def _reason(matcher: LLMatcher) -> str:
        if not matcher.is_error():
            return ""
        lines = [line.strip() for line in matcher.get_error().splitlines()]
        told = next((line for line in lines if line.startswith("error: ")), lines[0])
        return told.removeprefix("error: ")[:300].rstrip(".") or "it allows nothing"

    def text(self, schema: Schema, is_strict: bool, param: str) -> Form:
        """The form of a JSON text. Strict: ApiError names what cannot be followed."""
        if is_strict:
            check_strict(schema, param)
        schema = self._followed(schema, is_strict, param)
        small = Smallest(schema)
        return self._form(json_grammar(schema, is_strict), [small], [small.root], param)

    def calls(self, tools: Sequence[Callable_], params: Sequence[str]) -> Form:
        """The form of a call. A keyword that cannot be compiled is left out of its tool alone; strict:
        ApiError.
        """
        followed = []
        for (name, schema, is_strict), param in zip(tools, params):
            place = f"{param} of {name!r}"
            if is_strict:
                check_strict(schema, param, place)
            followed.append((name, self._followed(schema, is_strict, param, place), is_strict))
        followed = self._fitting(followed)
        small = [Smallest(schema) for _, schema, _ in followed]
        texts = [one.root and f"{_begin(name)}{one.root}}}" for one, (name, _, _) in zip(small, followed)]
        return self._form(calls_grammar(followed), small, texts, params[0].partition(".")[0])

    def _fitting(self, tools: list[Callable_]) -> list[Callable_]:
        """Tools that can be compiled together: where they are too many, the largest take any arguments."""
        by_size = sorted(range(len(tools)), key=lambda number: -len(json.dumps(tools[number][1])))
        loose = [number for number in by_size if not tools[number][2]]
        count = 1
        while loose and self.why_not(calls_grammar(tools)):
            for number in loose[:count]:
                tools[number] = (tools[number][0], ANY_OBJECT, False)
            loose, count = loose[count:], 2 * count
        return tools

    def _followed(self, schema: Schema, is_strict: bool, param: str, place: str = "") -> Schema:
        """The schema as it is followed: closed, and without what cannot be compiled."""

        def why_not(part: Schema) -> str:
            return self.why_not(json_grammar(part, is_strict))

        made = closed(schema)
        reason = why_not(made)
        if not reason:
            return made
        if is_strict:
            first = next(iter(Repair(why_not).faults(json.loads(json.dumps(schema)))), None)
            raise _not_followed(place or param, first or reason, param)
        if not why_not(schema):  # what it leaves open cannot be closed
            return schema
        kept, fatal = repaired(made, why_not)
        if fatal is not None:
            raise _not_followed(place or param, fatal, param)
        return kept

    def _form(self, grammar: str, small: Sequence[Smallest], texts: Sequence[str | None], param: str) -> Form:
        matcher, endings = self.matcher(grammar), Endings(self.pieces, small)
        if reason := self._reason(matcher):
            raise _not_followed(param, reason, param)
        found = [self.pieces.encode(text) for text in texts if text]
        if found or not any(one.is_too_long for one in small):
            found += self._searched(endings, matcher)
        whole = [ids for ids in found if endings.is_ending(matcher, ids)]
        if not whole:
            raise ApiError(
                f"{param} cannot be followed: no short text was found that it allows.",
                400,
                param,
                "invalid_schema",
            )
        return Form(matcher, endings, tuple(sorted(whole, key=len)[0]))

    def _searched(self, endings: Endings, matcher: LLMatcher) -> list[list[int]]:
        """What a search finds, in its pieces and in those that the tokenizer would choose."""
        found = endings.find(matcher.deep_copy(), [], UNLIMITED)
        if found is None:
            return []
        return [found, endings.spelled(b"".join(self.pieces.tokens[id] for id in found))]


def _not_followed(place: str, reason: str | Fault, param: str) -> ApiError:
    return ApiError(f"{place} cannot be followed: {reason}.", 400, param, "invalid_schema")


async def text_form(pieces: Pieces, schema: Schema, is_strict: bool, param: str) -> Form:
    """The form of a JSON text, compiled beside the event loop."""
    return await asyncio.to_thread(Compiler(pieces).text, schema, is_strict, param)


async def call_form(pieces: Pieces, tools: Sequence[Callable_], params: Sequence[str]) -> Form:
    """The form of a call, compiled beside the event loop."""
    return await asyncio.to_thread(Compiler(pieces).calls, tools, params)
