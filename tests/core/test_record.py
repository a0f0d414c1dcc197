"""Records: everything that a number depends on stands beside it, and no record overwrites another."""

import datetime
import json
import subprocess
import sys
from pathlib import Path

import pytest

from unisono.core.errors import UserError
from unisono.core.record import commit, mean_stderr, versions, write_record


def test_mean_and_its_error() -> None:
    assert mean_stderr([3.0]) == {"mean": 3.0, "stderr": 0.0, "n": 1}
    found = mean_stderr([1.0, 2.0, 3.0, 4.0])  # variance 5/3, over 4 values
    assert found["mean"] == 2.5 and found["n"] == 4 and found["stderr"] == pytest.approx((5 / 3 / 4) ** 0.5)
    with pytest.raises(ValueError, match="at least one"):
        mean_stderr([])


def test_a_record_is_complete_and_never_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/unisono", "bench", "codec"])
    paths = [
        write_record(
            "bench-codec",
            {"rtf": number, "word": "größer"},
            config={"a": 1},
            seeds=[1, 2],
            folder=tmp_path / "new",
        )
        for number in (0.5, 0.6, 0.7)
    ]
    assert len(set(paths)) == 3 and sorted(paths) == sorted((tmp_path / "new").iterdir())
    today = datetime.datetime.now(datetime.timezone.utc)
    assert paths[0].name.startswith("bench-codec_") and paths[1].stem == paths[0].stem + "_2"
    record = json.loads(paths[0].read_text(encoding="utf8"))
    assert (
        record["numbers"] == {"rtf": 0.5, "word": "größer"}
        and record["config"] == {"a": 1}
        and record["seeds"] == [1, 2]
    )
    assert record["what"] == "bench-codec" and record["command"] == ["unisono", "bench", "codec"]
    assert abs(datetime.datetime.fromisoformat(record["date"]) - today) < datetime.timedelta(minutes=5)
    assert record["hardware"]["cpus"] > 0 and record["wall_s"] >= 0 and record["peak_mb"] > 10
    assert (
        record["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
        and "torch" in record["versions"]
    )


def test_nobodys_folders_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "unisono",
            "train",
            "--home",
            "/home/me/data",
            "--set",
            "start_from=/home/me/nano",
            "--set",
            "loop.num_steps=3",
        ],
    )
    record = json.loads(
        write_record(
            "x", {}, config={"start_from": "/home/me/nano", "loop": {"seeds": [1, "a/b"]}}, folder=tmp_path
        ).read_text()
    )
    assert record["command"] == [
        "unisono",
        "train",
        "--home",
        ".../data",
        "--set",
        "start_from=.../nano",
        "--set",
        "loop.num_steps=3",
    ]
    assert record["config"] == {"start_from": ".../nano", "loop": {"seeds": [1, "a/b"]}}


def test_the_commit_is_named() -> None:
    name = commit().removesuffix("+changes")
    assert name == "unknown" or (len(name) == 12 and int(name, 16) >= 0)


def test_a_checkout_of_something_else_around_it_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "theirs"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "record.py").touch()
    monkeypatch.setattr("unisono.core.record.__file__", str(tmp_path / "record.py"))
    assert commit() == "unknown"


def test_versions_leave_out_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unisono.core.record.PACKAGES", ("numpy", "no-such-package-anywhere"))
    assert set(versions()) == {"python", "numpy"}


def test_a_record_that_cannot_be_written_is_explained() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises((UserError, OSError)):
        write_record("x", {}, folder=Path("/dev/full"))


def test_the_measure_stands_in_the_name(tmp_path: Path) -> None:
    first, second = (write_record("quality", {}, folder=tmp_path, part="hears-speaks") for _ in range(2))
    assert first.name.startswith("quality-hears-speaks_") and second.stem == f"{first.stem}_2"
