"""Which id is chosen: temperature, top-k and top-p, set apart for each modality. numpy only.

Shapes: V vocab_size, A allowed ids.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Settings of one modality. Temperature 0 takes the likeliest id; top_k 0 and top_p 1 cut nothing off."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 10:
            raise UserError(f"temperature must lie between 0 and 10, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top_p must be above 0 and at most 1, got {self.top_p}")
        if self.top_k < 0:
            raise UserError(f"top_k must be 0 or more, got {self.top_k}")


GREEDY = Sampling(temperature=0)
FEW = 256  # likeliest ids that are sorted first
MARGIN = 1e-9  # of a sum, for what rounding does to it
# Text close to the likeliest, sound and pictures with the spread that they were learned with.
DEFAULTS = {
    "text": Sampling(temperature=0.7, top_p=0.95),
    "audio": Sampling(temperature=0.8, top_k=100),
    "image": Sampling(temperature=0.9, top_k=200),
    "thought": GREEDY,
}

# What talking to the network uses. Cutting the tail is better than cooling: of 30 requests 76 % of the
# attributes came with the likeliest 40 % of each code's probability, which leaves a choice of places, 74 %
# near temperature 0, which draws the same picture each time; the voice has word errors of .50 with the
# likeliest 85 %, .70 with all of them at temperature 0.7 (dev/LOG.md 2026-11-21).
SAMPLING = {
    "text": GREEDY,
    "audio": Sampling(temperature=0.85, top_k=100, top_p=0.85),
    "image": Sampling(temperature=1.0, top_p=0.4),
    "thought": Sampling(temperature=1.0, top_p=0.5),
}


def probabilities(logits_A: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float64]:
    """Softmax in double precision."""
    scaled = (logits_A.astype(np.float64) - logits_A.max()) / temperature
    weights = np.exp(scaled)
    return weights / weights.sum()


def choose(logits_A: NDArray[np.float32], sampling: Sampling, uniform: float) -> int:
    """Place of the chosen id; `uniform` is a random number in [0, 1)."""
    if sampling.temperature == 0:
        return int(logits_A.argmax())
    order: NDArray[np.int64] | None = None
    if 0 < sampling.top_k < len(logits_A):
        order = np.argpartition(-logits_A, sampling.top_k - 1)[: sampling.top_k]
        logits_A = logits_A[order]
    weights = probabilities(logits_A, sampling.temperature)
    if sampling.top_p < 1:
        descending = _likeliest(weights, sampling.top_p)
        # Kept: the smallest set of likeliest ids whose sum reaches top_p, the likeliest always.
        num_kept = int(np.searchsorted(np.cumsum(weights[descending]), sampling.top_p)) + 1
        kept = descending[:num_kept]
        weights = weights[kept]
        order = kept if order is None else order[kept]
    total = np.cumsum(weights)
    place = min(int(np.searchsorted(total, uniform * total[-1], side="right")), len(weights) - 1)
    return place if order is None else int(order[place])


def _likeliest(weights: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    """Places in falling order of weight, as many as are sure to reach `share`: sorting thousands took as long
    as the network.
    """
    if len(weights) > 2 * FEW:
        few = np.sort(np.argpartition(-weights, FEW - 1)[:FEW])
        if weights[few].sum() >= share + MARGIN:
            return few[np.argsort(-weights[few], kind="stable")]
    return np.argsort(-weights, kind="stable")


@dataclass
class Sampler:
    """Chooses the ids of one reply. The same seed, settings and logits give the same ids."""

    settings: dict[str, Sampling] = field(default_factory=lambda: dict(DEFAULTS))
    seed: int | None = None

    def __post_init__(self) -> None:
        unknown = set(self.settings) - set(DEFAULTS)
        if unknown:
            raise UserError(
                f"sampling can be set for {', '.join(DEFAULTS)}, not for {', '.join(sorted(unknown))}"
            )
        self.settings = {**DEFAULTS, **self.settings}
        self.random = np.random.default_rng(self.seed)

    def choose(self, logits: NDArray[np.float32], mask: NDArray[np.bool_], modality: str) -> int:
        """(V,) logits, (V,) True where an id may follow -> the id."""
        sampling = self.settings[modality]
        if sampling.temperature == 0 and mask[likeliest := int(logits.argmax())]:
            return likeliest  # the usual case of text, in a quarter of the time
        allowed = np.flatnonzero(mask)
        return int(allowed[choose(logits[allowed], sampling, self.random.random())])
