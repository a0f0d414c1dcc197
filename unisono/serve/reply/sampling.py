"""How ids are chosen in the API's terms: temperature, top_p, penalties for what was said already, a bias for
single ids.

Shapes: V vocab_size.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from unisono.engine.sample import Sampler, Sampling
from unisono.serve.reply.service import SAMPLING
from unisono.serve.wire.errors import ApiError


class ApiSampler(Sampler):
    """A Sampler whose text can be biased and kept from repeating itself. Sound and pictures are left
    alone.
    """

    def __init__(
        self,
        settings: dict[str, Sampling],
        seed: int | None,
        *,
        frequency: float = 0,
        presence: float = 0,
        bias: Mapping[int, float] | None = None,
    ) -> None:
        super().__init__(settings, seed)
        self.frequency, self.presence, self.bias = frequency, presence, dict(bias or {})
        self.counts: Counter[int] = Counter()

    def choose(self, logits: NDArray[np.float32], mask: NDArray[np.bool_], modality: str) -> int:
        """(V,) logits, (V,) True where an id may follow -> the id."""
        if modality == "text" and (self.bias or self.counts):
            logits = logits.copy()
            for id, count in self.counts.items():
                logits[id] -= self.frequency * count + self.presence
            for id, bias in self.bias.items():
                logits[id] += bias
        found = super().choose(logits, mask, modality)
        if modality == "text" and (self.frequency or self.presence):
            self.counts[found] += 1
        return found


def text_settings(temperature: float | None, top_p: float | None) -> dict[str, Sampling]:
    """Of a request. Without a temperature the network says what it thinks likeliest, unless top_p alone is
    asked for.
    """
    usual = 0.0 if top_p in (None, 1) else 1.0
    text = Sampling(
        temperature=usual if temperature is None else temperature,
        top_p=max(1.0 if top_p is None else top_p, 1e-9),
    )
    return {**SAMPLING, "text": text}


def read_bias(given: Mapping[str, float] | None, text_size: int) -> dict[int, float]:
    """{"id": -100 .. 100} of text ids."""
    bias = {}
    for name, value in (given or {}).items():
        if not (name.isascii() and name.isdigit() and len(name) < 10 and int(name) < text_size):
            raise ApiError(
                f"logit_bias names {name[:20]!r}; expected text ids from 0 to {text_size - 1}.",
                400,
                "logit_bias",
            )
        if not -100 <= value <= 100:
            raise ApiError("A logit_bias must lie between -100 and 100.", 400, "logit_bias")
        bias[int(name)] = float(value)
    return bias
