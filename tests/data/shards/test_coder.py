"""How one raw conversation becomes messages: spoken where there is sound, typed in many ways, shown in many
shapes.
"""

import random
from collections import Counter

import numpy as np
import pytest
from code_bank import bank, no_instructions, small_batches
from conftest import drawing

from unisono.data.shards import coder as coder_module
from unisono.data.shards.coder import Coder, framed, loosely
from unisono.data.shards.prepare import hear_conversations
from unisono.data.speech.codebank import CodeBank
from unisono.data.world.raw import Clip, Exchange, Picture, Raw, Sentence
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Audio, Image, Message, Text, Thought, Video

__all__ = ["bank", "no_instructions", "small_batches"]  # fixtures


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
