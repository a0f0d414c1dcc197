"""Messages and ids with the codecs between: round trips, streams, ids that make no sense, odd sounds and pictures."""
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import drawing, tone
from PIL import Image as Pictures

from unisono.core.errors import UserError
from unisono.tokenizer import AudioDelta, ImageDelta, OmniTokenizer, TextDelta, TurnEnd, fit, plain, to_mono, trimmed
from unisono.tokens.message import Audio, Image, Message, Part, Text, Thought, Video
from unisono.tokens.vocab import NUM_TIMES

NUM_CODES = 16      # of a picture


def described(parts: list[Part]) -> list[tuple]:
    """Parts as plain values."""
    return [(type(part).__name__.lower(), part.text) if isinstance(part, Text | Thought) else
            (type(part).__name__.lower(), part.codes.tolist(), part.finished) for part in parts]   # type: ignore[union-attr]


def spelled(tokenizer: OmniTokenizer, *pieces: object) -> list[int]:
    """Ids from names of specials, words, and ("audio" | "image", codes)."""
    vocab, ids = tokenizer.vocab, []
    for piece in pieces:
        if isinstance(piece, tuple):
            ids += vocab.to_ids(*piece).tolist()
        else:
            ids += [vocab.id(str(piece))] if str(piece).startswith("<|") else tokenizer.text.encode(str(piece))
    return ids


PICTURE = list(range(15)) + [3]
REPLIES: list[list[Part]] = [
    [], [Text("It says 42.")], [Text("\U0001F600 日本語")], [Audio(np.array([1, 2, 14]))], [Image(np.array(PICTURE))],
    [Text("Good morning."), Audio(np.array([0])), Text("It is"), Audio(np.array([3, 3])), Image(np.array(PICTURE)), Text("Here.")],
    [Image(np.array(PICTURE)), Image(np.array(PICTURE[::-1]))],
    [Thought("4 big red star"), Text("It"), Audio(np.array([0, 2])), Text(" is red."), Audio(np.array([3]))]]


@pytest.mark.parametrize("parts", REPLIES)
def test_replies_come_back(tokenizer: OmniTokenizer, parts: list[Part]) -> None:
    ids, _ = tokenizer.encode([Message("assistant", parts)])
    assert described(tokenizer.decode(ids[1:])) == described(parts)


def test_what_is_said_is_spelled_as_what_is_given_to_be_said(tokenizer: OmniTokenizer) -> None:
    said: list[Part] = [Text("It"), Audio(np.array([1])), Text(" is 42."), Audio(np.array([2]))]
    ids = tokenizer.encode([Message("assistant", said)])[0]
    written = [id for id in ids.tolist() if tokenizer.vocab.modality(id) == "text"]
    assert written == [id for word in tokenizer.script("It is 42.") for id in word] == tokenizer.text.spell("It is 42.")
    asked = tokenizer.encode([Message("user", [Text("Write it down."), Audio(np.array([1]))])])[0].tolist()
    assert asked[1:1 + len(words := tokenizer.text.encode("Write it down."))] == words       # what people write is not


@pytest.mark.parametrize("parts", REPLIES)
def test_the_stream_adds_up_to_the_whole(tokenizer: OmniTokenizer, parts: list[Part]) -> None:
    ids = tokenizer.encode([Message("assistant", parts)])[0].tolist()[1:]
    decoder = tokenizer.stream()
    events = [event for id in ids for event in decoder.push(id)]
    assert isinstance(events[-1], TurnEnd) and not list(decoder.flush())
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "".join(p.text for p in parts if isinstance(p, Text))
    sounds = [p.codes.tolist() for p in parts if isinstance(p, Audio)]
    assert [int(c) for event in events if isinstance(event, AudioDelta) for c in event.codes] == sum(sounds, [])
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
    cut = tokenizer.text.encode("a\U0001F9ED")[:-1]
    assert described(tokenizer.decode(cut)) == [("text", "a\ufffd")]


