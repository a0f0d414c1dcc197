"""The live state of one conversation over an engine: append, generate, interrupt, rewind to what was heard,
fork.

Ids are fed as late as possible and all at once. A ReplyState is iterated for one conversation; a server's
scheduler feeds the pending ids of many in one batch, hands each its logits with `accept`, and calls `step`.

Shapes: V vocab_size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.engine.cache import too_long
from unisono.engine.engine import Engine
from unisono.engine.grammar import Grammar
from unisono.engine.sample import Sampler

NUM_CLOSING = 2  # ids kept free so that an open reply can always be closed: <|end_audio|> <|end|>


class Session:
    """One conversation. Closed by `close` or at the end of a `with` block."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.handle = engine.open()
        self.is_open = True
        self.ids: list[int] = []
        self.num_fed = 0
        self._logits: NDArray[np.float32] | None = None  # of the id after ids[:num_fed]

    @property
    def length(self) -> int:
        """Ids in the conversation, fed or not."""
        return len(self.ids)

    @property
    def room(self) -> int:
        """Ids that still fit."""
        return self.engine.max_length - len(self.ids)

    @property
    def pending(self) -> list[int]:
        """Ids that the engine has not seen yet."""
        return self.ids[self.num_fed :]

    def append(self, ids: Sequence[int]) -> None:
        """Adds what was said. UserError, and nothing added, if it does not fit."""
        if len(ids) > self.room:
            raise too_long(len(ids), self.room, self.engine.max_length)
        self.ids.extend(int(id) for id in ids)

    def accept(self, logits: NDArray[np.float32], num_ids: int | None = None) -> None:
        """Takes the (V,) logits that the engine gave for `pending`, or for its first `num_ids`."""
        self.num_fed += len(self.pending) if num_ids is None else num_ids
        self._logits = logits

    def logits(self) -> NDArray[np.float32]:
        """(V,) logits of the next id; feeds what is pending."""
        if self.pending:
            self.accept(self.engine.feed([(self.handle, self.pending)])[0])
        if self._logits is None:
            raise ValueError("an empty conversation has no next id; append something first")
        return self._logits

    def rewind(self, length: int) -> None:
        """Forgets everything after the first `length` ids."""
        if not 0 <= length <= len(self.ids):
            raise ValueError(f"can rewind to 0 .. {len(self.ids)} ids, not to {length}")
        del self.ids[length:]
        if length < self.num_fed:
            # The last id is fed again: its logits are not kept.
            self.num_fed, self._logits = max(length - 1, 0), None
            self.engine.rewind(self.handle, self.num_fed)

    def replace(self, ids: Sequence[int]) -> int:
        """Makes `ids` the whole conversation and keeps what the two have in common -> how many ids that is.

        A client that sends the full history with each request thus pays only for what is new.
        """
        if len(ids) > self.engine.max_length:
            raise too_long(len(ids), self.engine.max_length, self.engine.max_length)
        num_common = common(self.ids, ids)
        self.rewind(num_common)
        self.append(ids[num_common:])
        return num_common

    def fork(self) -> "Session":
        """An independent conversation with the same past."""
        other = object.__new__(Session)
        other.engine, other.handle, other.is_open = self.engine, self.engine.fork(self.handle), True
        other.ids, other.num_fed, other._logits = list(self.ids), self.num_fed, self._logits
        return other

    def begin(
        self, grammar: Grammar, sampler: Sampler | None = None, max_ids: int | None = None
    ) -> "ReplyState":
        """A reply to be generated here. UserError if no reply fits any more."""
        return ReplyState(self, grammar, sampler or Sampler(), max_ids)

    def generate(
        self, grammar: Grammar, sampler: Sampler | None = None, max_ids: int | None = None
    ) -> Iterator[int]:
        """Yields the ids of a reply one by one, <|end|> included; each is part of the conversation when it
        comes.
        """
        yield from self.begin(grammar, sampler, max_ids)

    def close(self) -> None:
        """Frees the engine's memory; nothing happens where it is free already."""
        if self.is_open:
            self.is_open = False
            self.engine.drop(self.handle)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class ReplyState:
    """A reply in the making: iterate it, or call `step`.

    finish_reason: stop (it ended itself), length (max_ids or max_text_ids, or the context is full),
    interrupted; None while it runs.
    A reply that did not end itself is open until `close` or `interrupt`.
    """

    session: Session
    grammar: Grammar
    sampler: Sampler
    max_ids: int | None = None
    finish_reason: str | None = None
    num_ids: int = 0  # generated, thoughts apart

    def __post_init__(self) -> None:
        if self.session.room <= NUM_CLOSING:
            raise too_long(NUM_CLOSING + 1, self.session.room, self.session.engine.max_length)
        if self.grammar.need > self.left:
            raise UserError(
                f"the shortest reply of the form that was asked for takes {self.grammar.need} ids, but "
                f"{self.left} are left for it; allow more ids or shorten the conversation"
            )
        self.start = self.session.length  # where to rewind to for another try
        self._first_grammar = self.grammar.copy()
        self._check()

    @property
    def done(self) -> bool:
        return self.finish_reason is not None

    @property
    def left(self) -> int:
        """Ids that may still come, <|end|> included."""
        room = self.session.room - NUM_CLOSING
        return room if self.max_ids is None else min(room, self.max_ids - self.num_ids)

    def __iter__(self) -> Iterator[int]:
        while not self.done:
            yield self.step()

    def step(self) -> int:
        """The next id, feeding whatever is pending before."""
        if self.done:
            raise ValueError(f"this reply is over ({self.finish_reason})")
        id = self.grammar.choose(self._logits(), self.sampler, self.left)
        before = self.grammar.mode
        self.grammar.advance(id)
        self.session.append([id])
        self.num_ids += "thought" not in (before, self.grammar.mode)
        self._check()
        return id

    def _logits(self) -> NDArray[np.float32]:
        """(vocab size,) of the next id. Who would end but owes a picture draws it, and does not go on writing
        instead.
        """
        logits = self.session.logits()
        if not (self.grammar.owes_image and self.grammar.mode == "text"):
            return logits
        begin, end = (self.grammar.vocab.id(name) for name in ("<|begin_image|>", "<|end|>"))
        logits = logits.copy()
        logits[begin] = max(logits[begin], logits[end])
        return logits

    def _check(self) -> None:
        if self.grammar.done:
            self.finish_reason = "length" if self.grammar.is_cut else "stop"
        elif self.session.room <= NUM_CLOSING or (self.max_ids is not None and self.num_ids >= self.max_ids):
            self.finish_reason = "length"

    def interrupt(self, length: int | None = None) -> None:
        """Ends the reply now and closes it; `length`: how many ids of the conversation are kept, what was
        heard of it.
        """
        self.finish_reason = "interrupted"
        if length is not None:
            self.session.rewind(max(length, self.start))
        self.close()

    def close(self) -> None:
        """Adds the ids that make an open reply decodable history; an unfinished picture is taken out of
        it.
        """
        session, start = self.session, self.start
        grammar = self._first_grammar.copy().replay(session.ids[start:])
        if grammar.mode == "image":
            session.rewind(session.length - grammar.num_codes - 1)
            grammar = self._first_grammar.copy().replay(session.ids[start:])
        session.append(grammar.closing())


def common(old: Sequence[int], new: Sequence[int]) -> int:
    """How many ids two conversations share from their beginning on."""
    return next((n for n, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
