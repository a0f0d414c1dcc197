"""Phrasings: hundreds for each kind, a share held out, and a question keeps its meaning."""

import random
from collections import Counter

import pytest

from unisono.data.phrasings.rephrase import Kind, count_phrasings, kinds, rephrased, said
from unisono.data.world.conversations import MAKERS
from unisono.data.world.sayings import ask
from unisono.data.world.unknown import every

NAMES = {kind.name: kind for kind in kinds()}


def test_there_are_many_and_some_are_held_out() -> None:
    assert len(NAMES) == 15 and sum(map(count_phrasings, kinds())) > 1500
    for kind in kinds():
        taught, held = (
            {one for form in forms for one in every(form)} for forms in (kind.taught, kind.held_out)
        )
        assert len(kind.held_out) >= 2 and not taught & held, kind.name
        assert not any(mark in one for one in taught | held for mark in "{}|"), kind.name
    both = " ".join(form for kind in kinds() for form in kind.taught)
    assert "colour" in both and "color" in both


@pytest.mark.parametrize(
    ("text", "task", "kind", "about"),
    [
        ("How many red squares do you see?", "see", "count", "red squares"),
        ("What colour is the star?", "see", "colour", "star"),
        ("What colour is the sun?", "talk", "colour of", "the sun"),
        ("What is left of the circle?", "see", "where", "left of the circle"),
        ("What is in the picture?", "see", "describe", ""),
        ("What is the orange thing?", "see", "shape", "orange"),
        ("What is two plus three?", "talk", "sum", "two plus three"),
        ("Draw two red stars.", "draw", "draw", "two red stars"),
        ("What do you see in the clip?", "watch", "clip", ""),
    ],
)
def test_a_question_keeps_its_meaning(text: str, task: str, kind: str, about: str) -> None:
    one: Kind = NAMES[kind]
    for number in range(20):
        for split, forms in (("train", one.taught), ("test", one.held_out)):
            found = rephrased(text, task, random.Random(number), split)
            wanted = {made.replace("<>", about) for form in forms for made in every(form)}
            assert found in {made[0].upper() + made[1:] for made in wanted}


def test_nearly_all_of_the_world_has_other_phrasings() -> None:
    rng, found = random.Random(1), Counter[tuple[str, bool]]()
    for task in ("see", "draw", "see_emoji", "draw_emoji", "read", "watch"):
        for _ in range(40):
            for item in MAKERS[task](rng).exchanges:
                text = item.question.text
                found[task, rephrased(text, task, rng, "test") != text] += 1
    for task in ("draw", "draw_emoji", "read", "watch", "see_emoji"):
        assert not found[task, False]
    assert found["see", True] > 4 * found["see", False]
    for family in ("sum", "opposite", "capital", "count"):
        for _ in range(20):
            question, _, _ = ask(rng, family)
            assert rephrased(question, "talk", rng, "test") != question, question


def test_as_people_type_it() -> None:
    rng = random.Random(1)
    found = {said("How many circles are there?", "see", rng) for _ in range(60)}
    assert len(found) > 30 and "How many circles are there?" in found
    assert any(one.islower() for one in found) and any(one[-1].isalpha() for one in found)
    assert (
        said("Is there life on Mars?", "talk", random.Random(2)).lower().startswith("is there life on mars")
    )
