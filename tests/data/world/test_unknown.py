"""Forms of questions that cannot be answered."""

import random

from unisono.data.world.sayings import CAPITALS, COLOURS_OF, ask
from unisono.data.world.unknown import UNKNOWN, every, filled


def test_a_form_becomes_each_of_its_sentences_and_no_other() -> None:
    form, rng = "Who {won|lost} the {war|race}?", random.Random(1)
    assert every(form) == ["Who won the war?", "Who won the race?", "Who lost the war?", "Who lost the race?"]
    assert {filled(form, rng) for _ in range(100)} == set(every(form))
    assert every("How late is it?") == ["How late is it?"] == [filled("How late is it?", rng)]


def test_forms_are_whole_sentences() -> None:
    for text in (text for forms in UNKNOWN.values() for form in forms for text in every(form)):
        assert (
            text[0].isupper()
            and text[-1] in ".?"
            and text.isascii()
            and not set("{|}") & set(text)
            and "  " not in text
        ), text


def test_what_can_be_answered_is_not_among_them() -> None:
    asked = {text for forms in UNKNOWN.values() for form in forms for text in every(form)}
    assert not any(f"capital of {country}?" in text for country in CAPITALS for text in asked)
    assert not any(f"colour is {thing}?" in text for thing in COLOURS_OF for text in asked)
    rng = random.Random(2)
    for family in ("sum", "opposite", "colour", "calendar", "capital", "count", "itself"):
        assert not asked & {ask(rng, family)[0] for _ in range(300)}, family
    assert ask(rng, "unknown")[0] in asked
