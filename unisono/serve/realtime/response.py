"""One response of a realtime session: the network's reply as events, in their order, and what remains of it
when it is cut off.

The levels are response > output item > content part > deltas. `close` closes whatever is open at once,
without waiting
for anything; nothing of the response is sent after it.
"""

import asyncio
import base64
import contextlib
import io
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unisono.engine.session import Session
from unisono.serve.realtime.items import CODEC_RATE, Item, item_id, pieces
from unisono.serve.realtime.settings import Prepared
from unisono.serve.reply.plan import new_id
from unisono.serve.reply.reading import CallBegins, CallEnds, CallGrows, Delta, Reading, Said
from unisono.serve.reply.service import Drawing, Speech, Trace, Turn, Usage
from unisono.serve.wire.errors import ApiError, as_api_error
from unisono.serve.wire.metrics import FIRST_SOUND
from unisono.serve.wire.resample import PromptResampler
from unisono.serve.wire.sound import Stretcher, rate_of, to_wire

if TYPE_CHECKING:
    from unisono.serve.realtime.session import Live

log = logging.getLogger("unisono.serve")
MAX_ROWS = 16  # ids told at once to who asked for them
# The voice was learned with 60 ms of silence before each sentence; nobody has to wait for that before the
# first one.
AUDIBLE, MAX_SKIPPED, KEPT_BEFORE = 0.005, CODEC_RATE // 10, CODEC_RATE // 200


