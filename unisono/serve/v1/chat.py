"""POST /v1/chat/completions: a conversation in, the network's reply out, whole or as it is made."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from unisono.serve.reply.choices import Choices, merged, together
from unisono.serve.reply.events import Usage
from unisono.serve.reply.in_order import account
from unisono.serve.reply.parts import PartReader
from unisono.serve.reply.plan import MAX_IDS, Plan, Shared, logprobs, new_id, read_form, with_tools
from unisono.serve.reply.reading import Reading
from unisono.serve.reply.sampling import read_bias
from unisono.serve.reply.service import Service, service_of
from unisono.serve.reply.tools import Toolbox, read_tools, written
from unisono.serve.reply.turn import Turn
from unisono.serve.v1.chat_stream import Chunks, shown_picture
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.kept import Kept
from unisono.serve.wire.requests import RequestBody, encoded, json_body, read_json, unless_left
from unisono.serve.wire.sound import encode_whole
from unisono.serve.wire.sse import EVENT_STREAM, event, streamed
from unisono.tokens.message import Call, Message, Part

router = APIRouter(prefix="/v1", tags=["chat"])
FORMATS = ("wav", "mp3", "flac", "opus", "aac", "pcm16")
ROLES = {"developer": "system", "function": "tool"}
SKETCHES = 4  # of a drawing in a stream, before it is finished
MAX_SPOKEN, SPOKEN_S = 256, 3600  # spoken replies of a key that can be referred to, and for how long


class ChatMessage(RequestBody):
    """A message; its content is read part by part."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Any = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
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
    for number, call in enumerate(message.tool_calls or []):
        place, function = f"{param}.tool_calls.{number}", call.get("function")
        if not isinstance(call.get("id"), str) or not isinstance(function, dict):
            raise ApiError(f"{place} must have an id and a function.", 400, place)
        known.add(call["id"])
        parts.append(Call(written(function.get("name"), function.get("arguments"), f"{place}.function")))
    return parts


# ---- answers ----


def usage_of(usage: Usage) -> dict[str, Any]:
    """Ids by modality, as chat completions count them."""
    given, made = usage.prompt, usage.reply
    total_in, total_out = sum(given.values()), sum(made.values())
    return {
        "prompt_tokens": total_in,
        "completion_tokens": total_out,
        "total_tokens": total_in + total_out,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached,
            **{f"{kind}_tokens": count for kind, count in given.items()},
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
            **{f"{kind}_tokens": count for kind, count in made.items()},
        },
    }


def count_turn(total: Usage, turn: Turn) -> None:
    """Adds a reply; the prompt that all have in common counts once."""
    if not any(total.prompt.values()):
        total.prompt, total.cached = dict(turn.usage.prompt), turn.usage.cached
    for kind, count in turn.usage.reply.items():
        total.reply[kind] += count
    total.reasoning += turn.usage.reasoning


