"""The ladder of small trainings: a line for each run, nothing made twice, and lines that the fits read."""

import csv
import json
from pathlib import Path

import crumb
import pytest

from unisono.cli import main
from unisono.core.errors import UserError
from unisono.forecast.ladder import LadderOptions, best_rates, run
from unisono.forecast.points import read_points

BRIEF = (
    "loop.warmup_steps=1",
    "loop.bf16=false",
    "loader.batch_size=2",
    "loader.row_length=64",
    "loader.block_ids=400",
    "loader.chained_share=0.0",
    "task_shares={}",
)


def options_of(home: Path, **changes: object) -> LadderOptions:
    usual = {"points": home / "runs.csv", "size": "tiny", "widths": (32, 64), "steps": (2, 4), "set": BRIEF}
    return LadderOptions(home=home, **{**usual, **changes})


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    for split in ("train", "val"):
        crumb.documents(tmp_path / "shards" / "tiny" / split, 8)
    return tmp_path


def lines(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_each_width_and_length_is_a_line_that_a_fit_reads(shards: Path) -> None:
    assert run(options_of(shards)) == 0
    found = lines(shards / "runs.csv")
    assert [(row["width"], row["ids"]) for row in found] == [
        ("32", "256"),
        ("32", "512"),
        ("64", "256"),
        ("64", "512"),
    ]
    points = read_points(shards / "runs.csv")
    assert (
        len(points) == 4 and points.need("parameters", "ids", "flops")[0][0] < points.need("parameters")[0][2]
    )
    assert (points.loss < 6).all() and list(read_points(shards / "runs.csv", "odd").loss) == [
        float(row["odd"]) for row in found
    ]
    assert not list((shards / "runs").glob("ladder-*"))


def test_what_is_there_is_not_made_again(shards: Path) -> None:
    run(options_of(shards, widths=(32,)))
    before = lines(shards / "runs.csv")
    run(options_of(shards, widths=(32, 64), steps=(2,)))
    after = lines(shards / "runs.csv")
    assert after[:2] == before and [row["width"] for row in after] == ["32", "32", "64"]
    run(options_of(shards, widths=(32,), steps=(2,), set=(*BRIEF, "shape.num_hidden_layers=1")))
    assert len(lines(shards / "runs.csv")) == 4  # another recipe is another run


def test_the_best_rate_of_each_width_is_told_and_kept(
    shards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(options_of(shards, steps=(3,), rates=(1e-5, 1e-2), mup=32, records=shards / "records"))
    assert "width 32: the lowest loss at a learning rate of 0.01" in capsys.readouterr().out
    (record,) = (shards / "records").glob("forecast-ladder-runs_*.json")
    numbers = json.loads(record.read_text())["numbers"]
    assert numbers["best_rate"] == best_rates(numbers["points"]) == {"32": 0.01, "64": 0.01}
    assert len(numbers["points"]) == 4 and all(float(row["mup"]) == 32 for row in numbers["points"])


def test_what_does_not_fit_is_told(shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="multiple of 32"):
        run(options_of(shards, widths=(40,)))
    (shards / "runs.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="name another file"):
        run(options_of(shards))
    (shards / "runs.csv").write_text("run,width,rate,loss\nx,32,1,2\n")
    with pytest.raises(UserError, match="points of other shards"):
        run(options_of(shards))
    with pytest.raises(UserError, match="no column 'odd'"):
        read_points(shards / "runs.csv", "odd")
    with pytest.raises(SystemExit):
        main(["forecast", "ladder", "runs.csv", "--widths", "32,x"])
    assert "numbers above 0" in capsys.readouterr().err
