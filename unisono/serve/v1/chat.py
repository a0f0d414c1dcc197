"""POST /v1/chat/completions: a conversation in, the network's reply out, whole or as it is made."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from unisono.serve.reply.choices import Choices, merged, together
from unisono.serve.reply.events import Usage
from unisono.serve.reply.in_order import account
from unisono.serve.reply.plan import Plan, logprobs, new_id
from unisono.serve.reply.reading import Reading
from unisono.serve.reply.service import Service, service_of
from unisono.serve.reply.turn import Turn
from unisono.serve.v1.chat_request import ChatRequest, read_plan, spoken_of
from unisono.serve.v1.chat_stream import Chunks, shown_picture
from unisono.serve.wire.requests import encoded, json_body, read_json, unless_left
from unisono.serve.wire.sound import encode_whole
from unisono.serve.wire.sse import EVENT_STREAM, event, streamed

router = APIRouter(prefix="/v1", tags=["chat"])


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
            if reading.calls and self.wanted.is_legacy:
                call = reading.calls[0]
                message["content"] = reading.text or None
                message["function_call"] = {"name": call.name, "arguments": call.arguments}
            elif reading.calls:
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
                message["images"] = [
                    shown_picture(self.service.guards, picture) for picture in reading.pictures
                ]
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
            "finish_reason": self._finish_reason(reading),
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

    def _finish_reason(self, reading: Reading) -> str | None:
        reason = reading.finish_reason
        return "function_call" if reason == "tool_calls" and self.wanted.is_legacy else reason

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
            chunks = Chunks(
                self.service,
                number,
                bool(self.wanted.logprobs),
                self.wanted.is_spoken,
                is_legacy=self.wanted.is_legacy,
            )
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
            for chunk in chunks.last(self._finish_reason(reading), expires_at):
                yield chunk


@router.post("/chat/completions", openapi_extra=json_body(ChatRequest), response_class=Response)
async def chat_completions(request: Request) -> Response:
    """The network's reply to a conversation."""
    wanted = await read_json(request, ChatRequest)
    answering = Answering(request, wanted, await read_plan(request, wanted))
    if wanted.stream:
        return await streamed(answering.stream(), EVENT_STREAM)
    return JSONResponse(await unless_left(request, answering.whole()))