class Answering:
    """One request while it is answered."""

    def __init__(self, request: Request, wanted: ChatRequest, plan: Plan) -> None:
        self.request, self.wanted, self.plan = request, wanted, plan
        self.service: Service = service_of(request)
        self.id, self.created, self.usage = new_id("chatcmpl-"), int(time.time()), Usage()

    def head(self, object: str) -> dict[str, Any]:
        """Members of every object of this answer."""
        return {"id": self.id, "object": object, "created": self.created, "model": self.wanted.model}

    async def whole(self) -> dict[str, Any]:
        """The answer in one piece."""
        count = self.wanted.n or 1
        try:
            async with Choices(self.service, self.plan, count) as choices:
                made = await together([self._choice(choices, number) for number in range(count)])
        finally:
            account(self.request, self.usage)
        return {
            **self.head("chat.completion"),
            "choices": made,
            "usage": usage_of(self.usage),
            "system_fingerprint": None,
        }

    async def _choice(self, choices: Choices, number: int) -> dict[str, Any]:
        async with choices.turn(number) as turn:
            reading = Reading(turn, self.plan.stops)
            try:
                async for _ in reading.deltas():
                    pass
            finally:
                count_turn(self.usage, turn)
            message: dict[str, Any] = {
                "role": "assistant",
                "content": reading.text,
                "refusal": None,
                "annotations": [],
            }
            if reading.calls:
                message["content"] = reading.text or None
                message["tool_calls"] = [
                    {
                        "id": new_id("call_"),
                        "type": "function",
                        "function": {"name": call.name, "arguments": call.arguments},
                    }
                    for call in reading.calls
                ]
            if reading.pictures:
                message["images"] = [shown_picture(picture) for picture in reading.pictures]
            if self.wanted.is_spoken and (reading.pcm or not reading.calls):
                message |= {"content": None, "audio": await self._spoken(turn, reading)}
        shown = (
            {"content": logprobs(self.service, reading.tokens), "refusal": None}
            if self.wanted.logprobs
            else None
        )
        return {
            "index": number,
            "message": message,
            "finish_reason": reading.finish_reason,
            "logprobs": shown,
        }

    async def _spoken(self, turn: Turn, reading: Reading) -> dict[str, Any]:
        assert self.wanted.audio
        pcm = np.concatenate([np.zeros(0, np.float32), *reading.pcm])
        content = await asyncio.to_thread(
            encode_whole, pcm, self.service.sample_rate, self.wanted.audio.format
        )
        id = new_id("audio_")
        return {
            "id": id,
            "data": encoded(content),
            "expires_at": self.keep(id, turn),
            "transcript": reading.text,
        }

    def keep(self, id: str, turn: Turn) -> int:
        """Keeps a spoken reply for conversations that refer to it -> until when."""
        return spoken_of(self.request).put(
            self.request.state.key, id, self.service.tokenizer.decode(turn.ids)
        )

    async def stream(self) -> AsyncIterator[bytes]:
        """The answer as it is made: server-sent events."""
        count, asks_usage = (
            self.wanted.n or 1,
            bool(self.wanted.stream_options and self.wanted.stream_options.include_usage),
        )
        head = {
            **self.head("chat.completion.chunk"),
            "system_fingerprint": None,
            **({"usage": None} if asks_usage else {}),
        }
        try:
            async with Choices(self.service, self.plan, count) as choices:
                streams = [self._chunks(choices, number) for number in range(count)]
                source = merged(streams) if count > 1 else streams[0]
                try:
                    async for choice in source:
                        yield event({**head, "choices": [choice]})
                finally:
                    await source.aclose()  # type: ignore[attr-defined]
            if asks_usage:
                yield event({**head, "choices": [], "usage": usage_of(self.usage)})
            yield b"data: [DONE]\n\n"
        finally:
            account(self.request, self.usage)

    async def _chunks(self, choices: Choices, number: int) -> AsyncIterator[dict[str, Any]]:
        async with choices.turn(number) as turn:
            chunks = Chunks(self.service, number, bool(self.wanted.logprobs), self.wanted.is_spoken)
            reading = Reading(turn, self.plan.stops)
            yield chunks.first()
            deltas = reading.deltas()
            try:
                async for delta in deltas:
                    for chunk in chunks.of(delta):
                        yield chunk
            finally:
                await deltas.aclose()  # type: ignore[attr-defined]
                count_turn(self.usage, turn)
            expires_at = self.keep(chunks.audio_id, turn) if chunks.audio_id else None
            for chunk in chunks.last(reading.finish_reason, expires_at):
                yield chunk


@router.post("/chat/completions", openapi_extra=json_body(ChatRequest), response_class=Response)
async def chat_completions(request: Request) -> Response:
    """The network's reply to a conversation."""
    wanted = await read_json(request, ChatRequest)
    answering = Answering(request, wanted, await read_plan(request, wanted))
    if wanted.stream:
        return await streamed(answering.stream(), EVENT_STREAM)
    return JSONResponse(await unless_left(request, answering.whole()))
