"""One realtime session: its settings, the items of its conversation, who listens and who speaks. What clients
send is
read in serve/live_events.py, what is sent to them goes to `outlets`.

Two states matter: somebody is speaking (`ear.segment`), and a response of the conversation is being made
(`active`).
While one is, its reply owns the engine's sequence; what a person says meanwhile is kept and handed over
afterwards.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from unisono.serve.realtime.context import Context, as_ids
from unisono.serve.realtime.ear import Ear, SpeechSegment
from unisono.serve.realtime.items import CODEC_RATE, Item, rendered
from unisono.serve.realtime.response import Response
from unisono.serve.realtime.settings import Prepared, SessionSettings, prepared
from unisono.serve.realtime.transcript import Transcript, fault
from unisono.serve.reply.plan import new_id
from unisono.serve.reply.service import Service, Usage
from unisono.serve.wire.errors import ApiError, as_api_error
from unisono.serve.wire.guard import Limits
from unisono.serve.wire.metrics import IDS, SESSIONS
from unisono.serve.wire.sound import to_s16

log = logging.getLogger("unisono.serve")
MAX_ITEMS, MAX_SPARE = 2000, 8
RESERVE = 16  # items that a response may need
MAX_KEPT = (
    120 * CODEC_RATE * 2
)  # bytes of people's sound and pictures that can be retrieved; older ones go: 64 sessions hold 250 MB
ROOM_S = 60.0  # window of the limits


class Outlet(Protocol):
    """Where events go."""

    def put(self, event: dict[str, Any]) -> None:
        """Sends an event; must not wait."""

    def after(self, call: Callable[[], None]) -> None:
        """Calls when all events so far are on their way."""

    def forget(self, response_id: str) -> None:
        """Drops the sound of a response that was not sent yet."""

    def end(self) -> None:
        """The session is over."""


class Player(Protocol):
    """What plays a reply's sound at the pace of its hearer: WebRTC's track."""

    rate: int

    def push(self, response: Response, item: Item, pcm: Any) -> None:
        """(N,) more at `rate`."""

    def end(self, response: Response) -> None:
        """Nothing follows."""

    def clear(self) -> list[tuple[str, Item, float]]:
        """Falls silent -> response, item, and how many ms of it were played, of all that were playing or
        waiting.
        """


class Live:
    """A session from `open` to `close`."""

    def __init__(self, service: Service, session: SessionSettings, *, key: str, limits: Limits) -> None:
        self.service, self.key, self.limits = service, key, limits
        self.first_session = session
        self.settings: Prepared
        self.conversation_id = new_id("conv_")
        self.items: list[Item] = []
        self.context, self.ear = Context(service), Ear(self)
        self.active: Response | None = None
        self.spare: set[Response] = set()
        self.owed: dict[str, float] | None = None  # a response to be made when the active one is over
        self.is_stale = True  # the context does not hold what the conversation is
        self.has_spoken = False
        self.outlets: list[Outlet] = []
        self.player: Player | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.idle: asyncio.TimerHandle | None = None
        self.is_model_open = False  # nobody has named a model yet
        self.is_closed = False
        self.lock = asyncio.Lock()  # one thing after the other, whoever asks for it

    async def open(self, rate: int | None = None) -> None:
        """Begins; `rate`: of the sound that will arrive, where it is not that of the format."""
        self.settings = await prepared(self.service, self.first_session)
        self.ear.configure(self.settings.session["audio"]["input"], rate)
        SESSIONS.inc()

    async def close(self) -> None:
        """Ends everything; nothing of it is kept."""
        if self.is_closed:
            return
        self.is_closed = True
        outlets, self.outlets = self.outlets, []
        for outlet in outlets:
            outlet.end()
        SESSIONS.dec()
        self._wait_no_more()
        running = [
            *self.tasks,
            *(response.task for response in (self.active, *self.spare) if response and response.task),
        ]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        try:
            await self.context.close()
        except Exception as error:  # the engine has stopped and took everything with it
            log.debug("context not closed", exc_info=error)

    # ---- telling ----

    def emit(self, type: str, **members: Any) -> None:
        """Sends an event to all who listen."""
        event = {"type": type, "event_id": new_id("event_"), **members}
        for outlet in self.outlets:
            outlet.put(event)

    def after_sent(self, call: Callable[[], None]) -> None:
        """Calls when everything so far has been sent."""
        if self.outlets:
            self.outlets[0].after(call)

    def fail(self, error: Exception, event_id: str | None = None) -> None:
        """Tells of an error; the session goes on."""
        found = as_api_error(error)
        if found.status >= 500 and not isinstance(error, ApiError):
            log.error("realtime event failed", exc_info=error)
        kind = "server_error" if found.status >= 500 else "invalid_request_error"
        self.emit(
            "error",
            error={
                "type": kind,
                "code": found.code or kind,
                "message": found.message,
                "param": found.param,
                "event_id": event_id,
            },
        )

    def rate_limits(self) -> list[dict[str, Any]]:
        """What the key may still use in this minute; nothing where there are no limits."""
        now, told = time.monotonic(), []
        counts = {
            "requests": (self.limits.settings.requests_per_minute, len(self.limits.requests[self.key])),
            "tokens": (
                self.limits.settings.tokens_per_minute,
                sum(count for at, count in self.limits.tokens[self.key] if at > now - ROOM_S),
            ),
        }
        for name, (limit, used) in counts.items():
            if limit:
                told.append(
                    {"name": name, "limit": limit, "remaining": max(0, limit - used), "reset_seconds": ROOM_S}
                )
        return told

    def account(self, usage: Usage) -> None:
        """Counts what a reply took."""
        self.limits.use(self.key, sum(usage.prompt.values()) + sum(usage.reply.values()))
        for direction, counts in (("in", usage.prompt), ("out", usage.reply)):
            for modality, count in counts.items():
                IDS.labels(modality, direction).inc(count)

    # ---- items ----

    def find(self, id: object, param: str = "item_id", code: str = "item_not_found") -> Item:
        """The item of this name."""
        for item in self.items:
            if item.id == id:
                return item
        raise ApiError(f"There is no item {str(id)[:40]!r} in this conversation.", 400, param, code)

    def before(self, item: Item) -> str | None:
        """The name of the item before."""
        place = self.items.index(item)
        return self.items[place - 1].id if place else None

    def add(self, item: Item, place: int | None = None) -> None:
        """Puts an item into the conversation and tells of it."""
        if len(self.items) >= MAX_ITEMS:
            raise ApiError(
                f"A conversation holds {MAX_ITEMS} items; delete some.", 400, None, "too_many_items"
            )
        self.items.insert(len(self.items) if place is None else place, item)
        self.is_stale = True
        self.emit("conversation.item.added", previous_item_id=self.before(item), item=item.shown())
        kept = 0
        for old in reversed(self.items):
            kept += len(old.sound or b"") + sum(len(part.get("image_url") or "") for part in old.content)
            if kept > MAX_KEPT:
                old.sound = None
                for part in old.content:
                    part.pop("image_url", None)

    def done(self, item: Item) -> None:
        """Tells that an item is whole."""
        if item in self.items:
            self.emit("conversation.item.done", previous_item_id=self.before(item), item=item.shown())

    def settled(self) -> list[Item]:
        """What the network is told of."""
        return [item for item in self.items if item.status != "in_progress"]

    # ---- listening (serve/live_input.py calls) ----

    @property
    def detection(self) -> dict[str, Any]:
        """turn_detection, or none of it."""
        return self.settings.session["audio"]["input"]["turn_detection"] or {
            "create_response": False,
            "interrupt_response": False,
        }

    @property
    def is_transcribing(self) -> bool:
        """Whether this session only writes down."""
        return self.settings.session["type"] == "transcription"

    async def heard_start(self, segment: SpeechSegment, start: int) -> None:
        """Somebody began to speak: whoever speaks here falls silent."""
        self._wait_no_more()
        self.emit(
            "input_audio_buffer.speech_started",
            audio_start_ms=start * 1000 // CODEC_RATE,
            item_id=segment.item_id,
        )
        if self.detection["interrupt_response"]:
            await self.interrupt("turn_detected")

    async def interrupt(self, reason: str) -> None:
        """Cuts off the reply that is made or still played; the context keeps what was heard."""
        heard = self.player.clear() if self.player else []
        for response_id in dict.fromkeys(response_id for response_id, _, _ in heard):
            self.emit("output_audio_buffer.cleared", response_id=response_id)
        if self.active and not self.active.is_over:
            for outlet in self.outlets:
                outlet.forget(self.active.id)
            await self.active.interrupt(reason)
        for _, item, heard_ms in heard:
            if item.said is not None and item in self.items:
                self.truncate(item, min(heard_ms, item.length_ms))

    def truncate(self, item: Item, end_ms: float) -> None:
        """Keeps what was heard of a spoken item."""
        item.hear(self.service.vocab, end_ms)
        item.write(self.service)
        self.is_stale = True
        self.emit("conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=int(end_ms))

    async def heard_codes(self, segment: SpeechSegment, new: list[int], asks: bool) -> float:
        """The network hears while the person speaks -> how probable the end is, where asked."""
        if self.active or self.is_transcribing and not asks:
            segment.is_held = False
            return 0.0
        vocab = self.service.vocab
        end = vocab.id("<|end_audio|>") if asks else None
        if segment.is_held and not self.is_stale and self.context.room >= len(new):
            return await self.context.listen(as_ids(new, vocab), end)
        spoken = Item(
            segment.item_id,
            "message",
            "user",
            body=[vocab.id("<|begin_audio|>"), *as_ids(segment.codes, vocab)],
        )
        try:
            ids = (
                rendered(vocab, [spoken])
                if self.is_transcribing
                else self.context.prompt(self.settings, [*self.settled(), spoken])
            )[:-1]
        except ApiError:
            return 0.0  # it is told when the response is to be made
        await self.context.hold(ids[: -len(new)], is_fed=True)
        segment.is_held, self.is_stale = True, False
        return await self.context.listen(ids[-len(new) :], end)

    async def heard_end(self, segment: SpeechSegment) -> None:
        """Somebody has finished: the turn is taken, and answered."""
        assert self.ear.turns
        times = {"spoken": self.ear.moment(self.ear.turns.end), "detected": time.perf_counter()}
        self.emit(
            "input_audio_buffer.speech_stopped",
            audio_end_ms=self.ear.framed * 1000 // CODEC_RATE,
            item_id=segment.item_id,
        )
        await self.commit(is_whole=False, times=times)

    async def commit(self, *, is_whole: bool = True, times: dict[str, float] | None = None) -> None:
        """Makes the buffer an item; with `times`, of a turn that was detected, it is answered."""
        segment, pcm = await self.ear.take(is_whole=is_whole)
        vocab = self.service.vocab
        body = [vocab.id("<|begin_audio|>"), *as_ids(segment.codes, vocab), vocab.id("<|end_audio|>")]
        item = Item(
            segment.item_id,
            "message",
            "user",
            content=[{"type": "input_audio", "transcript": None}],
            body=body,
            codes=np.array(segment.codes, np.int64),
            sound=to_s16(pcm),
        )
        self.emit(
            "input_audio_buffer.committed",
            item_id=item.id,
            previous_item_id=self.items[-1].id if self.items else None,
        )
        self.add(item)
        self.done(item)
        answers = times is not None and self.detection["create_response"] and not self.is_transcribing
        if answers and self.active and not self.active.is_over:
            self.owed = times
        elif answers:
            try:
                await self.respond(times=times)
            except ApiError as error:
                self.fail(error)
        if self.settings.session["audio"]["input"]["transcription"]:
            self.spawn(self._transcribe(item))

    async def _transcribe(self, item: Item) -> None:
        """Writes down what was said, after the answer to it has begun: that is waited for, this is not."""
        if self.active:
            await self.active.first_sound.wait()
        include = self.settings.session.get("include") or []
        transcript, kind = (
            Transcript(self.service, item, bool(include)),
            "conversation.item.input_audio_transcription",
        )
        place = {"item_id": item.id, "content_index": 0}
        try:
            async for words, logprobs in transcript:
                self.emit(
                    f"{kind}.delta", **place, delta=words, **({"logprobs": logprobs} if include else {})
                )
        except Exception as error:
            self.emit(f"{kind}.failed", **place, error=fault(error))
            return
        finally:
            self.account(transcript.usage)
        text = transcript.text.strip()
        item.content[0]["transcript"] = text
        self.emit(
            f"{kind}.completed",
            **place,
            transcript=text,
            usage=transcript.shown_usage,
            **({"logprobs": transcript.logprobs} if include else {}),
        )

    def spawn(self, work: Any) -> None:
        """Does something beside."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # ---- speaking ----

    async def respond(
        self,
        settings: Prepared | None = None,
        items: Sequence[Item] | None = None,
        *,
        is_spare: bool = False,
        metadata: Any = None,
        times: dict[str, float] | None = None,
    ) -> None:
        """Begins a response; ApiError where none can be made. `items`: instead of the conversation's;
        `is_spare`: not part of it.
        """
        while self.active and not is_spare:
            if not self.active.is_over or self.active.task is asyncio.current_task():
                raise ApiError(
                    "Conversation already has an active response; wait for response.done, or cancel it.",
                    400,
                    None,
                    "conversation_already_has_active_response",
                )
            assert self.active.task
            await asyncio.gather(self.active.task, return_exceptions=True)
        if is_spare and len(self.spare) >= MAX_SPARE:
            raise ApiError(
                f"At most {MAX_SPARE} responses beside the conversation at once.",
                429,
                None,
                "rate_limit_exceeded",
            )
        if not is_spare and len(self.items) > MAX_ITEMS - RESERVE:
            raise ApiError(
                f"A conversation holds {MAX_ITEMS} items; delete some.", 400, None, "too_many_items"
            )
        self.limits.check(self.key)
        self._wait_no_more()
        settings = settings or self.settings
        assistant = [self.service.vocab.id("<|assistant|>")]
        ids = self.context.prompt(
            settings,
            self.settled() if items is None else items,
            assistant,
            is_own=items is None,
            is_lasting=items is None and settings is self.settings and not is_spare,
        )
        response = Response(
            self, settings, ids, is_spare=is_spare, is_apart=items is not None, metadata=metadata
        )
        if is_spare:
            self.spare.add(response)
        else:
            self.active, self.has_spoken = response, self.has_spoken or settings.is_spoken
        response.begin(times)

    async def response_ended(self, response: Response) -> None:
        """A response gave the engine's sequence back."""
        self.spare.discard(response)
        if self.active is not response:
            return
        self.active, self.is_stale = None, True
        if not response.is_apart and self.context.session:
            self.context.keep(self.context.session.length)
        owed, self.owed = self.owed, None
        if self.is_closed:
            return
        if owed is not None:
            try:
                await self.respond(times=owed)
            except ApiError as error:
                self.fail(error)
        elif response.status == "completed":
            self._wait_for_words(response)

    def _wait_for_words(self, response: Response) -> None:
        """idle_timeout_ms: if nobody says anything after the reply was heard, the network goes on."""
        if (limit := self.detection.get("idle_timeout_ms")) and not self.ear.segment:
            playing = (
                response.voice.num_samples / response.voice.rate
                - (time.perf_counter() - response.voice.began)
                if response.voice and response.voice.began
                else 0
            )
            self.idle = asyncio.get_running_loop().call_later(
                max(0.0, playing) + limit / 1000, lambda: self.spawn(self._go_on(limit))
            )

    def _wait_no_more(self) -> None:
        if self.idle:
            self.idle.cancel()
            self.idle = None

    async def _go_on(self, limit: int) -> None:
        async with self.lock:
            await self._break_silence(limit)

    async def _break_silence(self, limit: int) -> None:
        if self.ear.segment or self.active:
            return
        end = self.ear.tape.end
        segment = self.ear.segment = self.ear.new_segment()
        self.emit(
            "input_audio_buffer.timeout_triggered",
            audio_start_ms=max(0, end * 1000 // CODEC_RATE - limit),
            audio_end_ms=end * 1000 // CODEC_RATE,
            item_id=segment.item_id,
        )
        try:
            if (end - self.ear.begin) * 10 >= CODEC_RATE:
                await self.commit()
            self.ear.segment = None
            await self.respond()
        except ApiError as error:
            self.fail(error)
