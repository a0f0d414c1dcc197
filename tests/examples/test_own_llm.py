"""examples/own_llm on a tiny random base: the program as it stands, in a few steps."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import unisono

pytest.importorskip("transformers")
from tiny_bases import tiny_base  # noqa: E402

from unisono.cli import main  # noqa: E402

ROOT = Path(unisono.__file__).parent.parent
FEW = ["--replay", "0", "--set", "loop.num_steps=3", "--set", "loader.batch_size=1"]


def test_another_llm_learns_facts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = tiny_base(tmp_path / "base", "qwen3")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", str(ROOT / "examples" / "own_llm" / "run.sh"), str(base), str(tmp_path / "new"), *FEW],
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    home = tmp_path / "new" / "home"
    made = home / "networks" / "mine"
    assert (made / "chat_template.jinja").read_text() == (base / "chat_template.jinja").read_text()
    (record,) = (tmp_path / "new" / "records").glob("quality-own*.json")
    numbers = json.loads(record.read_text())["numbers"]["facts/talk"]
    assert (
        numbers["right"]["n"] > 0 and numbers["nats_per_id"]["mean"] > 0
    )  # replies were found and asked for
    capsys.readouterr()  # what saving the base said
    train = ["train", "network", "--data", "facts", "--name", "other", "--home", str(home), *FEW]
    assert main(train) == 2  # not what the network in the package reads
    told = capsys.readouterr().err
    assert "tokenizer and codecs of another network" in told and told.count("\n") == 1
