"""A run against endpoints that behave badly: it says so, keeps what it has, and goes on from there."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

pytest.importorskip("inspect_ai")
from assess_peer import Peer

from unisono.assess.card import endpoint
from unisono.assess.card.logs import newest_logs, read_run
from unisono.assess.card.page import CardOptions, run as make_card
from unisono.assess.card.run import AssessOptions, run
from unisono.core.errors import UserError


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    """peer("slow") and so on: an endpoint of these ways, ended with the test."""
    made: list[Peer] = []

    def make(*ways: str) -> Peer:
        made.append(Peer(*ways))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def small_sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shared folder whose truthfulqa has twelve questions; the other sets are missing."""
    folder = tmp_path_factory.mktemp("shared")
    rows = [
        {
            "question": f"What is {n}?",
            "category": "Sums",
            "mc1_targets": {f"It is {n}.": 1, "Nobody knows.": 0},
        }
        for n in range(12)
    ]
    (folder / "eval_public").mkdir()
    packed = zstandard.compress("\n".join(json.dumps(row) for row in rows).encode())
    (folder / "eval_public" / "truthfulqa.jsonl.zst").write_bytes(packed)
    return folder


def options(peer: Peer, logs: Path, **more: object) -> AssessOptions:
    return AssessOptions(base_url=peer.url, model="m", logs=logs, **{"sections": "truthfulqa", **more})


def status(logs: Path, task: str = "truthfulqa") -> dict[str, str]:
    return read_run(logs)["tasks"][task]


def test_a_whole_run_and_its_card(peer: Callable[..., Peer], small_sets: Path, tmp_path: Path) -> None:
    good = peer("slow", "fine")
    assert run(options(good, tmp_path, shared=small_sets)) == 0
    assert status(tmp_path)["status"] == "done" and good.asked == 13  # one to see that it answers
    log = newest_logs(tmp_path)[0]["truthfulqa"][1]
    assert len(log.samples) == 12 and log.eval.metadata["measures"]["accuracy"]["title"] == "Accuracy"
    assert run(options(good, tmp_path, shared=small_sets)) == 0
    assert good.asked == 13  # nothing is asked twice
    assert make_card(CardOptions(folders=[tmp_path], out=tmp_path / "card")) == 0
    card = json.loads((tmp_path / "card" / "card.json").read_text())
    [task] = [task for section in card["sections"] for task in section["tasks"]]
    [figure] = task["figures"]
    assert figure["n"] == 12 and 0 < figure["value"] < 1 and figure["low"] < figure["value"] < figure["high"]
    page = (tmp_path / "card" / "card.html").read_text()
    assert "TruthfulQA" in page and "http-equiv" not in page and 'src="http' not in page


def test_a_throttling_peer_is_asked_again(peer, small_sets: Path, tmp_path: Path) -> None:
    slow = peer("fine", "throttle", "throttle", "fine")
    assert run(options(slow, tmp_path, shared=small_sets, limit=2)) == 0
    assert slow.asked == 5


def test_nonsense_is_a_fault_that_is_kept_apart(peer, small_sets: Path, tmp_path: Path) -> None:
    talker = peer("fine", "nonsense", "fine")
    assert run(options(talker, tmp_path, shared=small_sets, parallel=1)) == 1
    assert "expected a chat completion, got" in status(tmp_path)["reason"]
    assert run(options(talker, tmp_path, shared=small_sets)) == 0
    assert talker.asked == 14 and len(newest_logs(tmp_path)[0]["truthfulqa"][1].samples) == 12


