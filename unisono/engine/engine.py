"""The narrow waist between sequences of ids and whatever computes the next one: feed, fork, rewind, drop.

A sequence is known by a handle, a plain int. An engine belongs to one thread at a time.

Shapes: N sequences fed together, V vocab_size.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import UserError

Handle = int
Feed = tuple[Handle, Sequence[int]]


class EngineAway(UserError):
    """What computes is somewhere else and does not answer, or not as it should."""


class Engine(ABC):
    """Live sequences over one model."""

    vocab_size: int
    max_length: int  # ids that one sequence can hold

    @abstractmethod
    def open(self) -> Handle:
        """A new, empty sequence."""

    @abstractmethod
    def feed(self, feeds: Sequence[Feed]) -> NDArray[np.float32]:
        """Appends ids to each sequence, all in one step -> (N, V) logits of the id that follows each.

        A sequence may occur once and needs at least one id. UserError if one would become too long,
        ValueError for an id outside the vocabulary; nothing has been fed then, to any sequence.
        """

    @abstractmethod
    def fork(self, handle: Handle) -> Handle:
        """A new sequence with the same content."""

    @abstractmethod
    def rewind(self, handle: Handle, length: int) -> None:
        """Forgets everything after the first `length` ids."""

    @abstractmethod
    def drop(self, handle: Handle) -> None:
        """Ends a sequence and frees its memory for others."""

    @abstractmethod
    def length(self, handle: Handle) -> int:
        """Ids that the sequence holds."""
