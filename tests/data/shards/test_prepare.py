"""Raw conversations become shards: every task, spoken where there is sound, splits apart, always the same."""

import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import drawing

from unisono.data.shards import coder as coder_module, prepare as module
from unisono.data.shards.coder import Coder, framed, loosely
from unisono.data.shards.prepare import (
    SOUND_NAMES,
    Counts,
    hear_conversations,
    prepare,
    speak_conversations,
    world_conversations,
)
from unisono.data.shards.shard import Shard
from unisono.data.speech.codebank import CodeBank, encode_waves
from unisono.data.speech.corpus import Spoken, to_int16, write_waves
from unisono.data.speech.voices import speak
from unisono.data.splits import split_of
from unisono.data.world.conversations import MAKERS
from unisono.data.world.raw import Clip, Exchange, Picture, Raw, Sentence
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Audio, Image, Message, Text, Thought, Video

COUNTS = Counts(see=2, recall=2, draw=2, see_emoji=2, draw_emoji=2, read=2, letters=2, watch=2, talk=2)


@pytest.fixture(autouse=True)
def no_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coder_module, "INSTRUCTED", 0.0)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few at a time, and questions as they are: one test is about how people type them."""
    monkeypatch.setattr(module, "BATCH", 4)
    monkeypatch.setattr(coder_module, "loosely", lambda text, rng: text)


@pytest.fixture(scope="module")
def bank(tokenizer: OmniTokenizer, tmp_path_factory: pytest.TempPathFactory) -> CodeBank:
    """What the two conversations of each task say, spoken by espeak-ng: questions by espeak00, answers in the
    name of heart.
    """
    if not shutil.which("espeak-ng"):
        pytest.skip("needs the program espeak-ng")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH", 4)
        patch.setattr(coder_module, "loosely", lambda text, rng: text)
        silent = Coder(tokenizer, CodeBank([]), "train", 1)
        said = [
            (message.role, message.text)
            for task in MAKERS
            for messages in world_conversations(task, 2, "train", silent, 1)
            for message in messages
            if message.text
        ]
    items = [
        Spoken(
            to_int16(speak(text, "espeak00")),
            {
                "text": text,
                "voice": "espeak00" if role == "user" else "heart",
                "split": "train",
                "source": "espeak",
            },
        )
        for role, text in dict.fromkeys(said)
    ]
    word, bark, test = (to_int16(speak(text, "espeak01")) for text in ("dog", "woof", "seven"))
    items += [
        Spoken(
            word,
            {
                "text": "كلب",
                "meaning": "dog",
                "voice": "arabic1",
                "split": "train",
                "source": "arabic_commands",
            },
        ),
        Spoken(
            bark, {"text": None, "label": "dog_bark", "voice": "esc10", "split": "train", "source": "esc10"}
        ),
        Spoken(test, {"text": "seven", "voice": "slt", "split": "test", "source": "espeak"}),
    ]
    folder = tmp_path_factory.mktemp("speech")
    write_waves(folder / "waves", items)
    encode_waves(folder / "waves", tokenizer.audio_codec, folder / "codes")
    return CodeBank([folder / "codes"])


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


def test_what_has_sound_is_spoken(tokenizer: OmniTokenizer, bank: CodeBank) -> None:
    asked = next(item["text"] for item in bank.items if item["voice"] == "espeak00")
    answered = next(item["text"] for item in bank.items if item["voice"] == "heart")
    raw = Raw(
        "see",
        "key",
        [
            Exchange(
                Sentence(asked),
                Sentence(answered),
                [Picture(drawing()), Clip([drawing((9, 9))] * 2)],
                Picture(drawing((64, 64))),
            )
        ],
    )
    coder = Coder(tokenizer, bank, "train", 1)
    coder.see([raw])

    def kinds(message: Message) -> list[type]:
        return [type(part) for part in message.parts]

    question, answer = coder.messages(raw, (False, False))
    assert kinds(question) in ([Image, Video, Text], [Text, Image, Video]) and kinds(answer) == [Text, Image]
    assert (question.text, answer.text) == (asked, answered)
    assert np.array_equal(answer.parts[1].codes, tokenizer.image_part(drawing((64, 64))).codes)
    system, question, answer = coder.messages(raw, (True, True))
    assert system == Message("system", [Text("voice: heart")])
    assert kinds(question) in ([Image, Video, Audio], [Audio, Image, Video]) and kinds(answer) == [
        Thought,
        Text,
        Audio,
        Image,
    ]
    heard = {
        n
        for n, item in enumerate(bank.items)
        if np.array_equal(
            bank.codes_of(n), next(part for part in question.parts if isinstance(part, Audio)).codes
        )
    }
    assert asked in {bank.items[n]["text"] for n in heard}


def test_nobody_speaks_with_a_recording_that_is_held_out(tokenizer: OmniTokenizer, bank: CodeBank) -> None:
    coder = Coder(tokenizer, bank, "train", 1)
    held = {number for number, item in enumerate(bank.items) if item["split"] == "test"}
    assert held and not held & set(coder.voices)
    raw = Raw(
        "talk", "key", [Exchange(Sentence("seven"), Sentence("seven"))]
    )  # which the bank has in "test" only
    coder.see([raw])
    assert [type(part) for message in coder.messages(raw, (True, True)) for part in message.parts] == [
        Text,
        Text,
    ]


def test_questions_come_before_and_after_what_they_ask_about(
    tokenizer: OmniTokenizer, bank: CodeBank
) -> None:
    raw = Raw("see", "key", [Exchange(Sentence("What is it?"), Sentence("Nothing."), [Picture(drawing())])])
    coder = Coder(tokenizer, CodeBank([]), "train", 1)
    coder.see([raw])
    orders = [tuple(type(part) for part in coder.messages(raw, (False, False))[-2].parts) for _ in range(60)]
    assert set(orders) == {(Image, Text), (Text, Image)} and 15 < orders.count((Image, Text)) < 45
    heard = {
        tuple(type(part) for part in messages[0].parts)
        for seed in range(9)
        for _, messages in hear_conversations(bank, "train", random.Random(seed))
    }
    assert heard == {(Audio, Text), (Text, Audio)}


def test_pictures_are_shown_in_other_shapes_too(
    tokenizer: OmniTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = Counter(framed(drawing((64, 64)), random.Random(seed)).size for seed in range(200))
    assert 100 < sizes[64, 64] < 140 and len(sizes) > 20
    assert all(64 in size and 64 <= min(size) and max(size) <= 114 for size in sizes)
    monkeypatch.setattr(coder_module, "FRAMED", 1.0)
    coder, plain = Coder(tokenizer, CodeBank([]), "train", 1), tokenizer.image_part(drawing((64, 64))).codes
    codes = {}
    for task in ("see", "read"):
        raw = Raw(
            task,
            "key",
            [
                Exchange(
                    Sentence("What?"),
                    Sentence("That."),
                    [Picture(drawing((64, 64)))],
                    Picture(drawing((64, 64))),
                )
            ],
            {"word": "a"},
        )
        coder.see([raw])
        codes[task] = [
            coder.coded[id(one.image)] for one in (*raw.exchanges[0].shown, raw.exchanges[0].drawn)
        ]
    assert not np.array_equal(codes["see"][0], plain) and np.array_equal(codes["see"][1], plain)
    assert all(np.array_equal(one, plain) for one in codes["read"])


def test_somebody_speaks_in_some_clips(
    tokenizer: OmniTokenizer, bank: CodeBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [drawing((64, 64)) for _ in range(4)]
    raw = Raw("watch", "key", [Exchange(Sentence("What?"), Sentence("That."), [Clip(frames)])])
    for share, among in ((0.0, {0}), (1.0, {1, 2, 3, 4})):
        monkeypatch.setattr(coder_module, "WITH_SOUND", share)
        coder = Coder(tokenizer, bank, "train", 1)
        coder.see([raw])
        clips = [
            part
            for _ in range(9)
            for message in coder.messages(raw, (False, False))
            for part in message.parts
            if isinstance(part, Video)
        ]
        assert (
            {len(clip.audio) for clip in clips} <= among
            and len(clips) == 9
            and all(len(clip.frames) == 4 for clip in clips)
        )
        assert all(1 <= len(codes) <= 25 for clip in clips for codes in clip.audio)
        assert all(len({tuple(codes) for codes in clip.frames}) == 1 for clip in clips)  # framed alike


def test_questions_are_typed_in_many_ways() -> None:
    typed = Counter(loosely("What is in the picture?", random.Random(seed)) for seed in range(300))
    assert {
        "What is in the picture?",
        "What's in the image?",
        "what is in this picture?",
        "What's in this image",
    } <= set(typed)
    assert typed["What is in the picture?"] > 60
    assert "Draw me a red star." in {loosely("Draw a red star.", random.Random(seed)) for seed in range(30)}
    assert any(" background." in loosely("Draw a red star.", random.Random(seed)) for seed in range(200))
    assert {loosely("7", random.Random(seed)) for seed in range(9)} == {"7"}


def test_printed_words_are_answered_letter_by_letter(tokenizer: OmniTokenizer) -> None:
    raw = Raw(
        "read",
        "printed says",
        [Exchange(Sentence("What is written here?"), Sentence("It says says."), [Picture(drawing())])],
        {"word": "says"},
    )
    coder = Coder(tokenizer, CodeBank([]), "train", 1)
    coder.see([raw])
    _, answer = coder.messages(raw, (False, False))
    assert [part.text for part in answer.parts] == ["It says ", "s", "a", "y", "s", "."]
    ids, _ = tokenizer.encode([answer])
    (reply,) = tokenizer.decode(ids[1:])
    assert reply.text == "It says says."


def test_a_picture_is_asked_about_at_length_in_writing_and_briefly_aloud(
    tokenizer: OmniTokenizer, bank: CodeBank
) -> None:
    answered = next(item["text"] for item in bank.items if item["voice"] == "heart")
    raw = Raw("see", "key", [Exchange(Sentence(f"Number {n}?"), Sentence(answered)) for n in range(5)])
    coder = Coder(tokenizer, bank, "train", 1)
    questions = {
        mode: [m.text for m in coder.messages(raw, mode) if m.role == "user"]
        for mode in ((False, False), (True, False), (False, True))
    }
    assert questions[False, False] == [f"Number {n}?" for n in range(5)]
    assert questions[True, False] == questions[False, True] == ["Number 0?", "Number 1?"]


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


def test_a_spoken_answer_is_thought_whole_before_it_is_said(tokenizer: OmniTokenizer, bank: CodeBank) -> None:
    answered = next(item["text"] for item in bank.items if item["voice"] == "heart")
    for notes, thought in (("", answered), ("2 small red star", f"2 small red star|{answered}")):
        raw = Raw("talk", "key", [Exchange(Sentence("Who?"), Sentence(answered), notes=notes)])
        *_, reply = Coder(tokenizer, bank, "train", 1).messages(raw, (False, True))
        assert (
            reply.parts[0] == Thought(thought)
            and reply.text == answered
            and isinstance(reply.parts[-1], Audio)
        )


def test_some_conversations_begin_with_instructions(
    tokenizer: OmniTokenizer, bank: CodeBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coder_module, "INSTRUCTED", 0.5)
    coder = Coder(tokenizer, bank, "train", 1)
    answered = next(item["text"] for item in bank.items if item["voice"] == "heart")
    raw = Raw("talk", "key", [Exchange(Sentence("Who asks?"), Sentence(answered))])
    silent = [coder.messages(raw, (False, False)) for _ in range(40)]
    assert {len(messages) for messages in silent} == {2, 3}
    assert all(
        messages[0].role == "system" and len(messages[0].text) > 5
        for messages in silent
        if len(messages) == 3
    )
    spoken = {coder.messages(raw, (False, True))[0].text.partition("\n")[::2] for _ in range(40)}
    assert (
        {voice for voice, _ in spoken} == {"voice: heart"}
        and "" in {rest for _, rest in spoken}
        and len(spoken) > 2
    )


def test_what_has_no_sound_stays_written(tokenizer: OmniTokenizer, bank: CodeBank) -> None:
    coder = Coder(tokenizer, bank, "train", 1)
    answered = next(item["text"] for item in bank.items if item["voice"] == "heart")
    raw = Raw(
        "talk",
        "key",
        [
            Exchange(Sentence("Nobody ever said this?"), Sentence(answered)),
            Exchange(Sentence("Nor this?"), Sentence("This neither.")),
        ],
    )
    assert [type(part) for message in coder.messages(raw, (True, True)) for part in message.parts] == [
        Text
    ] * 4


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
