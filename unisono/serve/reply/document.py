"""One text that follows a form, with the ids that are left as part of the form: it always ends in time.

At every moment an ending is known that llguidance has checked and that fits into what is left. An id that
leads away from it is taken only if another ending, which fits as well, is found for what comes then. The
first id of the known ending is therefore always possible, and the document ends whatever the network wants.

What is left beyond the ending is the slack. Each string, list and object may use a share of it, and numbers
have at most so many digits: so every part of a document gets something, and nothing in it grows without end.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from llguidance import LLMatcher
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.serve.reply.ending import Endings

# Parts of the slack that are kept for what comes after a string, or after a list or an object.
KEPT = {"s": 0.5, "[": 0.2, "{": 0.2, "n": 0.0}
MAX_DEPTH = 32  # of brackets: readers of other languages give up at 64
MAX_WHOLE = 15  # digits before the point: what a double holds exactly
MAX_NUMBER = 20  # characters of a number
MAX_EXPONENT = 2  # digits of an exponent: a double does not overflow
UNLIMITED = 1_000_000
UNSHARED = -1.0
OPENING = {'"': "s", "[": "[", "{": "{", **dict.fromkeys("-0123456789", "n")}
_ENDS_STRING = re.compile(rb'["\\\\]')


@dataclass(frozen=True)
class Form:
    """A compiled form: where every text that follows it begins, and the shortest of them."""

    matcher: LLMatcher
    endings: Endings
    shortest: tuple[int, ...]


@dataclass(frozen=True)
class Reader:
    """Where a JSON text stands: what is open, each with the slack that must remain, and the open number."""

    levels: tuple[tuple[str, float], ...] = ()  # s string, [ list, { object, n number
    is_escaped: bool = False
    number: str = ""

    @property
    def kept(self) -> float:
        """The slack that must remain: less than that, and what is open has to end."""
        return self.levels[-1][1] if self.levels else 0.0

    @property
    def is_number_full(self) -> bool:
        return (
            len(self.number) >= MAX_NUMBER
            or self.number.lstrip("-").isdigit()
            and (len(self.number.lstrip("-")) >= MAX_WHOLE)
        )

    def after(self, text: bytes) -> "Reader":
        """Further by `text`. The levels that it opens have no share yet."""
        if (
            self.levels
            and self.levels[-1][0] == "s"
            and not self.is_escaped
            and not _ENDS_STRING.search(text)
        ):
            return self
        levels, is_escaped, number = list(self.levels), self.is_escaped, self.number
        for letter in text.decode("latin1"):
            kind = levels[-1][0] if levels else ""
            if kind == "s":
                if is_escaped or letter == "\\":
                    is_escaped = not is_escaped
                elif letter == '"':
                    levels.pop()
                continue
            if kind == "n":
                if letter in "0123456789.eE+-":
                    number += letter
                    continue
                levels.pop()
                number = ""
            if letter in OPENING:
                levels.append((OPENING[letter], UNSHARED))
                number = letter if OPENING[letter] == "n" else ""
            elif letter in "]}":
                levels.pop()
        return Reader(tuple(levels), is_escaped, number)

    def with_shares(self, slack: int) -> "Reader":
        """The levels that were just opened get their share of the slack."""
        if not self.levels or self.levels[-1][1] != UNSHARED:
            return self
        levels: list[tuple[str, float]] = []
        for kind, kept in self.levels:
            if kept == UNSHARED:
                kept = levels[-1][1] if levels else 0.0
                kept += (KEPT[kind] if levels else 0.0) * max(0.0, slack - kept)
            levels.append((kind, kept))
        return Reader(tuple(levels), self.is_escaped, self.number)

    def goes_too_far(self) -> bool:
        """Whether a reader could choke on what is open."""
        _, _, exponent = self.number.lower().partition("e")
        whole = self.number.lstrip("-").lower().partition("e")[0].partition(".")[0]
        return (
            len(self.levels) > MAX_DEPTH
            or len(self.number) > MAX_NUMBER
            or len(whole) > MAX_WHOLE
            or len(exponent.lstrip("+-")) > MAX_EXPONENT
        )


@dataclass(frozen=True)
class _Next:
    """What holds once an id is taken."""

    id: int
    ending: list[int] | None
    reader: Reader


class Document:
    """Follows a form, id by id. `num_after`: ids that close it, such as <|end_call|> and <|end|>."""

    def __init__(self, form: Form, num_after: int) -> None:
        self.form, self.num_after = form, num_after
        self.matcher = form.matcher.deep_copy()
        self.ending: list[int] | None = list(form.shortest)  # None: ids came that nobody weighed
        self.reader = Reader()
        self.next: _Next | None = None
        self.is_lost = False  # llguidance gave up: only the ending that is known can be relied on

    @property
    def need(self) -> int:
        """Ids that are needed from here, those that close it included."""
        return len(self._known()) + self.num_after

    def mask(self, left: int | None) -> tuple[NDArray[np.bool_], bool]:
        """(text size,) what may follow when `left` ids are left; whether the text may end here.

        left None: whatever the form allows.
        """
        if self.is_lost or left is not None and self._must_end(left):
            return self._only(self._known())
        bits = np.unpackbits(np.frombuffer(self.matcher.compute_bitmask(), np.uint8), bitorder="little")
        if self.matcher.is_error():
            self.is_lost = True
            return self._only(self._known())
        return bits[: self._size].astype(np.bool_), self.matcher.is_accepting()

    @property
    def _size(self) -> int:
        return self.form.endings.end

    def _must_end(self, left: int) -> bool:
        known, reader = self._known(), self.reader
        slack = left - len(known) - self.num_after
        return slack <= reader.kept or reader.is_number_full

    def _only(self, ending: Sequence[int]) -> tuple[NDArray[np.bool_], bool]:
        mask = np.zeros(self._size, np.bool_)
        mask[list(ending[:1])] = True
        return mask, not ending

    def _known(self) -> list[int]:
        """The ending that is known; looked for where ids came without being weighed."""
        if self.ending is None:
            self.ending = self.form.endings.find(self.matcher.deep_copy(), [], UNLIMITED)
        if self.ending is None:
            raise UserError("no ending of this form was found; make its schema simpler")
        return self.ending

    @property
    def sure(self) -> int | None:
        """The id that can always be taken; None where the text is complete."""
        return next(iter(self._known()), None)

    def admits(self, id: int, left: int) -> bool:
        """Whether the document still ends in time after `id`; it is remembered for `take`."""
        known, reader = self._known(), self.reader.after(self.form.endings.pieces.tokens[id])
        if known and id == known[0]:
            ending: list[int] | None = known[1:]
        elif self.is_lost or reader.goes_too_far():
            return False
        else:
            ending = self.form.endings.after(self.matcher, id, known, left - 1 - self.num_after)
            if ending is None:
                return False
        assert ending is not None
        slack = left - 1 - self.num_after - len(ending)
        self.next = _Next(id, ending, reader.with_shares(slack))
        return True

    def take(self, id: int) -> None:
        """Follows `id`."""
        if self.next is not None and self.next.id == id:
            self.ending, self.reader = self.next.ending, self.next.reader
        else:
            follows = self.ending is not None and self.ending[:1] == [id]
            self.ending = self.ending[1:] if follows and self.ending else None
            self.reader = self.reader.after(self.form.endings.pieces.tokens[id]).with_shares(0)
        self.next = None
        if not self.is_lost:
            self.matcher.consume_token(id)

    def copy(self) -> "Document":
        """An independent one at the same place."""
        other = object.__new__(Document)
        other.__dict__ |= self.__dict__
        other.matcher = self.matcher.deep_copy()
        return other
