"""A request to the Responses API: its members, and what they come to as a plan for the network."""

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field
from starlette.requests import HTTPConnection

from unisono.serve.reply.parts import PartReader
from unisono.serve.reply.plan import MAX_IDS, Plan, Shared, read_form, with_form, with_tools
from unisono.serve.reply.service import Service, service_of
from unisono.serve.reply.tools import Toolbox, read_tools
from unisono.serve.responses.items import ItemReader, with_instructions
from unisono.serve.responses.store import Stored, store_of
from unisono.serve.v1.images import Canvas, ImageRequest
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.requests import RequestBody, checked
from unisono.tokens.message import Message

DRAWS = "image_generation"
SHORTENED = 16  # times what fits may be sent where its beginning may be left out


class TextParams(RequestBody):
    """The member `text`: the form of the answer and how long it should be."""

    format: dict[str, Any] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ResponseRequest(Shared):
    """The members of a request. Members that are not named here are ignored."""

    input: Any = None
    instructions: str | None = None
    max_output_tokens: int | None = Field(None, ge=1)
    text: TextParams | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    prompt: Any = None
    store: bool | None = None
    include: list[str] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    background: bool | None = None

    @property
    def wants_logprobs(self) -> bool:
        return self.top_logprobs is not None or "message.output_text.logprobs" in (self.include or ())


@dataclass
class Read:
    """A request that has been read. `messages`: without instructions and tools, as they are kept."""

    plan: Plan
    messages: list[Message]
    items: list[dict[str, Any]]
    calls: set[str]
    canvas: Canvas | None = None


async def read_response(request: HTTPConnection, wanted: ResponseRequest) -> Read:
    """A request -> what is to be done; ApiError names the member that is wrong."""
    service = service_of(request)
    service.check_model(wanted.model)
    _check(wanted)
    toolbox, canvas, sketches = _tools(service, wanted)
    form = await read_form(service, wanted.text.format if wanted.text else None, "text.format")
    call_form = await toolbox.form(service)
    before, store, key = _before(request, wanted), store_of(request), request.state.key
    parts = PartReader(request, service)
    if wanted.truncation == "auto":
        parts.max_letters *= SHORTENED
    reader = ItemReader(parts, before.calls if before else set(), lambda id: store.item(key, id))
    messages, items = await reader.read(wanted.input, may_be_empty=before is not None)
    messages = [*(before.messages if before else ()), *messages]
    if wanted.truncation == "auto":
        messages = await asyncio.to_thread(_shortened, service, messages)
    must_draw = canvas is not None and _must_draw(wanted, toolbox)
    if must_draw and form:
        raise ApiError("text.format has no place where a picture must be drawn.", 400, "text.format")
    told = with_tools(with_instructions(messages, wanted.instructions), toolbox)
    plan = Plan(
        with_form(service, told, wanted.text.format if wanted.text else None),
        frozenset({"text", "image"} if canvas else {"text"}),
        toolbox,
        call_form,
        form,
        temperature=wanted.temperature,
        top_p=wanted.top_p,
        max_ids=min(wanted.max_output_tokens or MAX_IDS, MAX_IDS),
        max_ids_param="max_output_tokens",
        top_logprobs=(wanted.top_logprobs or 0) if wanted.wants_logprobs else None,
        must_draw=must_draw,
        sketches=sketches,
    )
    return Read(plan, messages, items, reader.known, canvas)


def _shortened(service: Service, messages: list[Message]) -> list[Message]:
    """The conversation without its beginning, where it would leave less than a quarter of the context to the
    reply.
    """
    room, kept = min(service.scheduler.engine.max_length, service.trained_length) * 3 // 4, list[Message]()
    for message in reversed(messages):
        room -= len(service.tokenizer.encode([message])[0])
        if kept and room < 0:
            break
        kept.append(message)
    return kept[::-1]


def _check(wanted: ResponseRequest) -> None:
    if wanted.input is None:
        raise ApiError("input is missing; expected a string or a list of items.", 400, "input")
    if wanted.conversation is not None:
        raise ApiError(
            "Conversations are not kept here; name the last response in previous_response_id.",
            400,
            "conversation",
        )
    if wanted.prompt is not None:
        raise ApiError("Prompts are not stored here; send the text in instructions.", 400, "prompt")
    if wanted.background and wanted.store is False:
        raise ApiError("A response in the background must be stored.", 400, "background")


def _before(request: HTTPConnection, wanted: ResponseRequest) -> Stored | None:
    """The response that this request follows. ApiError where it is not known for this key."""
    if wanted.previous_response_id is None:
        return None
    found = store_of(request).kept.find(request.state.key, wanted.previous_response_id)
    if found is None:
        raise ApiError(
            f"Previous response with id {wanted.previous_response_id[:80]!r} not found.",
            400,
            "previous_response_id",
            "previous_response_not_found",
        )
    return found


def _tools(service: Service, wanted: ResponseRequest) -> tuple[Toolbox, Canvas | None, int]:
    """-> the functions, the canvas where pictures may be drawn, and how many sketches are shown."""
    functions, canvas, sketches = [], None, 0
    for number, tool in enumerate(wanted.tools or []):
        param, kind = f"tools.{number}", tool.get("type")
        if kind == "function":
            functions.append((tool, param))
        elif kind == DRAWS:
            names = ("size", "quality", "output_format", "output_compression", "background", "partial_images")
            picture = checked(ImageRequest, {"prompt": "-", **{name: tool.get(name) for name in names}})
            canvas, sketches = (
                Canvas(service.guards, picture, service.tokenizer.image_codec.image_size),
                (picture.partial_images or 0) if wanted.stream else 0,
            )
        else:
            raise ApiError(
                f"{param}: this server has no tool of type {str(kind)[:40]!r}; it has function and {DRAWS}.",
                400,
                f"{param}.type",
            )
    choice = wanted.tool_choice
    if isinstance(choice, dict) and choice.get("type") == DRAWS:
        if canvas is None:
            raise ApiError(f"tool_choice names {DRAWS}, which is not among the tools.", 400, "tool_choice")
        choice = "none"
    elif choice == "none":
        canvas = None
    elif choice == "required" and canvas and not functions:
        choice = "auto"
    return read_tools(functions, choice, wanted.parallel_tool_calls), canvas, sketches


def _must_draw(wanted: ResponseRequest, toolbox: Toolbox) -> bool:
    choice = wanted.tool_choice
    return (
        isinstance(choice, dict) and choice.get("type") == DRAWS or choice == "required" and not toolbox.tools
    )
