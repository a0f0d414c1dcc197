"""Questions that a base is asked: from grammars and lists written by hand, and from sets that allow it.

The order is that of a seed, and every kind stands everywhere in it: the first thousand are like all.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unisono.data.texts import read_lines
from unisono.data.words.forms import KINDS
from unisono.data.words.lists import WORDS
from unisono.data.words.sets import SETS
from unisono.data.world.sayings import number_word
from unisono.data.world.unknown import filled

LIST = re.compile(r"\{@(\w+)\}")
SHARES = {
    "trivia": 0.25,
    "small talk": 0.2,
    "how-to": 0.12,
    "fact": 0.12,
    "text": 0.13,
    "sum": 0.1,
    "story": 0.08,
}
MAX_TRIES = 8  # for each question of a grammar
# Of the trivia, what a small network may know.
ABOUT = (
    "animals",
    "for-kids",
    "general",
    "geography",
    "history",
    "science-technology",
    "world",
    "humanities",
)
MAX_TEXT = 160  # characters of a given text
MIN_SEEN = 8  # times a word stands in the sentences, to count as an ordinary one


@dataclass(frozen=True)
class Question:
    """`known`: what the answer must have where that is known, spellings with | between them."""

    kind: str
    text: str
    known: str = ""


def expanded(form: str, rng: random.Random, lists: dict[str, tuple[str, ...]]) -> str:
    """The form with words in all its places."""
    return filled(LIST.sub(lambda found: rng.choice(lists[found[1]]), form), rng)


def questions(shared: Path, home: Path, count: int, seed: int = 1) -> list[Question]:
    """At most `count` different questions. UserError where the texts or a set is missing."""
    rng = random.Random(f"words {seed}")
    texts, ordinary = _texts(shared)
    lists = {**WORDS, "text": texts}
    given: dict[str, list[Question]] = {kind: [] for kind in SHARES}
    for one in _given(shared, home, ordinary, rng):
        given[one.kind].append(one)
    found: dict[str, Question] = {}
    for kind, share in SHARES.items():
        wanted, own = round(share * count), dict[str, Question]()
        room = wanted if kind == "fact" else wanted // 2
        for one in rng.sample(given[kind], min(len(given[kind]), room)):
            own.setdefault(one.text, one)
        for _ in range(MAX_TRIES * wanted if kind != "fact" else 0):
            if len(own) >= wanted:
                break
            one = (
                _sum(rng) if kind == "sum" else Question(kind, expanded(rng.choice(KINDS[kind]), rng, lists))
            )
            own.setdefault(one.text, one)
        found |= own
    listed = sorted(found.values(), key=lambda one: one.text)
    rng.shuffle(listed)
    return listed


def _texts(shared: Path) -> tuple[tuple[str, ...], frozenset[str]]:
    """English sentences to be worked on, and the words that stand often in them."""
    path = shared / "text" / "common_voice_sentences.jsonl.zst"
    sentences = [record["text"] for record in read_lines(path) if record["language"] == "en"]
    counts = Counter(word for text in sentences for word in re.findall(r"[a-z']+", text.lower()))
    chosen = tuple(text for text in sentences if 40 < len(text) < MAX_TEXT and text.isascii())
    return chosen, frozenset(word for word, count in counts.items() if count >= MIN_SEEN)


def _given(shared: Path, home: Path, ordinary: frozenset[str], rng: random.Random) -> Iterator[Question]:
    """The questions of the sets."""
    for record in read_lines(shared / "text" / "open_trivia.jsonl.zst"):
        text = record["question"].strip()
        is_open = not re.search(r"following|which (one )?of|these|those", text, re.I)
        if (
            record["category"] in ABOUT
            and is_open
            and text.endswith("?")
            and len(text) < 90
            and text.isascii()
        ):
            if len(record["answer"]) < 20 and "|" not in record["answer"]:
                yield Question("fact", text, record["answer"])
    for read in SETS:
        yield from (Question(*one) for one in read(home, ordinary, rng))


def _sum(rng: random.Random) -> Question:
    """A sum with numbers in digits or in words, and what is right."""
    a, b = rng.randint(0, rng.choice((10, 20, 100))), rng.randint(0, rng.choice((5, 10, 20)))
    sign = rng.choice(("plus", "minus", "times"))
    a, b = (max(a, b), min(a, b)) if sign == "minus" else (a, b)
    right = {"plus": a + b, "minus": a - b, "times": a * b}[sign]
    write = str if rng.random() < 0.5 or max(a, b) > 100 else number_word
    marks = {"plus": "+", "minus": "-", "times": "x"}
    told = marks[sign] if write is str and rng.random() < 0.4 else sign
    form = rng.choice(("What is {}?", "How much is {}?", "Calculate {}.", "{}?", "Can you work out {}?"))
    text = form.format(f"{write(a)} {told} {write(b)}")
    known = f"{right}|{number_word(right)}" if right <= 100 else str(right)
    return Question("sum", text[0].upper() + text[1:], known)
