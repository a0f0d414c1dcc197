"""Things of a live conversation: what was heard of a reply, and how they stand one after the other."""

import json

import numpy as np
import pytest

from unisono.serve.realtime import websocket as realtime
from unisono.serve.realtime.items import Item, rendered
from unisono.serve.realtime.websocket import Outbox
from unisono.serve.reply.hear import TranscriptSegment, captions
from unisono.tokens.vocab import Vocabulary

VOCAB = Vocabulary(300, 50, 40)
OPEN, CLOSE, END, USER, PICTURE = (
    VOCAB.id(f"<|{name}|>") for name in ("begin_audio", "end_audio", "end", "user", "begin_image")
)
CODES = VOCAB.to_ids("audio", [1, 2, 3, 4]).tolist()


def heard(milliseconds: float, **options: float) -> list[int]:
    item = Item("i", "message", "assistant", said=[5, 6, 7, 8, OPEN, *CODES, CLOSE], frames=4, **options)
    item.hear(VOCAB, milliseconds)
    return item.body


def test_words_go_with_the_sound_that_was_not_heard() -> None:
    assert heard(80) == [5, 6, 7, 8, OPEN, *CODES, CLOSE] and heard(0) == []
    assert heard(40) == [5, 6, OPEN, *CODES[:2], CLOSE]
    assert heard(20, speed=2.0) == heard(40) == heard(20, skipped_ms=20)


def user(*body: int) -> Item:
    return Item("i", "message", "user", body=list(body))


def test_pictures_and_words_of_one_person_are_one_turn_and_words_after_words_two() -> None:
    assert rendered(VOCAB, [user(1), user(2)]) == [USER, 1, END, USER, 2, END]
    assert rendered(VOCAB, [user(PICTURE), user(2)]) == [USER, PICTURE, 2, END]


def test_sound_of_a_reply_that_is_cut_is_not_sent() -> None:
    box = Outbox(None)
    box.put({"type": "response.output_audio.delta", "response_id": "r", "delta": "x"})
    box.put({"type": "response.output_audio.delta", "response_id": "s", "delta": "x"})
    box.put({"type": "response.done"})
    box.forget("r")
    assert [json.loads(text).get("response_id") for text, _, _ in box.waiting] == [
        "s",
        None,
    ] and box.size == sum(len(text) for text, _, _ in box.waiting)


def test_who_reads_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "MAX_BACKLOG", 30)
    box = Outbox(None)
    box.put({"type": "error"})
    assert not box.ended.is_set()
    box.put({"type": "error"})
    assert box.ended.is_set()


def test_captions() -> None:
    one = TranscriptSegment(3661.5, 3662.25, np.zeros(1, np.float32), "Hello")
    assert captions([one], "srt") == "1\n01:01:01,500 --> 01:01:02,250\nHello\n\n"
    assert captions([one], "vtt") == "WEBVTT\n\n01:01:01.500 --> 01:01:02.250\nHello\n\n"
