"""Which ids may follow, so that every reply can be decoded: a small state machine over the spans of the
vocabulary.

A reply is text, with stretches of sound and pictures in between, up to <|end|>. Sound follows the text that
it speaks; a picture is exactly as many codes as the picture codec makes. Before all that the network may
think.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.engine.sample import Sampler
from unisono.tokens.vocab import Vocabulary

Script = tuple[tuple[int, ...], ...]  # the ids of each word

OUTPUTS = frozenset({"text", "audio", "image"})
OPENS = {
    "<|begin_audio|>": "audio",
    "<|begin_image|>": "image",
    "<|begin_call|>": "call",
    "<|begin_thought|>": "thought",
}
CLOSES = {mode: opens.replace("begin", "end") for opens, mode in OPENS.items()}
END = "<|end|>"
SCRIPTED = "text_"  # before the number of a single id of text
SPARE_S = 0.8  # of any sound, before its words count
# an id is a digit, a letter or some four of them; a letter takes 60 ms, a digit up to half a second
S_PER_TEXT_ID = 0.5
MAX_STRETCH_S = 12.0  # of sound without a word between
MAX_THOUGHTS = 96  # ids


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a reply may and must contain."""

    outputs: frozenset[str] = frozenset({"text"})
    force_audio: bool = False  # everything written is spoken before the reply may end
    force_image: bool = False  # the reply cannot end without a picture
    max_audio_frames: int | None = None  # of a stretch of sound
    frames_per_text_id: int | None = None  # of a stretch, beyond a breath, for each id of its words
    spare_frames: int = 0  # the breath
    max_text_ids: int | None = None  # per reply
    max_images: int = 1
    ids_per_image: int = 64
    calls: bool = False  # tools may be called
    thoughts: bool = False  # the reply may begin with one
    script: Script = ()  # these words are written, one by one, and each is spoken
    # Of a thought: the words that it says will be spoken. They need not be found again, word after word,
    # between the sounds.
    words_of: Callable[[Sequence[int]], Script] | None = None

    @classmethod
    def spoken(cls, script: Iterable[Iterable[int]], frame_rate: float) -> "Rules":
        """Of words that are given and need only be said. `frame_rate`: of the codec, in frames a second."""
        return cls(outputs=frozenset({"audio"}), **_frames(frame_rate), script=tuple(map(tuple, script)))

    @classmethod
    def usual(
        cls,
        outputs: frozenset[str],
        ids_per_image: int,
        frame_rate: float,
        max_text_ids: int | None = None,
        words_of: Callable[[Sequence[int]], Script] | None = None,
    ) -> "Rules":
        """Of a reply made of `outputs`: it is written, whatever is wanted besides; sound is bounded by its
        words, and what was thought is what is said."""
        return cls(
            outputs=outputs | {"text"},
            force_audio="audio" in outputs,
            force_image=outputs == {"image"},
            **_frames(frame_rate),
            max_text_ids=max_text_ids,
            ids_per_image=ids_per_image,
            thoughts=True,
            words_of=words_of if "audio" in outputs else None,
        )

    def __post_init__(self) -> None:
        object.__setattr__(self, "outputs", frozenset(self.outputs))
        if not self.outputs or self.outputs - OUTPUTS:
            raise UserError(
                f"outputs must be some of {', '.join(sorted(OUTPUTS))}; got {sorted(self.outputs)}"
            )
        for kind in ("audio", "image"):
            if getattr(self, f"force_{kind}") and kind not in self.outputs:
                raise UserError(f"force_{kind} needs {kind!r} among the outputs")
        for name in ("max_audio_frames", "frames_per_text_id", "max_text_ids", "max_images", "ids_per_image"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, got {getattr(self, name)}")


def _frames(frame_rate: float) -> dict[str, Any]:
    """How long sound may last, in frames of the codec."""
    return {
        "max_audio_frames": round(MAX_STRETCH_S * frame_rate),
        "frames_per_text_id": max(1, round(S_PER_TEXT_ID * frame_rate)),
        "spare_frames": round(SPARE_S * frame_rate),
    }


@lru_cache(maxsize=256)
def piece_mask(vocab: Vocabulary, pieces: frozenset[str]) -> NDArray[np.bool_]:
    """(vocab size,) True for the ids of the named spans (text, audio, image) and single ids (<|end|>,
    text_17, ...).
    """
    mask = np.zeros(vocab.size, np.bool_)
    # Spans first: <|end|> may be one of the special ids that lie in the span of a base's text.
    for piece in sorted(pieces, key=lambda piece: piece not in OUTPUTS):
        if piece in OUTPUTS:
            span = vocab.span(piece)
            mask[span.start : span.start + span.size] = True
            mask[[id for _, id in vocab.base_specials if id in span]] = False
        elif piece.startswith(SCRIPTED):
            mask[int(piece.removeprefix(SCRIPTED))] = True
        else:
            mask[vocab.id(piece)] = True
    mask.flags.writeable = False
    return mask


class Grammar:
    """The state of one reply. `mask()` says what may follow, `advance(id)` follows."""

    def __init__(self, vocab: Vocabulary, rules: Rules | None = None) -> None:
        self.vocab, self.rules = vocab, rules or Rules()
        self.mode = "text"  # text | audio | image | call | thought
        self.num_codes = 0  # in the open stretch of sound or picture
        self.num_text_ids = 0
        self.num_spoken = 0  # stretches of sound
        self.num_images = 0
        self.num_unspoken = 0  # text ids since the last sound
        self.has_begun = False  # something was thought, said or shown
        self.thought: tuple[int, ...] = ()
        self.script = self.rules.script
        self.done = False

    @property
    def modality(self) -> str:
        """Whose sampling settings govern the next id: text, audio, image or thought."""
        return "text" if self.mode == "call" else self.mode

    @property
    def owes_image(self) -> bool:
        """Whether a picture that must come is still to come."""
        return self.rules.force_image and not self.num_images

    @property
    def is_cut(self) -> bool:
        """Whether the text ended because no more of it was allowed. What is said before a picture that must
        come, or by a script, is whole.
        """
        most = self.rules.max_text_ids
        return (
            most is not None and self.num_text_ids >= most and not self.rules.force_image and not self.script
        )

    @property
    def need(self) -> int:
        """Ids that the shortest reply takes which may not break off; 0 where it may."""
        return 0

    def mask(self) -> NDArray[np.bool_]:
        """(vocab size,) True for every id that may follow; read-only. All False once the reply has ended."""
        return piece_mask(self.vocab, self.allowed())

    def choose(self, logits: NDArray[np.float32], sampler: Sampler, left: int | None = None) -> int:
        """(vocab size,) logits -> the id that the sampler takes of those that may follow.

        left: ids that are left for the reply, this one included. A reply that must not break off needs it.
        """
        return sampler.choose(logits, self.mask(), self.modality)

    def allowed(self) -> frozenset[str]:
        """Names of the spans and single ids that may follow."""
        rules = self.rules
        if self.done:
            return frozenset()
        if self.mode == "text":
            return frozenset(self._text_level())
        if self.mode == "image":
            return frozenset({"image"} if self.num_codes < rules.ids_per_image else {CLOSES["image"]})
        if self.mode == "call":
            return frozenset({"text", CLOSES["call"]})
        if self.mode == "thought":
            return frozenset(
                {"text", CLOSES["thought"]} if self.num_codes < MAX_THOUGHTS else {CLOSES["thought"]}
            )
        is_full = self.num_codes >= self._most_frames()
        return frozenset(({CLOSES["audio"]} if self.num_codes else set()) | (set() if is_full else {"audio"}))

    def _most_frames(self) -> float:
        """Of the open sound: who goes on long after the words are said only makes noise."""
        rules = self.rules
        most = inf if rules.max_audio_frames is None else rules.max_audio_frames
        if rules.frames_per_text_id is None or not self.num_unspoken:
            return most
        return min(most, rules.spare_frames + rules.frames_per_text_id * self.num_unspoken)

    def _text_level(self) -> set[str]:
        rules = self.rules
        if self.num_spoken < len(self.script):
            return {self._scripted()}
        pieces = set()
        if (
            "text" in rules.outputs
            and not self.script
            and (rules.max_text_ids is None or self.num_text_ids < rules.max_text_ids)
        ):
            pieces.add("text")
        speaks_without_text = "text" not in rules.outputs and not self.num_spoken and not self.script
        if "audio" in rules.outputs and (self.num_unspoken or speaks_without_text):
            pieces.add("<|begin_audio|>")
        if "image" in rules.outputs and self.num_images < rules.max_images:
            pieces.add("<|begin_image|>")
        if rules.calls:
            pieces.add("<|begin_call|>")
        lacks_audio = rules.force_audio and (self.num_unspoken > 0 or not self.num_spoken)
        # Nothing is left to say: a text that may not go on must be able to end, spoken or not.
        if not (self.owes_image or lacks_audio) or not pieces:
            pieces.add(END)
        if rules.thoughts and not self.has_begun:
            pieces.add("<|begin_thought|>")
        return pieces

    def _scripted(self) -> str:
        """What comes next of the words that are given: an id, or the sound of a word."""
        word = self.script[self.num_spoken]
        return f"{SCRIPTED}{word[self.num_unspoken]}" if self.num_unspoken < len(word) else "<|begin_audio|>"

    def advance(self, id: int) -> None:
        """Takes the next id. ValueError if it may not follow here."""
        if not (0 <= id < self.vocab.size and self.mask()[id]):
            raise ValueError(
                f"{self.vocab.name(id) if 0 <= id < self.vocab.size else id} may not follow here; "
                f"expected {' or '.join(sorted(self.allowed())) or 'nothing, the reply has ended'}"
            )
        self._follow(id)

    def replay(self, ids: Iterable[int]) -> "Grammar":
        """Takes ids that were given, not generated, such as those of a reply so far; returns itself.

        They need not be among the outputs, only well-formed.
        """
        for id in ids:
            self._follow(id)
        return self

    def _follow(self, id: int) -> None:
        name = self.vocab.name(id)
        self.has_begun = True
        if self.mode == "text" and name in OPENS:
            self.mode, self.num_codes = OPENS[name], 0
        elif name == CLOSES.get(self.mode):
            self._close()
        elif name == END:
            self.done = True
        elif self.mode == "text":
            self.num_text_ids += 1
            self.num_unspoken += 1
        else:
            self.num_codes += 1
            if self.mode == "thought":
                self.thought += (id,)

    def _close(self) -> None:
        if self.mode == "audio":
            self.num_spoken += 1
            self.num_unspoken = 0
        elif self.mode == "image":
            self.num_images += 1
        elif self.mode == "thought" and self.rules.words_of:
            self.script = self.rules.words_of(self.thought)
        self.mode, self.num_codes = "text", 0

    def closing(self) -> list[int]:
        """The ids that end an interrupted reply here so that it can be decoded.

        ValueError inside a picture, whose codes cannot be cut short: rewind to before it.
        """
        if self.done:
            return []
        if self.mode == "image":
            raise ValueError("a picture cannot be cut short; rewind to before its <|begin_image|>")
        names = ([CLOSES[self.mode]] if self.mode in CLOSES else []) + [END]
        return [self.vocab.id(name) for name in names]

    def copy(self) -> "Grammar":
        """An independent state at the same place."""
        return copy.copy(self)
