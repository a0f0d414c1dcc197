"""Which slot of the key/value cache holds which sequence: the part of an engine that is the same on every
device.

The cache is one array per layer with one row, a slot, per sequence. It starts small and doubles, in slots and
in ids per slot, so an idle engine costs little and nobody has to guess the number of users. Forgetting is
free: keys and values past a sequence's length are never attended to and are overwritten by the next feed.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import TooLongError
from unisono.engine.engine import Engine, Feed, Handle

FIRST_CAPACITY = 256  # ids per slot at the start


@dataclass
class Slot:
    """A sequence in the cache."""

    row: int
    length: int = 0


@dataclass(frozen=True)
class Piece:
    """Ids to be written into row `row` from position `start` on."""

    row: int
    start: int
    ids: NDArray[np.int64]

    @property
    def end(self) -> int:
        return self.start + len(self.ids)


class CachedEngine(Engine):
    """An Engine over rows of a cache; the three methods at the end are all that a device has to provide."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        self.vocab_size, self.max_length = vocab_size, max_length
        self.slots: dict[Handle, Slot] = {}
        self.num_rows, self.capacity = 0, 0
        self._next_handle = 0

    def open(self) -> Handle:
        used = {slot.row for slot in self.slots.values()}
        row = next(
            row for row in range(len(used) + 1) if row not in used
        )  # lowest first: live rows stay together
        if row >= self.num_rows:
            self._grow(max(1, 2 * self.num_rows), self.capacity or min(FIRST_CAPACITY, self.max_length + 1))
        handle, self._next_handle = self._next_handle, self._next_handle + 1
        self.slots[handle] = Slot(row)
        return handle

    def feed(self, feeds: Sequence[Feed]) -> NDArray[np.float32]:
        pieces = [self._piece(handle, ids) for handle, ids in feeds]
        if len({piece.row for piece in pieces}) < len(pieces):
            raise ValueError("a sequence may be fed only once per step")
        if not pieces:
            return np.empty((0, self.vocab_size), np.float32)
        # One id is kept free at the end of every row: see OnnxEngine, which parks the rows it is not asked
        # for there.
        needed = max(piece.end for piece in pieces) + 1
        if needed > self.capacity:
            self._grow(self.num_rows, min(max(2 * self.capacity, needed), self.max_length + 1))
        logits = self._step(pieces)
        for (handle, _), piece in zip(feeds, pieces):
            self.slots[handle].length = piece.end
        return logits

    def _piece(self, handle: Handle, ids: Sequence[int]) -> Piece:
        slot, array = self._slot(handle), np.asarray(ids, np.int64)
        if array.ndim != 1 or not len(array):
            raise ValueError("a sequence must be fed at least one id")
        if array.min() < 0 or array.max() >= self.vocab_size:
            raise ValueError(f"ids must lie in [0, {self.vocab_size}), got {array.min()} .. {array.max()}")
        if slot.length + len(array) > self.max_length:
            raise too_long(len(array), self.max_length - slot.length, self.max_length)
        return Piece(slot.row, slot.length, array)

    def fork(self, handle: Handle) -> Handle:
        source = self._slot(handle)
        copy = self.open()
        self._copy_row(source.row, self.slots[copy].row, source.length)
        self.slots[copy].length = source.length
        return copy

    def rewind(self, handle: Handle, length: int) -> None:
        slot = self._slot(handle)
        if not 0 <= length <= slot.length:
            raise ValueError(f"can rewind to 0 .. {slot.length} ids, not to {length}")
        slot.length = length

    def drop(self, handle: Handle) -> None:
        self._slot(handle)
        del self.slots[handle]

    def length(self, handle: Handle) -> int:
        return self._slot(handle).length

    def _slot(self, handle: Handle) -> Slot:
        if handle not in self.slots:
            raise ValueError(f"no open sequence has the handle {handle}")
        return self.slots[handle]

    @abstractmethod
    def _grow(self, num_rows: int, capacity: int) -> None:
        """Makes room for `num_rows` x `capacity` ids, keeps what is there, sets self.num_rows and
        self.capacity.
        """

    @abstractmethod
    def _copy_row(self, source: int, target: int, length: int) -> None:
        """Copies the keys and values of the first `length` ids from row to row."""

    @abstractmethod
    def _step(self, pieces: list[Piece]) -> NDArray[np.float32]:
        """Feeds all pieces -> (N, V) logits in the same order."""


def too_long(num_ids: int, room: int, max_length: int) -> TooLongError:
    """The error for a context that does not fit."""
    return TooLongError(
        f"the conversation is too long: {num_ids} more ids were to be added, but only {room} of the "
        f"model's {max_length} still fit; shorten the message or start a new conversation"
    )
