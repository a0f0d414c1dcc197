"""Raw conversations become shards: every task, splits apart, always the same."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from code_bank import bank, no_instructions, small_batches

from unisono.data.shards import prepare as module
from unisono.data.shards.coder import Coder
from unisono.data.shards.prepare import (
    SOUND_NAMES,
    Counts,
    hear_conversations,
    prepare,
    speak_conversations,
    world_conversations,
)
from unisono.data.shards.shard import Shard
from unisono.data.speech.codebank import CodeBank
from unisono.data.splits import split_of
from unisono.data.world.conversations import MAKERS
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Image, Text, Thought

__all__ = ["bank", "no_instructions", "small_batches"]  # fixtures

COUNTS = Counts(see=2, recall=2, draw=2, see_emoji=2, draw_emoji=2, read=2, letters=2, watch=2, talk=2)


def texts(split: str) -> Iterator[tuple[str, str]]:
    yield "stories", f"A story of the {split} split."
    yield "books", "A book. " * 20


def test_a_crumb_of_everything(tokenizer: OmniTokenizer, bank: CodeBank, tmp_path: Path) -> None:
    for name in ("first", "second"):
        prepare(tokenizer, bank, texts, tmp_path / name, split="train", counts=COUNTS)
    shard = Shard(tmp_path / "first")
    assert all(
        (tmp_path / "first" / file.name).read_bytes() == file.read_bytes()
        for file in (tmp_path / "second").iterdir()
    )
    assert shard.manifest["split"] == "train" and shard.manifest["vocab_size"] == tokenizer.vocab.size
    numbers = {name: int((shard.tasks == place).sum()) for place, name in enumerate(shard.task_names)}
    assert all(numbers[task] == 2 for task in MAKERS)
    assert (
        numbers["hear_words"] == 2
        and numbers["hear_sounds"] == 1
        and numbers["stories"] == numbers["books"] == 1
    )
    assert numbers["hear"] + 1 == len(
        [item for item in bank.items if item["split"] == "train" and item["text"]]
    )
    assert numbers["speak_open"] == len([item for item in bank.items if item["voice"] == "heart"])
    vocab = tokenizer.vocab
    for number in range(len(shard.ends)):
        ids, learn = shard.document(number)
        first = (
            "<|document|>" if shard.task_names[shard.tasks[number]] in ("stories", "books") else "<|user|>"
        )
        assert vocab.name(int(ids[0])) in (first, "<|system|>") and vocab.name(int(ids[-1])) == "<|end|>"
        assert not learn[0] and learn[-1] and ids.max() < vocab.size
        assert {vocab.modality(int(id)) for id in ids} <= {"text", "special", "audio", "image", "time"}


def test_notes_come_before_the_first_answer_that_is_learned(tokenizer: OmniTokenizer) -> None:
    coder = Coder(tokenizer, CodeBank([]), "train", 1)
    places, looked_up = set(), 0
    for messages in world_conversations("see", 60, "train", coder, seed=3):
        replies = [message for message in messages if message.role == "assistant"]
        noted = [number for number, reply in enumerate(replies) if isinstance(reply.parts[0], Thought)]
        assert [reply.is_learned for reply in replies] == [
            number >= noted[0] for number in range(len(replies))
        ]
        for number, reply in enumerate(replies[noted[0] :], noted[0]):
            is_looked_up = (
                re.match("Yes|No,|There|It|The [a-z]* is (?!bigger|smaller|an? )", reply.text) is not None
            )
            thought = reply.parts[0].text if isinstance(reply.parts[0], Thought) else ""
            assert (number == noted[0]) <= bool(thought) and is_looked_up == (":" in thought)
            looked_up += is_looked_up
        places.add(noted[0])
    assert {0, 1} <= places and looked_up > 10
    for messages in world_conversations("draw", 5, "train", coder, seed=3):
        assert [type(part) for part in messages[-1].parts] == [Thought, Text, Image] and messages[
            -1
        ].is_learned


def test_what_is_said_of_notes_alone_is_learned_and_the_notes_are_not(tokenizer: OmniTokenizer) -> None:
    coder = Coder(tokenizer, CodeBank([]), "train", 1)
    shown = []
    for messages in world_conversations("recall", 20, "train", coder, seed=3):
        shown.append(any(isinstance(part, Image) for message in messages for part in message.parts))
        first, *others = [message for message in messages if message.role == "assistant"]
        looked_up = [reply.parts[0] for reply in others if isinstance(reply.parts[0], Thought)]
        assert (
            not first.parts[0].is_learned
            and all(thought.is_learned for thought in looked_up)
            and first.is_learned
        )
        ids, learn = tokenizer.encode(messages)
        learned = [tokenizer.vocab.name(int(id)) for id in ids[learn > 0]]
        assert learned.count("<|begin_thought|>") == len(looked_up) and learned.count("<|end|>") == 1 + len(
            others
        )
    assert {True, False} == set(shown)


def test_every_conversation_keeps_to_its_split(tokenizer: OmniTokenizer, bank: CodeBank) -> None:
    for split in ("train", "val", "test"):
        coder = Coder(tokenizer, CodeBank([]), split, 1)
        asked = [messages[0].text for messages in world_conversations("talk", 5, split, coder, seed=3)]
        assert len(asked) == 5 and {split_of(text) for text in asked} == {split}
    assert not list(hear_conversations(bank, "val", random.Random(0)))
    ((task, messages),) = speak_conversations(Coder(tokenizer, bank, "test", 1), "test", random.Random(0))
    assert task == "speak_open"
    assert messages[0].text == "voice: slt" and "seven" in messages[1].text and messages[2].text == "seven"


def test_questions_follow_each_other_in_one_conversation(
    tokenizer: OmniTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 100)
    coder = Coder(tokenizer, CodeBank([]), "val", 1)
    talked = [
        [m.text for m in messages if m.role == "user"]
        for messages in world_conversations("talk", 30, "val", coder, seed=3)
    ]
    assert len(talked) == 30 and {len(questions) for questions in talked} == {1, 2, 3, 4}
    assert all(split_of(question) == "val" for questions in talked for question in questions)


def test_hearing_asks_for_words_meaning_and_names(bank: CodeBank) -> None:
    found = {
        (task, messages[1].text) for task, messages in hear_conversations(bank, "train", random.Random(0))
    }
    assert {
        ("hear_words", "كلب"),
        ("hear_words", "dog"),
        ("hear_sounds", f"I hear {SOUND_NAMES['dog_bark']}."),
    } <= found


def test_counts_scale() -> None:
    assert Counts(see=200, scale=0.1).of("see") == 20 and Counts(see=2, scale=0.01).of("see") == 1
    assert all(Counts().of(task) > 0 for task in MAKERS)