def test_a_dying_peer_ends_the_run_and_the_next_goes_on(
    peer,
    small_sets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(endpoint, "MAX_RETRIES", 0)
    monkeypatch.setattr(endpoint, "MAX_FAULTS", 3)
    dying = peer("fine", "fine", "fine", "die")
    assert run(options(dying, tmp_path, shared=small_sets, parallel=1)) == 1
    assert "the endpoint failed 3 times in a row" in capsys.readouterr().out
    assert make_card(CardOptions(folders=[tmp_path], out=tmp_path / "card")) == 0
    assert "Unfinished" in (tmp_path / "card" / "card.html").read_text()
    dying.ways, asked = ["fine"], dying.asked
    assert run(options(dying, tmp_path, shared=small_sets)) == 0
    assert dying.asked == asked + 10  # twelve questions, of which two had been answered


def test_what_is_rejected_is_an_outcome(peer, small_sets: Path, tmp_path: Path) -> None:
    assert run(options(peer("fine", "reject"), tmp_path, shared=small_sets, limit=3)) == 0
    samples = newest_logs(tmp_path)[0]["truthfulqa"][1].samples
    assert {sample.scores["judged"].metadata["outcome"] for sample in samples} == {"rejected"}


def test_a_peer_without_answers_is_told_of_at_once(peer, small_sets: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not take this key"):
        run(options(peer("key"), tmp_path / "a", shared=small_sets))
    with pytest.raises(UserError, match="refuses a plain question"):
        run(options(peer("reject"), tmp_path / "b", shared=small_sets))
    gone = peer("fine")
    gone.close()
    with pytest.raises(UserError, match="does not answer"):
        run(options(gone, tmp_path / "c", shared=small_sets))


def test_missing_and_damaged_sets_are_not_run(peer, small_sets: Path, tmp_path: Path) -> None:
    assert run(options(peer("fine"), tmp_path, sections="gsm8k,truthfulqa")) == 0
    assert "give --shared" in status(tmp_path)["reason"] and status(tmp_path)["status"] == "not run"
    broken = tmp_path / "shared" / "eval_public"
    broken.mkdir(parents=True)
    whole = (small_sets / "eval_public" / "truthfulqa.jsonl.zst").read_bytes()
    (broken / "truthfulqa.jsonl.zst").write_bytes(whole[: len(whole) // 2])
    assert run(options(peer("fine"), tmp_path / "b", shared=broken.parent)) == 0
    assert "cut short" in status(tmp_path / "b")["reason"]


def test_a_budget_ends_the_run(peer, small_sets: Path, tmp_path: Path) -> None:
    counted = peer("fine")
    assert run(options(counted, tmp_path / "a", shared=small_sets, budget=["5requests"])) == 1
    assert counted.asked == 5 and status(tmp_path / "a")["status"] == "unfinished"
    paid = peer("fine")  # each reply costs 1000 * 1 + 500 * 2 millionths: 500 of them would be 1 USD
    budget = {"budget": ["0.0079usd"], "prices": "1,2", "parallel": 1}
    assert run(options(paid, tmp_path / "b", shared=small_sets, **budget)) == 1
    assert paid.asked == 4
    with pytest.raises(UserError, match="30min, 500requests or 2usd"):
        run(options(paid, tmp_path / "c", budget=["much"]))
    with pytest.raises(UserError, match="--prices"):
        run(options(paid, tmp_path / "c", budget=["2usd"]))


def test_a_log_cut_in_half_is_set_aside_and_nothing_is_asked_again(
    peer, small_sets: Path, tmp_path: Path
) -> None:
    good = peer("fine")
    assert run(options(good, tmp_path, shared=small_sets)) == 0
    path = newest_logs(tmp_path)[0]["truthfulqa"][0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    make_card(CardOptions(folders=[tmp_path], out=tmp_path / "card"))
    assert "Damaged logs" in (tmp_path / "card" / "card.html").read_text()
    assert run(options(good, tmp_path, shared=small_sets)) == 0
    assert good.asked == 13 and len(newest_logs(tmp_path)[0]["truthfulqa"][1].samples) == 12
    assert list(tmp_path.glob("*.damaged"))


def test_another_models_folder_is_refused(peer, small_sets: Path, tmp_path: Path) -> None:
    good = peer("fine")
    run(options(good, tmp_path, shared=small_sets, limit=1))
    with pytest.raises(UserError, match="choose another folder"):
        run(AssessOptions(base_url=good.url, model="other", logs=tmp_path))
    with pytest.raises(UserError, match="unknown section or task"):
        run(options(good, tmp_path, sections="poetry"))


def test_a_killed_run_goes_on(peer, small_sets: Path, tmp_path: Path) -> None:
    slow = peer("slow")
    command = [sys.executable, "-m", "unisono.cli", "assess", "--base-url", slow.url, "--model", "m"]
    command += [
        "--sections",
        "truthfulqa",
        "--shared",
        str(small_sets),
        "--logs",
        str(tmp_path),
        "--parallel",
        "1",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        while slow.asked < 6:
            assert killed.poll() is None
            time.sleep(0.02)
        killed.kill()
    kept = len(list((tmp_path / "replies").glob("*.json")))
    assert kept >= 4
    slow.ways, asked = ["fine"], slow.asked
    assert run(options(slow, tmp_path, shared=small_sets, parallel=1)) == 0
    assert slow.asked - asked == 13 - kept
    assert len(newest_logs(tmp_path)[0]["truthfulqa"][1].samples) == 12
