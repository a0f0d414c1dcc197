"""The audio codec: contract, streaming equals whole, causality, disk, errors. Quality is measured by `unisono
bench`.
"""

import json

import pytest
import torch

from unisono.codecs.audio import AudioCodec, AudioCodecConfig
from unisono.core.errors import UserError

TINY = AudioCodecConfig(
    encoder_channels=32, decoder_channels=32, encoder_dilations=(1, 2), decoder_dilations=(1, 2)
)


@pytest.fixture(scope="module")
def codec() -> AudioCodec:
    torch.manual_seed(0)
    return AudioCodec(TINY).eval()


@pytest.mark.parametrize("num_samples", [1, 319, 320, 321, 16000, 20001])
def test_shapes(codec: AudioCodec, num_samples: int) -> None:
    codes = codec.encode(torch.randn(2, num_samples) * 0.1)
    assert codes.shape == (2, -(-num_samples // 320)) and codes.dtype == torch.int64
    assert 0 <= int(codes.min()) and int(codes.max()) < codec.codebook_size == 4375
    assert codec.decode(codes).shape == (2, codes.shape[1] * 320)


@pytest.mark.parametrize("sizes", [[1000], [1, 319, 320, 7, 8000, 333], [160] * 40, [20000]])
def test_streams_equal_the_whole(codec: AudioCodec, sizes: list[int]) -> None:
    torch.manual_seed(1)
    pcm = torch.randn(sum(sizes)) * 0.1
    encoder, decoder = codec.encoder_stream(), codec.decoder_stream()
    codes = torch.cat([*(encoder.push(piece) for piece in pcm.split(sizes)), encoder.flush()])
    whole = codec.encode(pcm[None])[0]
    assert torch.equal(codes, whole)
    made = torch.cat([decoder.push(piece) for piece in whole.split(3)])
    torch.testing.assert_close(made, codec.decode(whole[None])[0], atol=1e-5, rtol=0)


def test_encoder_needs_40_ms_and_decoder_nothing(codec: AudioCodec) -> None:
    encoder = codec.encoder_stream()
    assert len(encoder.push(torch.zeros(320 * 10))) == 10 - codec.config.lookahead
    assert codec.config.lookahead * codec.frame_size / codec.sample_rate <= 0.040
    pcm = torch.randn(1, 320 * 30) * 0.1
    later = pcm.clone()
    later[:, 320 * 20 :] = 0
    assert torch.equal(codec.encode(pcm)[:, :18], codec.encode(later)[:, :18])
    codes = torch.randint(codec.codebook_size, (1, 30))
    torch.testing.assert_close(
        codec.decode(codes)[:, : 320 * 20], codec.decode(codes[:, :20]), atol=1e-5, rtol=0
    )


def test_saved_and_loaded_gives_the_same_codes(codec: AudioCodec, tmp_path) -> None:
    codec.save(tmp_path)
    again = AudioCodec.load(tmp_path)
    assert again.config == codec.config
    AudioCodec.load(tmp_path).save(tmp_path / "twice")
    pcm = torch.randn(1, 4000) * 0.1
    assert torch.equal(again.encode(pcm), AudioCodec.load(tmp_path / "twice").encode(pcm))


def test_errors_name_what_was_expected(codec: AudioCodec, tmp_path) -> None:
    with pytest.raises(ValueError, match="float pcm"):
        codec.encode(torch.zeros(100, dtype=torch.int16)[None])
    with pytest.raises(ValueError, match="4375"):
        codec.decode(torch.tensor([[4375]]))
    with pytest.raises(UserError, match="config.json"):
        AudioCodec.load(tmp_path / "nowhere")
    codec.save(tmp_path / "damaged")
    weights = tmp_path / "damaged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="damaged"):
        AudioCodec.load(tmp_path / "damaged")
    codec.save(tmp_path / "other")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    (tmp_path / "other" / "config.json").write_text(json.dumps({**config, "decoder_channels": 48}))
    with pytest.raises(UserError, match="do not fit"):
        AudioCodec.load(tmp_path / "other")


@pytest.mark.parametrize(
    "changes",
    [
        {"levels": 7},
        {"levels": []},
        {"levels": ["a"]},
        {"levels": [1, 5]},
        {"frame_size": 0},
        {"frame_size": 321},
        {"sample_rate": "x"},
        {"lookahead": None},
        {"encoder_channels": [32]},
        {"num_mels": 1.5},
        {"smell": 1},
    ],
)
def test_a_config_that_describes_no_codec_is_refused(codec: AudioCodec, changes: dict, tmp_path) -> None:
    codec.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(UserError, match="does not describe"):
        AudioCodec.load(tmp_path)
