"""The small world beside its scenes: equal seeds, splits, clips, printed words, sums, phrasings, figures."""

import random
import re
from collections import Counter

import numpy as np
import pytest

from unisono.assess.quality.held_out import asked
from unisono.core.errors import UserError
from unisono.data.splits import split_of
from unisono.data.world import pictures, sayings
from unisono.data.world.conversations import MAKERS, spoken_texts
from unisono.data.world.pictures import COLOURS, EMOJI, Thing, draw_emoji, draw_things, draw_word, resolution
from unisono.data.world.raw import Clip, Picture
from unisono.data.world.unknown import UNKNOWN, every
from unisono.data.world.words import WORDS


def test_letters_are_no_words_and_never_spoken() -> None:
    rng = random.Random(4)
    texts = [MAKERS["letters"](rng).truth["word"] for _ in range(300)]
    assert (
        not set(texts) & set(WORDS)
        and {len(text) for text in texts} >= {2, 3, 4, 5, 6, 7}
        and len(set(texts)) > 250
    )
    spoken = spoken_texts(1, 300)[1]
    assert not any(f"It says {text}." in spoken for text in texts)


@pytest.mark.parametrize("kind", MAKERS)
def test_equal_seeds_make_equal_conversations(kind: str) -> None:
    first, second = MAKERS[kind](random.Random("a")), MAKERS[kind](random.Random("a"))
    assert (first.key, first.truth, [i.answer for i in first.exchanges]) == (
        second.key,
        second.truth,
        [i.answer for i in second.exchanges],
    )
    for a, b in zip(first.exchanges, second.exchanges):
        for x, y in zip(
            [*a.shown, *([a.drawn] if a.drawn else [])], [*b.shown, *([b.drawn] if b.drawn else [])]
        ):
            frames = zip(x.frames, y.frames) if isinstance(x, Clip) else [(x.image, y.image)]
            assert all(
                i.size == (64, 64) and i.mode == "RGB" and i.tobytes() == j.tobytes() for i, j in frames
            )


def test_no_conversation_stands_in_two_splits() -> None:
    """Same words (talk) or same request (drawing), however it is asked -> same split, in each draw."""
    owners: dict[tuple, str] = {}
    for seed in range(3):
        rng = random.Random(seed)
        for _ in range(700):
            talk, draw = MAKERS["talk"](rng), MAKERS["draw"](rng)
            request = re.sub(
                r"^(Draw|Please draw|Make a picture of|Show me|Paint) ", "", draw.exchanges[0].question.text
            )
            for raw, content in ((talk, talk.exchanges[0].question.text), (draw, request)):
                assert owners.setdefault((raw.task, content), split_of(raw.key)) == split_of(raw.key)
    shares = Counter(owners.values())
    assert set(shares) == {"train", "val", "test"} and shares["train"] > 0.8 * sum(shares.values())


def test_clips_move_the_way_that_is_said() -> None:
    rng = random.Random(6)
    for _ in range(40):
        raw = MAKERS["watch"](rng)
        frames = raw.exchanges[0].shown[0].frames
        assert 4 <= len(frames) <= 6
        centres = []
        for frame in frames:
            ink = 255 - np.asarray(frame, np.float32).min(axis=-1)
            rows, columns = np.mgrid[:64, :64]
            centres.append(((ink * columns).sum() / ink.sum(), (ink * rows).sum() / ink.sum()))
        dx, dy = np.subtract(centres[-1], centres[0])
        way = (
            "still"
            if max(abs(dx), abs(dy)) < 2
            else ("right" if dx > 0 else "left")
            if abs(dx) > abs(dy)
            else ("down" if dy > 0 else "up")
        )
        assert way == raw.truth["way"]
        assert way in raw.exchanges[0].answer.text or "not move" in raw.exchanges[0].answer.text


