"""A reply in the making: the ids that the engine chooses, told as words, sound, drawings and calls."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unisono.engine.sample import probabilities
from unisono.engine.session import Session
from unisono.provenance.watermark import Watermark
from unisono.serve.reply.events import Calling, Drawing, Event, ReplySpec, Speech, Usage, Words
from unisono.serve.reply.network import Network
from unisono.serve.reply.scheduler import Generation
from unisono.speakers.guard import Watch
from unisono.tokenizer import AudioDelta, CallDelta, ImageDelta, TextDelta

FIRST_CODES = 4  # decoded at once: 80 ms of sound, so that a voice begins soon
MAX_CODES = 25  # decoded at once later: whatever is there, up to 0.5 s


class Turn:
    """A reply in the making: iterate it for events; then `finish_reason` (stop, length, interrupted, or
    content_filter where the voice guard cut it), `usage`, `ids`.
    """

    def __init__(
        self,
        service: Network,
        session: Session,
        generation: Generation,
        spec: ReplySpec,
        cached: int,
        owns: bool,
        watch: Watch | None = None,
    ) -> None:
        self.service, self.session, self.generation = service, session, generation
        self.spec, self.owns = spec, owns
        self.sound = _Sound(service, generation, spec, watch)
        self.start = generation.reply.start  # ids before the reply
        self.usage = Usage(service.count(session.ids[: self.start]), cached)
        self.ids: list[int] = []
        self.first_audio = 0.0  # when the first code of sound came, by perf_counter

    @property
    def finish_reason(self) -> str | None:
        return "content_filter" if self.sound.is_foreign else self.generation.reply.finish_reason

    async def __aiter__(self) -> AsyncGenerator[Event, None]:
        service, text, tokens = self.service, "", []
        events, sound = service.tokenizer.stream(), self.sound
        try:
            async for id, logits in self.generation:
                self.ids.append(id)
                modality = service.modality(id)
                self.usage.reply[modality] += 1
                is_thought = events.mode == "thought"
                self.usage.reasoning += is_thought
                if modality == "audio" and not self.first_audio:
                    self.first_audio = time.perf_counter()
                if (
                    self.spec.top_logprobs is not None
                    and logits is not None
                    and modality == "text"
                    and not is_thought
                    and service.vocab.modality(id) == "text"
                ):
                    tokens.append(_logprobs(logits, id, self.spec.top_logprobs or 0))
                if self.spec.trace and logits is not None:
                    yield service.trace(id, logits, is_thought)
                for event in events.push(id):
                    if isinstance(event, TextDelta):
                        text += event.text
                        continue
                    if text:
                        yield Words(text, tuple(tokens))
                        text, tokens = "", []
                    if isinstance(event, CallDelta):
                        async for speech in sound.flush():  # what was said before the call is told before it
                            yield speech
                        yield Calling(event.text, event.last)
                        tokens = []
                    elif isinstance(event, AudioDelta):
                        async for speech in sound.push(event):
                            yield speech
                    elif isinstance(event, ImageDelta) and (event.last or self._is_shown(len(event.codes))):
                        yield Drawing(
                            await service.codec(service.tokenizer.to_picture, event.codes), event.last
                        )
                if sound.is_foreign:
                    break
                if text and self.generation.queue.empty():  # words that came together are told together
                    yield Words(text, tuple(tokens))
                    text, tokens = "", []
            if text:
                yield Words(text, tuple(tokens))
            async for speech in sound.flush():
                yield speech
        finally:
            await asyncio.shield(self.end())

    def _is_shown(self, num_codes: int) -> bool:
        """Whether the drawing is worth decoding now: each costs as much as the finished one."""
        size, sketches = self.service.tokenizer.image_codec.grid_size**2, self.spec.sketches
        return (
            sketches is None
            or (num_codes - 1) * (sketches + 1) // size < num_codes * (sketches + 1) // size < sketches + 1
        )

    async def end(self) -> None:
        """Stops the reply where it still runs, and gives its conversation back where nobody else holds it."""
        await self.generation.stop()
        if self.owns:
            self.owns = False
            await self.generation.scheduler.release(self.session)


class _Sound:
    """The sound of one reply: decodes the codes that are there, many at a time where they come faster than
    they can be decoded.
    """

    def __init__(
        self, service: Network, generation: Generation, spec: ReplySpec, watch: Watch | None
    ) -> None:
        self.service, self.generation, self.watch = service, generation, watch
        self.is_foreign = False  # the voice guard heard another voice: nothing more is told
        self.mark = spec.mark or service.guards.mark(service.sample_rate, spec.speed)
        self.stream = service.decoder_stream(service.voice(spec.voice))
        self.codes: list[NDArray[np.int64]] = []
        self.is_first = True

    async def push(self, event: AudioDelta) -> AsyncIterator[Speech]:
        """Takes a code, or the end of a stretch of sound."""
        if event.last:
            yield Speech(np.zeros(0, np.float32), last=True)
            return
        self.codes.append(event.codes)
        count = len(self.codes)
        if count >= MAX_CODES or count >= FIRST_CODES and (self.is_first or self.generation.queue.empty()):
            yield await self._decoded()

    async def flush(self) -> AsyncIterator[Speech]:
        """Decodes the codes that are left."""
        if self.codes and not self.is_foreign:
            yield await self._decoded()
        if self.mark and not self.is_foreign and len(rest := self.mark.flush()):
            yield Speech(rest)

    async def _decoded(self) -> Speech:
        codes, self.codes, self.is_first = np.concatenate(self.codes), [], False
        decoding = self.service.codec(_decode, self.stream, codes, self.mark, self.watch)
        pcm, self.is_foreign = await decoding
        return Speech(pcm)


def _decode(
    stream: Any, codes: NDArray[np.int64], mark: Watermark | None, watch: Watch | None
) -> tuple[NDArray[np.float32], bool]:
    """-> (N,) to be sent, and whether the reply must be cut before it."""
    pcm: NDArray[np.float32] = stream.push(torch.from_numpy(codes)).numpy()
    if watch and watch.push(pcm):
        return np.zeros(0, np.float32), True
    return mark.push(pcm) if mark else pcm, False


def _logprobs(
    logits: NDArray[np.float32], id: int, count: int
) -> tuple[int, float, tuple[tuple[int, float], ...]]:
    """Natural logarithms of the probability of the id and of the `count` likeliest."""
    logs = np.log(np.maximum(probabilities(logits), 1e-45))
    best = np.argsort(-logs, kind="stable")[:count]
    return id, float(logs[id]), tuple((int(other), float(logs[other])) for other in best)
