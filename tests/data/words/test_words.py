"""A base's own words: which questions, which answers are kept, and that a stopped run goes on."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny_tokenizer
from packages import debian, question_sets, shared_texts

from unisono.cli import main
from unisono.core.errors import UserError
from unisono.data.sources import Source
from unisono.data.words.ask import answered, answers, ask_all
from unisono.data.words.questions import Question, questions
from unisono.data.words.speakable import has, speakable
from unisono.tokens.template import Template


class Scripted:
    """An engine that says given words after each question, by what the question is; counts its feeds."""

    def __init__(self, template: Template, lines: dict[str, str]) -> None:
        self.template, self.lines, self.num_open = template, lines, 0
        self.going: dict[int, list[int]] = {}

    def open(self) -> int:
        self.num_open += 1
        return self.num_open

    def feed(self, feeds: Sequence[tuple[int, Sequence[int]]]) -> np.ndarray:
        logits = np.zeros((len(feeds), self.template.vocab.size), np.float32)
        for row, (handle, ids) in zip(logits, feeds, strict=True):
            if handle not in self.going:
                asked = self.template.text.decode(list(ids))
                said = next(line for question, line in self.lines.items() if question in asked)
                self.going[handle] = [*self.template.text.encode(said), self.template.vocab.id("<|end|>")]
            row[self.going[handle].pop(0)] = 1
        return logits

    def drop(self, handle: int) -> None:
        del self.going[handle]


@pytest.fixture
def template() -> Template:
    """With an end of a reply among the pieces of text, as bases have it."""
    tokenizer = tiny_tokenizer()
    template = tokenizer.template
    template.vocab.__dict__["text_size"] = template.vocab.size
    return template


LINES = {
    "sky": "The sky is blue. It is wide. It is high.",
    "long": "It is red and it is red and it is red and",
    "list": "1. The sky 2. The moon",
    "Italy": "The capital is Paris.",
    "Peru": "It is Lima",
}


def test_what_is_kept_of_an_answer(template: Template) -> None:
    asked = [Question("trivia", text) for text in ("the sky?", "a long one?", "a list?")]
    asked += [Question("fact", "Italy?", "Rome"), Question("fact", "Peru?", "Lima")]
    engine = Scripted(template, LINES)
    found = {one.text: answer for one, answer in answers(engine, template, asked, batch=2)}
    assert found == {
        "the sky?": "The sky is blue. It is wide.",
        "a long one?": "",
        "a list?": "",
        "Italy?": "",
        "Peru?": "It is Lima.",
    }
    assert not engine.going


def test_a_stopped_run_goes_on(template: Template, tmp_path: Path) -> None:
    asked, path = (
        [Question("trivia", "the sky?"), Question("fact", "Peru?")],
        tmp_path / "a" / "answers.jsonl",
    )
    first = Scripted(template, LINES)
    ask_all(first, template, asked[:1], path)
    with open(path, "a") as file:
        file.write('{"kind": "fact", "quest')  # the machine was lost here
    second = Scripted(template, LINES)
    ask_all(second, template, asked, path)
    assert (first.num_open, second.num_open) == (1, 1)
    assert {text: line["answer"] for text, line in answered(path).items()} == {
        "the sky?": "The sky is blue. It is wide.",
        "Peru?": "It is Lima.",
    }


def test_sentences_that_can_be_spoken() -> None:
    assert speakable("Dr. Smith is here. He has 2.5 apples.", 2) == "Dr. Smith is here. He has 2.5 apples."
    assert speakable("One. Two. Three.", 2) == "One. Two."
    assert speakable("No end of it", 2) == ""
    assert speakable("I am SmolLM, hello.", 2) == ""
    assert speakable("So:\n- a\n- b.", 2) == ""
    assert has("There are 1,200 of them.", "1200") and has("It is twelve.", "12|twelve")
    assert not has("It is 12.5", "12") and not has("It is 120.", "12") and not has("Limassol", "Lima")


def test_questions_of_every_kind_and_the_same_again(tmp_path: Path) -> None:
    question_sets(tmp_path / "home" / "sources")
    shared_texts(tmp_path / "shared" / "text")
    found = questions(tmp_path / "shared", tmp_path / "home", 400)
    assert found == questions(tmp_path / "shared", tmp_path / "home", 400)
    assert {one.kind for one in found} == {"trivia", "small talk", "how-to", "fact", "text", "sum", "story"}
    assert len({one.text for one in found}) == len(found) > 330
    assert not [one.text for one in found if set("{|}@") & set(one.text)]
    known = {one.text: one.known for one in found if one.kind == "fact"}
    assert (
        known["What is the capital of Italy?"] == "Rome" and known["What is the capital of Peru?"] == "Lima"
    )
    texts = {one.text for one in found}
    assert {"What do you like to eat?", "Do you like bread?", "What is iron used for?"} <= texts
    assert any("house" in one.text and one.kind == "trivia" for one in found)


def test_a_package_that_is_missing_or_damaged(tmp_path: Path) -> None:
    source = Source("openclipart-svg", "debian", "", "public domain")
    with pytest.raises(UserError, match="apt-get download openclipart-svg"):
        list(source.members(tmp_path, lambda name: True))
    (tmp_path / "sources").mkdir()
    path = tmp_path / "sources" / "openclipart-svg_1_all.deb"
    debian(path, {"./usr/b.svg": b"two", "./usr/a.svg": b"one", "./usr/c.txt": b"no"})
    assert list(source.members(tmp_path, lambda name: name.endswith(".svg"))) == [
        ("./usr/b.svg", b"two"),
        ("./usr/a.svg", b"one"),
    ]
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UserError, match="damaged"):
        list(source.members(tmp_path, lambda name: True))


def test_a_base_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    from tiny_bases import tiny_base

    question_sets(tmp_path / "sources")
    shared_texts(tmp_path / "shared" / "text")
    base = tiny_base(tmp_path / "base", "qwen2")
    shared, home = tmp_path / "shared", tmp_path
    options = ["--shared", str(shared), "--home", str(home), "--scale", "0.0005"]
    assert main(["data", "words", "--init", str(base), *options]) == 0
    (path,) = (tmp_path / "words").glob("*/answers.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) > 10 and all(set(line) == {"kind", "question", "answer"} for line in lines)
    assert main(["data", "words", "--init", str(base), *options]) == 0
    assert len(path.read_text().splitlines()) == len(lines)
    capsys.readouterr()
    assert main(["data", "words", *options]) == 2
    assert "--init smollm2" in capsys.readouterr().err
