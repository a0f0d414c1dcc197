"""Which plain texts are worth learning from, before anything is coded: Gopher's rules for quality and
repetition (Rae et al. 2021, arXiv 2112.11446, table A1), and near duplicates by MinHash (datasketch). Both
are switches.

Only texts are judged; conversations, sound and pictures stay. The rules are for English prose: a text without
two of STOP_WORDS is left out, as is one of fewer than 50 words. Texts are judged one after the other in their
order, so that workers, however many, find the same ones.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unisono.core.errors import UserError
from unisono.data.own.items import Item, Slice, read_bytes
from unisono.data.own.lines import json_line, text_of

MIN_WORDS, MAX_WORDS = 50, 100_000
MEAN_LETTERS = (3, 10)  # of a word
MAX_SYMBOLS = 0.1  # "#" and "..." for each word
MAX_BULLETS, MAX_CUT_LINES = 0.9, 0.3  # shares of the lines
MIN_ALPHABETIC = 0.8  # share of the words with a letter
STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
MAX_LINES_AGAIN, MAX_LETTERS_AGAIN = (
    0.3,
    0.2,
)  # share of lines or paragraphs said before, and of their letters
MAX_TOP = {2: 0.20, 3: 0.18, 4: 0.16}  # share of the letters in the commonest run of n words
MAX_AGAIN = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}  # in runs that were said before
CUT, BULLETS = ("...", "\u2026"), ("\u2022", "-", "*")
ALIKE, NUM_HASHES, SHINGLE = 0.8, 128, 5  # likeness of duplicates; hash functions; words of a shingle

Judge = Callable[[str], str]  # a text -> why it is left out, "" where it stays


@dataclass
class Kept:
    """What the switches did to some items."""

    items: list[Item] = field(default_factory=list)
    num_texts: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """As it is kept beside the shards."""
        left_out = sum(self.reasons.values())
        return {
            "texts": self.num_texts,
            "kept": self.num_texts - left_out,
            "left_out": dict(self.reasons.most_common()),
        }


def judged(items: Iterable[Item], *, quality: bool, duplicates: bool) -> Kept:
    """The items without the texts that the switches leave out. A text that cannot be read stays, for the
    coding to say what is wrong with it.
    """
    judges: list[Judge] = []
    if quality:
        judges.append(fault_of)
    if duplicates:
        judges.append(Duplicates())
    kept = Kept()
    for item in items:
        text = _text(item)
        kept.num_texts += text is not None
        reason = next((why for judge in judges if (why := judge(text))), "") if text is not None else ""
        kept.reasons.update([reason] if reason else [])
        if not reason:
            kept.items.append(item)
    if not kept.items:
        raise UserError(
            f"all {kept.num_texts} texts are left out ({', '.join(kept.reasons)}); try without --quality"
        )
    return kept


def _text(item: Item) -> str | None:
    """The words of a plain text; None for anything else."""
    try:
        if item.kind == "text" and isinstance(item.source, Path):
            return text_of(read_bytes(item.source))
        if item.kind == "chat" and isinstance(item.source, Slice):
            text = json_line(read_bytes(item.source)).get("text")
            return text if isinstance(text, str) else None
    except UserError:
        pass
    return None


def fault_of(text: str) -> str:
    """Which of Gopher's rules a text breaks first; "" for none."""
    words = text.split()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not MIN_WORDS <= len(words) <= MAX_WORDS:
        return "too few or too many words"
    if not MEAN_LETTERS[0] <= sum(map(len, words)) / len(words) <= MEAN_LETTERS[1]:
        return "words too short or too long"
    if (text.count("#") + text.count("...") + text.count(CUT[1])) / len(words) > MAX_SYMBOLS:
        return "too many # or ..."
    if _share(line.startswith(BULLETS) for line in lines) > MAX_BULLETS:
        return "nearly all lines are bullets"
    if _share(line.endswith(CUT) for line in lines) > MAX_CUT_LINES:
        return "too many lines are cut off"
    if _share(any(letter.isalpha() for letter in word) for word in words) < MIN_ALPHABETIC:
        return "too many words without a letter"
    if len(STOP_WORDS & {word.strip(".,;:!?\"'()").lower() for word in words}) < 2:
        return "fewer than two of the commonest English words"
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
    if _repeats(lines) or _repeats(paragraphs):
        return "lines or paragraphs again and again"
    return "the same words again and again" if _loops(words) else ""


def _share(flags: Iterable[bool]) -> float:
    given = list(flags)
    return sum(given) / max(1, len(given))


def _repeats(parts: list[str]) -> bool:
    counts, total = Counter(parts), sum(map(len, parts))
    again = sum(count - 1 for count in counts.values())
    letters = sum((count - 1) * len(part) for part, count in counts.items())
    return again > MAX_LINES_AGAIN * len(parts) or letters > MAX_LETTERS_AGAIN * total


def _loops(words: list[str]) -> bool:
    """Whether runs of words cover too many letters: the commonest of 2 to 4, repeated ones of 5 to 10."""
    total = sum(map(len, words))
    for length, most in (MAX_TOP | MAX_AGAIN).items():
        runs = [tuple(words[start : start + length]) for start in range(len(words) - length + 1)]
        counts = Counter(runs)
        if length in MAX_TOP:
            run, count = counts.most_common(1)[0]
            covered = count * sum(map(len, run)) if count > 1 else 0
        else:  # each word once, however many runs it stands in
            seen, places = set[tuple[str, ...]](), set[int]()
            for start, run in enumerate(runs):
                if run in seen:
                    places.update(range(start, start + length))
                seen.add(run)
            covered = sum(len(words[place]) for place in places)
        if covered > most * total:
            return True
    return False


class Duplicates:
    """Leaves out a text that is like one before it: Jaccard's likeness of their shingles, estimated."""

    def __init__(self) -> None:
        try:
            from datasketch import MinHash, MinHashLSH
        except ImportError:
            raise UserError(
                "finding duplicates needs datasketch; install it with: pip install 'unisono[quality]'"
            ) from None
        self.hash, self.seen = MinHash, MinHashLSH(ALIKE, NUM_HASHES)
        self.count = 0

    def __call__(self, text: str) -> str:
        """Judges a text, and remembers it where it stays."""
        words = re.findall(r"\w+", text.lower())
        shingles = {" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))}
        found = self.hash(NUM_HASHES)
        found.update_batch([shingle.encode("utf8", "replace") for shingle in shingles])
        if self.seen.query(found):
            return "like a text before it"
        self.count += 1
        self.seen.insert(str(self.count), found)
        return ""
