"""What a network learns that begins from an LLM, beside the small world: calls, forms, the base's own words.

A lesson yields (task, messages) of a split.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from unisono.data.calls import conversations as calls, forms
from unisono.data.pictures.named import drawn, gallery, seen
from unisono.data.splits import split_of
from unisono.data.words.ask import answered
from unisono.data.world.conversations import talk
from unisono.data.world.raw import Exchange, Raw, Sentence
from unisono.data.world.sayings import FAMILIES, ask
from unisono.data.world.unknown import UNKNOWN
from unisono.tokens.message import Message

Maker = Callable[[random.Random], Raw]
Lesson = Iterator[tuple[str, list[Message]]]
WAYS_OF_WORDS = 3  # each of the base's answers is taught so often: typed, asked aloud, answered aloud
SPOKEN_AS_OFTEN = 9  # two voices ask it
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
    """Calls and forms. `answers`: the file that `unisono data words` writes; it may be missing."""
    own = own_words(answers, split)
    aside = own if len(own) >= MIN_ANSWERED else [*own, *_aside(split, seed)]
    for messages in calls.conversations(split, counts.of("calls"), seed, aside):
        yield "calls", messages
    for messages in forms.conversations(split, counts.of("forms"), seed):
        yield "forms", messages


def base_makers(
    home: Path, shared: Path, counts: LessonCounts, num_talks: int, own: list[tuple[str, str]]
) -> dict[str, tuple[Maker, int]]:
    """Task -> what makes conversations about named pictures, the talk of the small world without what a base
    may know, and questions that the base has answered (`own`, of this split), and how many. UserError where
    a package of pictures is missing."""
    found = gallery(home, shared)
    makers = {"see_named": seen(found), "draw_named": drawn(found)}
    counted = {task: (make, counts.of(task)) for task, make in makers.items()}
    if own:
        counted["words"] = (partial(word_of_base, own), WAYS_OF_WORDS * len(own))
    return {**counted, "talk": (talk_of_base, num_talks)}


def word_of_base(own: list[tuple[str, str]], rng: random.Random) -> Raw:
    """One of its questions and what it answered."""
    question, answer = rng.choice(own)
    return Raw("words", question, [Exchange(Sentence(question), Sentence(answer))])


def spoken_words(answers: Path) -> tuple[dict[str, int], dict[str, int]]:
    """(questions, answers) of the base that are to be spoken for training, each as often as what the small
    world often says; see data/speech/plans.py."""
    pairs = [pair for split in ("train", "val") for pair in own_words(answers, split)]
    questions, answered_so = ({pair[n]: SPOKEN_AS_OFTEN for pair in pairs} for n in (0, 1))
    return questions, answered_so


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
