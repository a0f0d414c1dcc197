"""Figures against values worked out by hand and by the papers' formulas."""

import math

import numpy as np
import pytest

pytest.importorskip("inspect_ai")
from unisono.assess.card.compare import mcnemar, paired
from unisono.assess.card.stats import Row, estimate, mean, pass_at_k, wilson


def rows(measure: str, values: list[float], clusters: list[str] | None = None) -> list[Row]:
    names = [str(number) for number in range(len(values))]
    return [
        Row(id=name, cluster=cluster, measures={measure: value})
        for name, cluster, value in zip(names, clusters or names, values)
    ]


@pytest.mark.parametrize(
    ("n", "correct", "k", "expected"),
    [
        (6, 3, 1, 0.5),  # openai/human-eval's example samples
        (10, 1, 5, 0.5),
        (5, 5, 1, 1.0),
        (5, 0, 5, 0.0),
        (200, 13, 10, 1 - math.comb(187, 10) / math.comb(200, 10)),
        (4, 2, 3, 1.0),  # fewer than k failed
    ],
)
def test_pass_at_k_is_the_unbiased_estimate(n: int, correct: int, k: int, expected: float) -> None:
    assert pass_at_k(n, correct, k) == pytest.approx(expected)
    product = 1.0 if n - correct < k else 1 - np.prod(1 - k / np.arange(n - correct + 1, n + 1))
    assert pass_at_k(n, correct, k) == pytest.approx(product)  # as human-eval computes it


def test_pass_at_k_refuses_what_it_cannot_say() -> None:
    with pytest.raises(ValueError, match="k <= n"):
        pass_at_k(3, 1, 5)


def test_pass_at_k_over_problems() -> None:
    answers = [Row(id=name, cluster=name, measures={"passed": passed}) for name, passed in
               [("a", 1), ("a", 0), ("b", 0), ("b", 0)]]  # fmt: skip
    assert estimate(answers, "passed", "pass@1").value == pytest.approx(0.25)
    assert estimate(answers, "passed", "pass@2").value == pytest.approx(0.5)
    assert estimate(answers, "passed", "pass@5") is None


def test_the_mean_its_error_and_its_interval() -> None:
    found = mean(rows("x", [1, 1, 1, 0]), "x")
    assert (found.value, found.n) == (0.75, 4)
    assert found.stderr == pytest.approx(math.sqrt(0.75 * 0.25 / 3))
    assert (found.low, found.high) == pytest.approx(wilson(0.75, 4))
    low, high = wilson(1.0, 20)
    assert high == pytest.approx(1.0) and low == pytest.approx(0.8389, abs=1e-4)


def test_answers_of_one_cluster_are_not_independent() -> None:
    alike = mean(rows("x", [1, 1, 0, 0], ["a", "a", "b", "b"]), "x")
    assert alike.stderr == pytest.approx(0.5)  # as of two answers
    assert mean(rows("x", [1]), "x").stderr is None
    same = mean(rows("x", [0] * 6), "x")  # six answers alike are no proof that all are
    assert same.value == 0 and same.stderr > 0.05 and same.high == pytest.approx(wilson(0.0, 6)[1])
    grouped = mean(rows("x", [1] * 6, list("aaabbb")), "x")
    assert grouped.low == pytest.approx(wilson(1.0, 2)[0])


def test_bbq_scores_by_the_papers_formulas() -> None:
    def answer(condition: str, right: float, biased: float | None) -> Row:
        measures = {f"accuracy_{condition}": right}
        if biased is not None:
            measures[f"biased_{condition}"] = biased
        name = str(next(numbers))
        return Row(id=name, cluster=name, measures=measures)

    numbers = iter(range(100))
    # disambiguated: 6 of 8 answers that name somebody are biased: 2 * 6/8 - 1 = .5
    held = [answer("disambiguated", 1, 1) for _ in range(6)] + [
        answer("disambiguated", 1, 0) for _ in range(2)
    ]
    # ambiguous: accuracy .6; 3 of the 4 that name somebody biased: (1 - .6) * (2 * 3/4 - 1) = .2
    held += [answer("ambiguous", 1, None) for _ in range(6)]
    held += [answer("ambiguous", 0, 1) for _ in range(3)] + [answer("ambiguous", 0, 0)]
    assert estimate(held, "", "bbq_disambiguated").value == pytest.approx(0.5)
    assert estimate(held, "", "bbq_ambiguous").value == pytest.approx(0.2)
    right = [answer("ambiguous", 1, None) for _ in range(4)]
    assert estimate(right, "", "bbq_ambiguous").value == 0.0


def test_winogender_gaps_by_worked_values() -> None:
    held = []
    for occupation, share, she, he in [("nurse", 0.9, 1, 0), ("engineer", 0.1, 0, 1), ("clerk", 0.5, 1, 1)]:
        for gender, chosen in (("female", she), ("male", he), ("neutral", he)):
            held.append(
                Row(
                    id=f"{occupation}.{gender}",
                    cluster=occupation,
                    measures={"occupation": chosen, "share_of_women": share},
                    groups={"gender": gender, "occupation": occupation, "sentence": occupation},
                )
            )
    assert estimate(held, "", "occupation_gap").value == pytest.approx(2 / 3 - 2 / 3)
    assert estimate(held, "", "gap_correlation").value == pytest.approx(1.0)
    assert estimate(held, "", "same_for_all").value == pytest.approx(1 / 3)


def test_mcnemar_is_exact() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 1024)
    assert mcnemar(5, 5) == 1.0


def test_a_paired_difference() -> None:
    before, after = rows("x", [0, 0, 0, 1, 1, 0]), rows("x", [1, 1, 1, 1, 0, 0])
    line = paired(before, after, "x", "mean")
    assert line["difference"] == pytest.approx(2 / 6) and line["p"] == pytest.approx(mcnemar(3, 1))
    assert line["low"] < line["difference"] < line["high"]
