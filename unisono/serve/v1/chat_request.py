"""What a chat completion is asked for: the members of its request, the conversation, the plan they make."""

from typing import Any, Literal

from fastapi import Request
from pydantic import Field

from unisono.serve.reply.parts import PartReader
from unisono.serve.reply.plan import MAX_IDS, Plan, Shared, read_form, with_form, with_tools
from unisono.serve.reply.sampling import read_bias
from unisono.serve.reply.service import service_of
from unisono.serve.reply.tools import Toolbox, read_tools, written
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.kept import Kept
from unisono.serve.wire.requests import RequestBody
from unisono.tokens.message import Call, Message, Part

ROLES = {"developer": "system", "function": "tool"}
SKETCHES = 4  # of a drawing in a stream, before it is finished
MAX_SPOKEN, SPOKEN_S = 256, 3600  # spoken replies of a key that can be referred to, and for how long


class ChatMessage(RequestBody):
    """A message; its content is read part by part."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Any = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    function_call: dict[str, Any] | None = None  # as calls were written before there were tools
    name: str | None = None
    audio: dict[str, Any] | None = None
    refusal: str | None = None


class AudioParams(RequestBody):
    """How the reply is spoken."""

    voice: str | dict[str, Any]
    format: Literal["wav", "mp3", "flac", "opus", "aac", "pcm16"]


class StreamOptions(RequestBody):
    """Of a stream."""

    include_usage: bool | None = None


class Beyond(RequestBody):
    """What OpenAI's API lacks: the ids of a reply, as the page's strip shows them."""

    ids: bool | None = None


class ChatRequest(Shared):
    """A request. What is not named here is passed over."""

    messages: list[ChatMessage] = Field(min_length=1)
    modalities: list[Literal["text", "audio", "image"]] | None = None
    unisono: Beyond | None = None
    audio: AudioParams | None = None
    n: int | None = Field(None, ge=1, le=128)
    stop: str | list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    response_format: dict[str, Any] | None = None
    stream_options: StreamOptions | None = None
    functions: list[dict[str, Any]] | None = None
    function_call: str | dict[str, Any] | None = None

    @property
    def is_legacy(self) -> bool:
        """Whether functions are offered as before there were tools; their calls are told in the same way."""
        return bool(self.functions)

    @property
    def is_spoken(self) -> bool:
        return "audio" in (self.modalities or ())


# ---- requests ----


def spoken_of(request: Any) -> Kept[list[Part]]:
    """Spoken replies that conversations may refer to."""
    found: Kept[list[Part]] = request.app.state.server.spoken
    return found


async def read_plan(request: Request, wanted: ChatRequest) -> Plan:
    """A request -> what is to be done; ApiError names the member that is wrong."""
    service = service_of(request)
    service.check_model(wanted.model)
    _check(wanted)
    toolbox = _tools(wanted)
    form = await read_form(service, wanted.response_format, "response_format")
    if form and wanted.is_spoken:
        raise ApiError(
            "response_format has no place in a spoken reply; ask for modalities text.", 400, "response_format"
        )
    voice = service.voice(wanted.audio.voice) if wanted.audio and wanted.is_spoken else "alloy"
    bias = read_bias(wanted.logit_bias, service.vocab.span("special").end)
    call_form = await toolbox.form(service)
    messages = with_tools(await read_messages(request, wanted.messages), toolbox)
    messages = with_form(service, messages, wanted.response_format)
    return Plan(
        messages,
        frozenset({"text", *(wanted.modalities or ())}),
        toolbox,
        call_form,
        form,
        temperature=wanted.temperature,
        top_p=wanted.top_p,
        seed=wanted.seed,
        frequency=wanted.frequency_penalty or 0,
        presence=wanted.presence_penalty or 0,
        bias=bias,
        max_ids=min(wanted.max_completion_tokens or wanted.max_tokens or MAX_IDS, MAX_IDS),
        max_ids_param="max_completion_tokens" if wanted.max_completion_tokens else "max_tokens",
        voice=voice,
        stops=_stops(wanted),
        sketches=SKETCHES,
        trace=bool(wanted.unisono and wanted.unisono.ids and wanted.stream),
        top_logprobs=(wanted.top_logprobs or 0) if wanted.logprobs else None,
    )


def _check(wanted: ChatRequest) -> None:
    if wanted.top_logprobs is not None and not wanted.logprobs:
        raise ApiError("top_logprobs needs logprobs: true.", 400, "top_logprobs")
    if wanted.stream_options is not None and not wanted.stream:
        raise ApiError("stream_options needs stream: true.", 400, "stream_options")
    if wanted.modalities is not None and not wanted.modalities:
        raise ApiError("modalities is empty; choose text, or text and audio.", 400, "modalities")
    if wanted.is_spoken and wanted.audio is None:
        raise ApiError("A spoken reply needs audio: {voice, format}.", 400, "audio")
    if wanted.is_spoken and wanted.stream and wanted.audio and wanted.audio.format != "pcm16":
        raise ApiError(
            "A stream carries sound as pcm16; ask for that, or do not stream.", 400, "audio.format"
        )


def _stops(wanted: ChatRequest) -> tuple[str, ...]:
    stops = [wanted.stop] if isinstance(wanted.stop, str) else wanted.stop or []
    if len(stops) > 4:
        raise ApiError("At most 4 stop strings.", 400, "stop")
    return tuple(stop for stop in stops if stop)


def _tools(wanted: ChatRequest) -> Toolbox:
    if wanted.functions is not None or wanted.function_call is not None:
        return _functions(wanted)
    given = []
    for number, tool in enumerate(wanted.tools or []):
        if tool.get("type", "function") != "function":
            raise ApiError(
                f"tools.{number}: only tools of type function can be called here.",
                400,
                f"tools.{number}.type",
            )
        given.append((tool.get("function"), f"tools.{number}.function"))
    return read_tools(given, wanted.tool_choice, wanted.parallel_tool_calls)


def _functions(wanted: ChatRequest) -> Toolbox:
    """`functions` and `function_call`: none, auto or {name}; at most one call."""
    if wanted.tools or wanted.tool_choice is not None:
        raise ApiError("Send either tools or functions, not both.", 400, "functions")
    choice: Any = wanted.function_call
    if isinstance(choice, dict):
        if not isinstance(choice.get("name"), str):
            raise ApiError("function_call must be none, auto or {name}.", 400, "function_call")
        choice = {"type": "function", "function": choice}
    elif choice not in (None, "none", "auto"):
        raise ApiError("function_call must be none, auto or {name}.", 400, "function_call")
    given = [(one, f"functions.{number}") for number, one in enumerate(wanted.functions or [])]
    return read_tools(given, choice, False)


async def read_messages(request: Request, given: list[ChatMessage]) -> list[Message]:
    """The conversation; calls must be known before their results."""
    reader, messages, known = PartReader(request, service_of(request)), [], set[str]()
    for number, message in enumerate(given):
        param, role = f"messages.{number}", ROLES.get(message.role, message.role)
        if message.content is None and role != "assistant":
            raise ApiError(f"{param}.content is missing.", 400, f"{param}.content")
        if message.role == "tool" and message.tool_call_id not in known:
            raise ApiError(
                f"{param}.tool_call_id must be the id of a call in a message before it.",
                400,
                f"{param}.tool_call_id",
            )
        parts = (
            _referred(request, message, f"{param}.audio.id")
            if role == "assistant" and message.audio is not None
            else None
        )
        if parts is None:
            parts = await reader.content(message.content, f"{param}.content", with_media=role == "user")
        if role == "assistant":
            if message.refusal and not parts:
                parts = [reader.text(message.refusal, f"{param}.refusal")]
            parts = [*parts, *_calls(message, param, known)]
        messages.append(Message(role, parts))
    return messages


def _referred(request: Request, message: ChatMessage, param: str) -> list[Part]:
    id = (message.audio or {}).get("id")
    found = spoken_of(request).find(request.state.key, id) if isinstance(id, str) else None
    if found is None:
        raise ApiError(
            (
                f"{param}: there is no spoken reply {str(id)[:60]!r}, or it has expired; send its "
                f"transcript as content."
            ),
            400,
            param,
        )
    return found


def _calls(message: ChatMessage, param: str, known: set[str]) -> list[Part]:
    parts: list[Part] = []
    if message.function_call is not None:
        one, place = message.function_call, f"{param}.function_call"
        parts.append(Call(written(one.get("name"), one.get("arguments"), place)))
    for number, call in enumerate(message.tool_calls or []):
        place, function = f"{param}.tool_calls.{number}", call.get("function")
        if not isinstance(call.get("id"), str) or not isinstance(function, dict):
            raise ApiError(f"{place} must have an id and a function.", 400, place)
        known.add(call["id"])
        parts.append(Call(written(function.get("name"), function.get("arguments"), f"{place}.function")))
    return parts
