"""A question of the small world -> the same in another phrasing. What is asked, and the answer, stay."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from unisono.data.world.unknown import every, filled

FILE = Path(__file__).with_name("forms.txt")
SAME = 0.2  # of the questions stay as the world asks them
SMALL_LETTERS, NO_MARK = 0.15, 0.2
# What a question may be about: the same words begin "What is two plus two?" and "What is this?".
ABOUT = {
    "sum": r"[A-Za-z]+(?: [a-z]+)? (?:plus|minus|times) [a-z ]+",
    "where": r"(?:left of|right of|above|below|on the|to the|at the|next to|under|over|between) ?.+",
    "shape": r"[a-z]+",
    "exists": r"(?:an?|any|some|two|three|four) .+",
    "colour": r"(?!.* of ).+",
    "colour of": r".+",
    "next": r"(?!.*day$)[a-z ]+",
}
WITHOUT_PICTURE = frozenset({"sum", "opposite", "colour of", "capital", "next"})


@dataclass(frozen=True)
class Kind:
    """A kind of question: as the world asks it, forms that are taught, forms that are held out."""

    name: str
    known: tuple[re.Pattern[str], ...]
    taught: tuple[str, ...]
    held_out: tuple[str, ...]

    def match(self, text: str) -> str | None:
        """What the question is about, empty for kinds that are about all; None: of another kind."""
        for pattern in self.known:
            if found := pattern.fullmatch(text):
                return found[1] if found.groups() else ""
        return None


@lru_cache(maxsize=1)
def kinds() -> tuple[Kind, ...]:
    """All kinds, those that say most exactly what they are about first."""
    found = list(_read(FILE.read_text(encoding="utf8")))
    return tuple(sorted(found, key=lambda kind: kind.name not in ABOUT))


def _read(text: str) -> Iterator[Kind]:
    for block in text.strip().split("\n\n")[1:]:
        name, *lines = block.split("\n")
        by_mark = {mark: tuple(line[2:] for line in lines if line[0] == mark) for mark in "=-!"}
        about = ABOUT.get(name, r".+")
        known = (re.escape(line).replace(r"\{\}", f"({about})") for line in by_mark["="])
        yield Kind(name, tuple(re.compile(one) for one in known), by_mark["-"], by_mark["!"])


def rephrased(text: str, task: str, rng: random.Random, split: str = "train") -> str:
    """The question in another phrasing; a taught one, or for the split test one that is held out.

    A question of no known kind stays. `task`: of the conversation; talk is about no picture.
    """
    for kind in kinds():
        if (kind.name in WITHOUT_PICTURE) != (task == "talk"):
            continue
        if (about := kind.match(text)) is not None:
            form = filled(rng.choice(kind.held_out if split == "test" else kind.taught), rng)
            said = form.replace("<>", about.lower() if kind.name == "sum" else about)
            return said[0].upper() + said[1:]
    return text


def said(text: str, task: str, rng: random.Random) -> str:
    """As people type it: mostly in another phrasing, now and then in small letters or without its mark."""
    text = text if rng.random() < SAME else rephrased(text, task, rng)
    text = text.lower() if rng.random() < SMALL_LETTERS else text
    return text.rstrip(".?!") if rng.random() < NO_MARK else text


def count_phrasings(kind: Kind) -> int:
    """How many different questions the taught forms of a kind can become."""
    return sum(len(every(form)) for form in kind.taught)
