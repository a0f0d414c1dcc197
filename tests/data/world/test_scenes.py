"""Scenes tell the truth: answers, notes and drawings are checked against the pictures by a reader that knows
nothing of them.
"""

import random
import re
from collections import Counter

import numpy as np

from unisono.assess.quality.figures import FigureReader
from unisono.assess.quality.scenes import Seen, read_scene, score_scene
from unisono.data.world import sayings
from unisono.data.world.conversations import MAKERS
from unisono.data.world.pictures import EMOJI, SHAPES, Thing, draw_emoji
from unisono.data.world.raw import Exchange
from unisono.data.world.samples import cell_centre
from unisono.data.world.scenes import _key, notes

SIDES = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}


def pixels(item: Exchange) -> np.ndarray:
    return np.asarray((item.drawn or item.shown[0]).image)


def side_of(a: Seen, b: Seen) -> str | None:
    """Where `a` lies seen from `b`, on one row or column."""
    dx, dy = round((a.x - b.x) / 21), round((a.y - b.y) / 21)
    return next((name for name, (x, y) in SIDES.items() if (np.sign(dx), np.sign(dy)) == (x, y)), None)


def holds(question: str, answer: str, seen: list[Seen]) -> bool | None:
    """Whether the answer is true of what is seen; None if the answer is of no known form."""
    if found := re.fullmatch(r"There (?:is|are) (\w+) (?:(\w+) )?(\w+)\.", answer):
        count, colour, named = found.groups()
        shape = next(shape for shape in SHAPES if named in (shape, shape + "s", shape + "es"))
        return ("no", *sayings.NUMBERS[1:]).index(count) == sum(
            t.shape == shape and colour in (None, t.colour) for t in seen
        )
    if found := re.fullmatch(r"The (\w+) is (\w+)\.", answer):
        return {t.colour for t in seen if t.shape == found[1]} == {found[2]}
    if found := re.fullmatch(r"The (\w+) thing is an? (\w+)\.", answer):
        return {t.shape for t in seen if t.colour == found[1]} == {found[2]}
    if found := re.fullmatch(r"(Yes, there is an?|No, there is no) (\w+) (\w+)\.", answer):
        return found[1].startswith("Yes") == any((t.colour, t.shape) == (found[2], found[3]) for t in seen)
    if found := re.fullmatch(r"It is an? (\w+) (\w+)\.", answer):
        side, colour, shape = re.search(r"(left of|right of|above|below) the (\w+) (\w+)", question).groups()
        (anchor,) = [t for t in seen if (t.colour, t.shape) == (colour, shape)]
        return [(t.colour, t.shape) for t in seen if t is not anchor and side_of(t, anchor) == side] == [
            (found[1], found[2])
        ]
    if found := re.fullmatch(r"The (\w+) (\w+) is (bigger|smaller)\.", answer):
        wanted = {"bigger": "big", "smaller": "small"}[found[3]]
        return [(t.colour, t.shape) for t in seen if t.size == wanted] == [(found[1], found[2])]
    named = re.findall(r"(small|big) (\w+) (\w+)", answer)
    if named:
        true = Counter(named) == Counter((t.size, t.colour, t.shape) for t in seen)
        side = next((s for s in SIDES if f" {s} " in answer), None)
        if side and len(seen) == 2:
            first, second = sorted(seen, key=lambda t: (t.size, t.colour, t.shape) != named[0])
            true = true and side in (
                side_of(first, second),
                side_of(second, first) if named[0] == named[1] else side,
            )
        return true
    return None


def test_every_answer_about_a_scene_is_true_of_its_picture() -> None:
    rng, judged = random.Random(1), 0
    for _ in range(250):
        raw = MAKERS["see"](rng)
        seen = read_scene(pixels(raw.exchanges[0]))
        assert Counter((t.shape, t.colour, t.size) for t in seen) == Counter(map(tuple, raw.truth["things"]))
        for item in raw.exchanges:
            assert holds(item.question.text, item.answer.text, seen), (
                raw.key,
                item.question.text,
                item.answer.text,
            )
            judged += 1
    assert judged > 400


def test_a_scene_is_described_in_one_way_and_asked_about_without_repeating() -> None:
    rng = random.Random(3)
    for _ in range(200):
        raw = MAKERS["see"](rng)
        answers = [item.answer.text for item in raw.exchanges]
        assert len(answers) >= 2
        assert not any(
            side in answer for answer in answers for side in ("right of", "below") if answer.startswith("A")
        ), answers
        assert sum(re.match("An? (small|big)", answer) is not None for answer in answers) == 1


def test_drawings_follow_from_their_notes_alone() -> None:
    rng, drawn, requests = random.Random(5), dict[str, set[bytes]](), set()
    for number in range(1500):
        raw = MAKERS["draw"](rng)
        (made,) = raw.exchanges
        drawn.setdefault(made.notes, set()).add(made.drawn.image.tobytes())
        requests.add(raw.key)
        if number % 5:  # to read takes longer than to draw
            continue
        read = sorted(
            (3 * round((thing.y - 11) / 21) + round((thing.x - 11) / 21), thing)
            for thing in read_scene(pixels(made))
        )
        assert made.notes == ",".join(
            f"{cell} {thing.size} {thing.colour} {thing.shape}" for cell, thing in read
        )
    assert {len(pictures) for pictures in drawn.values()} == {1} and len(drawn) < 1450 and len(requests) > 800


