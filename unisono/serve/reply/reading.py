"""A reply as it is told to clients: words up to a stop string, calls with their names, sound and drawings as
they come.
"""

import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from unisono.serve.reply.events import Calling, Drawing, Speech, Trace, Words
from unisono.serve.reply.tools import CallReader
from unisono.serve.reply.turn import Turn

Tokens = tuple[Any, ...]


@dataclass(frozen=True)
class Said:
    """More text, and the logprobs of its ids where asked for."""

    text: str
    tokens: Tokens = ()


@dataclass(frozen=True)
class CallBegins:
    """A call has begun and its name is known."""

    number: int
    name: str


@dataclass(frozen=True)
class CallGrows:
    """The next piece of a call's arguments."""

    number: int
    text: str


@dataclass(frozen=True)
class CallEnds:
    """A call has ended; it is not whole where the reply broke off."""

    number: int
    arguments: str
    is_whole: bool


Delta: TypeAlias = Said | CallBegins | CallGrows | CallEnds | Speech | Drawing | Trace


class Stops:
    """Holds text back while it may still become a stop string."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops, self.found = tuple(stops), False
        self.text = ""
        self.tokens: deque[tuple[int, Tokens]] = deque()  # where in `text` they end

    def push(self, text: str, tokens: Tokens = ()) -> Said:
        """-> the text that can no longer become a stop string."""
        self.text += text
        self.tokens.append((len(self.text), tokens))
        places = [place for place in (self.text.find(stop) for stop in self.stops) if place >= 0]
        if places:
            self.found = True
            return self._release(min(places))
        return self._release(len(self.text) - max((self._overlap(stop) for stop in self.stops), default=0))

    def flush(self) -> Said:
        """The text that was held back, once nothing follows."""
        return self._release(0 if self.found else len(self.text))

    def _overlap(self, stop: str) -> int:
        """Letters at the end of the text that a stop string begins with."""
        return next(
            (
                size
                for size in range(min(len(stop) - 1, len(self.text)), 0, -1)
                if self.text.endswith(stop[:size])
            ),
            0,
        )

    def _release(self, length: int) -> Said:
        tokens: list[Any] = []
        while self.tokens and self.tokens[0][0] <= length:
            tokens += self.tokens.popleft()[1]
        released, self.text = self.text[:length], self.text[length:]
        self.tokens = deque((end - length, kept) for end, kept in self.tokens)
        return Said(released, tuple(tokens))


@dataclass
class Called:
    """A call that was made."""

    name: str
    arguments: str
    is_whole: bool


@dataclass
class Reading:
    """Iterate it once to the end, or close it. Afterwards its members hold the whole text and all calls."""

    turn: Turn
    stops: Sequence[str] = ()
    text: str = ""
    tokens: list[Any] = field(default_factory=list)
    calls: list[Called] = field(default_factory=list)
    pcm: list[NDArray[np.float32]] = field(default_factory=list)
    pictures: list[Pictures.Image] = field(default_factory=list)
    finish_reason: str | None = None  # stop, length, tool_calls, interrupted

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """Yields the reply as events for clients. Leaving early ends the reply."""
        held, call, has_spoken = Stops(self.stops), None, False
        async with contextlib.aclosing(aiter(self.turn)) as events:
            async for event in events:
                if isinstance(event, Words):
                    gap = " " if has_spoken and not event.text[0].isspace() else ""
                    has_spoken = False
                    for said in self._said(held.push(gap + event.text, event.tokens)):
                        yield said
                    if held.found:
                        break
                elif isinstance(event, Calling):
                    for said in self._said(held.flush()):
                        yield said
                    call = call or CallReader()
                    for delta in self._called(call, event):
                        yield delta
                    call = None if event.last else call
                elif isinstance(event, Speech):
                    has_spoken = has_spoken or event.last
                    self.pcm.append(event.pcm)
                    yield event
                elif isinstance(event, Drawing | Trace):
                    if isinstance(event, Drawing) and event.last:
                        self.pictures.append(event.picture)
                    yield event
            for said in self._said(held.flush()):
                yield said
            for delta in self._called(call, None) if call else ():
                yield delta
            self._finish(held.found)

    def _finish(self, is_stopped: bool) -> None:
        reason = "stop" if is_stopped else self.turn.finish_reason
        self.finish_reason = "tool_calls" if reason == "stop" and self.calls else reason

    def _said(self, said: Said) -> Iterator[Said]:
        self.text += said.text
        self.tokens += said.tokens
        if said.text or said.tokens:
            yield said

    def _called(self, call: CallReader, event: Calling | None) -> Iterator[Delta]:
        """The call as it is kept. event None: the reply broke off."""
        number, was_told = len(self.calls), bool(call.arguments)
        is_over = event is None or event.last
        pieces = call.push(event.text) if event and not is_over else call.end(event is not None)
        for piece in list(pieces):
            if not was_told:
                yield CallBegins(number, call.name)
                was_told = True
            yield CallGrows(number, piece)
        if is_over and call.name:
            if not was_told:  # it broke off before its first argument
                yield CallBegins(number, call.name)
            self.calls.append(Called(call.name, call.arguments, event is not None))
            yield CallEnds(number, call.arguments, event is not None)