NONSENSE = {
    "codes outside their marks": [("image", [1]), ("audio", [2]), "dog"],
    "ends without a beginning": ["<|end_audio|>", "<|end_image|>", "<|end_video|>", "dog"],
    "marks of others": ["<|user|>", "<|t:0.5|>", "<|pad|>", "<|reserved_60|>", "dog", "<|system|>"],
    "text within sound": ["dog", "<|begin_audio|>", "cat", "<|end_audio|>"],
    "a picture within sound": ["dog", "<|begin_audio|>", ("image", [1]), "<|end_audio|>"],
    "empty sound": ["dog", "<|begin_audio|>", "<|end_audio|>"]}


@pytest.mark.parametrize("case", NONSENSE)
def test_ids_that_make_no_sense_are_passed_over(tokenizer: OmniTokenizer, case: str) -> None:
    assert described(tokenizer.decode(spelled(tokenizer, *NONSENSE[case]))) == [("text", "dog")]


def test_too_many_codes_of_a_picture_are_passed_over(tokenizer: OmniTokenizer) -> None:
    ids = spelled(tokenizer, "<|begin_image|>", ("image", PICTURE + [5, 5]), "<|end_image|>")
    assert described(tokenizer.decode(ids)) == [("image", PICTURE, True)]


def test_any_ids_can_be_decoded_and_rendered(tokenizer: OmniTokenizer) -> None:
    rng = np.random.default_rng(0)
    marks = [tokenizer.vocab.id(f"<|{name}|>") for name in ("begin_audio", "end_audio", "begin_image", "end_image", "end")]
    for _ in range(30):
        ids = np.where(rng.random(60) < 0.3, rng.choice(marks, 60), rng.integers(0, tokenizer.vocab.size, 60))
        for part in tokenizer.decode(ids.tolist()):
            if isinstance(part, Audio):
                assert tokenizer.audio_codec.decode(torch.from_numpy(part.codes)[None]).shape == (1, 320 * len(part.codes))
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
    assert tokenizer.video_part([drawing()]).audio == tokenizer.video_part([drawing()], np.zeros(0, np.float32)).audio == []
    with pytest.raises(UserError, match="32 s"):
        tokenizer.video_part([drawing()] * (NUM_TIMES + 1))
    ids, _ = tokenizer.encode([Message("user", [sound, clip, Video([clip.frames[0]]), Text("hm")])])
    assert tokenizer.vocab.name(int(ids[-1])) == "<|end|>"


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_of_a_clip_no_more_sound_is_coded_than_is_kept(tokenizer: OmniTokenizer, rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pcm = (np.random.default_rng(0).standard_normal(9 * rate) / 4).astype(np.float32)
    whole, encode, lengths = tokenizer.audio_part(pcm, rate).codes, tokenizer.audio_codec.encode, []
    monkeypatch.setattr(tokenizer.audio_codec, "encode", lambda given: lengths.append(given.shape[1]) or encode(given))
    assert np.array_equal(np.concatenate(tokenizer.video_part([drawing()] * 2, pcm, rate).audio), whole[:50])
    assert len(lengths) == 1 and lengths[0] < 1.2 * 16000


def test_on_disk(tokenizer: OmniTokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "new")
    again = OmniTokenizer.load(tmp_path / "new")
    assert again.vocab == tokenizer.vocab and again.text.encode("Draw a dog.") == tokenizer.text.encode("Draw a dog.")
    assert np.array_equal(again.audio_part(tone(), 16000).codes, tokenizer.audio_part(tone(), 16000).codes)
    assert np.array_equal(again.image_part(drawing()).codes, tokenizer.image_part(drawing()).codes)
    for name in ("vocabulary.json", "tokenizer.json", "audio_codec/config.json", "image_codec/model.safetensors"):
        path = tmp_path / "new" / name
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(UserError):
            OmniTokenizer.load(tmp_path / "new")
        path.write_bytes(content)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_sound_becomes_mono_at_the_rate(rate: int, channels: int) -> None:
    found = to_mono(tone(0.5, rate, channels), rate, 16000)
    assert found.shape == (8000,) and found.dtype == np.float32
    assert np.abs(found - tone(0.5))[200:-200].max() < 0.01


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32])
def test_integers_are_taken_at_their_full_scale(kind: type) -> None:
    bounds = np.iinfo(kind)
    pcm = np.clip((tone() + (bounds.min == 0)) * 2.0 ** (bounds.bits - 1), bounds.min, bounds.max).astype(kind)
    assert np.abs(to_mono(pcm, 16000, 16000) - tone()).max() < 0.01


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38, 1e4])
@pytest.mark.parametrize("rate", [16000, 96000])
def test_sound_that_is_no_number(tokenizer: OmniTokenizer, bad: float, rate: int) -> None:
    pcm = tone(0.5, rate, 2)
    pcm[::3] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = to_mono(pcm, rate, 16000)
    assert np.isfinite(found).all() and np.abs(found).max() <= 1
    codes = tokenizer.audio_part(pcm, rate).codes
    assert codes.min() >= 0 and codes.max() < 15
    assert np.isfinite(to_mono(np.full(10, bad, np.float32), rate, 16000)).all()


