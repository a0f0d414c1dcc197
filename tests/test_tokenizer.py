"""Messages and ids with the codecs between: round trips, streams, ids that make no sense, parts of every
kind.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import drawing, tiny_speech_codec, tiny_tokenizer, tone
from PIL import Image as Pictures

from unisono.codecs.audio import AudioCodec
from unisono.codecs.speech import SpeechCodec
from unisono.core.errors import UserError
from unisono.signals import trimmed
from unisono.tokenizer import AudioDelta, ImageDelta, OmniTokenizer, TextDelta, TurnEnd
from unisono.tokens.message import Audio, Image, Message, Part, Text, Thought, Video
from unisono.tokens.vocab import NUM_TIMES

NUM_CODES = 16  # of a picture


def described(parts: list[Part]) -> list[tuple]:
    """Parts as plain values."""
    return [
        (type(part).__name__.lower(), part.text)
        if isinstance(part, Text | Thought)
        else (type(part).__name__.lower(), part.codes.tolist(), part.finished)
        for part in parts
    ]  # type: ignore[union-attr]


def spelled(tokenizer: OmniTokenizer, *pieces: object) -> list[int]:
    """Ids from names of specials, words, and ("audio" | "image", codes)."""
    vocab, ids = tokenizer.vocab, []
    for piece in pieces:
        if isinstance(piece, tuple):
            ids += vocab.to_ids(*piece).tolist()
        else:
            ids += (
                [vocab.id(str(piece))] if str(piece).startswith("<|") else tokenizer.text.encode(str(piece))
            )
    return ids


PICTURE = list(range(15)) + [3]
REPLIES: list[list[Part]] = [
    [],
    [Text("It says 42.")],
    [Text("\U0001f600 日本語")],
    [Audio(np.array([1, 2, 14]))],
    [Image(np.array(PICTURE))],
    [
        Text("Good morning."),
        Audio(np.array([0])),
        Text("It is"),
        Audio(np.array([3, 3])),
        Image(np.array(PICTURE)),
        Text("Here."),
    ],
    [Image(np.array(PICTURE)), Image(np.array(PICTURE[::-1]))],
    [Thought("4 big red star"), Text("It"), Audio(np.array([0, 2])), Text(" is red."), Audio(np.array([3]))],
]


@pytest.mark.parametrize("parts", REPLIES)
def test_replies_come_back(tokenizer: OmniTokenizer, parts: list[Part]) -> None:
    ids, _ = tokenizer.encode([Message("assistant", parts)])
    assert described(tokenizer.decode(ids[1:])) == described(parts)


def test_what_is_said_is_spelled_as_what_is_given_to_be_said(tokenizer: OmniTokenizer) -> None:
    said: list[Part] = [Text("It"), Audio(np.array([1])), Text(" is 42."), Audio(np.array([2]))]
    ids = tokenizer.encode([Message("assistant", said)])[0]
    written = [id for id in ids.tolist() if tokenizer.vocab.modality(id) == "text"]
    assert (
        written
        == [id for word in tokenizer.script("It is 42.") for id in word]
        == tokenizer.text.spell("It is 42.")
    )
    asked = tokenizer.encode([Message("user", [Text("Write it down."), Audio(np.array([1]))])])[0].tolist()
    assert (
        asked[1 : 1 + len(words := tokenizer.text.encode("Write it down."))] == words
    )  # what people write is not


@pytest.mark.parametrize("parts", REPLIES)
def test_the_stream_adds_up_to_the_whole(tokenizer: OmniTokenizer, parts: list[Part]) -> None:
    ids = tokenizer.encode([Message("assistant", parts)])[0].tolist()[1:]
    decoder = tokenizer.stream()
    events = [event for id in ids for event in decoder.push(id)]
    assert isinstance(events[-1], TurnEnd) and not list(decoder.flush())
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "".join(
        p.text for p in parts if isinstance(p, Text)
    )
    sounds = [p.codes.tolist() for p in parts if isinstance(p, Audio)]
    assert [int(c) for event in events if isinstance(event, AudioDelta) for c in event.codes] == sum(
        sounds, []
    )
    assert sum(event.last for event in events if isinstance(event, AudioDelta)) == len(sounds)
    pictures = [event.codes.tolist() for event in events if isinstance(event, ImageDelta) and event.last]
    assert pictures == [p.codes.tolist() for p in parts if isinstance(p, Image)]
    growing = [len(event.codes) for event in events if isinstance(event, ImageDelta) and not event.last]
    assert growing == list(range(1, NUM_CODES + 1)) * len(pictures)


def test_what_broke_off_is_marked(tokenizer: OmniTokenizer) -> None:
    ids = spelled(tokenizer, "It", "<|begin_audio|>", ("audio", [1, 2]))
    assert described(tokenizer.decode(ids)) == [("text", "It"), ("audio", [1, 2], False)]
    ids = spelled(tokenizer, "<|begin_image|>", ("image", [1, 2]))
    assert described(tokenizer.decode(ids)) == [("image", [1, 2], False)]
    cut = tokenizer.text.encode("a\U0001f9ed")[:-1]
    assert described(tokenizer.decode(cut)) == [("text", "a\ufffd")]


NONSENSE = {
    "codes outside their marks": [("image", [1]), ("audio", [2]), "dog"],
    "ends without a beginning": ["<|end_audio|>", "<|end_image|>", "<|end_video|>", "dog"],
    "marks of others": [
        "<|user|>",
        "<|t:0.5|>",
        "<|pad|>",
        "<|reserved_30|>",
        "<|prompt_3|>",
        "dog",
        "<|system|>",
    ],
    "text within sound": ["dog", "<|begin_audio|>", "cat", "<|end_audio|>"],
    "a picture within sound": ["dog", "<|begin_audio|>", ("image", [1]), "<|end_audio|>"],
    "empty sound": ["dog", "<|begin_audio|>", "<|end_audio|>"],
}


@pytest.mark.parametrize("case", NONSENSE)
def test_ids_that_make_no_sense_are_passed_over(tokenizer: OmniTokenizer, case: str) -> None:
    assert described(tokenizer.decode(spelled(tokenizer, *NONSENSE[case]))) == [("text", "dog")]


def test_too_many_codes_of_a_picture_are_passed_over(tokenizer: OmniTokenizer) -> None:
    ids = spelled(tokenizer, "<|begin_image|>", ("image", PICTURE + [5, 5]), "<|end_image|>")
    assert described(tokenizer.decode(ids)) == [("image", PICTURE, True)]


def test_any_ids_can_be_decoded_and_rendered(tokenizer: OmniTokenizer) -> None:
    rng = np.random.default_rng(0)
    marks = [
        tokenizer.vocab.id(f"<|{name}|>")
        for name in ("begin_audio", "end_audio", "begin_image", "end_image", "end")
    ]
    for _ in range(30):
        ids = np.where(rng.random(60) < 0.3, rng.choice(marks, 60), rng.integers(0, tokenizer.vocab.size, 60))
        for part in tokenizer.decode(ids.tolist()):
            if isinstance(part, Audio):
                assert tokenizer.audio_codec.decode(torch.from_numpy(part.codes)[None]).shape == (
                    1,
                    320 * len(part.codes),
                )
            elif isinstance(part, Image):
                assert tokenizer.to_picture(part.codes).size == (32, 32)
    with pytest.raises(ValueError, match="outside the vocabulary"):
        tokenizer.decode([tokenizer.vocab.size])


def test_a_picture_in_the_making_has_its_size(tokenizer: OmniTokenizer) -> None:
    for length in (0, 1, 7, NUM_CODES):
        picture = tokenizer.to_picture(np.arange(length) % 15)
        assert picture.size == (32, 32) and picture.mode == "RGB"


def test_parts_of_sound_pictures_and_clips(tokenizer: OmniTokenizer) -> None:
    sound = tokenizer.audio_part(tone(0.5, 44100, 2), 44100)
    assert len(sound.codes) == 25 and sound.codes.dtype == np.int64
    assert tokenizer.image_part(drawing()).codes.shape == (NUM_CODES,)
    both = tokenizer.picture_codes([drawing(), *trimmed([drawing((10, 90))])])
    assert np.array_equal(both[1], tokenizer.image_part(drawing((10, 90))).codes)
    clip = tokenizer.video_part([drawing()] * 3, tone(1.2), 16000)
    assert len(clip.frames) == 3 and [len(codes) for codes in clip.audio] == [25, 25, 10]
    assert np.array_equal(np.concatenate(clip.audio), tokenizer.audio_part(tone(1.2), 16000).codes)
    assert len(tokenizer.video_part([drawing()], tone(1.2), 16000).audio) == 1
    assert (
        tokenizer.video_part([drawing()]).audio
        == tokenizer.video_part([drawing()], np.zeros(0, np.float32)).audio
        == []
    )
    with pytest.raises(UserError, match="32 s"):
        tokenizer.video_part([drawing()] * (NUM_TIMES + 1))
    ids, _ = tokenizer.encode([Message("user", [sound, clip, Video([clip.frames[0]]), Text("hm")])])
    assert tokenizer.vocab.name(int(ids[-1])) == "<|end|>"


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_of_a_clip_no_more_sound_is_coded_than_is_kept(
    tokenizer: OmniTokenizer, rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pcm = (np.random.default_rng(0).standard_normal(9 * rate) / 4).astype(np.float32)
    whole, encode, lengths = tokenizer.audio_part(pcm, rate).codes, tokenizer.audio_codec.encode, []
    monkeypatch.setattr(
        tokenizer.audio_codec, "encode", lambda given: lengths.append(given.shape[1]) or encode(given)
    )
    assert np.array_equal(np.concatenate(tokenizer.video_part([drawing()] * 2, pcm, rate).audio), whole[:50])
    assert len(lengths) == 1 and lengths[0] < 1.2 * 16000


def test_on_disk(tokenizer: OmniTokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "new")
    again = OmniTokenizer.load(tmp_path / "new")
    assert again.vocab == tokenizer.vocab and again.text.encode("Draw a dog.") == tokenizer.text.encode(
        "Draw a dog."
    )
    assert np.array_equal(again.audio_part(tone(), 16000).codes, tokenizer.audio_part(tone(), 16000).codes)
    assert np.array_equal(again.image_part(drawing()).codes, tokenizer.image_part(drawing()).codes)
    for name in (
        "vocabulary.json",
        "tokenizer.json",
        "audio_codec/config.json",
        "image_codec/model.safetensors",
    ):
        path = tmp_path / "new" / name
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(UserError):
            OmniTokenizer.load(tmp_path / "new")
        path.write_bytes(content)


@pytest.mark.parametrize("num_samples", [1, 2, 7])
def test_hardly_any_sound(tokenizer: OmniTokenizer, num_samples: int) -> None:
    for rate in (8000, 16000, 192000):
        assert len(tokenizer.audio_part(np.ones(num_samples, np.float32), rate).codes) == 1


def test_of_a_thought_what_comes_last_will_be_said(tokenizer: OmniTokenizer) -> None:
    for thought in ("4 small red star|It is red.", "It is red."):
        assert [
            tokenizer.text.decode(list(word)) for word in tokenizer.words_of(tokenizer.text.encode(thought))
        ] == ["It", " is", " red."]
    assert tokenizer.words_of(tokenizer.text.encode("4 small red star|")) == () == tokenizer.words_of(())


def test_voices_lie_beside_the_network(tokenizer: OmniTokenizer, tmp_path: Path) -> None:
    made = OmniTokenizer(
        tokenizer.vocab, tokenizer.text, tokenizer.audio_codec, tokenizer.image_codec, voices=["heart", "slt"]
    )
    made.save(tmp_path)
    assert OmniTokenizer.load(tmp_path).voices == ["heart", "slt"]
    for damaged in ("{}", "[1]", "heart"):
        (tmp_path / "voices.json").write_text(damaged)
        with pytest.raises(UserError, match="damaged: expected a list of names"):
            OmniTokenizer.load(tmp_path)
    (tmp_path / "voices.json").unlink()
    assert OmniTokenizer.load(tmp_path).voices == []


def test_a_codec_of_another_kind_and_rate(tmp_path: Path) -> None:
    base = tiny_tokenizer()
    codec = tiny_speech_codec()
    OmniTokenizer(base.vocab, base.text, codec, base.image_codec).save(tmp_path)
    again = OmniTokenizer.load(tmp_path)
    assert isinstance(again.audio_codec, SpeechCodec) and isinstance(base.audio_codec, AudioCodec)
    pcm = 0.1 * np.random.default_rng(0).standard_normal(24000).astype(np.float32)
    part = again.audio_part(pcm, 16000)
    assert len(part.codes) == 38  # 25 a second
    clip = again.video_part([Pictures.new("RGB", (32, 32))] * 3, pcm, 16000)
    assert [len(piece) for piece in clip.audio] == [13, 12, 13]
    assert np.array_equal(np.concatenate(clip.audio), part.codes)
