"""The codec of 25 ids a second: causal, the same whole and in pieces, in the voice that it is told."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from unisono.codecs.attention import WindowAttention
from unisono.codecs.logmel import LogMel
from unisono.codecs.speech import PRESETS, SpeechCodec, SpeechCodecConfig
from unisono.codecs.speech_encoder import SpeechEncoder, periodic_positions
from unisono.core.errors import UserError

TINY = SpeechCodecConfig(
    levels=(5, 3),
    num_mels=20,
    encoder_channels=24,
    encoder_heads=2,
    ahead=(2, 1),
    encoder_layers=4,
    window=6,
    decoder_channels=16,
    decoder_dilations=(1, 2),
    fine_channels=16,
    fine_dilations=(1,),
    style_size=8,
)


@pytest.fixture(scope="module")
def codec() -> SpeechCodec:
    torch.manual_seed(0)
    made = SpeechCodec(TINY).eval()
    with torch.no_grad():
        made.encoder.to_levels.weight *= 8  # codes that differ from frame to frame
        made.presets.normal_()
    return made


def sound(seconds: float, seed: int = 0) -> torch.Tensor:
    """(N,) noise that swells and fades."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(int(seconds * 16000), generator=generator)
    return 0.1 * noise * torch.sin(torch.arange(len(noise)) / 2000).square()


def test_the_physical_numbers(codec: SpeechCodec) -> None:
    assert (
        codec.sample_rate,
        codec.frame_size,
        codec.frame_rate,
        codec.codebook_size,
        codec.num_codebooks,
    ) == (16000, 640, 25.0, 15, 1)
    assert SpeechCodec().codebook_size == 15360 and codec.config.lookahead * 1000 / codec.frame_rate <= 80


def test_streams_equal_whole(codec: SpeechCodec) -> None:
    pcm = sound(2.03)
    codes = codec.encode(pcm[None])[0]
    assert len(codes) == 51 and len(codes.unique()) > 3
    stream = codec.encoder_stream()
    assert torch.equal(torch.cat([*map(stream.push, pcm.split(1600)), stream.flush()]), codes)
    whole = codec.decode(codes[None], "echo")[0]
    speaker = codec.decoder_stream("echo")
    pieces = torch.cat([*map(speaker.push, codes.split(3)), speaker.flush()])
    assert len(whole) == 51 * 640 and torch.allclose(pieces, whole, atol=1e-5)


def test_long_sound_is_computed_in_chunks_to_the_same_codes(
    codec: SpeechCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    pcm = sound(1.6)[None]
    codes = codec.encode(pcm)
    monkeypatch.setattr("unisono.codecs.speech_encoder.CHUNK", 7)
    assert torch.equal(codec.encode(pcm), codes)


def test_a_code_depends_on_no_more_than_the_lookahead(codec: SpeechCodec) -> None:
    pcm = sound(1.6)
    other = pcm.clone()
    changed = 20 * 640
    other[changed:] = sound(1.6, seed=1)[changed:]
    first, second = (codec.encoder.whole(one[None])[0] for one in (pcm, other))
    differs = (first != second).any(dim=1)
    assert int(differs.nonzero()[0]) == 20 - codec.config.lookahead


def test_attention_sees_its_window_only() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 10, 8)
    other = x.clone()
    other[:, 4] += 1
    for ahead, seen in ((0, [4, 5, 6]), (2, [2, 3, 4, 5, 6])):
        attention = WindowAttention(8, 2, window=3, ahead=ahead)
        differs = (attention(other)[0] != attention(x)[0]).any(dim=2)[0].nonzero().flatten().tolist()
        assert differs == seen
    with pytest.raises(ValueError, match="heads"):
        WindowAttention(8, 3, window=3)


def test_positions_come_again_without_an_edge() -> None:
    positions = periodic_positions(16)
    assert positions.shape == (1500, 16)
    step = (positions.roll(-1, 0) - positions).norm(dim=1)
    assert float(step.max() / step.min()) < 1.01  # from the last to the first as from any to the next


