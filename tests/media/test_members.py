"""Files joined byte by byte, damaged in their middle, or followed by something else: all of the content comes
back, or an error says what is missing.
"""

import io
import re
import struct

import numpy as np
import pytest
import soundfile
from coded import damaged, refused
from conftest import tone
from PIL import Image

from unisono.core.errors import UserError
from unisono.media import read_footage, read_picture, read_sound
from unisono.media.members import MAX_MEMBERS, members
from unisono.media.samples import CLIPS, FRAGMENTS, SOUNDS, coded, coded_clip
from unisono.serve.wire.sound import encode_whole, encoder

pytestmark = pytest.mark.usefixtures("quiet")
PLAIN = ["wav", "w64", "rf64", "aiff", "au", "caf", "avi"]  # samples without a coder: damage is noise
PACKED = [name for name in SOUNDS if name not in PLAIN]


def pitch(pcm: np.ndarray, rate: int) -> float:
    """The loudest frequency."""
    return float(np.abs(np.fft.rfft(pcm)).argmax() * rate / len(pcm))


@pytest.mark.parametrize("name", SOUNDS)
def test_joined_sounds_are_heard_to_the_end(name: str) -> None:
    first, second = coded(name), coded(name, 0.9, pitch=880)
    alone = read_sound(first).seconds + read_sound(second).seconds
    sound = read_sound(first + second)
    assert abs(sound.seconds - alone) < 0.03 and abs(alone - 2.1) < 0.1
    assert abs(pitch(sound.pcm[:48000], 48000) - 440) < 5
    assert abs(pitch(sound.pcm[-36000:], 48000) - 880) < 5


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "wav"])
def test_answers_of_the_speech_endpoint_can_be_joined(format: str) -> None:
    """How long texts are read aloud: one request for each sentence."""
    whole = b""
    for _ in range(3):
        made = encoder(format)
        whole += made.push(tone(0.7, 24000)) + made.flush()
    assert abs(read_sound(whole).seconds - 2.1) < 0.25


def test_joined_sounds_of_several_rates_and_kinds_play_at_their_own_speed() -> None:
    sound = read_sound(
        coded("opus") + coded("flac", 0.8, 16000) + coded("mp3", 1.0, 44100) + coded("wav", 0.5)
    )
    assert sound.sample_rate == 48000 and abs(sound.seconds - 3.5) < 0.1


def test_too_many_joined_files_are_refused() -> None:
    refused(read_sound, encode_whole(tone(0.01), 16000, "wav") * (MAX_MEMBERS + 1), "1000 files joined")


