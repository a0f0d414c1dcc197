"""Files: each readable one gives what it holds, each broken one a single clear UserError and never anything
else.
"""

import random
import re
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from conftest import drawing, tone, write_clip
from PIL import Image

from unisono import media as files
from unisono.core.errors import UserError
from unisono.media import (
    Footage,
    Sound,
    kind_of,
    read_clip,
    read_footage,
    read_picture,
    read_sound,
    write_sound,
)
from unisono.signals import trimmed

Media = Callable[[str], Path]
READERS = {"picture": read_picture, "sound": read_sound, "clip": read_footage}


@pytest.fixture(autouse=True)
def quiet(capfd: pytest.CaptureFixture[str]) -> object:
    """Whatever is wrong with a file: nothing is printed and nothing warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    assert capfd.readouterr() == ("", "")


def refused(reader: Callable, source: object, words: str) -> None:
    """Reading ends in one sentence with these words."""
    with pytest.raises(UserError, match=words) as caught:
        reader(source)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300 and "0x" not in message and "Errno" not in message


# ---- what can be read ----


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.mp4", "a.mkv"])
def test_sound(media: Media, name: str) -> None:
    sound = read_sound(media(name))
    assert sound.sample_rate == 16000 and sound.pcm.ndim == 1 and sound.pcm.dtype == np.float32
    expected = 1.0 if name.endswith(("mp4", "mkv")) else 0.5
    assert abs(sound.seconds - expected) < 0.12 and 0.2 < np.abs(sound.pcm).max() < 0.4
    assert np.array_equal(read_sound(media(name).read_bytes()).pcm, sound.pcm)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_sample_formats(tmp_path: Path, subtype: str) -> None:
    soundfile.write(tmp_path / "a.wav", tone(0.3, 96000, 2), 96000, subtype)
    sound = read_sound(tmp_path / "a.wav")
    assert sound.sample_rate == 96000 and np.abs(sound.pcm - tone(0.3, 96000)).max() < 0.02
    decoded = files._decode((tmp_path / "a.wav").read_bytes(), "a", "sound", want_pictures=False).sound
    assert decoded and np.abs(decoded.pcm - sound.pcm).max() < 1e-3


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.tif", "a.gif"])
def test_picture(media: Media, name: str) -> None:
    picture = read_picture(media(name))
    assert picture.size == (48, 32) and picture.convert("RGB").getpixel((16, 16))[0] > 180


def test_a_picture_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    drawing((48, 32)).save(tmp_path / "a.jpg", exif=exif)
    assert read_picture(tmp_path / "a.jpg").size == (32, 48)
    drawing((48, 32)).save(tmp_path / "b.jpg", exif=b"Exif\0\0nonsense")
    assert read_picture(tmp_path / "b.jpg").size == (48, 32)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a_silent.mp4", "a.gif"])
def test_clip(media: Media, name: str) -> None:
    footage = read_footage(media(name))
    assert len(footage.frames) == 2 and all(frame.mode == "RGB" for frame in footage.frames)
    assert not np.array_equal(footage.frames[0], footage.frames[1])
    assert (footage.sound is None) == (name in ("a_silent.mp4", "a.gif"))
    assert footage.sound is None or abs(footage.sound.seconds - 1) < 0.1


def test_a_slow_clip_shows_its_pictures_again(tmp_path: Path) -> None:
    turning = [drawing().rotate(90 * number) for number in range(3)]
    turning[0].save(tmp_path / "slow.gif", save_all=True, append_images=turning[1:], duration=1500)
    frames = [np.asarray(frame) for frame in read_footage(tmp_path / "slow.gif").frames]
    assert len(frames) == 7  # at 0, 1.5 and 3 s
    assert [np.array_equal(a, b) for a, b in zip(frames, frames[1:])] == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_the_last_picture_stays_in_view_while_sound_goes_on(tmp_path: Path, name: str) -> None:
    footage = read_footage(write_clip(tmp_path / name, 0.125, sound_s=3.0))
    assert len(footage.frames) == 6 and footage.sound and abs(footage.sound.seconds - 3) < 0.15
    assert all(np.array_equal(footage.frames[0], frame) for frame in footage.frames)


def test_a_clip_cut_out_of_a_longer_one_starts_at_its_own_beginning(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    with av.open(str(write_clip(tmp_path / "a.mkv"))) as source, av.open(str(path), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                offset = int(300 / packet.time_base)
                packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    footage = read_footage(path)
    assert len(footage.frames) == 2 and footage.sound and abs(footage.sound.seconds - 1) < 0.1


ONE = 1 << 16


@pytest.mark.parametrize(
    "matrix, size, corner",
    [
        ((ONE, 0, 0, ONE), (64, 48), (0, 0)),
        ((0, ONE, -ONE, 0), (48, 64), (1, 0)),
        ((-ONE, 0, 0, -ONE), (64, 48), (1, 1)),
        ((0, -ONE, ONE, 0), (48, 64), (0, 1)),
        ((-ONE, 0, 0, ONE), (64, 48), (1, 0)),
        ((0, ONE, ONE, 0), (48, 64), (0, 0)),
    ],
)
def test_a_clip_is_turned_as_its_camera_says(
    tmp_path: Path, matrix: tuple[int, ...], size: tuple[int, int], corner: tuple[int, int]
) -> None:
    page = Image.new("RGB", (64, 48), "white")
    page.paste("black", (0, 0, 24, 16))  # upper left
    page.paste("red", (0, 32, 24, 48))  # lower left
    with av.open(str(tmp_path / "a.mp4"), "w") as target:
        video = target.add_stream("mpeg4", rate=8)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        target.mux([*video.encode(av.VideoFrame.from_image(page)), *video.encode(None)])
    content, (a, b, c, d) = bytearray((tmp_path / "a.mp4").read_bytes()), matrix
    place = content.index(b"tkhd") + 44
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    shown = np.asarray(read_footage(bytes(content)).frames[0], int)
    assert shown.shape[1::-1] == size
    assert shown[-8 if corner[1] else 8, -8 if corner[0] else 8].max() < 60
    red, green, blue = shown[-8 if corner[1] + d // ONE else 8, -8 if corner[0] + c // ONE else 8]
    assert red > 200 and max(green, blue) < 60


def test_pictures_of_a_clip_are_kept_small(tmp_path: Path) -> None:
    drawing((3000, 1500)).save(tmp_path / "big.gif")
    assert read_footage(tmp_path / "big.gif").frames[0].size == (512, 256)


def test_an_animated_picture_is_its_first(media: Media) -> None:
    assert (
        np.abs(
            np.asarray(read_picture(media("a.gif")).convert("RGB"), int) - np.asarray(drawing(), int)
        ).mean()
        < 8
    )


# ---- what cannot ----


@pytest.mark.parametrize("what", READERS)
def test_no_such_thing(tmp_path: Path, what: str) -> None:
    reader = READERS[what]
    refused(reader, tmp_path / "none.png", "no file .*none.png; check the path")
    refused(reader, tmp_path, f"is a folder; expected a file with {what}")
    refused(reader, "~nobody-of-this-name/a.png", "no file ~nobody")
    refused(reader, "a\0b", "null byte")
    refused(reader, "x" * 260, "cannot read")
    refused(reader, b"", f"the {what}.* is not a {what} that can be read")


@pytest.mark.parametrize("what", READERS)
@pytest.mark.parametrize("name", ["text.png", "text.wav", "text.mp4", "binary.gif"])
def test_content_of_another_kind(tmp_path: Path, what: str, name: str) -> None:
    content = b"This is only text.\n" * 50 if name.startswith("text") else bytes(range(256)) * 8
    (tmp_path / name).write_bytes(content)
    refused(READERS[what], tmp_path / name, f"is not a {what} that can be read")


def test_sound_and_pictures_are_not_each_other(media: Media) -> None:
    refused(read_picture, media("a.wav"), "not a picture")
    refused(read_picture, media("a.mp4"), "not a picture")
    refused(read_sound, media("a.png"), "holds no sound")
    refused(read_sound, media("a_silent.mp4"), "holds no sound")
    refused(read_footage, media("a.wav"), "holds no pictures")


@pytest.mark.parametrize(
    ("name", "reader"),
    [("a.wav", read_sound), ("a.mp4", read_sound), ("a.mp4", read_footage), ("a.mp4", read_clip)],
)
def test_what_is_cut_off_by_its_own_account(
    media: Media, tmp_path: Path, name: str, reader: Callable[[Path], object]
) -> None:
    content, path = media(name).read_bytes(), tmp_path / name
    for length in (len(content) // 2, len(content) - 65):
        path.write_bytes(content[:length])
        refused(
            reader,
            path,
            f"{name} is cut off after {length:,} bytes; expected at least .*: copy or send all of it",
        )
    path.write_bytes(content + b"more")
    reader(path)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF024])
def test_a_wav_that_came_through_a_pipe_is_read(media: Media, size: int) -> None:
    content = bytearray(media("a.wav").read_bytes())
    content[40:44] = size.to_bytes(4, "little")
    assert abs(read_sound(bytes(content)).seconds - 0.5) < 0.01


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3"])
def test_cut_sound_gives_what_is_left(media: Media, tmp_path: Path, name: str) -> None:
    content, path = media(name).read_bytes(), tmp_path / name
    for length in (0, 10, 30):
        path.write_bytes(content[:length])
        refused(read_sound, path, "not a sound that can be read|holds no sound|is empty")
    for length in (100, len(content) // 2, len(content) - 5):
        path.write_bytes(content[:length])
        try:
            assert 0 < read_sound(path).seconds <= 0.6
        except UserError as error:
            assert length < 1000 or name.endswith(("flac", "ogg")), (
                error
            )  # a page or block of them is all or nothing


def test_a_wav_that_is_only_a_header(media: Media, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(media("a.wav").read_bytes()[:44])
    refused(read_sound, tmp_path / "a.wav", "is cut off after 44 bytes")
    soundfile.write(tmp_path / "b.wav", np.zeros(0), 16000)
    refused(read_sound, tmp_path / "b.wav", "holds no sound")


def test_a_header_that_promises_the_earth(media: Media) -> None:
    content = bytearray(media("a.flac").read_bytes())
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4  # 68 thousand million samples
    assert abs(read_sound(bytes(content)).seconds - 0.5) < 0.1


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_cut_clips(media: Media, tmp_path: Path, name: str) -> None:
    content = media(name).read_bytes()
    for length in (0, 10, 100, len(content) // 2, len(content) - 5):
        (tmp_path / name).write_bytes(content[:length])
        try:
            assert 1 <= len(read_footage(tmp_path / name).frames) <= 2
        except UserError as error:
            assert re.search(
                "is not a clip that can be read|is cut off|is empty", str(error)
            ) and "\n" not in str(error)


NAMES = ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.mp4", "a.mkv", "a.gif", "a.png", "a.jpg", "a.webp", "a.bmp"]


@pytest.mark.parametrize("name", NAMES)
def test_damaged_anywhere(media: Media, name: str) -> None:
    whole, rng = media(name).read_bytes(), random.Random(name)
    for _ in range(25):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 4, 30))):
            content[rng.randrange(min(len(content), rng.choice((64, 500, 10**6))))] = rng.choice(
                (0, 255, rng.randrange(256))
            )
        for reader in READERS.values():
            try:
                reader(bytes(content))
            except UserError as error:
                assert "\n" not in str(error) and len(str(error)) < 300


@pytest.mark.parametrize("name", ["long.wav", "long.mp3", "long.flac"])
def test_ten_minutes_are_too_long(tmp_path: Path, name: str) -> None:
    soundfile.write(str(tmp_path / name), np.zeros(600 * 8000, np.float32), 8000)
    refused(read_sound, tmp_path / name, "lasts more than 60 s; cut it into pieces")
    soundfile.write(str(tmp_path / name), np.zeros(59 * 8000, np.float32), 8000)
    assert 58.9 < read_sound(tmp_path / name).seconds < 59.2


def test_a_long_clip_is_refused(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    first.save(tmp_path / "long.gif", save_all=True, append_images=[second, first], duration=40_000)
    refused(read_footage, tmp_path / "long.gif", "lasts more than 60 s")


def test_sound_is_measured_whatever_time_the_file_tells(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "timeless.mkv"), "w") as target:
        video, audio = target.add_stream("mpeg4", rate=8), target.add_stream("flac", rate=8000, layout="mono")
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        target.mux([*video.encode(av.VideoFrame.from_image(Image.new("RGB", (64, 48)))), *video.encode(None)])
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 70 * 8000), np.int16), format="s16", layout="mono")
        silence.sample_rate = 8000
        for packet in [*audio.encode(silence), *audio.encode(None)]:
            packet.pts = packet.dts = 0
            target.mux(packet)
    refused(read_footage, tmp_path / "timeless.mkv", "lasts more than 60 s")
    refused(read_sound, tmp_path / "timeless.mkv", "lasts more than 60 s")


def test_large_pictures(tmp_path: Path) -> None:
    Image.new("L", (8000, 8000), 200).save(tmp_path / "large.png")
    assert read_picture(tmp_path / "large.png").size == (2048, 2048)
    Image.new("L", (9700, 9690), 200).save(tmp_path / "larger.png")  # Pillow warns of this size
    assert trimmed([read_picture(tmp_path / "larger.png")])[0].getpixel((9, 9)) == (200, 200, 200)
    Image.new("1", (10100, 10100)).save(tmp_path / "huge.png")
    refused(read_picture, tmp_path / "huge.png", "10100 x 10100 pixels; expected at most 100 million")
    refused(read_footage, tmp_path / "huge.png", "not a clip that can be read")


def test_a_large_picture_is_turned_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a.png", "a.tif", "a.webp"):
        Image.new("RGB", (4000, 1000)).save(tmp_path / name, exif=exif)
        assert read_picture(tmp_path / name).size == (512, 2048)


def test_a_decompression_bomb(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 100_000
    refused(read_picture, tmp_path / "bomb.png", "not a picture that can be read")


def test_an_endless_file(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("no /dev/zero here")
    monkeypatch.setattr(files, "MAX_BYTES", 3_000_000)
    refused(read_picture, "/dev/zero", "larger than 3 MB")


# ---- writing, and what a name says ----


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_written_sound_can_be_read(tmp_path: Path, ending: str) -> None:
    write_sound(tmp_path / f"a.{ending}", tone(), 16000)
    sound = read_sound(tmp_path / f"a.{ending}")
    assert abs(sound.seconds - 0.5) < 0.12 and abs(np.abs(sound.pcm).max() - 0.3) < 0.05


@pytest.mark.parametrize("name", ["a", "a.xyz", "missing/a.wav", "."])
def test_sound_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="could not write"):
        write_sound(tmp_path / name, tone(), 16000)


def test_kinds() -> None:
    assert [kind_of(name) for name in ("a.PNG", "b.wav", "c.mp4", Path("x/d.gif"))] == [
        "image",
        "audio",
        "video",
        "image",
    ]
    for name in ("a", "a.txt", ".png"):
        with pytest.raises(UserError, match="cannot tell from"):
            kind_of(name)


def test_a_recording_of_a_browser_is_a_clip_or_only_sound(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.webm"), "w") as target:
        audio = target.add_stream("libopus", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(0.5, 48000)[None], format="fltp", layout="mono")
        frame.sample_rate = 48000
        target.mux([*audio.encode(frame), *audio.encode(None)])
    assert kind_of("sound.webm") == "video"
    sound = read_clip(tmp_path / "sound.webm")
    assert isinstance(sound, Sound) and abs(sound.seconds - 0.5) < 0.1
    refused(read_footage, tmp_path / "sound.webm", "holds no pictures")
    clip = read_clip(write_clip(tmp_path / "clip.webm", sound=False, codec="libvpx"))
    assert isinstance(clip, Footage) and len(clip.frames) == 2


def test_seconds() -> None:
    assert Sound(np.zeros(8000, np.float32), 16000).seconds == 0.5
