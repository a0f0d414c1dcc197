"""Packed matrix products: the same numbers, exact in streams, never where something would be lost."""

from pathlib import Path

import pytest
import torch
from torch import nn

from unisono.codecs import packed
from unisono.codecs.audio import AudioCodec, AudioCodecConfig
from unisono.codecs.packed import PackedDepthwise, PackedLinear, is_half, pack

has_fbgemm = pytest.mark.skipif(not packed.can_pack(), reason="PyTorch without FBGEMM")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    AudioCodec(
        AudioCodecConfig(
            encoder_channels=48, decoder_channels=48, encoder_dilations=(1, 2), decoder_dilations=(1, 2)
        )
    ).save(tmp_path)
    return tmp_path


@has_fbgemm
def test_a_packed_codec_gives_the_same(stored: Path) -> None:
    plain, fast = AudioCodec.load(stored), AudioCodec.load(stored)
    pack(fast)
    assert (
        sum(isinstance(one, PackedLinear) for one in fast.modules())
        == sum(isinstance(one, nn.Linear) for one in plain.modules())
        > 8
    )
    assert sum(isinstance(one, PackedDepthwise) for one in fast.modules()) == 4
    pcm = torch.randn(1, 16000, generator=torch.Generator().manual_seed(2)) * 0.1
    codes = plain.encode(pcm)
    assert (
        fast.encode(pcm) == codes
    ).float().mean() > 0.99  # a latent on the edge between two codes may fall either way
    torch.testing.assert_close(fast.decode(codes), plain.decode(codes), atol=1e-5, rtol=1e-5)
    stream = fast.decoder_stream()
    torch.testing.assert_close(
        torch.cat([stream.push(piece) for piece in codes[0].split(3)]),
        fast.decode(codes)[0],
        atol=1e-6,
        rtol=0,
    )


@has_fbgemm
def test_a_packed_codec_is_not_saved(stored: Path, tmp_path: Path) -> None:
    codec = AudioCodec.load(stored)
    pack(codec)
    with pytest.raises(ValueError, match="packed codec cannot be saved"):
        codec.save(tmp_path / "again")
    assert not (tmp_path / "again").exists()


@has_fbgemm
def test_what_would_lose_is_left(stored: Path) -> None:
    fine = nn.Sequential(nn.Linear(4, 4))
    assert not is_half(fine[0].weight)
    pack(fine)
    assert isinstance(fine[0], nn.Linear)


def test_nothing_is_done_without_fbgemm(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "can_pack", lambda: False)
    codec = AudioCodec.load(stored)
    pack(codec)
    assert not any(isinstance(one, PackedLinear) for one in codec.modules())
