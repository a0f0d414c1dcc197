"""The build of one's own data: names, splits, and builds that were stopped or killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
from conftest import tone
from own_sources import build, chat, write_lines

from unisono.core.errors import UserError
from unisono.data.own import add as module
from unisono.data.own.add import add
from unisono.data.own.sources import items_of
from unisono.data.shards.shard import Shard


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "/tmp/x", "a b", "x" * 65])
def test_a_name_is_no_path(tmp_path: Path, tiny_network: Path, name: str) -> None:
    with pytest.raises(UserError, match="no name for data"):
        add(tmp_path, name, [], tiny_network, "own")


def test_nothing_is_in_both_splits_and_something_is_held_out(tmp_path: Path, tiny_network: Path) -> None:
    rows: list[dict | str] = [chat(f"Question {n % 30}?", f"Answer {n}.") for n in range(60)]
    build(tmp_path, tiny_network, write_lines(tmp_path / "a.jsonl", rows))
    train, val = (Shard(tmp_path / "own" / "mine" / split) for split in ("train", "val"))
    assert len(train.ends) + len(val.ends) == 60 and 1 < len(val.ends) < 20 and len(val.ends) % 2 == 0


def test_other_data_of_the_same_name_is_not_mixed_in(
    tmp_path: Path, tiny_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(tmp_path / "a.jsonl", [chat(f"{n}", "x") for n in range(4)])
    monkeypatch.setattr(module, "_code", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, tiny_network, path)
    monkeypatch.undo()
    other = write_lines(tmp_path / "b.jsonl", [chat(f"{n}", "x") for n in range(5)])
    with pytest.raises(UserError, match="other data of this name"):
        build(tmp_path, tiny_network, other)
    assert add(tmp_path, "mine", items_of(str(path)), tiny_network, None).documents == {"mine/talk": 4}


def test_a_build_that_is_killed_goes_on_to_the_same_shards(tmp_path: Path, tiny_network: Path) -> None:
    source = tmp_path / "sound"
    source.mkdir()
    for number in range(120):
        soundfile.write(source / f"{number:03d}.wav", tone(0.1 + number / 400), 16000)
        (source / f"{number:03d}.txt").write_text(f"number {number}")
    command = [sys.executable, "-m", "unisono.cli", "data", "add", "mine", str(source), "--licence", "own"]
    command += ["--start", str(tiny_network), "--home", str(tmp_path / "a"), "--workers", "2"]
    parts = tmp_path / "a" / "own" / "mine" / "parts"
    with subprocess.Popen(command, start_new_session=True) as process:
        until = time.monotonic() + 240
        while time.monotonic() < until and not list(parts.glob("0*.npz")):
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    assert 0 < len(list(parts.glob("0*.npz"))) < 8 and not (parts.parent / "data.json").exists()
    build(tmp_path / "a", tiny_network, source)
    build(tmp_path / "b", tiny_network, source, workers=1)
    first, second = (
        {path.relative_to(tmp_path / home): path.read_bytes() for path in (tmp_path / home).rglob("*.*")}
        for home in ("a", "b")
    )
    assert first == second and len(first) == 11