def test_a_stream_longer_than_the_period_equals_whole(codec: SpeechCodec) -> None:
    pcm = sound(31)
    stream = codec.encoder_stream()
    codes = torch.cat([*map(stream.push, pcm.split(16000)), stream.flush()])
    assert torch.equal(codes, codec.encode(pcm[None])[0])


def test_what_cannot_be_an_encoder() -> None:
    for change, said in (
        ({"ahead": (1, 1)}, "odd number"),
        ({"num_layers": 2}, "fewer than 2"),
        ({"frame_size": 320}, "four mel frames"),
    ):
        with pytest.raises(ValueError, match=said):
            SpeechEncoder(replace(TINY.encoder, **change))


def test_log_mels_in_pieces_equal_whole() -> None:
    logmel, pcm = LogMel(16000, 640, 20), sound(0.4)[None]
    whole, _ = logmel(pcm)
    first, state = logmel(pcm[:, :1280])
    assert whole.shape == (1, 10, 80) and torch.allclose(
        torch.cat([first, logmel(pcm[:, 1280:], state)[0]], dim=1), whole
    )
    with pytest.raises(ValueError, match="whole hops"):
        LogMel(16000, 500, 20)


def test_the_voice_is_what_the_decoder_is_told(codec: SpeechCodec) -> None:
    codes = torch.arange(12)[None]
    assert len(PRESETS) == 10
    one, other = codec.decode(codes, "alloy"), codec.decode(codes, "verse")
    assert not torch.allclose(one, other) and torch.equal(one, codec.decode(codes, codec.presets[0]))
    own = codec.voice_of(sound(3.0))
    assert own.shape == (8,) and codec.decode(codes, own).shape == (1, 12 * 640)


def test_what_cannot_be_a_voice(codec: SpeechCodec) -> None:
    for voice, said in (("nobody", "choose from alloy"), (torch.zeros(7), "voice of 8 numbers")):
        with pytest.raises(UserError, match=said):
            codec.decode(torch.zeros(1, 2, dtype=torch.int64), voice)
    for pcm, said in ((sound(0.5), "at least 2 s"), (torch.zeros(48000), "silent")):
        with pytest.raises(UserError, match=said):
            codec.voice_of(pcm)
    with pytest.raises(ValueError, match="codes must lie"):
        codec.decode(torch.tensor([[15]]))
    with pytest.raises(ValueError, match="float pcm"):
        codec.encode(torch.zeros(1, 640, dtype=torch.int64))


def test_saved_and_loaded_it_says_the_same(codec: SpeechCodec, tmp_path: Path) -> None:
    codec.save(tmp_path / "first")
    once = SpeechCodec.load(tmp_path / "first")  # in half precision from here on
    once.save(tmp_path)
    again, pcm = SpeechCodec.load(tmp_path), sound(1.0)[None]
    codes = once.encode(pcm)
    assert (
        again.config == TINY
        and torch.equal(again.encode(pcm), codes)
        and torch.equal(again.decode(codes, "sage"), once.decode(codes, "sage"))
    )
    assert torch.allclose(codec.decode(codes, "sage"), once.decode(codes, "sage"), atol=0.05)
    with pytest.raises(UserError, match="do not fit"):
        SpeechCodec(replace(TINY, encoder_layers=3)).save(tmp_path / "other")
        (tmp_path / "other" / "config.json").write_text((tmp_path / "config.json").read_text())
        SpeechCodec.load(tmp_path / "other")


def test_the_encoder_alone_is_saved_too(codec: SpeechCodec, tmp_path: Path) -> None:
    codec.encoder.save(tmp_path)
    again, pcm = SpeechEncoder.load(tmp_path), sound(0.4)[None]
    assert again.config == TINY.encoder and SpeechCodecConfig().around(again.config).encoder == again.config
    assert torch.allclose(again.whole(pcm), codec.encoder.whole(pcm), atol=0.05)
