"""What a network learns that begins from an LLM, beside the small world: calls, forms, the base's own words.

A lesson yields (task, messages) of a split.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from unisono.data.calls import conversations as calls, forms
from unisono.data.pictures.named import drawn, gallery, seen
from unisono.data.splits import split_of
from unisono.data.words.ask import answered
from unisono.data.world.conversations import talk
from unisono.data.world.raw import Raw
from unisono.data.world.sayings import FAMILIES, ask
from unisono.data.world.unknown import UNKNOWN
from unisono.tokens.message import Message, Text

Maker = Callable[[random.Random], Raw]
Lesson = Iterator[tuple[str, list[Message]]]
NUM_ASIDE = 2000  # questions that need no function, where there are too few of the base's own answers
TOO_LARGE = next(iter(UNKNOWN))  # what the small world says of the wide one
MIN_ANSWERED = 500  # of the base: below, the small world's sentences help out


@dataclass(frozen=True)
class LessonCounts:
    """How many conversations of each a split gets; the base's own words are taken whole."""

    calls: int = 30_000
    forms: int = 12_000
    see_named: int = 40_000
    draw_named: int = 10_000
    scale: float = 1.0

    def of(self, lesson: str) -> int:
        """The number of one lesson."""
        return max(1, round(getattr(self, lesson) * self.scale))


VAL_LESSONS = LessonCounts(calls=200, forms=200, see_named=200, draw_named=100)


def own_words(answers: Path, split: str) -> list[tuple[str, str]]:
    """(question, answer) of the base that were kept, of a split."""
    lines = answered(answers).values()
    kept = [(line["question"], line["answer"]) for line in lines if line["answer"]]
    return [(question, answer) for question, answer in kept if split_of(question) == split]


def lessons(answers: Path, split: str, counts: LessonCounts, seed: int) -> Lesson:
    """All of them. `answers`: the file that `unisono data words` writes; it may be missing."""
    own = own_words(answers, split)
    for question, answer in own:
        yield "words", [Message("user", [Text(question)]), Message("assistant", [Text(answer)])]
    aside = own if len(own) >= MIN_ANSWERED else [*own, *_aside(split, seed)]
    for messages in calls.conversations(split, counts.of("calls"), seed, aside):
        yield "calls", messages
    for messages in forms.conversations(split, counts.of("forms"), seed):
        yield "forms", messages


def base_makers(
    home: Path, shared: Path, counts: LessonCounts, num_talks: int
) -> dict[str, tuple[Maker, int]]:
    """Task -> what makes conversations about named pictures, and the talk of the small world without what a
    base may know, and how many. UserError where a package of pictures is missing."""
    found = gallery(home, shared)
    makers = {"see_named": seen(found), "draw_named": drawn(found)}
    counted = {task: (make, counts.of(task)) for task, make in makers.items()}
    return {**counted, "talk": (talk_of_base, num_talks)}


def talk_of_base(rng: random.Random) -> Raw:
    """As in the small world, but nothing of the wide world is too large for a base.

    Two questions may become the same in other phrasings. So what they ask for belongs to their split too.
    """
    while True:
        raw = talk(rng)
        answer, family = raw.exchanges[0].answer.text, raw.truth["family"]
        is_one = family in ("itself", "unknown") or split_of(answer) == split_of(raw.key)
        if is_one and answer != TOO_LARGE:
            return raw


def _aside(split: str, seed: int) -> list[tuple[str, str]]:
    """Questions of the small world and what is right."""
    rng, families = random.Random(f"aside {seed}"), [one for one in FAMILIES if one != "unknown"]
    found = {
        question: answer for question, answer, _ in (ask(rng, rng.choice(families)) for _ in range(NUM_ASIDE))
    }
    return [(question, answer) for question, answer in found.items() if split_of(question) == split]
