"""Sound on the wire: headers, every format whole and streamed, rates, speeds, G.711 against tables and the
law itself.
"""

import io
import wave

import numpy as np
import pytest
from conftest import tone
from hypothesis import given, settings, strategies as st

from unisono.core.errors import UserError
from unisono.media import read_sound
from unisono.serve.wire import sound as sound


def pitch(pcm: np.ndarray, rate: int) -> float:
    """Hz of the loudest tone."""
    middle = pcm[len(pcm) // 5 : -len(pcm) // 5]
    return float(np.abs(np.fft.rfft(middle * np.hanning(len(middle)))).argmax() * rate / len(middle))


def test_a_whole_wav_is_what_wave_reads() -> None:
    given = tone(0.5, sound.API_RATE)
    with wave.open(io.BytesIO(sound.encode_whole(given, sound.API_RATE, "wav"))) as file:
        assert (file.getnframes(), file.getframerate(), file.getnchannels(), file.getsampwidth()) == (
            12000,
            24000,
            1,
            2,
        )
        assert np.abs(sound.from_s16(file.readframes(12000)) - given).max() < 1e-4


def test_a_streamed_wav_is_readable_though_nobody_knew_its_length() -> None:
    header = sound.wav_header(None)
    assert header[4:8] == header[40:44] == b"\xff\xff\xff\xff" and len(header) == 44 == len(
        sound.wav_header(10)
    )
    content = header + sound.to_s16(tone(0.1))
    with wave.open(io.BytesIO(content)) as file:
        assert len(file.readframes(10**6)) == 3200
    assert read_sound(content).seconds == pytest.approx(1600 / 24000)
    assert int.from_bytes(sound.wav_header(10)[4:8], "little") == 46


@pytest.mark.parametrize("format", sound.FORMATS)
def test_streamed_is_whole(format: str) -> None:
    given = tone(1.0, sound.API_RATE)
    made = sound.encoder(format)
    pieces = [made.push(given[start : start + 480]) for start in range(0, len(given), 480)]
    streamed = b"".join([*pieces, made.flush()])
    assert sum(len(piece) > 0 for piece in pieces) > 3, "nothing came before the end"
    whole = sound.encode_whole(given, sound.API_RATE, format)
    if format == "pcm":
        assert streamed == whole == sound.to_s16(given)
        return
    first, second = read_sound(streamed), read_sound(whole)
    assert (
        first.sample_rate == second.sample_rate
        and abs(first.seconds - 1) < 0.12
        and pitch(first.pcm, first.sample_rate) == pytest.approx(440, abs=4)
    )
    length = min(len(first.pcm), len(second.pcm))
    assert (
        abs(len(first.pcm) - len(second.pcm)) <= 1152
        and np.abs(first.pcm[:length] - second.pcm[:length]).max() < 0.02
    )


@pytest.mark.parametrize("format", sound.FORMATS)
def test_nothing_at_all_is_still_a_file(format: str) -> None:
    made = sound.encoder(format)
    assert isinstance(made.push(np.zeros(0, np.float32)) + made.flush(), bytes)
    with pytest.raises(UserError, match="no sound format"):
        sound.encoder("midi")


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.8, 1.0, 1.5, 4.0])
def test_another_speed_keeps_the_pitch(speed: float) -> None:
    given, stretch = tone(2.0, 24000), sound.Stretcher(24000, speed)
    made = np.concatenate(
        [
            *(stretch.push(given[start : start + 480]) for start in range(0, len(given), 480)),
            stretch.push(given[:0], last=True),
        ]
    )
    assert abs(len(made) - 48000 / speed) <= 1 and pitch(made, 24000) == pytest.approx(440, abs=6)
    assert sound.Stretcher(24000, speed).push(given[:0], last=True).size == 0
    assert (
        abs(sound.Stretcher(24000, speed).push(given[:480], last=True).size - 480 / speed) <= 1
    )  # a single frame


@pytest.mark.parametrize("rate_in, rate_out", [(16000, 24000), (24000, 16000), (8000, 16000), (24000, 24000)])
def test_a_resampled_stream_is_the_whole(rate_in: int, rate_out: int) -> None:
    given = tone(1.0, rate_in)
    stream = sound.Resampler(rate_in, rate_out)
    made = np.concatenate(
        [stream.push(given[start : start + 333]) for start in range(0, len(given), 333)]
        + [stream.push(given[:0], last=True)]
    )
    whole = sound.Resampler(rate_in, rate_out).push(given, last=True)
    assert (
        len(made) == len(whole) == rate_out
        and np.abs(made - whole).max() < 1e-4
        and pitch(made, rate_out) == pytest.approx(440, abs=3)
    )


def test_s16_clips_and_drops_half_a_sample() -> None:
    assert sound.to_s16(np.array([2, -2, 0], np.float32)) == b"\xff\x7f\x01\x80\x00\x00"
    assert len(sound.from_s16(b"\x00\x40\x01")) == 1 and sound.from_s16(b"\x00\x40")[0] == 0.5


# ---- G.711 ----

# ITU-T G.711: (code, value on the scale of 16 bit) at the ends, around zero and at a step of each law.
KNOWN = {
    "audio/pcmu": [
        (0x00, -32124),
        (0x80, 32124),
        (0xFF, 0),
        (0x7F, 0),
        (0xFE, 8),
        (0x7E, -8),
        (0xF0, 120),
        (0x8F, 16764),
        (0x0F, -16764),
    ],
    "audio/pcma": [
        (0x55, -8),
        (0xD5, 8),
        (0x2A, -32256),
        (0xAA, 32256),
        (0x54, -24),
        (0xD4, 24),
        (0x80, 5504),
        (0x00, -5504),
    ],
}


@pytest.mark.parametrize("format", KNOWN)
def test_known_values(format: str) -> None:
    codes, values = zip(*KNOWN[format])
    assert (sound.from_g711(bytes(codes), format) * 32768).tolist() == list(values)


@pytest.mark.parametrize("format", KNOWN)
def test_codes_come_back_and_the_nearest_value_is_taken(format: str) -> None:
    codes = bytes(range(256))
    values = sound.from_g711(codes, format)
    assert np.array_equal(
        sound.from_g711(sound.to_g711(values, format), format), values
    )  # two codes of mu-law are both 0
    given = np.linspace(-1.2, 1.2, 4001).astype(np.float32)
    coded = sound.from_g711(sound.to_g711(given, format), format)
    assert np.allclose(np.abs(coded - given), np.abs(values[:, None] - given).min(axis=0), atol=1e-7)


@pytest.mark.parametrize("format", KNOWN)
def test_g711_is_what_pythons_audioop_says(format: str) -> None:
    audioop = pytest.importorskip("audioop", reason="gone from Python 3.13 on")
    law = {"audio/pcmu": audioop.ulaw2lin, "audio/pcma": audioop.alaw2lin}[format]
    assert np.array_equal(
        sound.from_s16(law(bytes(range(256)), 2)), sound.from_g711(bytes(range(256)), format)
    )


@given(st.lists(st.floats(-1, 1, width=32), max_size=50))
@settings(max_examples=50, deadline=None)
def test_bytes_out_are_samples_in(values: list[float]) -> None:
    given = np.array(values, np.float32)
    assert np.abs(sound.from_s16(sound.to_s16(given)) - given).max(initial=0) < 1e-4
    assert len(sound.to_g711(given, "audio/pcmu")) == len(given)
