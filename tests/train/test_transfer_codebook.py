"""Taking a network to other codecs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_tokenizer

from unisono.codecs.image import ImageCodec, ImageCodecConfig
from unisono.core.errors import UserError
from unisono.model.config import Qwen3Config, preset
from unisono.model.hf import load_pretrained, save_pretrained
from unisono.model.transformer import Qwen3
from unisono.train import transfer_codebook as transfer_module
from unisono.train.transfer_codebook import said_for, transfer_codebook, transferred

SHAPE = ImageCodecConfig(
    image_size=16, levels=(3, 3), fine_channels=8, coarse_channels=8, num_coarse_blocks=1
)


def mirrored(codec: ImageCodec) -> ImageCodec:
    """The same codec with every level counted from the other end."""
    other = ImageCodec(codec.config).eval()
    other.load_state_dict(codec.state_dict())
    with torch.no_grad():
        other.encoder[-1].weight.neg_()
        other.encoder[-1].bias.neg_()
        other.decoder[0].weight.neg_()
    return other


@pytest.mark.parametrize("tied", [True, False])
def test_the_network_knows_what_it_knew(tied: bool) -> None:
    torch.manual_seed(0)
    codec = ImageCodec(SHAPE).eval()
    with torch.no_grad():
        codec.encoder[-1].weight.mul_(20)  # so that many of the codes occur
    other, pictures = mirrored(codec), torch.randint(256, (100, 3, 16, 16), dtype=torch.uint8)
    first, config = (
        5,
        Qwen3Config(
            vocab_size=5 + codec.codebook_size,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            tie_word_embeddings=tied,
        ),
    )
    model = Qwen3(config).eval()
    old, new = (first + each.encode(pictures[:4].float() / 255).flatten(1) for each in (codec, other))
    before = model.logits(model(old))
    assert not torch.equal(old, new)
    transfer_codebook(model, first, said_for(codec, other, [pictures.float() / 255]))
    after = model.logits(model(new))
    assert torch.allclose(
        before[..., old.unique()],
        after[..., first + codec.codebook_size - 1 - (old.unique() - first)],
        atol=1e-5,
    )


def test_what_never_occurred_stays_as_it_was() -> None:
    model = Qwen3(
        Qwen3Config(
            vocab_size=14,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
        )
    )
    expected, shares = model.embed_tokens.weight.detach().clone(), torch.zeros(9, 9)
    shares[2, 4] = 1
    expected[5 + 2] = expected[5 + 4]
    transfer_codebook(model, 5, shares)
    assert torch.equal(model.embed_tokens.weight, expected)


def test_shares_of_equal_codecs_and_of_unequal_ones() -> None:
    codec = ImageCodec(SHAPE).eval()
    shares = said_for(codec, codec, torch.rand(2, 10, 3, 16, 16))
    assert torch.equal(shares, torch.diag((shares.sum(dim=1) > 0).float())) and shares.sum() >= 1
    with pytest.raises(UserError, match="a codec of 15 codes cannot take over from one of 9"):
        said_for(codec, ImageCodec(replace(SHAPE, levels=(3, 5))), [torch.zeros(1, 3, 16, 16)])


def write_sound(home: Path, num_samples: int) -> None:
    folder = home / "speech" / "codec"
    folder.mkdir(parents=True)
    np.random.default_rng(0).integers(-9000, 9000, num_samples).astype("<i2").tofile(folder / "pcm.i16")
    (folder / "index.jsonl").write_text(
        json.dumps({"start": 0, "length": num_samples, "text": None, "voice": "x", "split": "train"}) + "\n"
    )


def changed_rows(one: Path, other: Path) -> torch.Tensor:
    return (
        (load_pretrained(one).embed_tokens.weight != load_pretrained(other).embed_tokens.weight)
        .any(dim=1)
        .nonzero()[:, 0]
    )


def test_folders_are_taken_as_they_are_or_transferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer_module, "NUM_PICTURES", 64)
    start, wanted, folder = (tmp_path / name for name in ("start", "wanted", "folder"))
    tokenizer = tiny_tokenizer()
    save_pretrained(Qwen3(preset("tiny", tokenizer.vocab.size)), start)
    assert transferred(start, wanted, tmp_path, folder) == start
    for where in (start, wanted):
        tokenizer.save(where)
    assert transferred(start, wanted, tmp_path, folder) == start and not folder.exists()
    mirrored(tokenizer.image_codec).save(wanted / "image_codec")
    assert transferred(start, wanted, tmp_path, folder) == folder
    changed, codes = changed_rows(start, folder), tokenizer.vocab.span("image")
    assert len(changed) and codes.start <= changed.min() and changed.max() < codes.end
    torch.nn.init.normal_(tokenizer.audio_codec.to_latent.weight)
    tokenizer.audio_codec.save(wanted / "audio_codec")
    with pytest.raises(UserError, match="no speech under"):
        transferred(start, wanted, tmp_path, folder)
    write_sound(tmp_path, 64000)
    transferred(start, wanted, tmp_path, folder)
    both, heard = changed_rows(start, folder), tokenizer.vocab.span("audio")
    assert set(changed.tolist()) < set(both.tolist()) and any(
        heard.start <= row < heard.end for row in both.tolist()
    )


def test_what_only_hears_otherwise_is_taken_over_too(tmp_path: Path) -> None:
    start, wanted = tmp_path / "start", tmp_path / "wanted"
    tokenizer = tiny_tokenizer()
    save_pretrained(Qwen3(preset("tiny", tokenizer.vocab.size)), start)
    for where in (start, wanted):
        tokenizer.save(where)
    with torch.no_grad():
        next(tokenizer.audio_codec.encoder.parameters()).normal_()
    tokenizer.audio_codec.save(wanted / "audio_codec")
    write_sound(tmp_path, 64000)
    assert transferred(start, wanted, tmp_path, tmp_path / "folder") == tmp_path / "folder"
    heard = tokenizer.vocab.span("audio")
    assert all(heard.start <= row < heard.end for row in changed_rows(start, tmp_path / "folder").tolist())


def test_starts_whose_ids_mean_other_things_are_refused(tmp_path: Path) -> None:
    start, wanted = tmp_path / "start", tmp_path / "wanted"
    for where in (start, wanted):
        tiny_tokenizer().save(where)
    (wanted / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="tokenizer.json in .* is not the one that the shards were made with"):
        transferred(start, wanted, tmp_path, tmp_path / "folder")
