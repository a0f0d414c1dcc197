"""The watermark on the network's own speech: it is found after attacks, and only where it is."""

import io
from collections.abc import Iterator

import av
import numpy as np
import pytest
import soxr
from conftest import Running
from openai import OpenAI

from unisono.core.home import default_weights
from unisono.media import read_sound
from unisono.provenance.watermark import RATE, Watermark, detect, pattern
from unisono.serve.reply.guards import Guards
from unisono.serve.wire.sound import Stretcher

TEXT = (
    "Good morning. The sky is blue and the sun is bright. I have a red book and a green cup. "
    "The dog runs to the house. We can read a story together in the evening."
)
Pcm = np.ndarray


@pytest.fixture(scope="module")
def plain() -> Iterator[Pcm]:
    """Speech of the shipped network without a watermark, at RATE."""
    running = Running(default_weights(), Guards(watermark=False))
    with OpenAI(base_url=running.url, api_key="x") as client:
        content = client.audio.speech.create(
            model="tts-1", voice="alloy", input=TEXT, response_format="wav"
        ).read()
    running.stop()
    sound = read_sound(content)
    yield soxr.resample(sound.pcm, sound.sample_rate, RATE)


def marked(pcm: Pcm, speed: float = 1.0, secret: str | None = None) -> Pcm:
    mark = Watermark(RATE, secret, speed)
    return np.concatenate([mark.push(pcm), mark.flush()])


def coded(pcm: Pcm, container: str, codec: str, rate: int, bit_rate: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = bit_rate
        samples = (np.clip(soxr.resample(pcm, RATE, rate), -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


def test_pieces_come_out_as_the_whole() -> None:
    random = np.random.default_rng(0)
    pcm = random.normal(0, 0.1, 20001).astype(np.float32)
    mark, made, start = Watermark(24000), [], 0
    while start < len(pcm):
        size = int(random.integers(0, 700))
        made.append(mark.push(pcm[start : start + size]))
        assert start + size - sum(map(len, made)) <= 2 * 192 + size * (start + size > len(pcm))
        start += size
    made.append(mark.flush())
    whole = Watermark(24000)
    np.testing.assert_array_equal(np.concatenate(made), np.concatenate([whole.push(pcm), whole.flush()]))
    assert len(np.concatenate(made)) == len(pcm)


def test_what_is_changed_is_little_and_silence_stays() -> None:
    pcm = np.random.default_rng(1).normal(0, 0.1, 16000).astype(np.float32)
    changed = marked(pcm) - pcm
    assert 0.02 < np.sqrt((changed**2).mean() / (pcm**2).mean()) < 0.2
    assert not np.abs(marked(np.zeros(5000, np.float32))).max()
    assert len(marked(np.zeros(0, np.float32))) == 0 and len(marked(pcm[:3])) == 3


def test_the_pattern_has_as_much_louder_as_quieter() -> None:
    np.testing.assert_array_equal(pattern("a").sum(0), 0)
    assert (pattern("a") != pattern("b")).any()


def test_only_what_is_marked_is_found(plain: Pcm) -> None:
    assert not detect(plain, RATE).is_marked
    found = detect(marked(plain), RATE)
    assert found.is_marked and found.score > 1.5 * found.needed
    assert not detect(marked(plain, secret="another key"), RATE).is_marked
    assert detect(marked(plain, secret="another key"), RATE, "another key").is_marked


def test_nothing_is_found_in_silence_tones_and_short_pieces(plain: Pcm) -> None:
    tone = np.sin(np.arange(5 * RATE) * 0.1).astype(np.float32)
    for pcm in (np.zeros(5 * RATE, np.float32), tone, marked(plain)[: RATE // 2], np.zeros(0, np.float32)):
        assert not detect(pcm, RATE).is_marked


@pytest.mark.parametrize("attack", ["mp3", "opus", "resample", "noise", "cut"])
def test_it_survives(attack: str, plain: Pcm) -> None:
    pcm, rate = marked(plain), RATE
    if attack in ("mp3", "opus"):
        how = ("mp3", "libmp3lame", 24000, 64000) if attack == "mp3" else ("ogg", "libopus", 48000, 24000)
        sound = read_sound(coded(pcm, *how))
        pcm, rate = sound.pcm, sound.sample_rate
    elif attack == "resample":
        pcm, rate = soxr.resample(pcm, RATE, 44100), 44100
    elif attack == "noise":
        noise = np.random.default_rng(0).normal(0, 0.1 * np.sqrt((pcm**2).mean()), len(pcm))
        pcm = (pcm + noise).astype(np.float32)
    else:
        pcm = pcm[RATE + 777 : 4 * RATE + 777]
    assert detect(pcm, rate).is_marked


@pytest.mark.parametrize("speed", [0.5, 1.5])
def test_it_is_written_for_the_speed_at_which_it_is_played(speed: float, plain: Pcm) -> None:
    assert detect(Stretcher(RATE, speed).push(marked(plain, speed), last=True), RATE).is_marked


def test_it_goes_on_after_a_pause(plain: Pcm) -> None:
    mark, third = Watermark(RATE), len(plain) // 3 + 50
    pieces = [plain[:third], plain[third : 2 * third], plain[2 * third :]]
    made = np.concatenate([one for piece in pieces for one in (mark.push(piece), mark.flush())])
    assert len(made) == len(plain) and detect(made, RATE).score > 0.8 * detect(marked(plain), RATE).score
