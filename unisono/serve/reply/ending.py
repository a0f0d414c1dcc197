"""The shortest way to the end of a form from where a text now stands.

llguidance knows what may follow, not how far the end is. The search tries what closes things first (brackets,
quotes, small values of the schema, rests of the ending that was known before) and goes back where that leads
nowhere. Each ending that it gives was checked by llguidance as a whole, so an ending that was given can be
relied on; where none is found, there may be one nevertheless.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from llguidance import LLMatcher

from unisono.serve.reply.pieces import Pieces
from unisono.serve.reply.smallest import Smallest

MAX_PLACES = 300  # that one search looks at
MAX_TRIES = 6000  # steps that one search tries: about ten milliseconds
MAX_DEPTH = 250  # steps of a search, one within the other
MAX_SUFFIXES = 1000  # of suggestions, tried within a string
MAX_WITHIN = 300  # characters of a suggestion whose ends are tried
MAX_FILLED = 40  # ids of a known ending that may have become needless
CLOSING = (b'"', b"}", b"]", b",")
MAX_LETTERS = 8  # tried where nothing else helps
LETTERS = b"0123456789aA-_.,: @/nftZ{[" + bytes(range(0x20, 0x7F))


class Endings:
    """Finds endings for the texts of one form. `suggested`: small values of its schemas."""

    def __init__(self, pieces: Pieces, suggested: Sequence[Smallest]) -> None:
        self.pieces, self.end = pieces, pieces.eos_token_id
        self.quote, self.letter = pieces.single[ord('"')], pieces.single[ord("a")]
        self.closing = [[pieces.single[byte]] for byte in b"}]"]
        values = dict.fromkeys(text for one in suggested for text in one.values)
        keys = dict.fromkeys(text for one in suggested for text in one.keys)
        self.values = [pieces.encode(text) for text in sorted(values, key=len)]
        self.keys = [pieces.encode(text) for text in keys]
        self.within = [text[1:] for text in values if text[:1] == '"'] + list(keys)
        self.letters = list(dict.fromkeys(pieces.single[byte] for byte in LETTERS))

    @cached_property
    def suffixes(self) -> list[list[int]]:
        """Ends of the strings and names that are suggested; short ones first."""
        within = [text for text in self.within if len(text) <= MAX_WITHIN]
        texts = dict.fromkeys(text[start:] for text in within for start in range(len(text)))
        return [self.pieces.encode(text) for text in sorted(texts, key=len)[:MAX_SUFFIXES]]

    def after(self, matcher: LLMatcher, id: int, known: Sequence[int], max_ids: int) -> list[int] | None:
        """An ending of at most `max_ids` for the text and one more id; None where none is found.

        known: an ending of the text without the id.
        """
        for start in self._starts(known):
            if len(known) - start <= max_ids and self.is_ending(matcher, [id, *known[start:]]):
                return list(known[start:])
        if rest := self._rest(id, known):
            if len(rest) <= max_ids and self.is_ending(matcher, [id, *rest]):
                return rest
        fork = matcher.deep_copy()
        if not fork.consume_token(id):
            return None
        found = self.find(fork, known, max_ids)
        return found if found is not None and self.is_ending(matcher, [id, *found]) else None

    def find(self, fork: LLMatcher, known: Sequence[int], max_ids: int) -> list[int] | None:
        """An ending from where `fork` stands, which is used up by the search."""
        return _Search(self, fork, list(known)).ending(max_ids, 0)

    def is_ending(self, matcher: LLMatcher, ids: Sequence[int]) -> bool:
        """Whether the text is complete after `ids`."""
        return matcher.validate_tokens([*ids, self.end]) == len(ids) + 1

    def _starts(self, known: Sequence[int]) -> Iterable[int]:
        """From where on the known ending may still hold, within a string or a number. What it would have
        filled in comes last: the id may have made it needless.
        """
        places = range(min(len(known), MAX_FILLED))
        closing = next(
            (place for place in places if self.pieces.tokens[known[place]][:1] in CLOSING), len(known)
        )
        return sorted({min(start, closing) for start in (MAX_FILLED, 8, 4, 2, 1, 0)}, reverse=True)

    def _rest(self, id: int, known: Sequence[int]) -> list[int]:
        """What is left of an ending that the id begins to spell, in other pieces."""
        spelled, taken = self.pieces.tokens[id], b""
        for number, one in enumerate(known):
            taken += self.pieces.tokens[one]
            if not (taken.startswith(spelled) or spelled.startswith(taken)):
                return []
            if len(taken) >= len(spelled):
                left = taken[len(spelled) :]
                return [*self.spelled(left), *known[number + 1 :]]
        return []

    def spelled(self, text: bytes) -> list[int]:
        """Bytes, also a part of a character, as ids."""
        try:
            return self.pieces.encode(text.decode("utf8"))
        except UnicodeDecodeError:
            return [self.pieces.single[byte] for byte in text]


class _Search:
    def __init__(self, endings: Endings, matcher: LLMatcher, known: list[int]) -> None:
        self.endings, self.matcher, self.known = endings, matcher, known
        self.num_places = self.num_tries = 0

    def ending(self, max_ids: int, depth: int) -> list[int] | None:
        """Depth first; the matcher is where it was before when None comes back."""
        matcher = self.matcher
        self.num_places += 1
        if matcher.is_error():
            return None
        if matcher.is_accepting():
            return []
        for start in range(len(self.known) - 1, -1, -1):
            rest = self.known[start:]
            if len(rest) <= max_ids and self.endings.is_ending(matcher, rest):
                return rest
        if depth >= MAX_DEPTH:
            return None
        for step in self._steps():
            self.num_tries += 1
            if len(step) > max_ids or matcher.validate_tokens(step) != len(step):
                continue
            matcher.consume_tokens(step)
            rest_of = self.ending(max_ids - len(step), depth + 1)
            if rest_of is not None:
                return step + rest_of
            if self.is_tired or not matcher.rollback(len(step)):
                return None
        return None

    @property
    def is_tired(self) -> bool:
        return self.num_places >= MAX_PLACES or self.num_tries >= MAX_TRIES

    def _steps(self) -> Iterator[list[int]]:
        """What may be tried next, the likeliest to close something first."""
        if forced := self.matcher.compute_ff_tokens():
            yield forced
            return
        quote, closing = [self.endings.quote], self.endings.closing
        is_in_string = self.matcher.validate_tokens([self.endings.letter]) == 1
        yield from ([quote, *closing] if is_in_string else [*closing, quote])
        yield from self.endings.values
        yield from self.endings.keys
        yield from self.endings.suffixes
        tried = 0
        for id in self.endings.letters:
            if tried < MAX_LETTERS and self.matcher.validate_tokens([id]) == 1:
                tried += 1
                yield [id]
