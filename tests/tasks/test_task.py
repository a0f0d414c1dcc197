"""A task of one's own: found by its entry point, made into shards, scored; what is wrong with it is said."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

import unisono
from unisono.cli import main
from unisono.core.errors import UserError
from unisono.tasks.task import conversations, find_task, task_names

EXAMPLE = Path(unisono.__file__).parent.parent / "examples" / "own_task"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example as pip installs it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--no-index", "--target", str(folder), str(EXAMPLE)], check=True)
    return folder


def test_the_example_is_found_made_into_shards_and_scored(
    installed: Path, tmp_path: Path, tiny_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="no task 'sums' is installed"):
        find_task("sums")
    monkeypatch.syspath_prepend(str(installed))
    assert "sums" in task_names()
    task = find_task("sums")
    assert task.score("It is 7.", "The sum is 7.") == 1 and task.score("8", "The sum is 7.") == 0  # type: ignore[attr-defined]
    common = ["--home", str(tmp_path)]
    add = ["data", "add", "sums", "--task", "sums", "--count", "30", "--licence", "own"]
    assert main([*add, "--start", str(tiny_network), *common]) == 0
    about = json.loads((tmp_path / "own" / "sums" / "data.json").read_text())
    assert about["task"] == "sums" and about["report"]["documents"] == {"sums/talk": 31}
    held_out = json.loads((tmp_path / "own" / "sums" / "val" / "manifest.json").read_text())
    assert held_out["num_documents"] == 1
    records = tmp_path / "records"
    bench = ["bench", "quality", "--data", "sums", "--model", str(tiny_network), "--samples", "1"]
    assert main([*bench, "--records", str(records), *common]) == 0
    numbers = json.loads(next(records.glob("*.json")).read_text())["numbers"]["sums/talk"]
    assert numbers["score"]["n"] == 1 and 0 <= numbers["score"]["mean"] <= 1


def package(folder: Path, body: str) -> None:
    """A module with a task called broken."""
    (folder / "broken_task.py").write_text(body)
    (folder / "broken-1.dist-info").mkdir()
    (folder / "broken-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: broken\nVersion: 1\n"
    )
    entry = "[unisono.tasks]\nbroken = broken_task:Broken\n"
    (folder / "broken-1.dist-info" / "entry_points.txt").write_text(entry)


@pytest.mark.parametrize(
    "body, reason",
    [
        ("1 / 0", "cannot be loaded: ZeroDivisionError"),
        ("class Other: pass", "cannot be loaded: AttributeError"),
        ("class Broken:\n    name = 'broken'", "lacks a name or make"),
    ],
)
def test_a_task_that_is_broken_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, reason: str
) -> None:
    package(tmp_path, body)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "broken_task", raising=False)
    with pytest.raises(UserError, match=reason):
        find_task("broken")


class Few:
    """Two different conversations, or none."""

    name = "few"

    def __init__(self, fails: bool) -> None:
        self.fails = fails

    def make(self, rng: random.Random, split: str) -> list[dict]:
        if self.fails:
            raise KeyError("x")
        return [{"role": "user", "content": str(rng.randint(0, 1))}, {"role": "assistant", "content": split}]


def test_a_task_that_fails_or_has_too_little_is_said() -> None:
    assert len(list(conversations(Few(False), "val", 2))) == 2
    with pytest.raises(UserError, match="only 2 different"):
        list(conversations(Few(False), "train", 3))
    with pytest.raises(UserError, match="failed at conversation 1: KeyError"):
        list(conversations(Few(True), "train", 3))
