"""Scaling laws: constants that made the points come back, the papers' own points give the papers' constants,
and what is no point is told by its line.
"""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from unisono.cli import main
from unisono.core.errors import UserError
from unisono.forecast.budget import best_use, forecast
from unisono.forecast.fit import fit, fit_routers
from unisono.forecast.laws import LAWS, Law, saturated
from unisono.forecast.points import Points, read_points

RAW = Path(os.environ.get("UNISONO_SHARED", Path(__file__).resolve().parents[3] / "shared" / "data"))
PUBLIC = RAW / "eval_public"
has_public = pytest.mark.skipif(not PUBLIC.is_dir(), reason="the papers' points are not here")
TRUE = {"A": 406.4, "B": 410.7, "E": 1.69, "alpha": 0.34, "beta": 0.28}


def ladder(noise: float = 0.0) -> Points:
    """Runs of 8 sizes on 6 amounts of data each, by the law of TRUE."""
    parameters, ids = (
        grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e10, 8), np.geomspace(1e9, 1e11, 6))
    )
    loss = TRUE["E"] + TRUE["A"] / parameters ** TRUE["alpha"] + TRUE["B"] / ids ** TRUE["beta"]
    loss = loss * np.exp(noise * np.random.default_rng(0).standard_normal(len(loss)))
    return Points(loss, parameters, ids, 6 * parameters * ids)


@pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.name)
def test_derivatives_are_those_of_the_law(law: Law) -> None:
    points = ladder()
    points = Points(points.loss, points.parameters, points.ids, points.flops, np.full(len(points), 8.0))
    free = law.starts(points)[len(law.starts(points)) // 2] + 0.1
    _, slopes = law.log_loss(free, points)
    for place in range(law.num_free):
        step = np.eye(law.num_free)[place] * 1e-5
        found = (law.log_loss(free + step, points)[0] - law.log_loss(free - step, points)[0]) / 2e-5
        assert np.allclose(slopes[place], found, atol=1e-4, rtol=1e-3)


def test_the_constants_that_made_the_points_come_back() -> None:
    told = fit(LAWS["chinchilla"], ladder(), bootstrap=0).told()
    assert all(math.isclose(told[name], value, rel_tol=1e-3) for name, value in TRUE.items())
    assert told["n"] == 48 and told["left_out"] == 0 and told["stderr"] == {}


def test_a_power_law_comes_back() -> None:
    flops = np.geomspace(1e15, 1e21, 12)
    points = Points(2.0 + (1e14 / flops) ** 0.3, flops=flops)
    told = fit(LAWS["power"], points, bootstrap=0).told()
    assert math.isclose(told["E"], 2.0, rel_tol=1e-3) and math.isclose(told["alpha"], 0.3, rel_tol=1e-2)


def test_a_point_that_lies_far_off_is_left_out_unless_it_is_to_stay() -> None:
    points = ladder(noise=0.001)
    points.loss[7] *= 1.3
    found = fit(LAWS["chinchilla"], points, bootstrap=0)
    assert len(found.left_out) == 1 and found.left_out.loss[0] == points.loss[7]
    assert len(fit(LAWS["chinchilla"], points, bootstrap=0, keep_outliers=True).left_out) == 0


def test_standard_errors_grow_with_the_noise() -> None:
    small, large = (
        fit(LAWS["chinchilla"], ladder(noise), bootstrap=12).told()["stderr"]["alpha"]
        for noise in (1e-3, 1e-2)
    )
    assert 0 < small < large


def test_experts_count_as_they_are_until_they_saturate() -> None:
    assert math.isclose(saturated(np.array([1.0]), 2.0, 300.0)[0], 2.0)
    made = saturated(np.array([4.0, 64.0, 1e9]), 2.0, 300.0)
    assert (np.diff(made) > 0).all() and made[2] < 300.0


def test_a_budget_is_used_best_where_the_derivative_is_zero() -> None:
    found = fit(LAWS["chinchilla"], ladder(), bootstrap=0)
    told = forecast(found, 1e21)
    assert math.isclose(6 * told["parameters"] * told["ids"], 1e21, rel_tol=1e-9)

    def loss(parameters: float) -> float:
        ids = 1e21 / 6 / parameters
        return TRUE["E"] + TRUE["A"] / parameters ** TRUE["alpha"] + TRUE["B"] / ids ** TRUE["beta"]

    best = loss(told["parameters"])
    assert best < loss(told["parameters"] * 1.1) and best < loss(told["parameters"] / 1.1)
    assert math.isclose(told["loss"], best, rel_tol=1e-3) and told["interval"]["loss"][0] <= told["loss"]
    assert best_use(found.free, 1e22)[2] < told["loss"]


@has_public
def test_chinchillas_points_give_the_constants_that_others_found(capsys: pytest.CaptureFixture[str]) -> None:
    """Besiroglu et al. print A 482.01, B 2085.43, E 1.8172, alpha .3478, beta .3658, where their search
    stopped: Huber's loss is .00101864 there and .00101827 here.
    """
    path = PUBLIC / "chinchilla_svg_extracted_data.csv"
    assert main(["forecast", "fit", str(path), "--bootstrap", "0", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["n"] == 240 and told["left_out"] == 5
    for name, value, tolerance in (("A", 482.01, 0.01), ("B", 2085.43, 0.03), ("E", 1.8172, 1e-3)):
        assert math.isclose(told[name], value, rel_tol=tolerance)
    assert abs(told["alpha"] - 0.3478) < 1e-3 and abs(told["beta"] - 0.3658) < 2e-3
    assert abs(told["a_opt"] - 0.513) < 2e-3


@has_public
def test_routed_curves_are_met_as_closely_as_by_the_papers_constants() -> None:
    points = read_points(PUBLIC / "scaling_laws_for_routing_curves.csv.gz")
    assert points.kept == {"k": 1.0, "routingfrequency": 0.5}
    fits = fit_routers(LAWS["routed"], points, bootstrap=0)
    assert fits.keys() == {"S-Base", "RL-R", "Hash"}
    for found in fits.values():
        told = found.told()
        assert told["rms_log10_loss"] < 0.0081 and told["a"] < 0 and told["b"] < 0 < told["c"]
        assert 1 < told["E_start"] < 10 < told["E_max"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no points"),
        ("N,D,loss\n", "holds no points"),
        ("N,D\n1e6,1e7\n", "no column for the loss"),
        ("N,loss\n1e6,3\n" * 9, "line 3: expected a number above 0"),
        ("N,D,loss\n1e6,1e7,nan\n", "line 2: expected a number above 0 for loss, got 'nan'"),
        ("N,D,loss\n1e6,1e7,-1\n", "line 2: expected a number above 0 for loss"),
        ("N,D,loss\n1e6,1e7\n", "line 2: expected a number above 0 for loss, got ''"),
        ("N,loss\n1e6,3\n", "no column for ids"),
        ("N,D,loss\n1e6,1e7,3\n", "1 points are too few for the form chinchilla, which has 5 constants"),
        ("N,D,loss\n" + "".join(f"1e6,{n}e7,3\n" for n in range(1, 12)), "nearly the same parameters"),
    ],
)
def test_what_is_no_point_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(text)
    assert main(["forecast", "fit", str(path)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "name the budget"),
        (["--flops", "0"], "expected a budget above 0"),
        (["--flops", "nan"], "expected a budget above 0"),
        (["--flops", "1e20", "--hours", "1"], "name the budget"),
        (["--hours", "1"], "--hours needs --flops-per-s"),
        (["--flops", "1e20", "--form", "power"], "form chinchilla alone"),
    ],
)
def test_a_budget_that_is_none_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    path, points = tmp_path / "runs.csv", ladder()
    rows = zip(points.parameters, points.ids, points.loss)
    path.write_text("N,D,loss\n" + "".join(f"{n},{d},{loss}\n" for n, d, loss in rows))
    assert main(["forecast", "budget", str(path), "--bootstrap", "0", *options]) == 2
    assert said in capsys.readouterr().err


def test_damaged_files_are_told(tmp_path: Path) -> None:
    for name, content in (("runs.csv.gz", b"no gzip"), ("runs.csv", b"\xff\xfe\x00"), ("gone.csv", None)):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UserError, match="cannot be read|holds no points"):
            read_points(path)
