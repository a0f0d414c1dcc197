"""Clips: their pictures at two a second and their sound."""

import re
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from coded import Media, refused
from conftest import drawing, tone, write_clip
from PIL import Image

from unisono.core.errors import UserError
from unisono.media import Footage, Sound, kind_of, read_clip, read_footage, read_sound

pytestmark = pytest.mark.usefixtures("quiet")


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
