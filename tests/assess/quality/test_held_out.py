"""What quality is measured on: of the test split, nothing twice, the same ones whatever else is there."""

import json
from pathlib import Path

import numpy as np
import pytest

from unisono.assess.options import BenchOptions
from unisono.assess.quality import held_out
from unisono.assess.quality.held_out import Bench
from unisono.data.splits import split_of
from unisono.omni import Omni


@pytest.fixture
def bench(tiny_network: Path, tmp_path: Path) -> Bench:
    return Bench(Omni(tiny_network), BenchOptions(what="quality", samples=8, home=tmp_path))


def write(folder: Path, rows: list[dict]) -> None:
    folder.mkdir(parents=True)
    np.zeros(100, "<i2").tofile(folder / "pcm.i16")
    (folder / "index.jsonl").write_text(
        "".join(
            json.dumps({"start": 0, "length": 100, "voice": "a", "source": "x", "split": "test", **row})
            + "\n"
            for row in rows
        )
    )


def test_conversations_are_of_the_test_split_and_never_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for task in ("draw", "talk"):
        keys = [raw.key for raw in bench.world(task)]
        assert (
            len(set(keys)) == 8
            and {split_of(key) for key in keys} == {"test"}
            and keys == [raw.key for raw in bench.world(task)]
        )
    assert len(bench.world("watch")) == 8  # the same thing may move the same way at another place
    bench.samples = 100
    monkeypatch.setattr(held_out, "MAX_DRAWN", 8)
    assert (
        8 < len({raw.key for raw in bench.world("draw_emoji")}) == len(bench.world("draw_emoji")) < 100
    )  # it has no more


def test_sentences_stay_the_same_when_others_come(bench: Bench) -> None:
    rows = [{"text": f"Sentence {number}."} for number in range(40)]
    others = [
        {"text": "It says sea.", "role": "word"},
        {"text": "Asked?", "role": "question"},
        {"text": "Taught.", "split": "train"},
        {"text": "Long.", "length": 10**6},
    ]
    write(bench.home / "speech" / "b", rows + others)
    chosen = [item["text"] for _, item in bench.open_speech("x")]
    again = Bench(bench.omni, BenchOptions(what="quality", samples=8, home=bench.home))
    write(
        bench.home / "speech" / "a",
        [{"text": f"Another {number}.", "source": "y"} for number in range(40)] + rows[:1],
    )
    assert len(set(chosen)) == 8 and set(chosen) <= {row["text"] for row in rows}
    assert len(set(chosen) & {item["text"] for _, item in again.open_speech("x")}) >= 7
