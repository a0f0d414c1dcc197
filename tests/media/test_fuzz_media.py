"""A crumb of the fuzz of files: `python -m unisono.media.fuzz --minutes 60` is the loaf."""

import random

import pytest

from unisono.core.errors import UserError
from unisono.media import fuzz, read_sound


def test_nothing_is_lost_in_silence() -> None:
    found = fuzz.run(7, lambda number: number >= 250)
    assert not found.faults, "\n".join(found.faults)
    assert {kind for kind, _ in found.counts} >= {"join", "append", "cut", "damage", "header", "picture"}
    assert sum(count for (_, outcome), count in found.counts.items() if outcome == "right") > 120


def test_a_damaged_packet_that_held_half_of_the_sound_is_missed() -> None:
    """Of a transport stream's last packet nothing decodes: found by the fuzz, seed 1, case 4315."""
    content, seconds = fuzz.sample("sound", "ts", fuzz.LENGTHS[0])
    damaged = content[:5857] + random.Random(1).randbytes(20) + content[5877:]
    assert seconds > 0.7
    with pytest.raises(UserError, match="only 0.4 of its 0.7 s of sound can be read"):
        read_sound(damaged)
