"""Splits: an item's words decide, always the same way, in about the promised shares."""

from collections import Counter

from unisono.data.splits import split_of


def test_shares() -> None:
    found = Counter(split_of(f"item {number}") for number in range(20_000))
    assert set(found) == {"train", "val", "test"}
    assert abs(found["train"] / 20_000 - 0.90) < 0.01 and abs(found["val"] / 20_000 - 0.05) < 0.01


def test_known_items_never_change_sides() -> None:
    """Shards and corpora on disk were built with these answers."""
    known = {
        "": "train",
        "What colour is the sky?": "val",
        "The sky is blue.": "test",
        "printed dog": "test",
        "item 46": "val",
        "item 47": "test",
        "item 178": "test",
        "größer \U0001f600": "train",
    }
    assert {key: split_of(key) for key in known} == known
