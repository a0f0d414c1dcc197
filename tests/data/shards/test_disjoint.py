"""A conversation of the validation that was also taught is found, whatever surrounds it."""

from pathlib import Path

import numpy as np
import pytest

from unisono.core.errors import UserError
from unisono.data.shards.disjoint import check_disjoint
from unisono.data.shards.shard import Shard, ShardWriter
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Image, Message, Text

PICTURES = [np.arange(16) % 12, np.arange(16)[::-1] % 12]


def shard(folder: Path, tokenizer: OmniTokenizer, task: str, told: list[tuple[str, int, str]]) -> Shard:
    """One document for each (question, picture, reply)."""
    writer = ShardWriter(folder, tokenizer.vocab.size)
    for question, picture, reply in told:
        writer.add(
            *tokenizer.encode(
                [
                    Message("user", [Image(PICTURES[picture]), Text(question)]),
                    Message("assistant", [Text(reply)]),
                ]
            ),
            task,
        )
    writer.close(split=folder.name)
    return Shard(folder)


@pytest.mark.parametrize(
    "task, first, same, other",
    [
        (
            "see",
            ("What is this?", 0, "A star."),
            ("Which one?", 0, "A heart."),
            ("What is this?", 1, "A star."),
        ),
        ("read", ("What does it say?", 0, "cat"), ("Read it.", 1, "cat"), ("What does it say?", 0, "dog")),
        ("talk", ("Who are you?", 0, "Unisono."), ("Who are you?", 0, "Me."), ("Who am I?", 0, "Unisono.")),
    ],
)
def test_what_was_taught_is_found(
    tokenizer: OmniTokenizer, tmp_path: Path, task: str, first: tuple, same: tuple, other: tuple
) -> None:
    val = shard(tmp_path / "val", tokenizer, task, [first])
    assert check_disjoint(shard(tmp_path / "apart", tokenizer, task, [other]), val, tokenizer.template) == {
        task: 1
    }
    with pytest.raises(UserError, match=f"a {task} document stands in training and in the val split"):
        check_disjoint(shard(tmp_path / "train", tokenizer, task, [other, same]), val, tokenizer.template)


@pytest.mark.parametrize("task", ["letters", "hear", "speak", "speak_open"])
def test_whatever_is_told_by_its_reply_is_compared(
    tokenizer: OmniTokenizer, tmp_path: Path, task: str
) -> None:
    val = shard(tmp_path / "val", tokenizer, task, [("What does it say?", 0, "cat")])
    with pytest.raises(UserError, match=f"a {task} document stands"):
        check_disjoint(
            shard(tmp_path / "train", tokenizer, task, [("Read it.", 1, "cat")]), val, tokenizer.template
        )


def test_of_conversations_that_are_joined_the_first_counts_and_texts_are_compared_whole(
    tokenizer: OmniTokenizer, tmp_path: Path
) -> None:
    def joined(folder: str, first: str, last: str) -> Shard:
        writer = ShardWriter(tmp_path / folder, tokenizer.vocab.size)
        turns = [
            Message(role, [Text(text)])
            for role, text in (("user", first), ("assistant", "a"), ("user", last), ("assistant", "b"))
        ]
        writer.add(*tokenizer.encode(turns), "talk")
        writer.add(*tokenizer.template.document(f"A story of {first}"), "stories")
        writer.close(split=folder)
        return Shard(tmp_path / folder)

    val = joined("val", "Who?", "What?")
    assert check_disjoint(joined("apart", "How?", "What?"), val, tokenizer.template) == {
        "talk": 1,
        "stories": 1,
    }
    with pytest.raises(UserError, match="a talk document stands"):
        check_disjoint(joined("train", "Who?", "Why?"), val, tokenizer.template)
    story = ShardWriter(tmp_path / "story", tokenizer.vocab.size)
    story.add(*tokenizer.template.document("A story of Who?"), "stories")
    story.close(split="story")
    with pytest.raises(UserError, match="a stories document stands"):
        check_disjoint(Shard(tmp_path / "story"), val, tokenizer.template)


def test_drawings_are_not_compared(tokenizer: OmniTokenizer, tmp_path: Path) -> None:
    request = [("Draw a star.", 0, "Here is a star.")]
    assert (
        check_disjoint(
            shard(tmp_path / "train", tokenizer, "draw", request),
            shard(tmp_path / "val", tokenizer, "draw", request),
            tokenizer.template,
        )
        == {}
    )
