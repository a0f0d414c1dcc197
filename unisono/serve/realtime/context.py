"""A realtime conversation in the engine: one sequence that is always made to hold what was said, and fed
while people talk.

What both have in common is never computed twice; what turned out otherwise (noise, a reply that was not heard
to its end) is rewound. Nothing here may run while a reply is being made in the sequence.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from unisono.core.errors import UserError
from unisono.engine.sample import probabilities
from unisono.engine.session import Session
from unisono.serve.realtime.ear import SpeechSegment
from unisono.serve.realtime.items import Item, rendered
from unisono.serve.realtime.settings import Prepared
from unisono.serve.reply.events import ReplySpec
from unisono.serve.reply.plan import with_tools
from unisono.serve.reply.scheduler import PREFILL_IDS
from unisono.serve.reply.service import Service
from unisono.serve.wire.errors import ApiError, as_api_error
from unisono.tokens.message import Message, Text
from unisono.tokens.turns import START

KEPT = 0.75  # of what fits, when old items have to go: the next turns then find their past computed
FOR_REPLY = 4  # a quarter of the context is left for the reply


class Context:
    """The sequence of one session."""

    def __init__(self, service: Service) -> None:
        self.service, self.scheduler = service, service.scheduler
        self.session: Session | None = None
        self.computed = 0  # ids that some earlier turn left behind
        self.most = self.scheduler.engine.max_length - self.scheduler.engine.max_length // FOR_REPLY
        # Beyond the rows that it was trained on a network is lost: older items go before that, unless they
        # may not.
        self.usual = min(self.most, service.trained_length - service.trained_length // FOR_REPLY)
        self.dropped: str | None = None  # the last item that is no longer in the context
        # The person's turn at its end; None where the sequence does not hold what the conversation is.
        self.turn: SpeechSegment | None = None

    def prompt(
        self,
        settings: Prepared,
        items: Sequence[Item],
        *,
        begin_reply: bool = False,
        is_open: bool = False,
        is_own: bool = True,
        is_lasting: bool = True,
    ) -> list[int]:
        """The ids of a conversation; the oldest items go where it is too long. ApiError where that may not or
        cannot help.

        `begin_reply`: up to where a reply begins. `is_open`: up to where the last item goes on.
        `is_own`: the session's conversation, whose items may be gone already. `is_lasting`: those that go now
        stay away.
        """
        plan = settings.plan()
        instructions = settings.session["instructions"]
        messages = with_tools(
            [Message("system", [Text(instructions)])] if instructions else [], settings.toolbox
        )
        try:
            spec = ReplySpec(outputs=plan.outputs, voice=plan.voice)
            head = self.service.prompt(messages, spec, begin_reply=False)
        except UserError as error:  # instructions and tools alone are too long
            raise as_api_error(error) from None
        kept = list(items)
        if (
            is_own
            and self.dropped is not None
            and (place := next((n for n, item in enumerate(kept) if item.id == self.dropped), None))
            is not None
        ):
            del kept[: place + 1]
        template, before = self.service.tokenizer.template, "system" if head else START
        tail = template.begin(kept[-1].role if kept else before) if begin_reply else []
        render = partial(rendered, template, before=before, is_open=is_open)
        body = render(kept)
        around = len(head) + len(tail)
        if around + len(body) <= self.usual:
            return [*head, *body, *tail]
        body, gone = self._shortened(
            kept, render, settings.session["truncation"], self.usual - around, self.most - around
        )
        if is_lasting and gone:
            self.dropped = gone
        return [*head, *body, *tail]

    def _shortened(
        self,
        items: list[Item],
        render: Callable[[list[Item]], list[int]],
        truncation: Any,
        room: int,
        most: int,
    ) -> tuple[list[int], str | None]:
        """Without the oldest, so that it fits into `room`, and the last that went; what cannot be shortened
        may take `most`.
        """
        share = truncation["retention_ratio"] if isinstance(truncation, dict) else KEPT
        size, dropped = sum(len(item.body) + 2 for item in items), None
        while truncation != "disabled" and len(items) > 1 and size > room * share:
            gone = items.pop(0)
            size, dropped = size - len(gone.body) - 2, gone.id
            while len(items) > 1 and items[0].role == "tool":  # an answer to a call that is gone
                gone = items.pop(0)
                size, dropped = size - len(gone.body) - 2, gone.id
        body = render(items)
        if len(body) > most:
            raise ApiError(
                (
                    f"The conversation is too long: the network holds {self.scheduler.engine.max_length} "
                    f"ids, a quarter of them for the reply."
                ),
                400,
                None,
                "context_length_exceeded",
            )
        return body, dropped

    async def hold(
        self, ids: Sequence[int], *, is_fed: bool = False, turn: SpeechSegment | None = None
    ) -> int:
        """Makes `ids` the content -> how many of them an earlier turn had computed. `is_fed`: computes it
        now. `turn`: the person's that it ends with.
        """
        self.turn = None

        def replace() -> int:
            if self.session is None:
                self.session = Session(self.scheduler.engine)
            common = self.session.replace(ids)
            self.computed = min(self.computed, common)
            return min(self.computed, self.session.num_fed)

        cached = await self.scheduler.call(replace)
        if is_fed:
            await self.feed()
        self.turn = turn
        return cached

    async def feed(self) -> None:
        """Computes what is pending, piece by piece, so that nobody who is speaking waits for it."""
        session = self.session
        assert session is not None
        while await self.scheduler.call(_feed, session):
            pass

    async def listen(self, ids: Sequence[int], end: int | None = None) -> float:
        """Adds what a person is saying. With `end`, each id is computed alone -> how probable `end` was at
        best after one of them.
        """
        session = self.session
        assert session is not None

        def add() -> float:
            best = 0.0
            for id in ids if end is not None else ():
                session.append([id])
                best = max(best, float(probabilities(session.logits())[end]))
            if end is None:
                session.append(ids)
            return best

        best = await self.scheduler.call(add)
        if end is None:
            await self.feed()
        return best

    @property
    def room(self) -> int:
        """Ids of a person's speech that still fit."""
        return self.most - (self.session.length if self.session else 0)

    async def branch(self, ids: Sequence[int]) -> tuple[Session, int]:
        """Another sequence that holds `ids`, and how many of them were computed here."""

        def fork() -> tuple[Session, int]:
            if self.session is None or not self.session.num_fed:
                made = Session(self.scheduler.engine)
            else:
                made = self.session.fork()
            try:
                return made, min(made.replace(ids), made.num_fed)
            except Exception:
                made.close()
                raise

        return await self.scheduler.call(fork, undo=lambda made: made[0].close())

    def keep(self, length: int) -> None:
        """A turn has ended; `length` ids are its."""
        self.computed = length

    async def close(self) -> None:
        """Frees the engine's memory."""

        def end() -> None:  # asks on the engine's thread: the sequence may be in the making
            session, self.session = self.session, None
            if session is not None:
                session.close()

        await asyncio.shield(self.scheduler.call(end))


def _feed(session: Session) -> bool:
    """Feeds a piece, on the engine's thread -> whether more is left."""
    if pending := session.pending[:PREFILL_IDS]:
        session.accept(session.engine.feed([(session.handle, pending)])[0], len(pending))
    return bool(session.pending)


def as_ids(codes: Any, vocab: Any) -> list[int]:
    """Codes of sound -> ids."""
    return [int(id) for id in vocab.to_ids("audio", np.asarray(codes, np.int64))]
