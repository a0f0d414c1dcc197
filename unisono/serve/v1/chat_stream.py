"""The chunks of one choice of a streamed chat completion. Clients join strings and add numbers: ids and names
are told once.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image as Pictures

from unisono.serve.reply.events import Drawing, Speech, Trace
from unisono.serve.reply.guards import Guards
from unisono.serve.reply.plan import logprobs, new_id
from unisono.serve.reply.reading import CallBegins, CallGrows, Delta, Said
from unisono.serve.reply.service import Service
from unisono.serve.wire.requests import encoded
from unisono.serve.wire.sound import API_RATE, Resampler, to_s16

STEP = 6  # bytes: whole samples, and whole groups of base64, so that joined pieces stay base64
EVENT_BYTES = STEP * 800  # bytes of sound in an event but the first: 100 ms


class Chunks:
    """Deltas of a reply -> choices of chunks."""

    def __init__(
        self, service: Service, number: int, wants_logprobs: bool, is_spoken: bool, *, is_legacy: bool = False
    ) -> None:
        self.is_legacy = is_legacy  # calls are told as function_call
        self.service, self.number, self.wants_logprobs, self.is_spoken = (
            service,
            number,
            wants_logprobs,
            is_spoken,
        )
        self.audio_id = ""
        self.traces: list[list[Any]] = []
        self.sound, self.num_pieces = b"", 0
        self.resampler = Resampler(service.sample_rate, API_RATE)

    def first(self) -> dict[str, Any]:
        """Says who speaks."""
        return self._choice({"role": "assistant", "content": None if self.is_spoken else "", "refusal": None})

    def of(self, delta: Delta) -> Iterator[dict[str, Any]]:
        """What a delta is told as."""
        if isinstance(delta, Said):
            if not self.is_spoken:
                yield self._choice({"content": delta.text}, delta.tokens)
                return
            yield from self._begin_audio()
            yield self._choice({"audio": {"transcript": delta.text}}, delta.tokens)
        elif isinstance(delta, Speech):
            yield from self._begin_audio()
            yield from self._sound(
                to_s16(self.resampler.push(delta.pcm)), EVENT_BYTES if self.num_pieces else STEP
            )
        elif isinstance(delta, CallBegins | CallGrows) and self.is_legacy:
            yield self._choice({"function_call": _legacy(delta)})
        elif isinstance(delta, CallBegins):
            call = {
                "index": delta.number,
                "id": new_id("call_"),
                "type": "function",
                "function": {"name": delta.name, "arguments": ""},
            }
            yield self._choice({"tool_calls": [call]})
        elif isinstance(delta, CallGrows):
            yield self._choice(
                {"tool_calls": [{"index": delta.number, "function": {"arguments": delta.text}}]}
            )
        elif isinstance(delta, Drawing):
            guards = self.service.guards if delta.last else Guards()  # a sketch is not worth signing
            yield self._choice(
                {"images": [{**shown_picture(guards, delta.picture), "partial": not delta.last}]}
            )
        elif isinstance(delta, Trace):
            self.traces.append(delta.row)  # goes with what comes next

    def last(self, finish_reason: str | None, expires_at: int | None) -> Iterator[dict[str, Any]]:
        """The rest of the sound, why the reply ended, and until when it can be referred to."""
        if self.audio_id:
            rest = self.resampler.push(np.zeros(0, np.float32), last=True)
            yield from self._sound(to_s16(rest), 1)
        yield {**self._choice({}), "finish_reason": finish_reason}
        if expires_at is not None:
            yield self._choice({"audio": {"expires_at": expires_at}})

    def _begin_audio(self) -> Iterator[dict[str, Any]]:
        if not self.audio_id:
            self.audio_id = new_id("audio_")
            yield self._choice({"audio": {"id": self.audio_id}})

    def _sound(self, news: bytes, least: int) -> Iterator[dict[str, Any]]:
        """Sends what is there, in whole steps, once it is at least `least` bytes; least 1: all of it."""
        self.sound += news
        if self.sound and len(self.sound) >= least:
            size = len(self.sound) if least == 1 else len(self.sound) // STEP * STEP
            piece, self.sound = self.sound[:size], self.sound[size:]
            self.num_pieces += 1
            yield self._choice({"audio": {"data": encoded(piece)}})

    def _choice(self, delta: dict[str, Any], tokens: Any = ()) -> dict[str, Any]:
        shown = (
            {"content": logprobs(self.service, tokens), "refusal": None}
            if self.wants_logprobs and tokens
            else None
        )
        traces, self.traces = self.traces, []
        told = {"unisono": {"ids": traces}} if traces else {}
        return {"index": self.number, "delta": delta, "finish_reason": None, "logprobs": shown, **told}


def _legacy(delta: CallBegins | CallGrows) -> dict[str, Any]:
    """More of a call as it was told before there were tools."""
    if isinstance(delta, CallBegins):
        return {"name": delta.name, "arguments": ""}
    return {"arguments": delta.text}


def shown_picture(guards: Guards, picture: Pictures.Image) -> dict[str, Any]:
    """A drawing as a part of a message, in the form that servers of several models have agreed on; OpenAI's
    chat has none.
    """
    return {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{encoded(guards.file_of(picture))}"},
    }
