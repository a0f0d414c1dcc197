"""What a network that begins from an LLM learns besides: counts, splits, and shards with all of it."""

import json
from pathlib import Path

from unisono.data.shards.lessons import LessonCounts, lessons, own_words
from unisono.data.splits import split_of
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Call


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
        assert tasks.count("words") == len(own_words(path, "train"))
        assert any(isinstance(part, Call) for _, talk in made for one in talk for part in one.parts)
        for _, messages in made[:40]:
            ids, learned = tokenizer.encode(messages)
            assert 0 < learned.sum() < len(ids)
