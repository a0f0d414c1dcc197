"""The classifier of harm: which places of a network it reads."""

import numpy as np

from unisono.moderation.phrases import CATEGORIES
from unisono.train.moderation import FOLDS, area, best_reading

B, S, C = 240, 3, 4


def means_and_wanted(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise, targets of one category, folds."""
    wanted = np.zeros((B, len(CATEGORIES)), np.float32)
    wanted[:, 0] = rng.random(B) < 0.5
    return rng.standard_normal((B, S, C)).astype(np.float32), wanted, np.arange(B) % FOLDS


def test_one_place_is_read_where_the_others_say_nothing() -> None:
    means, wanted, fold = means_and_wanted(np.random.default_rng(0))
    means[:, 1, 2] += 3 * wanted[:, 0]
    places, _, scores = best_reading(means, wanted, fold)
    assert places.tolist() == [1] and area(scores[:, 0], wanted[:, 0] > 0) > 0.95


def test_all_places_are_read_where_each_says_a_part() -> None:
    means, wanted, fold = means_and_wanted(np.random.default_rng(1))
    means[:, :, 0] += 2 * wanted[:, :1]
    places, _, scores = best_reading(means, wanted, fold)
    assert places.tolist() == [0, 1, 2] and area(scores[:, 0], wanted[:, 0] > 0) > 0.95
