"""One response while it is made: its body at every moment, its events, its end."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from starlette.requests import HTTPConnection

from unisono.serve.reply.choices import Choices
from unisono.serve.reply.events import Drawing, Speech, Usage
from unisono.serve.reply.in_order import account
from unisono.serve.reply.plan import new_id
from unisono.serve.reply.reading import Reading
from unisono.serve.reply.sampling import text_settings
from unisono.serve.reply.service import service_of
from unisono.serve.reply.turn import Turn
from unisono.serve.responses.events import Event, Output
from unisono.serve.responses.items import add
from unisono.serve.responses.request import Read, ResponseRequest
from unisono.serve.responses.store import Stored, store_of
from unisono.serve.wire.errors import ApiError, as_api_error
from unisono.serve.wire.requests import encoded
from unisono.serve.wire.sse import event

log = logging.getLogger("unisono.serve")


class Responding:
    """One response in the making. Use `whole` or `stream`, once."""

    def __init__(self, request: HTTPConnection, wanted: ResponseRequest, read: Read) -> None:
        self.request, self.wanted, self.read, self.service = request, wanted, read, service_of(request)
        self.key, self.store = request.state.key, store_of(request)
        self.id, self.created = new_id("resp_"), int(time.time())
        self.output = Output(self.service, wanted.wants_logprobs)
        self.status = "in_progress"
        self.error: dict[str, str] | None = None
        self.incomplete: dict[str, str] | None = None
        self.completed: int | None = None
        self.usage: Usage | None = None
        self.turn: Turn | None = None
        self.is_cancelled, self.is_kept = False, wanted.store is not False
        self.task: asyncio.Task[Any] | None = None  # in the background

    def body(self) -> dict[str, Any]:
        """The response as it is now."""
        wanted, plan = self.wanted, self.read.plan
        text: dict[str, Any] = {"format": (wanted.text and wanted.text.format) or {"type": "text"}}
        if text["format"]["type"] == "json_schema" and "json_schema" in text["format"]:
            text["format"] = {"type": "json_schema", **text["format"]["json_schema"]}
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "completed_at": self.completed,
            "status": self.status,
            "background": bool(wanted.background),
            "error": self.error,
            "incomplete_details": self.incomplete,
            "instructions": wanted.instructions,
            "max_output_tokens": wanted.max_output_tokens,
            "model": wanted.model,
            "output": [dict(item) for item in self.output.items],
            "parallel_tool_calls": wanted.parallel_tool_calls is not False,
            "previous_response_id": wanted.previous_response_id,
            "store": wanted.store is not False,
            "temperature": text_settings(plan.temperature, plan.top_p)["text"].temperature,
            "text": text,
            "tool_choice": wanted.tool_choice or "auto",
            "tools": [_tool(tool) for tool in wanted.tools or []],
            "top_logprobs": plan.top_logprobs or 0,
            "top_p": 1.0 if wanted.top_p is None else wanted.top_p,
            "truncation": wanted.truncation or "disabled",
            "usage": usage_of(self.usage) if self.usage else None,
            "metadata": wanted.metadata or {},
        }

    async def cancel(self) -> None:
        """Ends the response; whoever makes it sees the end."""
        self.is_cancelled, self.status = True, "cancelled"
        if self.turn:
            await self.turn.end()

    async def whole(self) -> dict[str, Any]:
        """Makes the response in one piece. In the background an error becomes part of it, otherwise it is
        raised.
        """
        try:
            async with contextlib.aclosing(self._events()) as events:
                async for _ in events:
                    pass
        except Exception as error:
            if not self.wanted.background:
                raise
            self._fail(error)
        return self.body()

    async def stream(self) -> AsyncIterator[bytes]:
        """Makes the response as server-sent events."""
        async with contextlib.aclosing(self.told()) as events:
            async for told in events:
                yield event(told, told["type"])

    async def told(self) -> AsyncGenerator[Event, None]:
        """Numbers the events. An error before the first word is raised, a later one becomes an event."""
        number, is_begun = 0, False
        try:
            async with contextlib.aclosing(self._events()) as events:
                async for told in events:
                    yield {**told, "sequence_number": number}
                    number, is_begun = number + 1, True
        except Exception as error:
            if not is_begun:
                raise
            found = self._fail(error)
            for told in (
                {
                    "type": "error",
                    "code": found.code or found.type,
                    "message": found.message,
                    "param": found.param,
                },
                {"type": "response.failed", "response": self.body()},
            ):
                yield {**told, "sequence_number": number}
                number += 1

    def _fail(self, error: Exception) -> ApiError:
        found = as_api_error(error)
        if found.status >= 500:
            log.error("response", exc_info=error, extra={"fields": {"id": self.request.state.request_id}})
        self.status, self.error = (
            "failed",
            {"code": "server_error" if found.status >= 500 else "invalid_prompt", "message": found.message},
        )
        self._keep()
        return found

    async def _events(self) -> AsyncGenerator[Event, None]:
        """The network's reply as events; afterwards the body is final and kept."""
        if not self.is_cancelled:  # in the background, before it began
            self.store.running[self.key, self.id] = self
        try:
            async with Choices(self.service, self.read.plan, 1) as choices, choices.turn(0) as self.turn:
                if self.is_cancelled:
                    await self.turn.end()
                for name in ("created", "in_progress"):
                    yield {"type": f"response.{name}", "response": self.body()}
                reading = Reading(self.turn)
                try:
                    async with contextlib.aclosing(self._deltas(reading)) as events:
                        async for told in events:
                            yield told
                finally:
                    self.usage = self.turn.usage
                    account(self.request, self.usage)
            for told in self._end(reading.finish_reason):
                yield told
        finally:
            self.store.running.pop((self.key, self.id), None)

    async def _deltas(self, reading: Reading) -> AsyncGenerator[Event, None]:
        async with contextlib.aclosing(reading.deltas()) as deltas:
            async for delta in deltas:
                if isinstance(delta, Drawing):
                    assert self.read.canvas
                    content = await asyncio.to_thread(self.read.canvas.encode, delta.picture)
                    for told in self.output.drawn(encoded(content), delta.last, self.read.canvas.shown()):
                        yield told
                elif not isinstance(delta, Speech):
                    for told in self.output.of(delta):
                        yield told

    def _end(self, finish_reason: str | None) -> list[Event]:
        is_whole = finish_reason in ("stop", "tool_calls")
        told = list(self.output.finish(is_whole))
        if not self.is_cancelled:
            self.status = "completed" if is_whole else "incomplete"
            self.incomplete = None if is_whole else {"reason": "max_output_tokens"}
            self.completed = int(time.time()) if is_whole else None
        self._keep()
        name = "completed" if self.status == "completed" else "incomplete"
        return [*told, {"type": f"response.{name}", "response": self.body()}]

    def _keep(self) -> None:
        if not self.is_kept:
            return
        messages = list(self.read.messages)
        if self.turn:
            parts = self.service.tokenizer.decode(self.turn.ids)
            add(messages, "assistant", [part for part in parts if getattr(part, "finished", True)])
        body = self.body()
        calls = {item["call_id"] for item in body["output"] if item["type"] == "function_call"}
        stored = Stored(
            body, self.read.items, messages, self.read.calls | calls, self.wanted.previous_response_id
        )
        self.store.kept.put(self.key, self.id, stored, _size(body["output"]) + _size(self.read.items))


def usage_of(usage: Usage) -> dict[str, Any]:
    """The counts of ids, as the Responses API names them."""
    total_in, total_out = sum(usage.prompt.values()), sum(usage.reply.values())
    return {
        "input_tokens": total_in,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": total_out,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": total_in + total_out,
    }


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool as the response repeats it: with every member that clients expect."""
    return (
        {"parameters": None, "strict": None, "description": None, **tool}
        if tool["type"] == "function"
        else tool
    )


def _size(value: Any) -> int:
    """About how many characters of text a JSON value holds."""
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else len(value) if isinstance(value, str) else 8
