"""The whole network, tiny and random: whatever it says can be decoded, interrupted, repeated, and never
breaks a conversation.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import drawing, tone
from PIL import Image as Pictures

import unisono
from unisono import omni as module
from unisono.core import home
from unisono.core.errors import UserError
from unisono.engine.session import Session
from unisono.media import Footage, Sound, read_picture
from unisono.omni import Omni, PictureDelta, Reply, SoundDelta, code
from unisono.tokenizer import OmniTokenizer, TextDelta
from unisono.tokens.message import Audio, Image, Text, Video

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


def test_inputs_of_every_kind(omni: Omni) -> None:
    clip = Footage([drawing()] * 2, Sound(tone(1.0, 44100, 2), 44100))
    parts = [
        omni.code(part)
        for part in (
            "Hello",
            Sound(tone(), 16000),
            drawing((9, 500), "RGBA"),
            clip,
            Footage([drawing()], None),
        )
    ]
    assert [type(part) for part in parts] == [Text, Audio, Image, Video, Video]
    assert (
        len(parts[1].codes) == 25
        and [len(codes) for codes in parts[3].audio] == [25, 25]
        and not parts[4].audio
    )
    assert isinstance(omni.reply(*("Hello", Sound(tone(), 16000), drawing(), clip)), Reply)


def test_what_cannot_be_said_is_explained(omni: Omni) -> None:
    for outputs in ((), ("smell",), ("text", "video"), None, [1], [["text"]], "smell"):
        with pytest.raises(UserError, match="outputs are made of text, audio, image"):
            omni.conversation(outputs=outputs)
    for seed in (-1, 1.5, "3"):
        with pytest.raises(UserError, match=f"a seed is a whole number from 0 on, got {seed!r}"):
            omni.conversation(seed=seed)  # type: ignore[arg-type]
    with omni.conversation() as conversation:
        with pytest.raises(UserError, match="nothing was said"):
            conversation.reply()
        for blank in ("", "  \n"):
            with pytest.raises(UserError, match="nothing was said"):
                conversation.reply(blank, "")
        with pytest.raises(UserError, match="unisono.picture or unisono.clip reads, got int"):
            conversation.reply("Hello", 3)  # type: ignore[arg-type]
        assert conversation.session.length == 0
    for pcm, rate, words in (
        (tone(), 0, "sample rate above 0, got 0"),
        (tone()[:0], 16000, "at least one sample"),
        (np.stack([tone()] * 2), 16000, r"\(samples, channels\) .* got \(2, 8000\)"),
    ):
        for part in (Sound(pcm, rate), Footage([drawing()], Sound(pcm, rate))):
            if len(pcm) or isinstance(part, Sound):  # a clip may be silent
                with pytest.raises(UserError, match=words):
                    omni.code(part)
    with pytest.raises(UserError, match="at least one picture"):
        omni.code(Footage([], None))
    with pytest.raises(UserError):
        code(omni.tokenizer, Path("cat.png"))  # type: ignore[arg-type]
    for sentence in (None, 3, " "):
        with pytest.raises(UserError, match="nothing to say; expected a sentence"):
            omni.say(sentence)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="instructions are text, got int"):
        omni.conversation(instructions=3)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="sample rate above 0, got '8000'"):
        omni.code(Sound(tone(), "8000"))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="a picture with pixels, got one of 0 x 3"):
        omni.code(Pictures.new("RGB", (0, 3)))
    with pytest.raises(UserError, match="expected the folder of a network, got 3"):
        Omni(3)  # type: ignore[arg-type]
    for source in (None, 3, ""):
        with pytest.raises(UserError, match="expected the path of a picture"):
            read_picture(source)  # type: ignore[arg-type]


def test_a_picture_whose_file_is_cut_off_is_explained(omni: Omni, tmp_path: Path) -> None:
    drawing().resize((256, 256)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:-60])
    with pytest.raises(UserError, match="expected a whole picture"):
        omni.code(Pictures.open(tmp_path / "cut.png"))


def test_one_output_may_be_a_word(omni: Omni) -> None:
    with omni.conversation(outputs="text") as conversation:
        assert conversation.outputs == {"text"}


def test_a_network_of_another_vocabulary_is_refused(tiny_network: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_network, tmp_path, dirs_exist_ok=True)
    sizes = json.loads((tmp_path / "vocabulary.json").read_text())
    (tmp_path / "vocabulary.json").write_text(json.dumps({**sizes, "audio_size": sizes["audio_size"] + 64}))
    with pytest.raises(UserError, match="not of the same training"):
        Omni(tmp_path)
    (tmp_path / "vocabulary.json").write_text(json.dumps({**sizes, "text_size": 300}))
    with pytest.raises(UserError, match="not of the same network"):
        Omni(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["vocabulary.json", "tokenizer.json", "config.json", "model.safetensors", "audio_codec", "image_codec"],
)
def test_an_incomplete_folder_is_refused(tiny_network: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(tiny_network, tmp_path, dirs_exist_ok=True)
    (shutil.rmtree if (tmp_path / name).is_dir() else Path.unlink)(tmp_path / name)
    with pytest.raises(UserError):
        Omni(tmp_path)


def test_the_package_without_weights_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "shipped", lambda: tmp_path)
    with pytest.raises(UserError, match="no weights in .* name a folder with --model"):
        Omni()
    for size, name in enumerate(("nano", "small", "base")):  # each is larger than those before
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_bytes(bytes(size))
        assert home.default_weights() == tmp_path / name


def test_the_public_surface(tiny_network: Path) -> None:
    assert unisono.load is Omni and unisono.UserError is UserError
    assert all(getattr(unisono, name) for name in unisono.__all__)
    with pytest.raises(AttributeError, match="it offers load, picture, sound"):
        unisono.speak  # noqa: B018
    assert isinstance(unisono.load(tiny_network).tokenizer, OmniTokenizer) and torch.is_grad_enabled()
