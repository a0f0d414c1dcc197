"""The whole network, tiny and random: whatever it says can be decoded, interrupted, repeated, and never
breaks a conversation.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import drawing
from PIL import Image as Pictures

from unisono import omni as module
from unisono.core.errors import UserError
from unisono.engine.session import Session
from unisono.omni import Omni, PictureDelta, Reply, SoundDelta
from unisono.tokenizer import TextDelta
from unisono.tokens.message import Audio, Image

OUTPUTS = [
    ("text",),
    ("audio",),
    ("text", "audio"),
    ("image",),
    ("text", "audio", "image"),
    ("audio", "image"),
]


@pytest.fixture(scope="module")
def omni(tiny_network: Path) -> Omni:
    return Omni(tiny_network)


@pytest.fixture(autouse=True)
def nothing_leaks(omni: Omni) -> Iterator[None]:
    """A closed conversation leaves nothing in the engine."""
    yield
    assert not omni.engine.slots  # type: ignore[attr-defined]


def last_reply(omni: Omni, session: Session) -> list[int]:
    """The ids after the last <|assistant|>."""
    start = len(session.ids) - session.ids[::-1].index(omni.tokenizer.vocab.id("<|assistant|>"))
    return session.ids[start:]


def check_history(omni: Omni, session: Session) -> None:
    """Everything since the last question is a closed reply whose parts are whole."""
    ids = last_reply(omni, session)
    assert omni.tokenizer.vocab.name(ids[-1]) == "<|end|>"
    for part in omni.tokenizer.decode(ids):
        if isinstance(part, Image):
            assert part.finished and len(part.codes) == 16
        assert not isinstance(part, Audio) or part.finished


def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text drawn by chance, so that every seed is another conversation."""
    monkeypatch.setattr(module, "SAMPLING", {})


