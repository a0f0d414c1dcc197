"""`--init`, from the data in a base's ids to a finished network: nothing of the base is lost on the way."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")
from tiny_bases import omni_of, tiny_base  # noqa: E402

from unisono.base.base import Base  # noqa: E402
from unisono.cli import main  # noqa: E402
from unisono.data.shards.build import made_with  # noqa: E402
from unisono.data.shards.disjoint import check_disjoint  # noqa: E402
from unisono.data.shards.prepare import Counts, prepare  # noqa: E402
from unisono.data.shards.shard import Shard  # noqa: E402
from unisono.data.speech.codebank import CodeBank  # noqa: E402
from unisono.model.hf import load_pretrained  # noqa: E402
from unisono.omni import Omni  # noqa: E402

COUNTS = Counts(see=2, recall=2, draw=2, see_emoji=2, draw_emoji=2, read=2, letters=2, watch=2, talk=4)
QUICK = (
    "loop.num_steps=2",
    "loop.validate_every=2",
    "loader.batch_size=2",
    "loader.row_length=512",
    "compile=false",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the shards of a tiny base, made of written conversations alone."""
    home = tmp_path_factory.mktemp("home")
    base = Base.load(str(tiny_base(home / "base", "qwen2")), home)
    tokenizer = omni_of(base, made_with(home, "small"))
    for name in ("config.json", "model.safetensors", "generation_config.json"):
        (made_with(home, "small") / name).unlink()

    def texts(split: str) -> Iterator[tuple[str, str]]:
        yield "stories", f"A story of {split}."

    for split in ("train", "val"):
        folder = home / "shards" / "small" / split
        prepare(tokenizer, CodeBank([]), texts, folder, split=split, counts=COUNTS, base=base.name, codecs={})
    return home


def train(home: Path, *options: str, init: str = "base", name: str = "small") -> int:
    given = [word for option in (*QUICK, *options) for word in ("--set", option)]
    return main(["train", "network", "--init", str(home / init), "--home", str(home), "--name", name, *given])


def test_what_is_taught_is_written_as_the_base_writes_it(home: Path) -> None:
    base = Base.load(str(home / "base"), home)
    train, val = (Shard(home / "shards" / "small" / split) for split in ("train", "val"))
    vocab = base.vocabulary(15, 15)
    template = omni_of(base, home / "again").template
    assert check_disjoint(train, val, template)["talk"] >= 1
    number = int(np.flatnonzero(train.tasks == train.task_names.index("talk"))[0])
    ids, learn = train.document(number)
    assert template.text.decode(ids[:2].tolist()) == "<|im_start|>" + template.text.decode([int(ids[1])])
    assert (
        vocab.end_id in ids[learn == 1]
        and not np.isin(ids, [vocab.id(f"<|{role}|>") for role in ("user", "assistant")]).any()
    )


def test_a_network_is_trained_and_goes_on(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(home) == 0
    finished = home / "networks" / "small"
    assert Omni(finished).reply("Hello.", seed=0).finish_reason in ("stop", "length")
    start = load_pretrained(home / "runs" / "network-small" / "start")
    rows = load_pretrained(home / "runs" / "network-small" / "network").embed_tokens.weight
    assert not torch.equal(rows, start.embed_tokens.weight)
    assert (finished / "chat_template.jinja").read_text() == Base.load(str(home / "base"), home).template
    (home / "runs" / "network-small" / "start" / "config.json").unlink()  # it can be made again
    assert train(home, "loop.num_steps=3") == 0
    assert "step 3" in capsys.readouterr().out


@pytest.mark.parametrize("way", ["lora", "layers"])
def test_the_other_ways_leave_plain_folders_too(way: str, home: Path) -> None:
    assert train(home, f"trainable={way}", "lora_rank=2", name=way) == 0
    assert Omni(home / "networks" / way).reply("Hello.", seed=0).finish_reason in ("stop", "length")


def test_what_does_not_belong_together_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_base(home / "other", "qwen3")
    assert train(home, init="other", name="x") == 2 and not (home / "networks" / "x").exists()
    assert "was not made for the base in" in capsys.readouterr().err
    assert not (home / "runs" / "network-x" / "start").exists()
    assert train(home, "start_from=somewhere", name="x") == 2
    assert "give one of them" in capsys.readouterr().err
    assert main(["train", "image-codec", "--init", "smollm2", "--home", str(home)]) == 2
    assert "--init is for the network" in capsys.readouterr().err
    assert main(["data", "network", "--shared", "x", "--init", "a", "--start", "b", "--home", str(home)]) == 2
    assert "b is no finished network with its codecs" in capsys.readouterr().err
