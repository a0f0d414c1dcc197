"""How the API has ids chosen: penalties for what was said, of text alone."""

import numpy as np

from unisono.engine.sample import GREEDY
from unisono.serve.reply.sampling import ApiSampler

LOGITS, ALL = np.array([1.0, 0.6, 0.1], np.float32), np.ones(3, bool)


def chosen(count: int, kind: str = "text", **options: object) -> list[int]:
    sampler = ApiSampler(dict.fromkeys(("text", "audio"), GREEDY), 0, **options)
    return [sampler.choose(LOGITS, ALL, kind) for _ in range(count)]


def test_frequency_counts_and_presence_does_not() -> None:
    assert chosen(5) == [0] * 5
    assert chosen(5, frequency=1) == [0, 1, 2, 0, 1] and chosen(5, presence=1) == [0, 1, 2, 0, 0]
    assert chosen(3, bias={2: 5.0}) == [2, 2, 2]


def test_sound_is_left_alone() -> None:
    assert chosen(3, "audio", presence=9, bias={2: 5.0}) == [0, 0, 0]