@pytest.mark.parametrize("name", CLIPS)
def test_joined_clips_are_seen_to_the_end(name: str) -> None:
    clip = coded_clip(*CLIPS[name])
    assert len(read_footage(clip).frames) == 10
    frames = read_footage(clip + clip).frames
    assert 19 <= len(frames) <= 20
    shades = [np.asarray(frame)[24, 32, 0] for frame in frames]
    assert shades[0] < 40 and shades[9] > 180 and shades[10] < 60 and shades[-1] > 180


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize(
    "more", [bytes(range(1, 41)), b"\x00" * 200, b"\x07" * 7, b"TAG" + b"x" * 125, b"PK\x05\x06more"]
)
def test_what_follows_the_end_is_no_sound(name: str, more: bytes) -> None:
    content = coded(name, 0.5)
    sound, longer = read_sound(content), read_sound(content + more)
    assert abs(longer.seconds - sound.seconds) < 0.03 and np.allclose(
        longer.pcm[: len(sound.pcm) // 2], sound.pcm[: len(sound.pcm) // 2], atol=1e-3
    )


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_what_follows_the_end_is_no_picture(format: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (48, 32), "red").save(file, format)
    for more in (bytes(range(1, 41)), b"\0" * 200, file.getvalue()):
        assert read_picture(file.getvalue() + more).convert("RGB").getpixel((20, 20))[0] > 200


@pytest.mark.parametrize("name", PACKED)
def test_damage_in_the_middle_costs_only_itself(name: str) -> None:
    content = coded(name, 14.0, 24000)
    whole = read_sound(content).seconds
    for value in (0, 0xFF, 0x55):
        try:
            assert read_sound(damaged(content, 0.2, 200, value)).seconds > 0.9 * whole
        except UserError as error:  # the blocks of some containers are long
            assert "damaged" in str(error) and name in ("webm", "mkv"), error


@pytest.mark.parametrize("name", [name for name in PACKED if name != "mp3 without a head"])
def test_more_than_a_tenth_lost_is_said(name: str) -> None:
    content = coded(name, 6.0, 24000)
    refused(read_sound, damaged(content, 0.4, len(content) // 4), "damaged")


@pytest.mark.parametrize("name", ["mp4", "fragments", "mkv", "avi", "ts", "flv"])
def test_damaged_clips_keep_their_length_or_are_refused(name: str) -> None:
    clip = coded_clip(*CLIPS[name], num=112)
    whole = len(read_footage(clip).frames)
    for place in (0.2, 0.5, 0.8):
        try:
            assert len(read_footage(damaged(clip, place, 40)).frames) > 0.9 * whole
        except UserError as error:
            assert re.search("damaged|not a clip|holds no clip", str(error))  # the last: of damaged heads


@pytest.mark.parametrize("name", [*PLAIN, "m4a", "fragments", "webm", "mkv", "opus", "flac", "mp3"])
def test_what_is_cut_off_says_so(name: str) -> None:
    content = coded(name, 2.0)
    refused(read_sound, content[: len(content) // 2], "is cut off")
    if name in ("wav", "aiff", "au", "mkv"):
        refused(read_sound, content[: len(content) // 2], f"expected at least {len(content):,}")


@pytest.mark.parametrize("format", ["h264", "hevc", "mjpeg", "m4v"])
def test_streams_without_times_are_counted(format: str) -> None:
    codec = {"h264": "libx264", "hevc": "libx265", "mjpeg": "mjpeg", "m4v": "mpeg4"}[format]
    frames = read_footage(coded_clip(format, codec, {}, num=100, rate=25)).frames
    assert len(frames) == 8
    assert np.asarray(frames[0])[24, 32, 0] < 40 and np.asarray(frames[-1])[24, 32, 0] > 150


def test_sound_and_pictures_of_joined_clips_keep_step() -> None:
    silent, sounding = coded_clip("mp4", "libx264", FRAGMENTS), coded("m4a", 1.0)
    footage = read_footage(silent + sounding)
    assert footage.sound and abs(footage.sound.seconds - 1) < 0.1
    footage = read_footage(sounding + silent + sounding)
    assert footage.sound and abs(footage.sound.seconds - 7) < 0.6


# ---- headers that are wrong ----


def wav(pcm: bytes, *chunks: bytes, size: int | None = None, data: int | None = None) -> bytes:
    """A 16 bit WAV at 16 kHz with further chunks before its samples; sizes as told."""
    body = b"WAVE" + b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16) + b"".join(chunks)
    body += b"data" + struct.pack("<I", len(pcm) if data is None else data) + pcm
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


PCM = (tone(0.5) * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize("size", [0, 4, 36, 0x7FFFFFFF, 0xFFFFFFFF, None])
@pytest.mark.parametrize("data", [0, 0x7FFFFFDB, 0xFFFFFFFF, None])
def test_a_wav_with_sizes_that_nobody_wrote(size: int | None, data: int | None) -> None:
    sound = read_sound(wav(PCM, size=size, data=data))
    assert sound.seconds == 0.5 and np.abs(sound.pcm - tone(0.5)).max() < 1e-3


@pytest.mark.parametrize("pad", [b"", b"\0"])
@pytest.mark.parametrize("name", [b"LIST", b"junk", b"bext", b"id3 "])
def test_an_odd_chunk_with_and_without_its_pad_byte(name: bytes, pad: bytes) -> None:
    chunk = name + struct.pack("<I", 7) + b"INFOabc" + pad
    assert read_sound(wav(PCM, chunk)).seconds == 0.5
    assert read_sound(wav(PCM, chunk) + bytes(range(40))).seconds == 0.5
    cut = wav(PCM, chunk)[:-5000]
    refused(read_sound, cut, f"after {len(cut):,} bytes; expected at least {len(cut) + 5000:,}")


def test_chunks_behind_the_samples_are_no_sound() -> None:
    later = b"LIST" + struct.pack("<I", 5) + b"INFOa"
    assert read_sound(wav(PCM, size=len(wav(PCM)) + len(later) - 8) + later).seconds == 0.5


def test_a_chain_of_members_is_cut_where_each_ends() -> None:
    for name in ("wav", "flac", "opus", "m4a", "webm", "mp3", "caf"):
        one = coded(name, 0.3)
        assert [len(member.content) for member in members(one * 3, "it")] == [
            len(members(one, "it")[0].content)
        ] * 3


# ---- scale and channels ----


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_floats_at_the_scale_of_integers_come_down(bits: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, tone(0.5) * np.float32(2 ** (bits - 1)), 16000, "FLOAT", format="WAV")
    assert np.abs(read_sound(file.getvalue()).pcm - tone(0.5)).max() < 1e-3


def test_overshoots_and_damaged_numbers_do_not_make_a_sound_silent() -> None:
    pcm = tone(0.5)
    pcm[100], pcm[200], pcm[300] = 1e4, np.inf, np.nan
    file = io.BytesIO()
    soundfile.write(file, pcm, 16000, "FLOAT", format="WAV")
    assert np.abs(read_sound(file.getvalue()).pcm[1000:] - tone(0.5)[1000:]).max() < 1e-6
    file = io.BytesIO()
    soundfile.write(file, tone(0.5) * np.float32(1e12), 16000, "FLOAT", format="WAV")
    refused(read_sound, file.getvalue(), "expected samples in")


@pytest.mark.parametrize("format, subtype", [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "OPUS")])
def test_channels_in_opposite_phase_are_not_silence(format: str, subtype: str) -> None:
    left = tone(1.0, 48000)
    for right in (-left, -0.9 * left):
        file = io.BytesIO()
        soundfile.write(file, np.stack([left, right], 1), 48000, subtype, format=format)
        level = np.sqrt(np.square(read_sound(file.getvalue()).pcm).mean())
        assert level > 0.8 * np.sqrt(np.square(left).mean())
    file = io.BytesIO()
    soundfile.write(file, np.stack([left, 0 * left], 1), 48000, subtype, format=format)
    assert abs(np.abs(read_sound(file.getvalue()).pcm).max() - np.abs(left).max() / 2) < 0.03
