"""What a conversation is: messages of parts. Sound and pictures appear as the codes of their codecs.

Shapes: F audio frames, I codes of one picture.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True)
class Text:
    """Written words."""

    text: str


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound: (F,) codes."""

    codes: Codes
    finished: bool = True  # False: the stream broke off inside


@dataclass(frozen=True, eq=False)
class Image:
    """A picture: (I,) codes, row by row."""

    codes: Codes
    finished: bool = True


@dataclass(frozen=True, eq=False)
class Video:
    """A clip: the (I,) codes of the pictures at 0.0, 0.5, 1.0 ... s, and the (F,) codes of the half second of
    sound after each. Sound may end before the pictures do.
    """

    frames: list[Codes]
    audio: list[Codes] = field(default_factory=list)


@dataclass(frozen=True)
class Call:
    """A tool call: the JSON {"name": ..., "arguments": {...}} as the assistant wrote it."""

    text: str
    finished: bool = True


SAID = "|"  # in a thought: what comes after it will be spoken


@dataclass(frozen=True)
class Thought:
    """Hidden text that the network writes before its answer (a chain of thought): what it sees in a picture
    or is about to draw, then, after SAID, the words of an answer that will be spoken. Clients never get it.
    """

    text: str
    finished: bool = True
    is_learned: bool = True  # False: given, so that only the answer after it is learned


Part = Text | Audio | Image | Video | Call | Thought


@dataclass(frozen=True)
class Message:
    """One turn of one speaker."""

    role: str
    parts: list[Part]
    is_learned: bool = True  # of an assistant's turn in training: False where it is only context

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}, got {self.role!r}")

    @property
    def text(self) -> str:
        """The written parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))
