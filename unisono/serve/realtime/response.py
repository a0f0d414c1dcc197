"""One response of a realtime session: the network's reply as events, in their order, and what remains of it
when it is cut off.

The levels are response > output item > content part > deltas. `close` closes whatever is open at once,
without waiting for anything; nothing of the response is sent after it.
"""

import asyncio
import base64
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from unisono.engine.session import Session
from unisono.serve.realtime.account import Account
from unisono.serve.realtime.context import Context
from unisono.serve.realtime.conversation import Conversation
from unisono.serve.realtime.events import Events
from unisono.serve.realtime.items import Item, Piece, Voiced, item_id, pieces
from unisono.serve.realtime.settings import Prepared
from unisono.serve.realtime.spoken_output import SpokenOutput
from unisono.serve.realtime.turn_times import TurnTimes
from unisono.serve.reply.events import Drawing, Speech, Trace, Usage
from unisono.serve.reply.guards import Guards
from unisono.serve.reply.plan import new_id
from unisono.serve.reply.reading import CallBegins, CallEnds, CallGrows, Delta, Reading, Said
from unisono.serve.reply.service import Service
from unisono.serve.reply.turn import Turn
from unisono.serve.wire.errors import ApiError, as_api_error

log = logging.getLogger("unisono.serve")
MAX_ROWS = 16  # ids told at once to who asked for them


class Host(Protocol):
    """The session in which a response is made."""

    service: Service
    events: Events
    conversation: Conversation
    context: Context
    account: Account

    async def response_ended(self, response: "Response") -> None:
        """The response has given back what it used."""


