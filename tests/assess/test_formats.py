"""What weights in fewer bits cost: the bench on a tiny network and documents made with its tokenizer."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from unisono.assess.options import BenchOptions
from unisono.assess.quality.formats import KINDS, bench_formats, documents
from unisono.core.errors import UserError
from unisono.data.shards.shard import Shard, ShardWriter
from unisono.tokenizer import OmniTokenizer


@pytest.fixture(scope="module")
def home(tiny_network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    made_with = home / "shards" / "mine" / "made-with"
    shutil.copytree(tiny_network, made_with)
    (made_with / "model.safetensors").unlink()
    vocab, rng = OmniTokenizer.load(tiny_network).vocab, np.random.default_rng(0)
    writer = ShardWriter(home / "shards" / "mine" / "val", vocab.size)
    for number in range(8):
        ids = rng.integers(0, vocab.size, size=40 if number < 6 else 2000)
        writer.add(ids, np.arange(len(ids)) > 9, "even" if number % 2 == 0 else "odd")
    writer.close(text_end=vocab.text_size)
    return home


def test_fewer_bits_cost_more(tiny_network: Path, home: Path) -> None:
    measured = bench_formats(BenchOptions(what="formats", model=str(tiny_network), home=home, samples=3))
    found = measured.numbers["formats"]
    assert list(found) == ["stored", *KINDS] and measured.config["documents"] == 6
    sizes = [found[kind]["bytes"] for kind in ("stored", "q8_0", "q4_0", "mxfp4")]
    assert sizes == sorted(sizes, reverse=True) and found["mxfp4"]["bits_per_weight"] > 4.25
    assert found["stored"]["above_stored"] == {"mean": 0, "stderr": 0, "n": 6}
    off = {
        kind: abs(found[kind]["nats_per_id"]["mean"] - found["stored"]["nats_per_id"]["mean"])
        for kind in KINDS
    }
    assert 0 < off["q8_0"] < off["mxfp4"] and found["mxfp4"]["above_stored"]["n"] == 6


def test_what_is_learned_is_what_is_judged(home: Path) -> None:
    found = list(documents(Shard(home / "shards" / "mine" / "val"), 2))
    assert len(found) == 4
    for ids, labels in found:
        assert len(ids) == len(labels) == 39 and int((labels >= 0).sum()) == 30
        assert torch.equal(labels[9:-1], ids[10:]) and bool((labels[:9] < 0).all())


def test_shards_of_another_tokenizer_are_refused(tiny_network: Path, home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "home")
    (tmp_path / "home" / "shards" / "mine" / "made-with" / "vocabulary.json").write_text("{}")
    with pytest.raises(UserError, match="were made with the tokenizer"):
        bench_formats(BenchOptions(what="formats", model=str(tiny_network), home=tmp_path / "home"))
