"""`unisono train moderation`: the small classifier behind /v1/moderations.

Trained on the phrasings of moderation/phrases.py alone.

Shapes: B phrases, S places of states, C hidden_size, D = S * C, K categories.
"""

import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from unisono.core.home import default_weights
from unisono.core.progress import track
from unisono.core.record import mean_stderr
from unisono.moderation.moderator import FLAGGED, Moderator, begin, fingerprint, windows
from unisono.moderation.phrases import CATEGORIES, Phrase, phrases
from unisono.moderation.states import States, batches
from unisono.tokens.template import Template

FOLDS = 5
DECAYS = (3e-4, 1e-4, 1e-3, 3e-3)  # weight decays that are tried, the usual one first
# Share of harmless phrases that may be flagged. It sets the threshold, because classifiers of different
# networks rank phrases alike but differ in how high their scores are.
ALARMS = 0.1
ITERATIONS = 60
Floats = NDArray[np.float32]


class Reader:
    """Texts -> means of the hidden states of the network in a folder."""

    def __init__(self, folder: str | Path) -> None:
        template = Template.load(folder)
        self.states, self.text, self.begin = States(folder), template.text, begin(template)

    def means(self, texts: Sequence[str]) -> Floats:
        """B texts -> (B, S, C) means, as the server computes them. Of a long text only the first window
        counts.
        """
        ids = [windows(self.text.encode(text))[0] for text in texts]
        found: dict[int, Floats] = {}
        for batch in track(list(batches(ids)), "phrases read"):
            found.update(zip(batch, self.states.means(self.begin, [ids[place] for place in batch])))
        return np.stack([found[place] for place in range(len(ids))])


def targets(found: Sequence[Phrase]) -> Floats:
    """B phrases -> (B, K): 1 where the phrase is of the category, else 0."""
    return np.array([[name in phrase.categories for name in CATEGORIES] for phrase in found], np.float32)


def folds(found: Sequence[Phrase], seed: int) -> NDArray[np.int64]:
    """B phrases -> (B,) the number of each one's cross-validation fold; one source is never divided."""
    sources = sorted({phrase.source for phrase in found})
    random.Random(seed).shuffle(sources)
    places = {source: place % FOLDS for place, source in enumerate(sources)}
    return np.array([places[phrase.source] for phrase in found])


def fit(inputs: Floats, wanted: Floats, decay: float) -> tuple[Floats, Floats]:
    """(B, D), (B, K) -> weight (K, D) and bias (K,) of a logistic regression on inputs of equal spread."""
    mean, spread = inputs.mean(0), (inputs.std(0) + 1e-4) * inputs.shape[1] ** 0.5 / 16
    x, y = torch.from_numpy((inputs - mean) / spread), torch.from_numpy(wanted)
    weight = torch.zeros(wanted.shape[1], inputs.shape[1], requires_grad=True)
    bias = torch.zeros(wanted.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (
            functional.binary_cross_entropy_with_logits(x @ weight.T + bias, y)
            + decay * weight.square().sum()
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    scaled = (weight.detach().numpy() / spread).astype(np.float32)
    return scaled, (bias.detach().numpy() - scaled @ mean).astype(np.float32)


def held_out(inputs: Floats, wanted: Floats, fold: NDArray[np.int64], decay: float) -> Floats:
    """(B, D), (B, K), (B,) -> (B, K) cross-validated scores: each fold is scored by a classifier that was
    trained on the others.
    """
    scores = np.zeros_like(wanted)
    for number in range(FOLDS):
        seen = fold != number
        made = Moderator(*fit(inputs[seen], wanted[seen], decay), "")
        scores[~seen] = made.scores(inputs[~seen])
    return scores


def loss(scores: Floats, wanted: Floats) -> float:
    """(B, K) probabilities and targets -> mean binary cross-entropy in nats."""
    scores = np.clip(scores, 1e-6, 1 - 1e-6)
    return float(-(wanted * np.log(scores) + (1 - wanted) * np.log(1 - scores)).mean())


def area(scores: Floats, is_harm: NDArray[np.bool_]) -> float:
    """(B,) scores and (B,) labels -> the area under the ROC curve; ties count half."""
    harm, safe = scores[is_harm], np.sort(scores[~is_harm])
    below, up_to = np.searchsorted(safe, harm, "left"), np.searchsorted(safe, harm, "right")
    return float(((below + up_to) / 2 / max(1, len(safe))).mean())


def best_reading(
    means: Floats, wanted: Floats, fold: NDArray[np.int64]
) -> tuple[NDArray[np.int64], float, Floats]:
    """(B, S, C), (B, K), (B,) -> the places to read, the weight decay, and the scores (B, K), those of the
    lowest cross-validated loss. All places are tried together and each alone: small networks say most of what
    they know in all together, SmolLM2 in the middle of its 30 layers.
    """
    places = np.arange(means.shape[1])
    readings = [places, *(places[n : n + 1] for n in places)] if len(places) > 1 else [places]

    def scored(reading: NDArray[np.int64], decay: float) -> Floats:
        return held_out(means[:, reading].reshape(len(means), -1), wanted, fold, decay)

    first = [scored(reading, DECAYS[0]) for reading in track(readings, "places of the network tried")]
    best = min(range(len(readings)), key=lambda n: loss(first[n], wanted))
    tried = {DECAYS[0]: first[best]}
    for decay in track(DECAYS[1:], "weight decays tried"):
        tried[decay] = scored(readings[best], decay)
    decay = min(tried, key=lambda decay: loss(tried[decay], wanted))
    return readings[best], decay, tried[decay]


def train(folder: str | Path, seed: int = 1) -> tuple[Moderator, dict[str, Any]]:
    """A network's folder -> its classifier, and the classifier's cross-validated numbers."""
    torch.manual_seed(seed)
    found = phrases(seed)
    means = Reader(folder).means([phrase.text for phrase in found])
    wanted, fold = targets(found), folds(found, seed)
    places, decay, held = best_reading(means, wanted, fold)
    is_harm = wanted.max(1) > 0
    most = float(np.quantile(_logits(held).max(1)[~is_harm], 1 - ALARMS))
    scores = 1 / (1 + np.exp(most - _logits(held)))
    flagged = scores.max(1) >= FLAGGED
    numbers = {
        "places": places.tolist(),
        "decay": decay,
        "loss": loss(held, wanted),
        "area_any": area(scores.max(1), is_harm),
        "flagged_harm": mean_stderr(flagged[is_harm].astype(float).tolist()),
        "flagged_harmless": mean_stderr(flagged[~is_harm].astype(float).tolist()),
        "area": {name: area(scores[:, place], wanted[:, place] > 0) for place, name in enumerate(CATEGORIES)},
    }
    weight, bias = fit(means[:, places].reshape(len(found), -1), wanted, decay)
    whole = np.zeros((len(CATEGORIES), *means.shape[1:]), np.float32)  # of places that are not read: 0
    whole[:, places] = weight.reshape(len(CATEGORIES), len(places), -1)
    return Moderator(
        whole.reshape(len(CATEGORIES), -1), bias - np.float32(most), fingerprint(folder)
    ), numbers


def _logits(scores: Floats) -> Floats:
    scores = np.clip(scores, 1e-6, 1 - 1e-6)
    return np.log(scores / (1 - scores))


def run(model: str | None) -> int:
    """Entry of `unisono train moderation`; `model`: a network's folder, None for the one in the package."""
    folder, began = Path(model or default_weights()), time.perf_counter()
    moderator, numbers = train(folder)
    path = moderator.save(folder)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB in {time.perf_counter() - began:.0f} s")
    print(json.dumps(numbers))
    return 0
