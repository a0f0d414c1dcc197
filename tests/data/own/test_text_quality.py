"""Switches for plain texts: what is no prose, or was there before, is left out; everything else stays."""

import json
import random
from pathlib import Path

import pytest
from own_sources import chat, write_lines

from unisono.cli import main
from unisono.core.errors import UserError
from unisono.data.own.quality import Duplicates, fault_of, judged
from unisono.data.own.sources import items_of
from unisono.data.shards.shard import Shard

PROSE = (
    "The harbour lay still in the early morning, and the boats that had come in during the night were "
    "tied to the wall with wet ropes. An old man walked along the quay with bread for the crews. "
    "He knew most of them by name; each of them had a story to tell: a storm near the islands, a net full of "
    "silver fish, a lamp seen far out where no ship should be. He listened to all of it and forgot nothing."
)
TABLE = "\n".join(f"{number} {number * 7 % 13} 0x{number:04x} ; {number % 3}" for number in range(40))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (PROSE, ""),
        ("Too short.", "too few or too many words"),
        ("a b c " * 30, "words too short or too long"),
        (PROSE.replace(" ", " # "), "words too short or too long"),
        ("#".join(PROSE.split(" ", 9)) + " ### ### ###", "too many # or ..."),
        ("\n".join(f"- {part}" for part in PROSE.split(". ")), "nearly all lines are bullets"),
        ("\n".join(f"{part}..." for part in PROSE.split(", ")), "too many lines are cut off"),
        (TABLE, "words too short or too long"),
        ("Der Hafen lag still am fruehen Morgen da " * 8, "fewer than two of the commonest English words"),
        ((PROSE + "\n") * 3, "lines or paragraphs again and again"),
        ("and the cat sat on the mat with the dog " * 12, "the same words again and again"),
    ],
)
def test_gophers_rules(text: str, why: str) -> None:
    assert fault_of(text) == why


def test_near_duplicates_are_found_and_others_are_not() -> None:
    seen = Duplicates()
    assert seen(PROSE) == ""
    assert seen(PROSE.upper() + " The end.") == "like a text before it"
    assert seen(TABLE) == "" and seen(PROSE[::-1]) == ""


def test_only_texts_are_judged(tmp_path: Path) -> None:
    rows: list[dict | str] = [
        {"text": PROSE},
        {"text": PROSE + " So it was."},
        {"text": "Buy now"},
        chat("What?", "That."),
        "not json",
    ]
    items = items_of(str(write_lines(tmp_path / "a.jsonl", rows)))
    kept = judged(items, quality=True, duplicates=True)
    assert [item.place for item in kept.items] == ["a.jsonl line 1", "a.jsonl line 4", "a.jsonl line 5"]
    assert kept.to_json() == {
        "texts": 3,
        "kept": 1,
        "left_out": {"like a text before it": 1, "too few or too many words": 1},
    }
    assert len(judged(items, quality=False, duplicates=True).items) == 4
    with pytest.raises(UserError, match="all 1 texts are left out"):
        judged(items[2:3], quality=True, duplicates=False)


def test_any_number_of_workers_keeps_the_same_texts_in_the_same_order(
    tmp_path: Path, tiny_network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shuffled, chance = PROSE.split(), random.Random(0)
    texts = []
    for _ in range(20):
        chance.shuffle(shuffled)
        texts.append(" ".join(shuffled))
    rows: list[dict | str] = [{"text": text} for text in [*texts, *texts[:5]]]
    path = write_lines(tmp_path / "a.jsonl", rows)
    found = []
    for workers in (1, 2):
        home = tmp_path / str(workers)
        words = f"data add books {path} --licence own --deduplicate --workers {workers}".split()
        assert not main([*words, "--start", str(tiny_network), "--home", str(home)])
        facts = json.loads((home / "own" / "books" / "data.json").read_text())
        assert facts["texts"] == {"texts": 25, "kept": 20, "left_out": {"like a text before it": 5}}
        shards = [Shard(home / "own" / "books" / split) for split in ("train", "val")]
        found.append([shard.document(n)[0].tolist() for shard in shards for n in range(len(shard.ends))])
    assert found[0] == found[1] and found[0]
