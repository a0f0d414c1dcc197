"""The id map: which ids are text, specials, time marks, sound and pictures. Decided once, stored as data.

Layout: text | 64 specials | 64 time marks | audio | image | padding up to a multiple of 64.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import UserError

SPECIALS = (
    "<|pad|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|tool|>",
    "<|end|>",
    "<|begin_audio|>",
    "<|end_audio|>",
    "<|begin_image|>",
    "<|end_image|>",
    "<|begin_video|>",
    "<|end_video|>",
    "<|begin_call|>",
    "<|end_call|>",
    "<|document|>",
    "<|begin_thought|>",
    "<|end_thought|>",
)
END = "<|end|>"  # closes every reply; in a network that began as another LLM it is that one's id
NUM_SPECIALS = 64
MAX_PROMPT = 32  # the last of the specials: <|prompt_0|> and so on, whose rows prompt tuning learns
NUM_TIMES = 64
TIME_STEP_S = 0.5
MULTIPLE = 64  # matrix products like a vocabulary that divides well


@dataclass(frozen=True)
class Span:
    """Contiguous ids that belong together."""

    start: int
    size: int

    @property
    def end(self) -> int:
        """First id after the span."""
        return self.start + self.size

    def __contains__(self, id: int) -> bool:
        return self.start <= id < self.end


@dataclass(frozen=True)
class Vocabulary:
    """Sizes of the three spans decide everything else.

    Of a base (see unisono/base) the whole vocabulary is the span of text. `base_specials` are its own
    special ids, which no text becomes and no reply may hold, but for `end_id`, which takes the place of
    <|end|>.
    """

    text_size: int
    audio_size: int
    image_size: int
    base_specials: tuple[tuple[str, int], ...] = ()
    end_id: int | None = None

    def __post_init__(self) -> None:
        specials = {id: name for name, id in self.base_specials}
        if not all(0 <= id < self.text_size for id in specials) or self.end_id not in (None, *specials):
            raise UserError(
                f"the special ids of the base must lie below {self.text_size}, and end_id be one of them"
            )
        for name in ("text_size", "audio_size", "image_size"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise UserError(f"{name} must be a whole number of at least 1, got {getattr(self, name)!r}")

    @cached_property
    def spans(self) -> dict[str, Span]:
        """Modality -> its span, in the order of the ids."""
        sizes = {
            "text": self.text_size,
            "special": NUM_SPECIALS,
            "time": NUM_TIMES,
            "audio": self.audio_size,
            "image": self.image_size,
        }
        spans, start = {}, 0
        for name, size in sizes.items():
            spans[name] = Span(start, size)
            start += size
        spans["padding"] = Span(start, -start % MULTIPLE)
        return spans

    @cached_property
    def size(self) -> int:
        """Ids in all, padding included: the network's vocab_size."""
        return self.spans["padding"].end

    @cached_property
    def _named(self) -> dict[str, int]:
        first, times = self.spans["special"].start, self.spans["time"].start
        named = {name: first + number for number, name in enumerate(SPECIALS)}
        named |= {
            f"<|reserved_{number}|>": first + number
            for number in range(len(SPECIALS), NUM_SPECIALS - MAX_PROMPT)
        }
        named |= {f"<|prompt_{n}|>": self.prompt_start + n for n in range(MAX_PROMPT)}
        named |= {f"<|t:{number * TIME_STEP_S:.1f}|>": times + number for number in range(NUM_TIMES)}
        if self.end_id is not None:
            named |= {f"<|reserved_{SPECIALS.index(END)}|>": named[END], END: self.end_id}
        return named

    @cached_property
    def _names(self) -> dict[int, str]:
        return {id: name for name, id in self.base_specials} | {id: name for name, id in self._named.items()}

    @property
    def prompt_start(self) -> int:
        """The id of <|prompt_0|>, the first of MAX_PROMPT."""
        return self.spans["special"].end - MAX_PROMPT

    def span(self, name: str) -> Span:
        """The span of text, special, time, audio, image or padding."""
        if name not in self.spans:
            raise ValueError(f"no span {name!r}; expected one of {', '.join(self.spans)}")
        return self.spans[name]

    def id(self, name: str) -> int:
        """The id of a special or a time mark, such as <|user|> or <|t:0.5|>."""
        if name not in self._named:
            raise ValueError(
                f"no special id {name!r}; expected one of {', '.join(SPECIALS)} or <|t:0.0|> to <|t:31.5|>"
            )
        return self._named[name]

    def modality(self, id: int) -> str:
        """The name of the span that holds `id`."""
        for name, span in self.spans.items():
            if id in span:
                return "special" if name == "text" and id in self._names else name
        raise ValueError(f"id {id} lies outside the vocabulary of {self.size} ids")

    def name(self, id: int) -> str:
        """What an id is called: <|user|>, <|audio_17|>, text_512, ..."""
        modality = self.modality(id)
        if id in self._names:
            return self._names[id]
        number = id - self.spans[modality].start
        return f"text_{number}" if modality == "text" else f"<|{modality}_{number}|>"

    def to_ids(self, modality: str, codes: Iterable[int]) -> NDArray[np.int64]:
        """Codes of a codec -> ids. ValueError for a code outside the codebook: it would turn into another
        modality.
        """
        span, codes = self.span(modality), np.asarray(codes, np.int64).reshape(-1)
        if codes.size and (codes.min() < 0 or codes.max() >= span.size):
            raise ValueError(
                f"{modality} codes must lie in [0, {span.size}), got {codes.min()} to {codes.max()}"
            )
        return codes + span.start

    def to_codes(self, modality: str, ids: Iterable[int]) -> NDArray[np.int64]:
        """Ids of one modality -> codes of its codec."""
        span, ids = self.span(modality), np.asarray(ids, np.int64).reshape(-1)
        if ids.size and (ids.min() < span.start or ids.max() >= span.end):
            raise ValueError(
                f"{modality} ids must lie in [{span.start}, {span.end}), got {ids.min()} to {ids.max()}"
            )
        return ids - span.start

    def save(self, path: str | Path) -> None:
        """Writes the three sizes as JSON, and what is known of a base."""
        given = {name: value for name, value in asdict(self).items() if value not in ((), None)}
        Path(path).write_text(json.dumps(given) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> "Vocabulary":
        """Reads what `save` wrote."""
        try:
            stored = json.loads(Path(path).read_text())
            specials = tuple((str(name), int(id)) for name, id in stored.pop("base_specials", ()))
            return cls(**stored, base_specials=specials)
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(f"no vocabulary at {path}; expected the folder of a trained network") from None
        except (ValueError, TypeError, AttributeError):
            raise UserError(
                f"{path} does not hold a vocabulary: expected text_size, audio_size and image_size"
            ) from None