class SpokenOutput:
    """The sound of one response on its way out: rate, speed and format of the wire."""

    def __init__(self, response: "Response") -> None:
        output = response.settings.session["audio"]["output"]
        self.response, self.format, self.speed = response, output["format"], output["speed"]
        self.player = response.live.player
        self.rate = self.player.rate if self.player else rate_of(self.format)
        self.resample, self.stretch = PromptResampler(CODEC_RATE, self.rate), Stretcher(self.rate, self.speed)
        self.num_samples, self.began = 0, 0.0
        self.num_skipped, self.is_audible = 0, False

    def push(self, item: Item, pcm: NDArray[np.float32], last: bool = False) -> None:
        """(N,) at 16 kHz, sent at once."""
        if not self.is_audible and len(pcm):
            pcm = self._audible(pcm)
        made = self.stretch.push(self.resample.push(pcm, last), last)
        if not len(made):
            return
        self.began = self.began or time.perf_counter()
        self.num_samples += len(made)
        if self.player:
            self.player.push(self.response, item, made)
        else:
            self.response.emit(
                "response.output_audio.delta",
                **self.response.place,
                delta=base64.b64encode(to_wire(made, self.format)).decode(),
            )

    def _audible(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """From where the voice begins."""
        loud = np.flatnonzero(np.abs(pcm) > AUDIBLE)
        begin = min(
            max(0, int(loud[0]) - KEPT_BEFORE) if len(loud) else len(pcm), MAX_SKIPPED - self.num_skipped
        )
        self.num_skipped += begin
        self.is_audible = begin < len(pcm)
        return pcm[begin:]

    @property
    def heard_ms(self) -> float:
        """How much can have been heard by now where it is played as it comes."""
        return (
            min(self.num_samples / self.rate, time.perf_counter() - self.began) * 1000 if self.began else 0.0
        )


class Response:
    """From `begin` to its end; `live.active` while it is the one of the conversation."""

    def __init__(
        self,
        live: "Live",
        settings: Prepared,
        ids: Sequence[int],
        *,
        is_spare: bool = False,
        is_apart: bool = False,
        metadata: Any = None,
    ) -> None:
        self.live, self.settings, self.ids, self.metadata = live, settings, list(ids), metadata
        self.is_spare = is_spare  # not part of the conversation
        self.is_apart = is_apart or is_spare  # made in a sequence of its own
        self.id = new_id("resp_")
        self.status, self.details = "in_progress", None
        self.output: list[Item] = []
        self.message: Item | None = None  # the one that is open
        self.call: Item | None = None
        self.turn: Turn | None = None
        self.branch: Session | None = None
        self.usage: dict[str, Any] | None = None
        self.voice = SpokenOutput(self) if settings.is_spoken else None
        self.rows: list[Any] = []
        self.times: dict[str, float] = {}  # of this turn: when its steps were done
        self.task: asyncio.Task[None] | None = None
        self.is_begun = False  # the task runs; one that is cancelled before would not even clean up
        self.first_sound = asyncio.Event()  # or the end, where there is none

    @property
    def is_over(self) -> bool:
        """Whether its last event was sent."""
        return self.status != "in_progress"

    def begin(self, times: dict[str, float] | None = None) -> None:
        """Tells of it, and makes it in a task of its own."""
        self.times = dict(times or {})
        self.emit("response.created", response=self.shown())
        self.live.emit("rate_limits.updated", rate_limits=self.live.rate_limits())
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
            "conversation_id": None if self.is_spare else self.live.conversation_id,
            "output_modalities": session["output_modalities"],
            "max_output_tokens": session["max_output_tokens"],
            "audio": {"output": {"format": output["format"], "voice": output["voice"]}},
            "usage": self.usage,
            "metadata": self.metadata,
        }

    def emit(self, type: str, **members: Any) -> None:
        """Sends an event of this response."""
        self.live.emit(type, **({} if "response" in members else {"response_id": self.id}), **members)

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
                session, cached = await self.live.context.branch(self.ids)
                self.branch = session
            else:
                cached = await self.live.context.hold(self.ids)
                assert self.live.context.session is not None
                session = self.live.context.session
            self.turn = await self.live.service.reply_in(
                session, self.settings.plan().spec(self.live.service), cached
            )
            self._time("fed")
            reading = Reading(self.turn)
            async with contextlib.aclosing(reading.deltas()) as deltas:  # type: ignore[type-var]
                async for delta in deltas:
                    if self.is_over:
                        break
                    self._tell(delta)
            if reading.finish_reason == "length":
                self.close("incomplete", "max_output_tokens")
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
                await self.live.service.scheduler.call(self.branch.close)
        self.first_sound.set()
        await self.live.response_ended(self)

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
            self._time("text")
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
            file = io.BytesIO()
            delta.picture.save(file, "PNG")
            self.emit("unisono.image", b64_json=base64.b64encode(file.getvalue()).decode(), last=delta.last)
        elif isinstance(delta, CallBegins | CallGrows | CallEnds):
            self._tell_call(delta)

    def _tell_rows(self) -> None:
        if self.rows:
            rows, self.rows = self.rows, []
            self.emit("unisono.ids", ids=rows)

    def _time(self, step: str) -> None:
        self.times.setdefault(step, time.perf_counter())

    def _heard_first(self) -> None:
        """Records how long the person waited, step by step."""
        if self.first_sound.is_set():
            return
        self.first_sound.set()
        if self.turn and self.turn.first_audio:
            self.times["codes"] = self.turn.first_audio
        self._time("decoded")
        if "spoken" in self.times:
            self.live.after_sent(self._sent)

    def _sent(self) -> None:
        self._time("wire")
        start = self.times["spoken"]
        FIRST_SOUND.observe(self.times["wire"] - start)
        log.info(
            "turn",
            extra={
                "fields": {
                    "response": self.id,
                    **{f"{step}_ms": round((at - start) * 1000, 1) for step, at in self.times.items()},
                }
            },
        )

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
            speed=self.voice.speed if self.voice else 1.0,
        )
        self._add(item)
        item.content = [part]
        self.emit("response.content_part.added", **self.place, part=_part(part))
        return item

    def _add(self, item: Item) -> None:
        self.output.append(item)
        self.emit("response.output_item.added", output_index=len(self.output) - 1, item=item.shown())
        if not self.is_spare:
            self.live.add(item)

    def _close_message(self, status: str) -> None:
        if (
            not (item := self.message) or not item.content
        ):  # without content it did not become an item of the conversation
            return
        if self.voice:
            self.voice.push(item, np.zeros(0, np.float32), last=True)
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
            self.live.done(item)
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
            self.voice.resample = PromptResampler(CODEC_RATE, CODEC_RATE)  # what is still within is not sent
            self.voice.stretch = Stretcher(CODEC_RATE, 1.0)
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
            self.voice.player.end(self)

    def _fault(self, error: Exception) -> dict[str, Any]:
        found: ApiError = as_api_error(error)
        if found.status >= 500:
            log.error("response failed", exc_info=error)
        return {"type": found.type, "code": found.code or found.type, "message": found.message}

    def _settle(self, status: str) -> None:
        """Gives each item its ids, for the turns to come."""
        vocab = self.live.service.vocab
        made = list(pieces(vocab, self.turn.ids)) if self.turn else []
        calls = [ids for kind, ids in made if kind == "call"]
        for item in self.output:
            if item.kind == "function_call":
                item.body = calls.pop(0) if calls else []
                continue
            item.body = [id for kind, ids in made if kind != "call" for id in ids]
            if self.voice:
                item.said, item.frames = item.body, sum(len(ids) - 2 for kind, ids in made if kind == "audio")
                item.skipped_ms = self.voice.num_skipped * 1000 / CODEC_RATE
                if status == "cancelled" and not self.voice.player:
                    item.hear(vocab, self.voice.heard_ms)

    def _count(self) -> dict[str, Any]:
        usage = self.turn.usage if self.turn else Usage()
        self.live.account(usage)
        given, made = usage.prompt, usage.reply
        total_in, total_out = sum(given.values()), sum(made.values())
        cached = self.live.service.count(self.ids[: usage.cached])
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