@pytest.mark.parametrize("num_samples", [1, 2, 7])
def test_hardly_any_sound(tokenizer: OmniTokenizer, num_samples: int) -> None:
    for rate in (8000, 16000, 192000):
        assert len(tokenizer.audio_part(np.ones(num_samples, np.float32), rate).codes) == 1


def test_no_sound_is_refused() -> None:
    for shape in ((0,), (0, 2), (), (2, 3, 4)):
        with pytest.raises(ValueError, match="expected sound of shape"):
            to_mono(np.zeros(shape, np.float32), 16000, 16000)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (32, 32), (33, 31), (8000, 8000)])
def test_any_size_fits(size: tuple[int, int]) -> None:
    found = np.asarray(fit(Pictures.new("RGB", size, "red"), 32))
    assert found.shape == (32, 32, 3)
    assert tuple(found[16, 16]) == (255, 0, 0) or min(size) == 1
    assert (found == [255, 0, 0]).all(axis=-1).any()
    if size[0] == size[1]:
        assert (found == [255, 0, 0]).all()
    elif 1 in size:
        assert tuple(found[0, 0]) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "HSV", "I"])
def test_any_kind_of_picture_keeps_its_looks(mode: str) -> None:
    grey = Pictures.linear_gradient("L").rotate(90)
    found = np.asarray(fit(grey.convert("RGB").convert(mode) if mode != "I" else grey.convert("I"), 32), np.float32)
    wanted = np.asarray(fit(grey, 32), np.float32)
    assert np.abs(found - wanted).mean() < (40 if mode == "1" else 8)


def test_sixteen_bit_greys_do_not_turn_white() -> None:
    deep = Pictures.fromarray(np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16))
    assert deep.mode == "I;16"
    found = np.asarray(fit(deep, 32), np.float32)
    assert found[0].mean() < 10 and 120 < found[16].mean() < 140 and found[-1].mean() > 245


def test_sixteen_bit_greys_may_be_clear(tmp_path: Path) -> None:
    greys = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Pictures.fromarray(greys).save(tmp_path / "a.png", transparency=0)
    deep = Pictures.open(tmp_path / "a.png")
    assert deep.mode == "I;16" and deep.info["transparency"] == 0
    found = np.asarray(plain(deep), int)[:, :, 0]
    assert found[0, 0] == 255 and (found.reshape(-1)[1:] == greys.reshape(-1)[1:] >> 8).all()


@pytest.mark.parametrize("least, most", [(0.0, 1.0), (0.0, 255.0), (-3e4, 1e9)])
def test_measured_values_span_black_to_white(least: float, most: float) -> None:
    values = np.linspace(least, most, 64 * 64, dtype=np.float32).reshape(64, 64)
    found = np.asarray(fit(Pictures.fromarray(values), 32), np.float32)
    assert found[0].mean() < 10 and 120 < found[16].mean() < 140 and found[-1].mean() > 245
    values[5, 5], values[9, 9] = np.nan, np.inf
    assert np.abs(np.asarray(fit(Pictures.fromarray(values), 32), np.float32) - found).mean() < 5


