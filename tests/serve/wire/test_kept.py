"""What the server keeps for its clients: not too much, not for ever, and for nobody else."""

import pytest

from unisono.serve.wire import kept as module
from unisono.serve.wire.kept import Kept


def test_the_oldest_go_when_there_are_too_many_or_they_are_too_large() -> None:
    kept: Kept[str] = Kept(2, 10, 60)
    for id in "abc":
        kept.put("k", id, id.upper(), 1)
    assert kept.all("k") == ["B", "C"] and kept.find("k", "a") is None
    kept.put("k", "d", "D", 10)
    assert kept.all("k") == ["D"]
    kept.put("k", "e", "E", 11)  # alone it may be larger: whoever made it gets it once
    assert kept.all("k") == ["E"] and kept.find("other", "e") is None and kept.all("other") == []
    kept.delete("k", "e")
    assert kept.find("k", "e") is None


def test_they_go_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: Kept[str] = Kept(2, 10, 60)
    goes_at = kept.put("k", "a", "A")
    for seconds, there in ((-1, "A"), (1, None)):
        monkeypatch.setattr(module.time, "time", lambda seconds=seconds: goes_at + seconds)
        assert kept.find("k", "a") == there and kept.all("k") == ([there] if there else [])


def test_keys_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEYS", 2)
    kept: Kept[str] = Kept(2, 10, 60)
    for key in ("a", "b", "a", "c"):
        kept.put(key, "x", key)
    assert [kept.find(key, "x") for key in "abc"] == ["a", None, "c"]
