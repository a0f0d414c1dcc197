"""Text that has to have a form: JSON after a schema, calls of tools. llguidance says what may follow, the
network chooses.

Shapes: V vocab_size. Where a form is complete and nothing can follow, the reply or the call ends.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.engine.grammar import CLOSES, END, Grammar, Rules
from unisono.serve.reply.service import Service
from unisono.serve.wire.errors import ApiError

MAX_CHARACTERS = 100_000  # of a schema, spelled out
MAX_LEVELS = 64  # of a schema: deeper ones would overflow the compiler's stack
MAX_CALLS = 8  # of one reply
BEGIN_CALL = "<|begin_call|>"
# As json.dumps writes it. Free white space would let a network write blanks for ever.
STYLE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
# A tenth of llguidance's own: one mask is computed between two steps of everybody.
LIMITS = dict(
    initial_lexer_fuel=500_000,
    step_lexer_fuel=50_000,
    step_max_items=20_000,
    max_lexer_states=50_000,
    max_grammar_size=200_000,
    verbose_errors=False,
)


class _Pieces:
    """The text ids as llguidance wants to see them; one more, behind them, stands for the end."""

    def __init__(self, service: Service) -> None:
        text, size = service.tokenizer.text, service.vocab.text_size
        self.encode = text.encode
        self.tokens = [text.piece(id) if id < text.size else b"" for id in range(size)] + [b"<end>"]
        self.eos_token_id, self.bos_token_id, self.special_token_ids = size, None, [size]

    def __call__(self, text: bytes | str) -> list[int]:
        return self.encode(text.decode("utf8", "replace") if isinstance(text, bytes) else text)


def ll_tokenizer(service: Service) -> LLTokenizer:
    """Of the server's network, made once."""
    if not hasattr(service, "ll_tokenizer"):
        from llguidance import TokenizerWrapper

        service.ll_tokenizer = LLTokenizer(TokenizerWrapper(_Pieces(service)))  # type: ignore[attr-defined]
    return service.ll_tokenizer  # type: ignore[attr-defined]


def check_schema(schema: object, param: str) -> dict[str, Any]:
    """A JSON schema that is small enough to be compiled."""
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


def json_form(schema: dict[str, Any], is_strict: bool) -> str:
    """The form of JSON after a schema. Strict: what cannot be kept to is an error, otherwise it is passed
    over.
    """
    return LLMatcher.grammar_from_json_schema(
        json.dumps(schema), overrides={**STYLE, "lenient": not is_strict}
    )


def calls_form(tools: Sequence[tuple[str, dict[str, Any], bool]]) -> str:
    """The form of one call of one of the tools: (name, schema of the arguments, is_strict).

    Each schema stands by itself, so that "#/$defs/..." in it means its own definitions. The name comes first.
    """
    lines = ["start: " + " | ".join(f"call_{number}" for number in range(len(tools)))]
    for number, (name, schema, is_strict) in enumerate(tools):
        begin = json.dumps(f'{{"name": "{name}", "arguments": ')
        guided = {**_closed(schema), "x-guidance": {**STYLE, "lenient": not is_strict}}
        lines += [
            f'call_{number}: {begin} arguments_{number} "}}"',
            f"arguments_{number}: %json {json.dumps(guided)}",
        ]
    return LLMatcher.grammar_from_lark("\n".join(lines))


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """A call has the arguments that its tool names, also where the schema would let others pass: clients
    leave that unsaid, and mean it.
    """
    names, required = schema.get("properties"), schema.get("required", [])
    if (
        not isinstance(names, dict)
        or not names
        or schema.keys() & {"additionalProperties", "$ref", "allOf", "anyOf", "oneOf"}
    ):
        return schema
    if not isinstance(required, list) or not all(
        isinstance(name, str) and name in names for name in required
    ):
        return schema
    return {**schema, "additionalProperties": False}


async def compiled(service: Service, form: str, param: str) -> LLMatcher:
    """A form, ready to be followed; ApiError where it cannot be. Beside the event loop: a large one takes a
    while.
    """

    def compile_() -> LLMatcher:
        matcher = LLMatcher(ll_tokenizer(service), form, log_level=0, limits=LLParserLimits(**LIMITS))
        matcher.compute_bitmask()  # the costly one, and the one that finds what can never be fulfilled
        return matcher

    matcher = await asyncio.to_thread(compile_)
    if matcher.is_error():
        reason = matcher.get_error().partition("\n")[0][:300].rstrip(".")
        raise ApiError(f"{param} cannot be followed: {reason}.", 400, param, "invalid_schema")
    return matcher


class Constrained(Grammar):
    """The usual grammar, whose text and calls have to have a form.

    text: what is written has this form, from the first id to the end. call: each call has it.
    """

    def __init__(
        self,
        vocab: Any,
        rules: Rules,
        *,
        text: LLMatcher | None = None,
        call: LLMatcher | None = None,
        must_call: bool = False,
        max_calls: int = MAX_CALLS,
    ) -> None:
        super().__init__(vocab, rules)
        self.call, self.must_call, self.max_calls = call, must_call, max_calls
        self.in_text = text.deep_copy() if text else None
        self.in_call: LLMatcher | None = None
        self.num_calls = 0

    def mask(self) -> NDArray[np.bool_]:
        """(V,) what the rules and the form both allow."""
        mask, matcher = super().mask(), self._matcher()
        if matcher is None or not mask[0]:  # no text may follow here anyway
            return mask
        bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
        if matcher.is_error():
            raise UserError("the schema is too complex to be followed; make it simpler")
        mask, size = mask.copy(), self.vocab.text_size
        mask[:size] &= bits[:size].astype(np.bool_)
        mask[self.vocab.id(CLOSES["call"] if self.mode == "call" else END)] = matcher.is_accepting()
        return mask

    def _matcher(self) -> LLMatcher | None:
        return self.in_call if self.mode == "call" else self.in_text if self.mode == "text" else None

    def _text_level(self) -> set[str]:
        pieces = super()._text_level()
        if self.must_call and not self.num_calls:
            return {BEGIN_CALL}
        if self.num_calls:  # calls come last: what is said about their results is the next reply
            pieces = {BEGIN_CALL, END}
        if (
            self.num_calls >= self.max_calls
            or self.in_text
            and self.num_text_ids
            or self.rules.force_audio
            and self.num_unspoken
        ):
            pieces.discard(BEGIN_CALL)
        return pieces if self.in_text is None else pieces & {"text", BEGIN_CALL, END}

    def _follow(self, id: int) -> None:
        before = self.mode
        super()._follow(id)
        if before != "call" and self.mode == "call":
            self.in_call = self.call.deep_copy() if self.call else None
        elif before == "call" and self.mode == "text":
            self.num_calls += 1
        elif before == self.mode and not self.done and (matcher := self._matcher()):
            matcher.consume_token(id)

    def copy(self) -> "Constrained":
        """An independent state at the same place; llguidance's is copied with it."""
        other = super().copy()
        assert isinstance(other, Constrained)
        other.in_text = self.in_text and self.in_text.deep_copy()
        other.in_call = self.in_call and self.in_call.deep_copy()
        return other
