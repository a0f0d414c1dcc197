"""How one answer is marked, and how marks become numbers."""

from typing import Any

from unisono.assess.quality.judge import comparable, word_error_rate
from unisono.data.world.raw import Clip, Raw
from unisono.media import Footage
from unisono.omni import Input

Numbers = dict[str, Any]


def shown_first(raw: Raw) -> list[Input]:
    """What the first question of a conversation comes with, as `Omni.reply` takes it."""
    return [
        Footage(shown.frames, None) if isinstance(shown, Clip) else shown.image
        for shown in raw.exchanges[0].shown
    ]


def is_same(said: str, right: str) -> float:
    """1.0 where the words are the same; letters' case and marks do not count."""
    return float(comparable(said) == comparable(right))


def error_rate(refs: list[str], hyps: list[str]) -> Numbers:
    """Word errors of what was heard (`hyps`) beside what was said -> {"wer", "stderr", "n"}."""
    found = word_error_rate(refs, hyps)
    return {"wer": found.rate, "stderr": found.stderr, "n": found.num_utterances}
