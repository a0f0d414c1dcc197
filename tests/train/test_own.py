"""Going on from finished weights with somebody's own data, to the record of what was learned and kept."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import unisono
from unisono.cli import main
from unisono.data.shards import prepare
from unisono.data.shards.shard import Shard
from unisono.export import export_hf
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Message, Text
from unisono.tokens.template import Template
from unisono.train import replay
from unisono.train.own import own_recipe


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_network: Path) -> Iterator[Path]:
    """A home with data called facts, and little to replay."""
    tmp_path = tmp_path_factory.mktemp("home")
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"{n}?"},
                {"role": "assistant", "content": f"It is {n % 5}."},
            ]
        }
        for n in range(40)
    ]
    (tmp_path / "facts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    add = ["data", "add", "facts", str(tmp_path / "facts.jsonl"), "--licence", "own"]
    assert main([*add, "--start", str(tiny_network), "--home", str(tmp_path)]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "NUM_SHOWN", {"train": 2, "val": 1})
        patch.setattr(prepare, "BATCH", 16)
        yield tmp_path


def train(home: Path, start: Path, *more: str, steps: int = 3) -> int:
    few = ["--set", f"loop.num_steps={steps}", "--set", "loader.batch_size=1"]
    return main(
        ["train", "network", "--start", str(start), "--data", "facts", "--home", str(home), *few, *more]
    )


def test_a_network_learns_and_is_measured(home: Path, tiny_network: Path) -> None:
    assert train(home, tiny_network, "--name", "mine", steps=25) == 0
    mine = home / "networks" / "mine"
    assert (mine / "tokenizer.json").read_bytes() == (tiny_network / "tokenizer.json").read_bytes()
    assert (mine / "model.safetensors").read_bytes() != (tiny_network / "model.safetensors").read_bytes()
    record = json.loads(next((home / "runs" / "network-mine").glob("train-own*.json")).read_text())["numbers"]
    assert record["val_facts/talk"] < record["before_facts/talk"] - 1  # nats: it did learn
    assert record["before_see"] > 0 and "val_talk" in record  # and what it is shown again was measured
    records = home / "records"
    bench = ["bench", "quality", "--data", "facts", "--model", str(mine), "--samples", "2"]
    assert main([*bench, "--home", str(home), "--records", str(records)]) == 0
    numbers = json.loads(next(records.glob("quality-own*.json")).read_text())["numbers"]
    assert 0 < numbers["facts/talk"]["nats_per_id"]["mean"] < record["before_facts/talk"]
    assert set(numbers["facts/talk"]) == {"nats_per_id", "right"}
    assert set(numbers["kept"]) == {"talk", "see", "see_emoji", "read"}


def test_a_prompt_that_was_learned_stands_before_every_conversation(
    home: Path, tiny_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["--name", "prompted", "--set", "trainable=prompt", "--set", "prompt_length=3"]
    assert train(home, tiny_network, *told, "--replay", "0") == 0
    prompted = home / "networks" / "prompted"
    template, plain = Template.load(prompted), Template.load(tiny_network)
    prompt = [template.vocab.id(f"<|prompt_{n}|>") for n in range(3)]
    assert template.prompt == prompt and plain.prompt == []
    talk = [Message("user", [Text("1?")]), Message("assistant", [Text("It is 1.")])]
    talk += [Message("user", [Text("2?")])]
    ids = plain.encode(talk, begin_reply=True)[0].tolist()
    assert template.encode(talk, begin_reply=True)[0].tolist() == prompt + ids
    assert unisono.load(prompted).reply("1?", seed=0) is not None
    OmniTokenizer.load(prompted).save(tmp_path / "again")
    assert Template.load(tmp_path / "again").prompt == prompt
    export_hf(prompted, tmp_path / "hf")
    tokenizer = pytest.importorskip("transformers").AutoTokenizer.from_pretrained(tmp_path / "hf")
    given = [{"role": "user", "content": "1?"}]
    told_ids = tokenizer.apply_chat_template(given, add_generation_prompt=True, return_dict=False)
    assert told_ids == template.encode(talk[:1], begin_reply=True)[0].tolist()
    bench = ["bench", "quality", "--data", "facts", "--model", str(prompted), "--samples", "1"]
    assert main([*bench, "--home", str(home), "--records", str(tmp_path)]) == 0
    numbers = json.loads(next(tmp_path.glob("quality-own*.json")).read_text())["numbers"]
    assert numbers["facts/talk"]["nats_per_id"]["mean"] > 0
    assert train(home, prompted, "--name", "further") == 2
    assert "go on from the network that this was made of" in capsys.readouterr().err


def test_what_is_replayed_is_made_once_and_has_its_share(home: Path, tiny_network: Path) -> None:
    folder = replay.replay_folder(tiny_network, home)
    before = (folder / "train" / "ids.u16").stat().st_mtime_ns
    assert replay.replay_folder(tiny_network, home) == folder
    assert (folder / "train" / "ids.u16").stat().st_mtime_ns == before
    shard = Shard(home / "own" / "facts" / "train", folder / "train")
    shares = own_recipe(tiny_network, shard, 0.4).task_shares
    assert sum(shares.values()) == pytest.approx(1) and shares["facts/talk"] == pytest.approx(0.6)
    assert set(shares) == set(shard.task_names) and "see" in shares


def test_a_network_with_a_voice_hears_itself_again(
    tmp_path: Path, tiny_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "NUM_SPOKEN", {"train": 1})
    folder = tmp_path / "speaks"
    shutil.copytree(tiny_network, folder)
    assert not list(replay._spoken(folder, "train"))
    (folder / "voices.json").write_text('["heart"]')
    made = list(replay._spoken(folder, "train"))
    assert [task for _, _, task in made] == ["speak", "hear", "speak", "hear", "talk"]
    audio = OmniTokenizer.load(folder).vocab.span("audio")
    assert all(((ids >= audio.start) & (ids < audio.end)).any() and learn.any() for ids, learn, _ in made)


@pytest.mark.parametrize(
    "more, reason",
    [
        ([], "name the network"),
        (["--name", "../x"], "name the network"),
        (["--name", "other", "--data", "facts", "other"], "no data 'other' here; there is: facts"),
        (["--name", "other", "--data", "../facts"], "no name for data"),
        (["--name", "other", "--set", "loop.nothing=1"], "no field"),
    ],
)
def test_what_cannot_be_trained_is_said(
    home: Path, tiny_network: Path, capsys: pytest.CaptureFixture[str], more: list[str], reason: str
) -> None:
    assert train(home, tiny_network, *more) == 2
    assert reason in capsys.readouterr().err
    assert not (home / "networks" / "other").exists()


def test_data_of_other_codecs_and_the_start_itself_are_refused(
    home: Path, tmp_path: Path, tiny_network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(home / "own", tmp_path / "own")
    home = tmp_path
    shutil.copytree(tiny_network, home / "networks" / "mine")
    assert train(home, home / "networks" / "mine", "--name", "mine") == 2
    assert "take the place of its start" in capsys.readouterr().err
    about = home / "own" / "facts" / "data.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "codecs": {}}))
    assert train(home, tiny_network, "--name", "other") == 2
    assert "codecs of another network" in capsys.readouterr().err
