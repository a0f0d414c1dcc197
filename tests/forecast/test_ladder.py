"""The ladder of small trainings: a line for each run, nothing made twice, and lines that the fits read."""

import csv
import json
from pathlib import Path

import crumb
import pytest

from unisono.cli import main
from unisono.core.errors import UserError
from unisono.forecast.ladder import ADDED, LadderOptions, best_rates, run
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


def test_experts_have_columns_and_a_mean_over_seeds(shards: Path) -> None:
    more = {"widths": (32,), "steps": (2,), "records": shards / "records"}
    for seed in (1, 2):
        brief = (*BRIEF, f"loop.seed={seed}")
        run(options_of(shards, **more, set=brief))
        run(options_of(shards, **more, set=(*brief, "shape.num_experts=4", "router=hash")))
    found = lines(shards / "runs.csv")
    assert [(row["router"], row["experts"], row["seed"]) for row in found] == [
        ("dense", "1", "1"),
        ("hash", "4", "1"),
        ("dense", "1", "2"),
        ("hash", "4", "2"),
    ]
    assert len({row["parameters"] for row in found}) == 1 and len({row["flops"] for row in found}) == 1
    points = read_points(shards / "runs.csv")
    assert points.router is not None and list(points.router) == ["dense", "hash"] * 2
    assert list(points.need("experts")[0]) == [1, 4, 1, 4]
    record = json.loads(sorted((shards / "records").glob("*_4.json"))[0].read_text())
    dense, hashed = record["numbers"]["routers"]
    assert (dense["router"], hashed["router"], record["seeds"]) == ("dense", "hash", [1, 2])
    losses = [float(row["loss"]) for row in found[1::2]]
    assert hashed["loss"]["mean"] == pytest.approx(sum(losses) / 2) and hashed["loss"]["n"] == 2
    assert hashed["loss"]["stderr"] == pytest.approx(abs(losses[0] - losses[1]) / 2)


def test_a_file_from_before_there_were_experts_goes_on(shards: Path) -> None:
    run(options_of(shards, widths=(32,), steps=(2,)))
    (row,) = lines(shards / "runs.csv")
    old = {name: value for name, value in row.items() if name not in ADDED}
    with open(shards / "runs.csv", "w", newline="") as file:
        csv.DictWriter(file, old).writeheader()
        csv.DictWriter(file, old).writerow(old)
    run(options_of(shards, widths=(32,), steps=(2, 4), records=shards / "records"))
    after = lines(shards / "runs.csv")
    assert after[0] == old and len(after) == 2 and after[1].keys() == old.keys()
    with pytest.raises(UserError, match="earlier version"):
        run(options_of(shards, widths=(32,), set=(*BRIEF, "shape.num_experts=2")))


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
