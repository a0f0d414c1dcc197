"""Things of a live conversation: what was heard of a reply, and how they stand one after the other."""

import json

import numpy as np
import pytest

from unisono.serve.realtime import websocket as realtime
from unisono.serve.realtime.items import Item, Voiced, rendered
from unisono.serve.realtime.websocket import Outbox
from unisono.serve.reply.hear import TranscriptSegment, captions
from unisono.tokens.template import Template
from unisono.tokens.text import TextTokenizer
from unisono.tokens.vocab import Vocabulary

VOCAB = Vocabulary(300, 50, 40)
TEMPLATE = Template(VOCAB, TextTokenizer.train([], 256))
OPEN, CLOSE, END, USER, PICTURE = (
    VOCAB.id(f"<|{name}|>") for name in ("begin_audio", "end_audio", "end", "user", "begin_image")
)
CODES = VOCAB.to_ids("audio", [1, 2, 3, 4]).tolist()


def heard(milliseconds: float, **options: float) -> list[int]:
    voiced = Voiced([5, 6, 7, 8, OPEN, *CODES, CLOSE], num_frames=4, frame_ms=20, **options)
    item = Item("i", "message", "assistant", voiced=voiced)
    item.hear(VOCAB, milliseconds)
    return item.body


def test_words_go_with_the_sound_that_was_not_heard() -> None:
    assert heard(80) == [5, 6, 7, 8, OPEN, *CODES, CLOSE] and heard(0) == []
    assert heard(40) == [5, 6, OPEN, *CODES[:2], CLOSE]
    assert heard(20, speed=2.0) == heard(40) == heard(20, skipped_ms=20)


def test_words_without_a_sound_are_kept_only_where_the_reply_is_whole() -> None:
    """Who interrupts before the first sound has heard none of the words."""
    said = [5, 6, OPEN, *CODES, CLOSE, 7, 8]
    for status, body in (("incomplete", said[:-2]), ("completed", said)):
        item = Item("i", "message", "assistant", status, voiced=Voiced(said, num_frames=4, frame_ms=20))
        item.hear(VOCAB, 80)
        assert item.body == body
    item = Item("i", "message", "assistant", "incomplete", voiced=Voiced([5, 6], num_frames=0, frame_ms=20))
    item.hear(VOCAB, 0)
    assert item.body == []


def test_frames_are_as_long_as_the_codec_says() -> None:
    voiced = Voiced([5, OPEN, *CODES, CLOSE], num_frames=4, frame_ms=40)
    assert voiced.length_ms == 160 and voiced.frames_until(41) == 2


def user(*body: int) -> Item:
    return Item("i", "message", "user", body=list(body))


def test_pictures_and_words_of_one_person_are_one_turn_and_words_after_words_two() -> None:
    assert rendered(TEMPLATE, [user(1), user(2)]) == [USER, 1, END, USER, 2, END]
    assert rendered(TEMPLATE, [user(PICTURE), user(2)]) == [USER, PICTURE, 2, END]


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
