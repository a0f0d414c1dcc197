"""What a reply is made of: words, sound, drawings, calls; how it is asked for and what it counts."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from unisono.engine.grammar import Grammar
from unisono.engine.sample import Sampler
from unisono.provenance.watermark import Watermark


@dataclass(frozen=True)
class Words:
    """More text. `tokens`: (id, logprob, [(id, logprob), ...]) of each text id since the last event, where
    asked for.
    """

    text: str
    tokens: tuple[tuple[int, float, tuple[tuple[int, float], ...]], ...] = ()


@dataclass(frozen=True)
class Speech:
    """More of the voice; `last`: what was written before is spoken, though some of its sound may still
    come.
    """

    pcm: NDArray[np.float32]
    last: bool = False


@dataclass(frozen=True)
class Drawing:
    """The picture so far."""

    picture: Pictures.Image
    last: bool


@dataclass(frozen=True)
class Trace:
    """An id as it was chosen: what the page's strip shows. Kinds: text, thought, audio, image, mark."""

    id: int
    kind: str
    probability: float
    name: str

    @property
    def row(self) -> list[Any]:
        """As it is sent."""
        return [self.id, self.kind, round(self.probability, 4), self.name]


@dataclass(frozen=True)
class Calling:
    """More of a call's JSON; `last`: it is whole."""

    text: str
    last: bool = False


Event = Words | Speech | Drawing | Calling | Trace


@dataclass(kw_only=True)
class ReplySpec:
    """How a reply is to be made."""

    outputs: frozenset[str] = frozenset({"text"})
    voice: object = "alloy"  # a name, or {"id": ...}
    sampler: Sampler | None = None
    max_ids: int | None = None
    grammar: Grammar | None = None  # in place of the usual one
    top_logprobs: int | None = None  # None: no logprobs
    trace: bool = False  # tell every id
    speed: float = 1.0  # at which the speech will be played
    mark: Watermark | None = None  # goes on from the reply before; None: the reply has its own, if any
    sketches: int | None = None  # pictures shown while one is being drawn; None: after every code


@dataclass
class Usage:
    """Ids by modality."""

    prompt: dict[str, int] = field(default_factory=lambda: {"text": 0, "audio": 0, "image": 0})
    cached: int = 0
    reply: dict[str, int] = field(default_factory=lambda: {"text": 0, "audio": 0, "image": 0})
    reasoning: int = 0  # of the reply's text, what nobody is shown
