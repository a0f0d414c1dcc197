"""What a network that begins from an LLM learns besides: counts, splits, and shards with all of it."""

import json
import random
from functools import partial
from pathlib import Path

import numpy as np

from unisono.data.shards.coder import Coder
from unisono.data.shards.lessons import LessonCounts, lessons, own_words, spoken_words, word_of_base
from unisono.data.shards.prepare import world_conversations
from unisono.data.speech.codebank import CodeBank
from unisono.data.splits import split_of
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Audio, Call


def answers(folder: Path, count: int) -> Path:
    """A file of a base's answers; every tenth was not kept."""
    path = folder / "answers.jsonl"
    lines = [
        {"kind": "trivia", "question": f"What is {n}?", "answer": f"It is {n}." if n % 10 else ""}
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_own_words_are_kept_apart_by_their_questions(tmp_path: Path) -> None:
    path = answers(tmp_path, 400)
    found = {split: own_words(path, split) for split in ("train", "val", "test")}
    assert sum(map(len, found.values())) == 360 and all(found.values())
    assert all(split_of(question) == split for split, pairs in found.items() for question, _ in pairs)


def test_all_lessons_with_and_without_own_words(tmp_path: Path, tokenizer: OmniTokenizer) -> None:
    counts = LessonCounts(scale=0.001)
    for path in (answers(tmp_path, 50), tmp_path / "none.jsonl"):
        made = list(lessons(path, "train", counts, 1))
        tasks = [task for task, _ in made]
        assert (tasks.count("calls"), tasks.count("forms")) == (30, 12)
        assert any(isinstance(part, Call) for _, talk in made for one in talk for part in one.parts)
        for _, messages in made[:40]:
            ids, learned = tokenizer.encode(messages)
            assert 0 < learned.sum() < len(ids)


def test_own_words_are_asked_and_answered_aloud_where_they_were_spoken(
    tmp_path: Path, tokenizer: OmniTokenizer
) -> None:
    path = answers(tmp_path, 300)
    own, said = own_words(path, "train"), spoken_words(path)
    assert set(said[0]) == {one for split in ("train", "val") for one, _ in own_words(path, split)}
    spoken = [(question, "v0") for question, _ in own[:40]] + [(answer, "heart") for _, answer in own[:40]]
    items = [
        {"text": text, "voice": voice, "split": "train", "start": 4 * n, "length": 4}
        for n, (text, voice) in enumerate(spoken)
    ]
    (tmp_path / "codes").mkdir()
    np.arange(4 * len(items), dtype="<u2").__mod__(15).tofile(tmp_path / "codes" / "codes.u16")
    lines = "".join(json.dumps(item) + "\n" for item in items)
    (tmp_path / "codes" / "index.jsonl").write_text(lines)
    coder = Coder(tokenizer, CodeBank([tmp_path / "codes"]), "train", 1)
    make = partial(word_of_base, own[:40])
    talks = list(world_conversations("words", 60, "train", coder, 1, make))
    kinds = {tuple(isinstance(one.parts[-1], Audio) for one in talk[-2:]) for talk in talks}
    assert kinds == {(False, False), (True, False), (False, True), (True, True)}
    assert all(split_of(raw.key) == "train" for raw in map(make, map(random.Random, range(9))))
