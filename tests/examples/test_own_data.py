"""A crumb of examples/own_data: the data is made, added, learned in two steps and asked for."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import unisono
from unisono.cli import main
from unisono.data.own.add import facts_of
from unisono.data.shards import prepare
from unisono.train import replay

EXAMPLE = Path(unisono.__file__).parent.parent / "examples" / "own_data"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """make.py and measure.py, which imports it."""
    found = {}
    for name in ("make", "measure"):
        spec = importlib.util.spec_from_file_location(name, EXAMPLE / f"{name}.py")
        assert spec and spec.loader
        found[name] = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, found[name])
        spec.loader.exec_module(found[name])
    monkeypatch.setattr(found["make"], "COLOURS", ("red", "blue"))
    monkeypatch.setattr(replay, "NUM_SHOWN", {"train": 2, "val": 1})
    monkeypatch.setattr(prepare, "BATCH", 16)
    yield found


def test_facts_a_voice_and_houses_are_learned(
    modules: dict[str, ModuleType], tmp_path: Path, tiny_network: Path
) -> None:
    modules["make"].main(tmp_path / "raw")
    common = ["--start", str(tiny_network), "--home", str(tmp_path)]
    found = {}
    for name, source in (("facts", "facts.jsonl"), ("awb", "voice"), ("houses", "houses")):
        assert main(["data", "add", name, str(tmp_path / "raw" / source), "--licence", "own", *common]) == 0
        found |= facts_of(tmp_path, name)["report"]["documents"]
        assert not facts_of(tmp_path, name)["report"]["left_out"]
    assert found == {"facts/talk": 60, "awb/hear": 20, "houses/describe": 72, "houses/draw": 72}
    few = ["--set", "loop.num_steps=2", "--set", "loader.batch_size=2"]
    train = ["train", "network", "--data", "facts", "awb", "houses", "--name", "mine"]
    assert main([*train, *few, *common]) == 0
    known = modules["measure"].facts_known(tmp_path / "networks" / "mine")
    assert known["n"] == 10 and 0 <= known["mean"] <= 1