def test_transparency_is_white() -> None:
    clear = Pictures.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert (np.asarray(fit(clear, 32)) == 255).all()
    half = np.asarray(fit(Pictures.new("RGBA", (20, 20), (0, 0, 0, 128)), 32))
    assert (abs(half.astype(int) - 127) <= 1).all()
    palette = Pictures.new("P", (8, 8), 0)
    palette.info["transparency"] = 0
    assert (np.asarray(fit(palette, 32)) == 255).all()


@pytest.mark.parametrize("high", [False, True])
@pytest.mark.parametrize("size, placed", [
    ((96, 64), 16),         # in the middle: cut in equal parts
    ((96, 64), 0), ((96, 64), 32), ((96, 64), 4),       # elsewhere: all of it is kept
    ((70, 64), 3), ((1601, 1000), 203), ((1601, 1000), 601)])
def test_empty_ends_are_not_looked_at(size: tuple[int, int], placed: int, high: bool) -> None:
    shown = Pictures.effect_noise((size[1], size[1]), 80).convert("RGB")
    page = Pictures.new("RGB", size, (250, 240, 230))
    page.paste(shown, (placed, 0))
    if high:
        page, shown = (picture.transpose(Pictures.Transpose.TRANSPOSE) for picture in (page, shown))
    found, = trimmed([page])
    least = size[0] // 512     # of a large picture every few rows are looked at at once
    assert abs(found.width - found.height) <= least and abs(found.width - size[1]) <= least and max(found.size) >= size[1]
    assert least or (np.asarray(found) == np.asarray(shown)).all()


def test_what_is_full_or_square_stays_as_it_is() -> None:
    for size in ((64, 64), (96, 64), (30, 90)):
        full = Pictures.effect_noise(size, 80).convert("RGB")
        assert (np.asarray(trimmed([full])[0]) == np.asarray(full)).all()
    assert trimmed([Pictures.new("RGB", (3000, 1), "red")])[0].size == (1, 1)
    striped = Pictures.new("RGB", (96, 64), "red")
    striped.paste(Pictures.new("RGB", (48, 64), "blue"), (48, 0))
    assert striped.size[0] > trimmed([striped])[0].size[0] == 64


def test_a_clip_is_cut_to_what_moves_in_all_of_it(tokenizer: OmniTokenizer) -> None:
    frames = [Pictures.new("RGB", (120, 60), "white") for _ in range(3)]
    for frame, x in zip(frames, (10, 40, 60)):
        frame.paste(Pictures.new("RGB", (20, 20), "red"), (x, 20))
    found = trimmed(frames)
    assert {picture.size for picture in found} == {(70, 60)}
    assert [int(np.asarray(picture)[30, :, 1].argmin()) for picture in found] == [0, 30, 50]
    assert len(tokenizer.video_part(frames).frames) == 3 and [picture.size for picture in trimmed([frames[0], frames[1].resize((60, 30))])] == [(120, 60), (60, 30)]


def test_of_a_thought_what_comes_last_will_be_said(tokenizer: OmniTokenizer) -> None:
    for thought in ("4 small red star|It is red.", "It is red."):
        assert [tokenizer.text.decode(list(word)) for word in tokenizer.words_of(tokenizer.text.encode(thought))] == ["It", " is", " red."]
    assert tokenizer.words_of(tokenizer.text.encode("4 small red star|")) == () == tokenizer.words_of(())


def test_voices_lie_beside_the_network(tokenizer: OmniTokenizer, tmp_path: Path) -> None:
    made = OmniTokenizer(tokenizer.vocab, tokenizer.text, tokenizer.audio_codec, tokenizer.image_codec, voices=["heart", "slt"])
    made.save(tmp_path)
    assert OmniTokenizer.load(tmp_path).voices == ["heart", "slt"]
    for damaged in ("{}", "[1]", "heart"):
        (tmp_path / "voices.json").write_text(damaged)
        with pytest.raises(UserError, match="damaged: expected a list of names"):
            OmniTokenizer.load(tmp_path)
    (tmp_path / "voices.json").unlink()
    assert OmniTokenizer.load(tmp_path).voices == []