class Response:
    """From `begin` to its end."""

    def __init__(
        self,
        host: Host,
        settings: Prepared,
        ids: Sequence[int],
        *,
        is_spare: bool = False,
        is_apart: bool = False,
        metadata: Any = None,
    ) -> None:
        self.host, self.settings, self.ids, self.metadata = host, settings, list(ids), metadata
        self.is_spare = is_spare  # not part of the conversation
        self.is_apart = is_apart or is_spare  # made in a sequence of its own
        self.id = new_id("resp_")
        self.status = "in_progress"
        self.details: dict[str, Any] | None = None
        self.output: list[Item] = []
        self.message: Item | None = None  # the one that is open
        self.call: Item | None = None
        self.turn: Turn | None = None
        self.branch: Session | None = None
        self.usage: dict[str, Any] | None = None
        self.voice = self._voice() if settings.is_spoken else None
        self.rows: list[Any] = []
        self.times = TurnTimes(self.id, host.events)
        self.task: asyncio.Task[None] | None = None
        self.is_begun = False  # the task runs; one that is cancelled before would not even clean up
        self.first_sound = asyncio.Event()  # or the end, where there is none

    def _voice(self) -> SpokenOutput:
        def send(sound: str) -> None:
            self.emit("response.output_audio.delta", **self.place, delta=sound)

        output, rate = self.settings.session["audio"]["output"], self.host.service.sample_rate
        return SpokenOutput(output, rate, self.id, self.host.events.player, send)

    @property
    def is_over(self) -> bool:
        """Whether its last event was sent."""
        return self.status != "in_progress"

    def begin(self, times: dict[str, float] | None = None) -> None:
        """Tells of it, and makes it in a task of its own."""
        self.times.start(times)
        self.emit("response.created", response=self.shown())
        self.host.events.emit("rate_limits.updated", rate_limits=self.host.account.rate_limits())
        self.task = asyncio.create_task(self._run())

    def shown(self) -> dict[str, Any]:
        """As events show it."""
        session = self.settings.session
        output = session["audio"]["output"]
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": self.details,
            "output": [item.shown() for item in self.output],
            "conversation_id": None if self.is_spare else self.host.conversation.id,
            "output_modalities": session["output_modalities"],
            "max_output_tokens": session["max_output_tokens"],
            "audio": {"output": {"format": output["format"], "voice": output["voice"]}},
            "usage": self.usage,
            "metadata": self.metadata,
        }

    def emit(self, type: str, **members: Any) -> None:
        """Sends an event of this response."""
        self.host.events.emit(type, **({} if "response" in members else {"response_id": self.id}), **members)

    @property
    def place(self) -> dict[str, Any]:
        """Where the next delta belongs."""
        item = self.message or self.call
        assert item is not None
        where = {"item_id": item.id, "output_index": self.output.index(item)}
        return {**where, "content_index": 0} if item is self.message else where

    # ---- the reply ----

    async def _run(self) -> None:
        self.is_begun = True
        try:
            if self.is_over:  # cut off before it began
                return
            if self.is_apart:
                session, cached = await self.host.context.branch(self.ids)
                self.branch = session
            else:
                cached = await self.host.context.hold(self.ids)
                assert self.host.context.session is not None
                session = self.host.context.session
            self.turn = await self.host.service.reply_in(
                session, self.settings.plan().spec(self.host.service), cached
            )
            self.times.step("fed")
            reading = Reading(self.turn)
            async with contextlib.aclosing(reading.deltas()) as deltas:  # type: ignore[type-var]
                async for delta in deltas:
                    if self.is_over:
                        break
                    self._tell(delta)
            if reading.finish_reason == "length":
                self.close("incomplete", "max_output_tokens")
            elif reading.finish_reason == "content_filter":
                self.close("incomplete", "content_filter")
            else:
                self.close("completed")
        except Exception as error:
            self.close("failed", error=error)
        finally:
            await asyncio.shield(self._free())

    async def _free(self) -> None:
        """Gives back what the reply used."""
        if self.turn:
            with contextlib.suppress(Exception):  # the engine has stopped: nothing is left to be freed
                await self.turn.end()
        if self.branch:
            with contextlib.suppress(Exception):
                await self.host.service.scheduler.call(self.branch.close)
        self.first_sound.set()
        await self.host.response_ended(self)

    async def interrupt(self, reason: str) -> None:
        """Ends it now: turn_detected or client_cancelled."""
        if self.is_over:
            return
        self.close("cancelled", reason)
        if self.task:
            if self.is_begun:
                self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    def _tell(self, delta: Delta) -> None:
        if isinstance(delta, Trace):
            self.rows.append(delta.row)
            if len(self.rows) < MAX_ROWS:
                return
        self._tell_rows()
        if isinstance(delta, Said) and delta.text:
            message = self._open_message()
            self.times.step("text")
            name = "transcript" if self.voice else "text"
            message.content[0][name] += delta.text
            self.emit(
                "response.output_audio_transcript.delta" if self.voice else "response.output_text.delta",
                **self.place,
                delta=delta.text,
            )
        elif isinstance(delta, Speech) and self.voice and len(delta.pcm):
            message = self._open_message()
            self.voice.push(message, delta.pcm)
            self._heard_first()
        elif isinstance(delta, Drawing):
            self._open_message()
            guards = self.host.service.guards if delta.last else Guards()  # a sketch is not worth signing
            content = base64.b64encode(guards.file_of(delta.picture)).decode()
            self.emit("unisono.image", b64_json=content, last=delta.last)
        elif isinstance(delta, CallBegins | CallGrows | CallEnds):
            self._tell_call(delta)

    def _tell_rows(self) -> None:
        if self.rows:
            rows, self.rows = self.rows, []
            self.emit("unisono.ids", ids=rows)

    def _heard_first(self) -> None:
        """The first sound is there; who waits for it goes on."""
        if self.first_sound.is_set():
            return
        self.first_sound.set()
        if self.turn and self.turn.first_audio:
            self.times.step("codes", self.turn.first_audio)
        self.times.first_sound()

    # ---- levels ----

    def _open_message(self) -> Item:
        if self.message:
            return self.message
        part = (
            {"type": "output_audio", "transcript": ""} if self.voice else {"type": "output_text", "text": ""}
        )
        self.message = item = Item(
            item_id(),
            "message",
            "assistant",
            "in_progress",
            group=self.id,
        )
        self._add(item)
        item.content = [part]
        self.emit("response.content_part.added", **self.place, part=_part(part))
        return item

    def _add(self, item: Item) -> None:
        self.output.append(item)
        self.emit("response.output_item.added", output_index=len(self.output) - 1, item=item.shown())
        if not self.is_spare:
            self.host.conversation.add(item)

    def _close_message(self, status: str) -> None:
        if (
            not (item := self.message) or not item.content
        ):  # without content it did not become an item of the conversation
            return
        if self.voice:
            self.voice.end(item)
            self.emit("response.output_audio.done", **self.place)
            self.emit(
                "response.output_audio_transcript.done",
                **self.place,
                transcript=item.content[0]["transcript"],
            )
        else:
            self.emit("response.output_text.done", **self.place, text=item.content[0]["text"])
        self.emit("response.content_part.done", **self.place, part=_part(item.content[0]))
        self._close_item(item, status)
        self.message = None

    def _close_item(self, item: Item, status: str) -> None:
        item.status = status
        if not self.is_spare:
            self.host.conversation.done(item)
        self.emit("response.output_item.done", output_index=self.output.index(item), item=item.shown())

    def _tell_call(self, delta: CallBegins | CallGrows | CallEnds) -> None:
        if isinstance(delta, CallBegins):
            self._close_message("completed")
            self.call = Item(
                item_id(),
                "function_call",
                "assistant",
                "in_progress",
                group=self.id,
                call={"name": delta.name, "call_id": new_id("call_")[:21], "arguments": ""},
            )
            self._add(self.call)
        elif isinstance(delta, CallGrows) and self.call:
            self.call.call["arguments"] += delta.text
            self.emit(
                "response.function_call_arguments.delta",
                **self.place,
                call_id=self.call.call["call_id"],
                delta=delta.text,
            )
        elif isinstance(delta, CallEnds):
            self._close_call("completed" if delta.is_whole else "incomplete")

    def _close_call(self, status: str) -> None:
        if self.call:
            self.emit("response.function_call_arguments.done", **self.place, **self.call.call)
            self._close_item(self.call, status)
            self.call = None

    def close(self, status: str, reason: str | None = None, error: Exception | None = None) -> None:
        """Ends it for the client: closes every level that is open."""
        if self.is_over:
            return
        item_status = "completed" if status == "completed" else "incomplete"
        if status == "cancelled" and self.voice:
            self.voice.clear()
        self._tell_rows()
        self._settle(status)
        self._close_message(item_status)
        self._close_call(item_status)
        self.status = status
        if status != "completed":
            self.details = {
                "type": status,
                **({"reason": reason} if reason else {}),
                **({"error": self._fault(error)} if error else {}),
            }
        self.usage = self._count()
        self.emit("response.done", response=self.shown())
        if self.voice and self.voice.player:
            self.voice.player.end(self.id)

    def _fault(self, error: Exception) -> dict[str, Any]:
        found: ApiError = as_api_error(error)
        if found.status >= 500:
            log.error("response failed", exc_info=error)
        return {"type": found.type, "code": found.code or found.type, "message": found.message}

    def _settle(self, status: str) -> None:
        """Gives each item its ids, for the turns to come: a message those up to the next call."""
        vocab = self.host.service.vocab
        made = deque(pieces(vocab, self.turn.ids)) if self.turn else deque[Piece]()
        for item in self.output:
            if item.kind == "function_call":
                while made and made[0][0] != "call":  # words that nobody was told, for want of a sound
                    made.popleft()
                item.body = made.popleft()[1] if made else []
                continue
            own = []
            while made and made[0][0] != "call":
                own.append(made.popleft())
            item.body = [id for _, ids in own for id in ids]
            if self.voice:
                self._settle_voice(item, sum(len(ids) - 2 for kind, ids in own if kind == "audio"), status)

    def _settle_voice(self, item: Item, num_frames: int, status: str) -> None:
        """Keeps what was said in a message, and of one that was cut off what was heard."""
        assert self.voice
        codec = self.host.service.tokenizer.audio_codec
        item.voiced = Voiced(
            item.body, num_frames, 1000 / codec.frame_rate, self.voice.skipped_ms(item), self.voice.speed
        )
        if status == "cancelled" and not self.voice.player:
            item.hear(self.host.service.vocab, self.voice.heard_ms(item))
        elif status == "cancelled" and item is self.message:
            item.hear(self.host.service.vocab, 0)  # whoever plays it says how much was heard

    def _count(self) -> dict[str, Any]:
        usage = self.turn.usage if self.turn else Usage()
        self.host.account.use(usage)
        given, made = usage.prompt, usage.reply
        total_in, total_out = sum(given.values()), sum(made.values())
        cached = self.host.service.count(self.ids[: usage.cached])
        return {
            "total_tokens": total_in + total_out,
            "input_tokens": total_in,
            "output_tokens": total_out,
            "input_token_details": {
                **{f"{kind}_tokens": count for kind, count in given.items()},
                "cached_tokens": usage.cached,
                "cached_tokens_details": {f"{kind}_tokens": count for kind, count in cached.items()},
            },
            "output_token_details": {"text_tokens": total_out - made["audio"], "audio_tokens": made["audio"]},
        }


def _part(content: dict[str, Any]) -> dict[str, Any]:
    """Content of an item -> the part that events name: its types lack the output_."""
    return {**content, "type": content["type"].removeprefix("output_")}