def test_notes_tell_what_the_picture_holds() -> None:
    things = [Thing("star", "red", "big", *cell_centre(7)), Thing("heart", "blue", "small", *cell_centre(2))]
    assert notes(things) == "2 small blue heart,7 big red star"
    rng = random.Random(6)
    for _ in range(100):
        raw = MAKERS["see"](rng)
        told = [tuple(reversed(note.split()[1:])) for note in raw.exchanges[0].notes.split(",")]
        assert Counter(told) == Counter((shape, colour, size) for shape, colour, size in raw.truth["things"])
        assert not any(item.notes for item in raw.exchanges[1:])


def test_notes_are_gone_through_for_what_is_asked_about() -> None:
    rng, found = random.Random(8), Counter[str]()
    for _ in range(300):
        raw = MAKERS["see"](rng)
        for item in raw.exchanges:
            start = item.answer.text.split()[0].strip(",")
            if start not in ("Yes", "No", "There", "It") and not re.match(
                "The .* is (?!bigger|smaller)[a-z]*[.]$", item.answer.text
            ):
                assert not item.looked_up
                continue
            wanted, gone_through, *beside = item.looked_up.split(":")
            assert all(re.search(f"{word}(e?s)?[^a-z]", item.question.text) for word in wanted.split())
            marks = []
            for note, marked in zip(raw.exchanges[0].notes.split(","), gone_through.split(","), strict=True):
                is_meant = set(wanted.split()) <= set(note.split())
                assert marked.startswith(note) and (len(marked) > len(note)) == is_meant
                marks += [marked.split()[-1]] if is_meant else []
            where = [
                note.split()[0]
                for note in gone_through.split(",")
                if set(wanted.split()) <= set(note.split())
            ]
            expected = {
                "Yes": ["yes"] * len(marks),
                "No": [],
                "There": sayings.NUMBERS[1 : len(marks) + 1],
                "It": where,
            }
            assert marks == list(expected.get(start, [item.answer.text.rstrip(".").split()[-1]] * len(marks)))
            is_none = start == "No" or item.answer.text.startswith(("There are no ", "There is no "))
            assert is_none == (not marks) and (start != "There" or is_none or marks[-1] in item.answer.text)
            for found_there in beside:
                cell, side, note = re.fullmatch(
                    r"(\d) (left of|right of|above|below) (.*)", found_there
                ).groups()
                assert (
                    [cell] == where
                    and note in raw.exchanges[0].notes.split(",")
                    and side in item.question.text
                )
                assert item.answer.text.split()[-2:] == [note.split()[2], note.split()[3] + "."]
            assert (start == "It") == bool(beside)
            found["None" if start == "There" and is_none else start] += 1
    assert min(found[word] for word in ("Yes", "No", "There", "None", "The", "It")) > 50


def test_what_is_looked_up_is_never_asked_first_of_told_notes() -> None:
    rng = random.Random(9)
    raws = [MAKERS["recall"](rng) for _ in range(60)]
    assert (
        not any(raw.exchanges[0].looked_up for raw in raws)
        and sum(item.looked_up != "" for raw in raws for item in raw.exchanges) > 40
    )
    assert all(
        raw.exchanges[0].notes and not any(item.notes or item.shown for item in raw.exchanges[1:])
        for raw in raws
    )


def test_a_scene_told_in_notes_is_not_the_one_that_is_shown() -> None:
    rng, shown = random.Random(7), 0
    for _ in range(40):
        raw = MAKERS["recall"](rng)
        told = [
            Thing(shape, colour, size, 0, 0)
            for note in raw.exchanges[0].notes.split(",")
            for size, colour, shape in [note.split()[1:]]
        ]
        assert Counter((t.shape, t.colour, t.size) for t in told) == Counter(map(tuple, raw.truth["things"]))
        for picture in raw.exchanges[0].shown:
            shown += 1
            assert notes(read_scene(np.asarray(picture.image))) != raw.exchanges[0].notes
    assert 10 < shown < 35


def test_drawn_replies_show_what_was_asked_for() -> None:
    rng = random.Random(2)
    reader = FigureReader({name: np.asarray(draw_emoji(name)) for name in EMOJI})
    for _ in range(60):
        raw = MAKERS["draw"](rng)
        wanted = [tuple(thing) for thing in raw.truth["things"]]
        assert all(score_scene(pixels(raw.exchanges[0]), wanted, raw.truth["side"]).values()), raw.key
        figure = MAKERS["draw_emoji"](rng)
        assert reader.read(pixels(figure.exchanges[0])) == figure.truth["name"]
        assert figure.truth["name"] in figure.exchanges[0].question.text


def test_a_scene_keeps_its_split_whatever_is_asked_and_however_it_is_jittered() -> None:
    things = [Thing("star", "red", "big", 11.3, 32.4), Thing("heart", "blue", "small", 52.7, 10.8)]
    moved = [Thing("heart", "blue", "small", 53.4, 11.2), Thing("star", "red", "big", 10.6, 31.7)]
    assert _key(things) == _key(moved)
    assert _key(things) != _key([things[0]])
