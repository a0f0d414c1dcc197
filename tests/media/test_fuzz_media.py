"""A crumb of the fuzz of files: `python -m unisono.media.fuzz --minutes 60` is the loaf."""

from unisono.media import fuzz


def test_nothing_is_lost_in_silence() -> None:
    found = fuzz.run(7, lambda number: number >= 250)
    assert not found.faults, "\n".join(found.faults)
    assert {kind for kind, _ in found.counts} >= {"join", "append", "cut", "damage", "header", "picture"}
    assert sum(count for (_, outcome), count in found.counts.items() if outcome == "right") > 120
