"""Sound: each readable file gives all that it holds, each broken one a single clear UserError."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from coded import Media, refused
from conftest import tone

from unisono.core.errors import UserError
from unisono.media import Sound, decoder, read_sound, write_sound
from unisono.media.members import Member

pytestmark = pytest.mark.usefixtures("quiet")


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
    by_packets = decoder.Decoder("a", "sound", 60)
    by_packets.read(Member((tmp_path / "a.wav").read_bytes()), want_pictures=False)
    decoded = by_packets.sound()
    assert decoded and np.abs(decoded.pcm - sound.pcm).max() < 1e-3


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
        refused(read_sound, path, "not a sound that can be read|holds no sound|is empty|is cut off")
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


@pytest.mark.parametrize("name", ["long.wav", "long.mp3", "long.flac"])
def test_ten_minutes_are_too_long(tmp_path: Path, name: str) -> None:
    soundfile.write(str(tmp_path / name), np.zeros(600 * 8000, np.float32), 8000)
    refused(read_sound, tmp_path / name, "lasts more than 60 s; cut it into pieces")
    soundfile.write(str(tmp_path / name), np.zeros(59 * 8000, np.float32), 8000)
    assert 58.9 < read_sound(tmp_path / name).seconds < 59.2


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_written_sound_can_be_read(tmp_path: Path, ending: str) -> None:
    write_sound(tmp_path / f"a.{ending}", tone(), 16000)
    sound = read_sound(tmp_path / f"a.{ending}")
    assert abs(sound.seconds - 0.5) < 0.12 and abs(np.abs(sound.pcm).max() - 0.3) < 0.05


@pytest.mark.parametrize("name", ["a", "a.xyz", "missing/a.wav", "."])
def test_sound_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="could not write"):
        write_sound(tmp_path / name, tone(), 16000)


def test_seconds() -> None:
    assert Sound(np.zeros(8000, np.float32), 16000).seconds == 0.5