@pytest.mark.parametrize("outputs", OUTPUTS, ids="-".join)
@pytest.mark.parametrize("seed", range(3))
def test_every_reply_can_be_decoded(
    omni: Omni, outputs: tuple[str, ...], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled(monkeypatch)
    with omni.conversation(outputs=outputs, seed=seed) as conversation:
        reply = conversation.reply("What colour is the sky?")
        check_history(omni, conversation.session)
        assert reply.finish_reason in ("stop", "length")
        reply.text.encode("utf8")
        assert len(reply.pcm) % 320 == 0 and reply.pcm.dtype == np.float32 and np.isfinite(reply.pcm).all()
        if reply.finish_reason == "stop":
            assert len(reply.pcm) > 0 or "audio" not in outputs
            assert len(reply.pictures) == 1 or outputs != ("image",)
        assert len(reply.pcm) == 0 or "audio" in outputs
        assert not reply.pictures or ("image" in outputs and reply.pictures[0].size == (32, 32))


def test_says_the_words_that_it_is_given(omni: Omni) -> None:
    for seed in range(3):
        reply = omni.say("A big red star, and nothing else.", seed=seed)
        assert reply.text == "A big red star, and nothing else." and len(reply.pcm) > 0 and not reply.pictures
    with pytest.raises(UserError, match="nothing to say"):
        omni.say(" ")


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_both_engines(tiny_network: Path, engine: str) -> None:
    omni = Omni(tiny_network, engine=engine, precision="float32")
    assert isinstance(omni.reply("Draw a red circle.", outputs=["image"], seed=1).pictures[0], Pictures.Image)
    assert omni.sample_rate == 16000


@pytest.mark.parametrize("outputs", OUTPUTS, ids="-".join)
def test_streaming_equals_the_reply(
    omni: Omni, outputs: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled(monkeypatch)
    with (
        omni.conversation(outputs=outputs, seed=5) as first,
        omni.conversation(outputs=outputs, seed=5) as second,
    ):
        whole, events = first.reply("Hello", drawing()), list(second.stream("Hello", drawing()))
        assert first.session.ids == second.session.ids
        parts = omni.tokenizer.decode(last_reply(omni, second.session))
    assert "".join(event.text for event in events if isinstance(event, TextDelta)).strip() == whole.text
    sounds = [event.pcm for event in events if isinstance(event, SoundDelta)]
    assert np.array_equal(np.concatenate([np.zeros(0, np.float32), *sounds]), whole.pcm)
    codes = [part.codes for part in parts if isinstance(part, Audio)]
    if codes and whole.finish_reason == "stop":
        pcm = omni.tokenizer.audio_codec.decode(torch.from_numpy(np.concatenate(codes))[None])[0].numpy()
        assert np.abs(pcm - whole.pcm).max() < 1e-4
    pictures = [event for event in events if isinstance(event, PictureDelta)]
    assert (
        sum(event.last for event in pictures)
        == len(whole.pictures)
        == sum(isinstance(part, Image) for part in parts)
    )
    for part in parts:
        if isinstance(part, Image):
            assert np.array_equal(omni.tokenizer.to_picture(part.codes), whole.pictures[0])


def test_the_same_seed_says_the_same(omni: Omni) -> None:
    def asked(seed: int | None) -> Reply:
        return omni.reply("Say: good morning.", outputs=("text", "audio"), seed=seed)

    first, again, other = asked(3), asked(3), asked(4)
    assert first.text == again.text and np.array_equal(first.pcm, again.pcm)
    assert not np.array_equal(first.pcm, other.pcm)


def test_a_second_turn_follows_the_first(omni: Omni) -> None:
    with omni.conversation(instructions="It says 42.") as conversation:
        conversation.reply("Hello")
        length = conversation.session.length
        conversation.reply("And now?")
        text = omni.tokenizer.text.decode(
            [id for id in conversation.session.ids if id < omni.tokenizer.vocab.text_size]
        )
        assert (
            conversation.session.length > length
            and text.startswith("It says 42.Hello")
            and "And now?" in text
        )
        check_history(omni, conversation.session)


@pytest.mark.parametrize("outputs", OUTPUTS, ids="-".join)
@pytest.mark.parametrize("num_events", [1, 2, 5, 40])
def test_interrupted_a_conversation_goes_on(
    omni: Omni, outputs: tuple[str, ...], num_events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled(monkeypatch)
    with omni.conversation(outputs=outputs, seed=2) as conversation:
        stream = conversation.stream("What colour is the sky?")
        for _, _ in zip(range(num_events), stream):
            pass
        stream.close()  # type: ignore[attr-defined]
        assert conversation.finish_reason in ("interrupted", "stop", "length")
        check_history(omni, conversation.session)
        length = conversation.session.length
        conversation.reply("It says")
        assert conversation.session.length > length
        check_history(omni, conversation.session)


def test_interrupted_within_a_picture_it_was_never_there(omni: Omni) -> None:
    with omni.conversation(outputs=["image"]) as conversation:
        stream = conversation.stream("Draw a red circle.")
        pictures = 0
        for event in stream:
            pictures += isinstance(event, PictureDelta)
            if pictures == 5:
                break
        stream.close()  # type: ignore[attr-defined]
        assert conversation.finish_reason == "interrupted"
        modalities = {omni.tokenizer.vocab.modality(id) for id in conversation.session.ids}
        assert pictures == 5 and "image" not in modalities
        check_history(omni, conversation.session)
        assert len(conversation.reply("Draw a red circle.").pictures) == 1


def test_only_the_drawings_that_are_looked_at_are_decoded(
    omni: Omni, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, to_picture = [], omni.tokenizer.to_picture
    monkeypatch.setattr(
        omni.tokenizer, "to_picture", lambda codes: decoded.append(len(codes)) or to_picture(codes)
    )
    assert omni.reply("Draw a red circle.", outputs=["image"]).pictures and decoded == [16]
    with omni.conversation(outputs=["image"]) as conversation:
        sketch = [
            event for event in conversation.stream("Draw a red circle.") if isinstance(event, PictureDelta)
        ][2]
    assert decoded == [16] and sketch.picture is sketch.picture and decoded == [16, 3]


def test_the_next_question_interrupts_a_reply_that_nobody_finished(omni: Omni) -> None:
    with omni.conversation(outputs=("text", "audio"), seed=1) as conversation:
        stream = conversation.stream("Hello")
        next(stream)
        conversation.reply("And now?")
        check_history(omni, conversation.session)
        before = list(conversation.session.ids)
        assert not list(stream) and conversation.session.ids == before


def test_a_conversation_that_nobody_closed_leaves_nothing_behind(omni: Omni) -> None:
    for _ in range(3):
        omni.conversation().reply("Hello")
    with omni.conversation():
        assert len(omni.engine.slots) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("num_events", [1, 5, 40])
def test_closed_a_conversation_says_so_and_what_was_being_said_ends(omni: Omni, num_events: int) -> None:
    conversation = omni.conversation(outputs=["image"], seed=2)
    stream = conversation.stream("Draw a red circle.")
    for _, _ in zip(range(num_events), stream):
        pass
    conversation.close()
    conversation.close()
    assert not list(stream) and conversation.finish_reason in ("interrupted", "stop", "length")
    check_history(omni, conversation.session)
    with pytest.raises(UserError, match="closed; begin a new one"):
        conversation.reply("Hello")


def test_a_stream_that_nobody_starts_says_nothing(omni: Omni) -> None:
    with omni.conversation() as conversation:
        conversation.stream("Hello").close()  # type: ignore[attr-defined]
        assert conversation.session.length == 0 and conversation.finish_reason is None


def test_too_long_a_message_leaves_the_conversation_as_it_was(omni: Omni) -> None:
    with omni.conversation(outputs=["image"]) as conversation:
        conversation.reply("Hello")
        before = list(conversation.session.ids)
        for parts in (("It says 42. " * 400,), ([drawing()] * 70)):
            with pytest.raises(UserError, match="the conversation is too long"):
                conversation.reply(*parts)
            assert conversation.session.ids == before
        conversation.reply("Hello")
        check_history(omni, conversation.session)
    with pytest.raises(UserError, match="too long"):
        omni.conversation(instructions="It says 42. " * 400)


def test_text_that_could_never_fit_is_not_even_counted(omni: Omni, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = omni.tokenizer.text.encode
    monkeypatch.setattr(
        omni.tokenizer.text,
        "encode",
        lambda text: encode(text) if len(text) < 100 else pytest.fail("counted"),
    )
    with omni.conversation() as conversation:
        with pytest.raises(UserError, match="the conversation is too long: the network holds 1024 ids"):
            conversation.reply("a" * 1_000_000)
        with pytest.raises(UserError, match="too long"):
            omni.say("a" * 1_000_000)


def test_a_full_conversation_ends_in_good_order(omni: Omni) -> None:
    with omni.conversation(outputs=("text", "audio"), seed=1) as conversation:
        reasons = []
        with pytest.raises(UserError, match="too long"):
            for _ in range(30):
                reasons.append(conversation.reply("What colour is the sky?").finish_reason)
                check_history(omni, conversation.session)
        assert reasons and conversation.session.room >= 0
        check_history(omni, conversation.session)
        before = list(conversation.session.ids)
        with pytest.raises(UserError, match="too long"):
            conversation.reply("What colour is the sky? " * 9)
        assert conversation.session.ids == before