def test_printed_words_are_large_and_whole() -> None:
    rng = random.Random(7)
    for word in rng.sample(WORDS, 25) + ["0", "7", "42", "999"]:
        page = np.asarray(draw_word(word, rng), np.float32)
        ink = np.abs(page - page[0, 0]).max(axis=-1) > 60
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        assert rows[0] > 0 and rows[-1] < 63 and columns[0] > 0 and columns[-1] < 63, (
            f"{word} touches the edge"
        )
        assert columns[-1] - columns[0] > 45 or rows[-1] - rows[0] > 14, f"{word} is too small to be read"
    assert len(set(WORDS)) == len(WORDS) >= 200


def test_sums_are_right_and_tables_have_no_contradictions() -> None:
    rng, number = random.Random(8), {sayings.number_word(n): n for n in range(101)}
    assert len(number) == 101
    signs = {"plus": lambda a, b: a + b, "minus": lambda a, b: a - b, "times": lambda a, b: a * b}
    for _ in range(200):
        a, sign, b, result = re.fullmatch(
            r"(\w+) (plus|minus|times) (\w+) is ([\w ]+)\.", sayings.ask(rng, "sum")[1]
        ).groups()
        assert signs[sign](number[a.lower()], number[b]) == number[result]
    answers = [
        question
        for table in (sayings.ITSELF, UNKNOWN)
        for forms in table.values()
        for form in forms
        for question in every(form)
    ]
    assert len(answers) == len(set(answers)), "one question has two answers"
    assert min(len(asked) for asked in sayings.ITSELF.values()) >= 3
    assert set(sayings.COLOURS_OF.values()) <= {*COLOURS, "white"}


def test_questions_have_several_phrasings() -> None:
    rng = random.Random(9)
    for kind, least in {"draw": 4, "see_emoji": 4, "draw_emoji": 4, "read": 4, "watch": 4}.items():
        openings = {
            MAKERS[kind](rng).exchanges[0].question.text.split(" a ")[0].split(" an ")[0] for _ in range(60)
        }
        assert len(openings) >= least, kind


def test_spoken_texts_are_repeatable_and_speakable() -> None:
    questions, answers = spoken_texts(1, 400)
    assert (questions, answers) == spoken_texts(1, 400)
    for text in [*questions, *answers]:
        assert text[0] == text[0].upper() and text[-1] in ".?!" and text.isascii(), text
    assert np.median([len(text.split()) for text in answers]) <= 9


def test_a_missing_emoji_font_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "EMOJI_FONTS", ("/nowhere.ttf",))
    pictures.emoji_font.cache_clear()
    try:
        with pytest.raises(UserError, match="fonts-noto-color-emoji"):
            pictures.emoji_font()
    finally:
        pictures.emoji_font.cache_clear()


def test_figures_differ_and_pictures_carry_their_kind() -> None:
    assert len({draw_emoji(name).tobytes() for name in EMOJI}) == len(EMOJI) >= 75
    raw = MAKERS["see_emoji"](random.Random(3))
    assert (
        isinstance(raw.exchanges[0].shown[0], Picture) and raw.truth["name"] in raw.exchanges[0].answer.text
    )


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_emoji("cat", x=30, y=34, width=40),
        lambda: draw_word("42", random.Random(1)),
        lambda: draw_things([Thing("star", "red", "big", 20, 40)]),
    ],
)
def test_a_finer_picture_shows_the_same(draw) -> None:
    coarse = draw()
    with resolution(128):
        fine = draw()
    assert coarse.size == (64, 64) and fine.size == (128, 128) and draw().size == (64, 64)
    apart = np.abs(np.asarray(fine.reduce(2), float) - np.asarray(coarse, float)).mean()
    assert apart < 3, apart


@pytest.mark.parametrize("task", [task for task in MAKERS if task != "recall"])  # which no measure asks for
def test_what_is_told_in_the_same_way_falls_into_one_split(task: str) -> None:
    """So no test asks what was taught: neither the same words about a picture, nor the same request for
    the same one.
    """
    rng, splits = random.Random(f"splits of {task}"), dict[tuple, set[str]]()
    for _ in range(300):
        raw = MAKERS[task](rng)
        splits.setdefault(asked(raw), set()).add(split_of(raw.key))
    assert all(len(found) == 1 for found in splits.values()) and {"train", "test"} <= set().union(
        *splits.values()
    )
