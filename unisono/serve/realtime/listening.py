"""The listening half of a realtime session: what the ear hears becomes events, is handed to the network while
it is being said, and becomes an item when the turn ends.
"""

import time
from collections.abc import Coroutine
from typing import Any, Protocol

import numpy as np

from unisono.serve.realtime.account import Account
from unisono.serve.realtime.context import Context, as_ids
from unisono.serve.realtime.conversation import Conversation
from unisono.serve.realtime.ear import MIN_MS, Ear, SpeechSegment
from unisono.serve.realtime.events import Events
from unisono.serve.realtime.items import Item, rendered
from unisono.serve.realtime.response import Response
from unisono.serve.realtime.settings import Prepared
from unisono.serve.realtime.transcript import Transcript, fault
from unisono.serve.reply.service import Service
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.sound import to_s16

Times = dict[str, float]  # when the steps of a turn were done, by perf_counter
NO_DETECTION = {"create_response": False, "interrupt_response": False}


class Host(Protocol):
    """The session that listens."""

    service: Service
    events: Events
    conversation: Conversation
    context: Context
    account: Account
    settings: Prepared
    active: Response | None

    def wait_no_more(self) -> None:
        """Somebody speaks: the silence is over."""

    async def interrupt(self, reason: str) -> None:
        """Cuts off the reply that is made or still played."""

    async def answer(self, times: Times) -> None:
        """Answers a turn, now or when the response that is being made is over."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Does something beside."""


class Listening:
    """Listens to one person."""

    def __init__(self, host: Host) -> None:
        self.host, self.service, self.events = host, host.service, host.events
        self.ear = Ear(self)

    @property
    def detection(self) -> dict[str, Any]:
        """turn_detection, or none of it."""
        found: dict[str, Any] = self.host.settings.session["audio"]["input"]["turn_detection"] or NO_DETECTION
        return found

    # ---- what the ear tells ----

    async def heard_start(self, segment: SpeechSegment, start_ms: int) -> None:
        """Somebody began to speak: whoever speaks here falls silent."""
        self.host.wait_no_more()
        self.events.emit(
            "input_audio_buffer.speech_started", audio_start_ms=start_ms, item_id=segment.item_id
        )
        if self.detection["interrupt_response"]:
            await self.host.interrupt("turn_detected")

    async def heard_codes(self, segment: SpeechSegment, new: list[int], asks: bool) -> float:
        """The network hears while the person speaks -> how probable the end is, where asked."""
        host, vocab, context = self.host, self.service.vocab, self.host.context
        if host.active or host.settings.is_transcribing and not asks:
            return 0.0
        end = vocab.id("<|end_audio|>") if asks else None
        if context.turn is segment and context.room >= len(new):
            return await context.listen(as_ids(new, vocab), end)
        try:
            ids = self._ids_with(segment)
        except ApiError:
            return 0.0  # it is told when the response is to be made
        await context.hold(ids[: -len(new)], is_fed=True, turn=segment)
        return await context.listen(ids[-len(new) :], end)

    def _ids_with(self, segment: SpeechSegment) -> list[int]:
        """The conversation up to what was heard of a turn that is not over; ApiError where it is too long."""
        host, vocab = self.host, self.service.vocab
        body = [vocab.id("<|begin_audio|>"), *as_ids(segment.codes, vocab)]
        spoken = Item(segment.item_id, "message", "user", body=body)
        if host.settings.is_transcribing:
            return rendered(self.service.tokenizer.template, [spoken], is_open=True)
        items = [*host.conversation.settled(), spoken]
        return host.context.prompt(host.settings, items, is_open=True)

    async def heard_end(self, segment: SpeechSegment, end_ms: int, spoken_at: float) -> None:
        """Somebody has finished: the turn is taken, and answered."""
        times = {"spoken": spoken_at, "detected": time.perf_counter()}
        self.events.emit("input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id=segment.item_id)
        item = await self.commit(is_whole=False)
        if self.detection["create_response"] and not self.host.settings.is_transcribing:
            await self.host.answer(times)
        self._write_down(item)

    # ---- what the session tells ----

    async def take_buffer(self) -> None:
        """A client's commit: the buffer becomes an item, and another begins. ApiError where it is too
        small.
        """
        self._write_down(await self.commit(is_last=True))

    async def time_out(self, limit_ms: int) -> None:
        """Nobody spoke for so long: what little was heard becomes an item."""
        segment, end_ms = self.ear.new_segment(), self.ear.end_ms
        self.events.emit(
            "input_audio_buffer.timeout_triggered",
            audio_start_ms=max(0, end_ms - limit_ms),
            audio_end_ms=end_ms,
            item_id=segment.item_id,
        )
        if self.ear.buffer_ms >= MIN_MS:
            self._write_down(await self.commit(segment=segment))

    async def commit(
        self, *, is_whole: bool = True, is_last: bool = False, segment: SpeechSegment | None = None
    ) -> Item:
        """Makes the buffer an item, as `Ear.take` says."""
        segment, pcm = await self.ear.take(is_whole=is_whole, is_last=is_last, segment=segment)
        vocab, conversation = self.service.vocab, self.host.conversation
        body = [vocab.id("<|begin_audio|>"), *as_ids(segment.codes, vocab), vocab.id("<|end_audio|>")]
        item = Item(
            segment.item_id,
            "message",
            "user",
            content=[{"type": "input_audio", "transcript": None}],
            body=body,
            codes=np.array(segment.codes, np.int64),
            sounds={0: to_s16(pcm)},
        )
        last = conversation.items[-1].id if conversation.items else None
        self.events.emit("input_audio_buffer.committed", item_id=item.id, previous_item_id=last)
        conversation.add(item)
        conversation.done(item)
        return item

    def _write_down(self, item: Item) -> None:
        if self.host.settings.session["audio"]["input"]["transcription"]:
            self.host.spawn(self._transcribe(item))

    async def _transcribe(self, item: Item) -> None:
        """Writes down what was said, after the answer to it has begun: that is waited for, this is not."""
        if self.host.active:
            await self.host.active.first_sound.wait()
        include = self.host.settings.session.get("include") or []
        transcript = Transcript(self.service, item, bool(include))
        kind = "conversation.item.input_audio_transcription"
        place = {"item_id": item.id, "content_index": 0}
        try:
            async for words, logprobs in transcript:
                told = {"logprobs": logprobs} if include else {}
                self.events.emit(f"{kind}.delta", **place, delta=words, **told)
        except Exception as error:
            self.events.emit(f"{kind}.failed", **place, error=fault(error))
            return
        finally:
            self.host.account.use(transcript.usage)
        text = transcript.text.strip()
        item.content[0]["transcript"] = text
        told = {"logprobs": transcript.logprobs} if include else {}
        self.events.emit(f"{kind}.completed", **place, transcript=text, usage=transcript.shown_usage, **told)
