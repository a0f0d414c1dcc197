"""What chat completions and responses have in common: shared members of a request, forms of text, ids of
objects, a reply's spec.
"""

import json
import uuid
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from unisono.serve.reply.constrain import MAX_CALLS, Constrained
from unisono.serve.reply.document import Form
from unisono.serve.reply.events import ReplySpec
from unisono.serve.reply.forms import ANY_OBJECT, text_form
from unisono.serve.reply.sampling import ApiSampler, text_settings
from unisono.serve.reply.schema import check_schema
from unisono.serve.reply.service import Service
from unisono.serve.reply.tools import Toolbox
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.requests import RequestBody
from unisono.tokens.message import Message, Text
from unisono.tokens.phrases import ANY_JSON, AS_JSON

MAX_IDS = 4096  # of a reply that names no limit: about what this network holds
MAX_WORDS = 40  # text ids before a picture that must come
Label = Annotated[str, StringConstraints(max_length=64)]
Value = Annotated[str, StringConstraints(max_length=512)]


class Shared(RequestBody):
    """Members of a request that both endpoints have."""

    model: str
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_logprobs: int | None = Field(None, ge=0, le=20)
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    metadata: dict[Label, Value] | None = Field(None, max_length=16)
    stream: bool | None = None


@dataclass
class Plan:
    """All that a reply needs to be begun; `spec` makes a fresh ReplySpec for each choice."""

    messages: list[Message]
    outputs: frozenset[str] = frozenset({"text"})
    toolbox: Toolbox = field(default_factory=Toolbox)
    call_form: Form | None = None
    text_form: Form | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    frequency: float = 0
    presence: float = 0
    bias: dict[int, float] = field(default_factory=dict)
    max_ids: int = MAX_IDS
    max_ids_param: str = "max_tokens"  # the member of the request that `max_ids` comes from
    top_logprobs: int | None = None
    voice: str = "alloy"
    speed: float = 1.0  # at which the speech will be played
    must_draw: bool = False
    sketches: int = 0
    trace: bool = False
    stops: tuple[str, ...] = ()

    def spec(self, service: Service, number: int = 0) -> ReplySpec:
        """For choice `number`: another seed, a grammar of its own. No reply is longer than what the network
        was trained on in a row:
        beyond that it does not find an end."""
        seed = None if self.seed is None else (self.seed + number) % 2**63
        sampler = ApiSampler(
            text_settings(self.temperature, self.top_p),
            seed,
            frequency=self.frequency,
            presence=self.presence,
            bias=self.bias,
        )
        grammar = self._grammar(service)
        max_ids = min(self.max_ids, service.trained_length)
        if grammar.need > max_ids:
            raise ApiError(
                f"The shortest reply of the form that was asked for takes {grammar.need} ids, but "
                f"{self.max_ids_param} allows {max_ids}.",
                400,
                self.max_ids_param,
                "max_tokens_too_small",
            )
        return ReplySpec(
            outputs=self.outputs,
            voice=self.voice,
            speed=self.speed,
            sampler=sampler,
            max_ids=max_ids,
            grammar=grammar,
            top_logprobs=self.top_logprobs,
            sketches=self.sketches,
            trace=self.trace,
        )

    def _grammar(self, service: Service) -> Constrained:
        rules = service.usual_grammar(self.outputs).rules
        rules = replace(
            rules,
            calls=self.call_form is not None,
            force_image=self.must_draw,
            max_text_ids=MAX_WORDS if self.must_draw else rules.max_text_ids,
        )
        return Constrained(
            service.vocab,
            rules,
            text=self.text_form,
            call=self.call_form,
            must_call=self.call_form is not None and self.toolbox.mode == "required",
            max_calls=MAX_CALLS if self.toolbox.in_parallel else 1,
        )


def with_tools(messages: list[Message], toolbox: Toolbox) -> list[Message]:
    """The conversation with a line for each tool at the end of its first system message."""
    return _with_lines(messages, "\n".join(tool.line for tool in toolbox.tools))


def with_form(service: Service, messages: list[Message], given: dict[str, Any] | None) -> list[Message]:
    """The conversation with the schema of response_format or text.format, once it has been read, at the end
    of its first system message, as it was taught. nano, which is no LLM, was taught none."""
    kind = given.get("type") if given else "text"
    if kind == "text" or service.vocab.end_id is None:
        return messages
    assert given
    inner = given.get("json_schema", given)
    schema = inner.get("schema")
    told = AS_JSON.format(schema=json.dumps(schema, ensure_ascii=False)) if schema else ANY_JSON
    return _with_lines(messages, told)


def _with_lines(messages: list[Message], lines: str) -> list[Message]:
    """The conversation with these at the end of its first system message."""
    if not lines:
        return messages
    if messages and messages[0].role == "system":
        return [Message("system", [Text(f"{messages[0].text}\n{lines}".lstrip("\n"))]), *messages[1:]]
    return [Message("system", [Text(lines)]), *messages]


async def read_form(service: Service, given: object, param: str) -> Form | None:
    """response_format or text.format, their schema nested or flat -> the form of the text; None: any text."""
    if given is None:
        return None
    kind = given.get("type") if isinstance(given, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":
        assert isinstance(given, dict)
        beside = given.get("schema")  # as Together and instructor send it
        schema = ANY_OBJECT if beside is None else check_schema(beside, f"{param}.schema")
        return await text_form(service.pieces, schema, False, f"{param}.schema" if beside else param)
    if kind == "json_schema":
        assert isinstance(given, dict)
        is_nested = "json_schema" in given
        inner, place = (given["json_schema"], f"{param}.json_schema") if is_nested else (given, param)
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str) or not inner["name"]:
            raise ApiError(f"{place} must be an object with a name and a schema.", 400, f"{place}.name")
        is_strict = inner.get("strict") is True
        if inner.get("schema") is None:
            return await text_form(service.pieces, ANY_OBJECT, False, f"{place}.schema")
        schema = check_schema(inner["schema"], f"{place}.schema")
        return await text_form(service.pieces, schema, is_strict, f"{place}.schema")
    raise ApiError(f"{param}.type must be text, json_object or json_schema.", 400, f"{param}.type")


def new_id(kind: str) -> str:
    """A random id with a prefix: chatcmpl-..., resp_..., call_..."""
    return f"{kind}{uuid.uuid4().hex}"


def logprobs(service: Service, tokens: Any) -> list[dict[str, Any]]:
    """(id, logprob, likeliest) of each id -> as the API shows them."""

    def shown(id: int, logprob: float) -> dict[str, Any]:
        if service.vocab.modality(id) != "text":  # a mark, or sound: it stands for no bytes
            return {"token": service.vocab.name(id), "bytes": None, "logprob": logprob}
        piece = service.tokenizer.text.piece(id)
        return {"token": piece.decode("utf8", "replace"), "bytes": list(piece), "logprob": logprob}

    return [
        {**shown(id, logprob), "top_logprobs": [shown(*other) for other in likeliest]}
        for id, logprob, likeliest in tokens
    ]
