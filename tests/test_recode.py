"""Taking a network to another picture codec."""
from pathlib import Path

import pytest
import torch
from conftest import tiny_tokenizer

from unisono.codecs.image import ImageCodec, ImageCodecConfig
from unisono.core.errors import UserError
from unisono.model.config import Qwen3Config, preset
from unisono.model.hf import load_pretrained, save_pretrained
from unisono.model.transformer import Qwen3
from unisono.train import recode as recode_module
from unisono.train.recode import recode, recoded, said_for

SHAPE = ImageCodecConfig(image_size=16, levels=(3, 3), fine_channels=8, coarse_channels=8, num_coarse_blocks=1)


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
        codec.encoder[-1].weight.mul_(20)      # so that many of the codes occur
    other, pictures = mirrored(codec), torch.randint(256, (100, 3, 16, 16), dtype=torch.uint8)
    first, config = 5, Qwen3Config(vocab_size=5 + codec.codebook_size, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                                   num_attention_heads=2, num_key_value_heads=1, head_dim=8, tie_word_embeddings=tied)
    model = Qwen3(config).eval()
    old, new = (first + each.encode(pictures[:4].float() / 255).flatten(1) for each in (codec, other))
    before = model.logits(model(old))
    assert not torch.equal(old, new)
    recode(model, first, codec, other, pictures)
    after = model.logits(model(new))
    assert torch.allclose(before[..., old.unique()], after[..., first + codec.codebook_size - 1 - (old.unique() - first)], atol=1e-5)


def test_shares_of_equal_codecs_and_of_unequal_ones() -> None:
    codec = ImageCodec(SHAPE).eval()
    shares = said_for(codec, codec, torch.randint(256, (20, 3, 16, 16), dtype=torch.uint8))
    assert torch.equal(shares, torch.diag((shares.sum(dim=1) > 0).float())) and shares.sum() >= 1
    with pytest.raises(UserError, match="cannot take over"):
        said_for(codec, ImageCodec(ImageCodecConfig(image_size=16, levels=(3, 5), fine_channels=8, coarse_channels=8, num_coarse_blocks=1)),
                 torch.zeros(1, 3, 16, 16, dtype=torch.uint8))


def test_folders_are_taken_as_they_are_or_recoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recode_module, "NUM_PICTURES", 64)
    start, wanted, folder = (tmp_path / name for name in ("start", "wanted", "folder"))
    tokenizer = tiny_tokenizer()
    save_pretrained(Qwen3(preset("tiny", tokenizer.vocab.size)), start)
    assert recoded(start, wanted, folder) == start
    for where in (start, wanted):
        tokenizer.save(where)
    assert recoded(start, wanted, folder) == start and not folder.exists()
    mirrored(tokenizer.image_codec).save(wanted / "image_codec")
    assert recoded(start, wanted, folder) == folder
    changed = (load_pretrained(start).embed_tokens.weight != load_pretrained(folder).embed_tokens.weight).any(dim=1).nonzero()[:, 0]
    codes = tokenizer.vocab.span("image")
    assert len(changed) and codes.start <= changed.min() and changed.max() < codes.end


def test_starts_whose_ids_mean_other_things_are_refused(tmp_path: Path) -> None:
    start, wanted = tmp_path / "start", tmp_path / "wanted"
    tokenizer = tiny_tokenizer()
    for where in (start, wanted):
        tokenizer.save(where)
    torch.nn.init.ones_(tokenizer.audio_codec.to_latent.weight)
    tokenizer.audio_codec.save(wanted / "audio_codec")
    with pytest.raises(UserError, match="hears through another audio codec"):
        recoded(start, wanted, tmp_path / "folder")
    (wanted / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="tokenizer.json in .* is not the one that the shards were made with"):
        recoded(start, wanted, tmp_path / "folder")
