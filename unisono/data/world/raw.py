"""A conversation before coding: what was said, shown and played, and what is answered."""

from dataclasses import dataclass, field

from PIL import Image


@dataclass(frozen=True)
class Picture:
    """A still picture."""

    image: Image.Image


@dataclass(frozen=True)
class Clip:
    """Pictures at two a second."""

    frames: list[Image.Image]


@dataclass(frozen=True)
class Sentence:
    """Words that may be written, or spoken where a recording of exactly these words exists."""

    text: str


@dataclass(frozen=True)
class Exchange:
    """One question and its answer; pictures stand beside the words."""

    question: Sentence
    answer: Sentence
    shown: list[Picture | Clip] = field(default_factory=list)
    drawn: Picture | None = None
    notes: str = ""  # what the network is to tell itself before it answers: of what is shown or drawn
    # in place of them, or again in a later reply: the same gone through for what this question is about
    looked_up: str = ""


@dataclass(frozen=True)
class Raw:
    """A short conversation with known truth. `key` decides the split: equal keys never stand in two
    splits.
    """

    task: str
    key: str
    exchanges: list[Exchange]
    truth: dict = field(default_factory=dict)
