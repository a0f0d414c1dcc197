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
    """Pictures at 0.0, 0.5, 1.0 ... s, and for each the codes of its half second of sound: 25, fewer where
    the sound ends, then none.
    """

    frames: list[Codes]
    audio: list[Codes] = field(default_factory=list)


@dataclass(frozen=True)
class Call:
    """A tool that is called: {"name": ..., "arguments": {...}} as it was written."""

    text: str
    finished: bool = True


SAID = "|"  # in a thought: what comes after it will be spoken


@dataclass(frozen=True)
class Thought:
    """What the network tells itself before it answers: of a picture, what it sees there or is about to draw;
    then, after a SAID, the words
    of an answer that will be spoken. Nobody is shown it."""

    text: str
    finished: bool = True
    is_learned: bool = True  # False: told, so that only the answers after it are learned


Part = Text | Audio | Image | Video | Call | Thought


@dataclass(frozen=True)
class Message:
    """One turn of one speaker."""

    role: str
    parts: list[Part]
    is_learned: bool = True  # of an assistant's in training: False where it is only what was said before

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}, got {self.role!r}")

    @property
    def text(self) -> str:
        """The written parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))
