"""What it is asked and cannot know: in no word that was taught."""

from unisono.assess.quality.judge import comparable
from unisono.assess.quality.limits import QUESTIONS, admits
from unisono.data.world.sayings import ITSELF
from unisono.data.world.unknown import UNKNOWN, every


def test_none_of_the_questions_is_taught() -> None:
    taught = {
        comparable(text)
        for table in (ITSELF, UNKNOWN)
        for forms in table.values()
        for form in forms
        for text in every(form)
    }
    assert len(set(map(comparable, QUESTIONS))) == len(QUESTIONS) >= 40
    assert not taught & set(map(comparable, QUESTIONS))


def test_only_saying_so_counts() -> None:
    assert admits("I cannot know that.") and admits(" I do not know, I am too small for that. ")
    assert not admits("Paris.") and not admits("") and not admits("I cannot know that, but it is Paris.")
