"""`unisono bench moderation --only regularizers`: rare categories with and without regularization.

How strong each is, and its weight decay, is chosen on one draw of the phrases, by the mean area under the ROC
curve over all categories. What is compared are other draws, cross-validated by source as in training.

Shapes: B phrases, S places of states, C hidden_size, K categories.
"""

import json
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.assess.options import BenchOptions
from unisono.core.progress import track
from unisono.core.record import can_keep, mean_stderr, weights_of, write_record
from unisono.moderation.phrases import CATEGORIES, phrases
from unisono.train.moderation import Floats, Reader, area, folds, held_out, loss, targets
from unisono.train.regularize import KINDS, Regularizer

CHOSEN_ON, SEEDS = 1, (2, 3, 4, 5, 6)
NUM_RARE = 4  # of the categories, those with the fewest phrases
STRENGTHS = {"none": (0.0,), "dropout": (0.1, 0.3, 1.0), "margin": (0.003, 0.01, 0.03), "ldam": (0.5, 1, 2)}
DECAYS = {kind: (1e-4, 3e-4) for kind in KINDS} | {"none": (3e-5, 1e-4, 3e-4, 1e-3)}
Drawn = tuple[Floats, Floats, NDArray[np.int64]]  # (B, S * C), (B, K), (B,) folds


def drawn(reader: Reader, seed: int) -> Drawn:
    """The states, targets and folds of one draw of the phrases."""
    found = phrases(seed)
    means = reader.means([phrase.text for phrase in found])
    return means.reshape(len(means), -1), targets(found), folds(found, seed)


def areas(scores: Floats, wanted: Floats) -> list[float]:
    """(B, K), (B, K) -> the area under the ROC curve of each category."""
    return [area(scores[:, place], wanted[:, place] > 0) for place in range(wanted.shape[1])]


def chosen(data: Drawn) -> dict[str, tuple[float, float]]:
    """Kind -> the strength and weight decay with the largest mean area."""
    found = {}
    for kind in KINDS:
        pairs = list(product(STRENGTHS[kind], DECAYS[kind]))
        scores = [
            np.mean(areas(held_out(*data, decay, Regularizer(kind, strength)), data[1]))
            for strength, decay in track(pairs, kind)
        ]
        found[kind] = pairs[int(np.argmax(scores))]
        print(kind, [(pair, round(float(score), 4)) for pair, score in zip(pairs, scores)], flush=True)
    return found


def measure(reader: Reader) -> dict[str, Any]:
    """Rare and common categories of each kind, and beside weight decay alone, draw by draw."""
    data = drawn(reader, CHOSEN_ON)
    best = chosen(data)
    rare = np.argsort(data[1].sum(0), kind="stable")[:NUM_RARE]
    common = np.setdiff1d(np.arange(len(CATEGORIES)), rare)
    found: dict[str, dict[str, list[float]]] = {kind: {} for kind in KINDS}
    for seed in SEEDS:
        data = drawn(reader, seed)
        for kind, (strength, decay) in best.items():
            scores = held_out(*data, decay, Regularizer(kind, strength))
            each = np.array(areas(scores, data[1]))
            numbers = {
                "rare": each[rare].mean(),
                "common": each[common].mean(),
                "loss": loss(scores, data[1]),
            }
            for name, value in numbers.items():
                found[kind].setdefault(name, []).append(float(value))
            print(seed, kind, numbers, flush=True)
    return {
        "rare_categories": [CATEGORIES[place] for place in rare],
        **{
            kind: {
                "strength": best[kind][0],
                "decay": best[kind][1],
                **{name: mean_stderr(values) for name, values in numbers.items()},
                **{
                    f"{name}_gain": mean_stderr([a - b for a, b in zip(values, found["none"][name])])
                    for name, values in numbers.items()
                },
            }
            for kind, numbers in found.items()
        },
    }


def run(options: BenchOptions) -> int:
    """Entry of `unisono bench moderation --only regularizers`."""
    can_keep(options.records)
    numbers = measure(Reader(options.network))
    config = {
        "weights": weights_of(options.network),
        "strengths": STRENGTHS,
        "decays": DECAYS,
        "chosen_on": CHOSEN_ON,
    }
    record = write_record(
        "bench-moderation", numbers, config=config, seeds=SEEDS, folder=options.records, part="regularizers"
    )
    print(json.dumps({"what": "bench-moderation", "record": str(record), **numbers}))
    return 0
