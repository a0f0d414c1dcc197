"""A linear probe on the network's hidden states: the probability of each category of harm for a text.

`unisono train moderation` trains it for exactly one network and writes its weights beside the network's. The
file names the network by a fingerprint, and loading it for other weights is an error.

Shapes: B texts, S places in the network (see states.py), C hidden_size, D = S * C, K categories.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.moderation.phrases import CATEGORIES
from unisono.tokens.template import Template

FILE = "moderation.safetensors"
WINDOW = 128  # ids judged together; a longer text gets the highest score of its windows
FLAGGED = 0.5  # probability from which a text is flagged
NOT_FIT = (
    "This judge misses most harmful requests and flags some harmless ones (docs/measured.md): do not guard "
    "anything with it."
)


class Moderator:
    """Logistic regression: weight (K, D), bias (K,), and the fingerprint of the network that it is for."""

    def __init__(self, weight: NDArray[np.float32], bias: NDArray[np.float32], network: str) -> None:
        self.weight, self.bias, self.network = weight, bias, network

    def scores(self, means: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, S, C) mean hidden states -> (B, K) probabilities."""
        logits = means.reshape(len(means), -1) @ self.weight.T + self.bias
        return (1 / (1 + np.exp(-np.clip(logits, -60, 60)))).astype(np.float32)

    def save(self, folder: str | Path) -> Path:
        """Writes moderation.safetensors into the network's folder -> its path."""
        path = Path(folder) / FILE
        notes = {"network": self.network, "categories": json.dumps(CATEGORIES)}
        atomic_write(path, lambda part: save_file({"weight": self.weight, "bias": self.bias}, part, notes))
        return path

    @classmethod
    def load(cls, folder: str | Path) -> "Moderator":
        """Reads what `save` wrote. UserError where it is missing, damaged or of another network."""
        path = Path(folder) / FILE
        again = f"run: unisono train moderation --model {folder}"
        try:
            with safe_open(path, "np") as file:
                notes = file.metadata() or {}
                made = cls(file.get_tensor("weight"), file.get_tensor("bias"), notes.get("network", ""))
        except FileNotFoundError:
            raise UserError(f"this network has no moderation weights; {again}") from None
        except (SafetensorError, OSError) as error:
            raise UserError(f"the moderation weights are damaged ({error}); {again}") from None
        if made.network != fingerprint(folder) or json.loads(notes.get("categories", "[]")) != list(
            CATEGORIES
        ):
            raise UserError(f"the moderation weights were trained for other weights of the network; {again}")
        return made


def fingerprint(folder: str | Path) -> str:
    """A network's folder -> the SHA-256 of its weights."""
    digest = hashlib.sha256()
    for path in sorted(Path(folder).glob("model*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def begin(template: Template) -> list[int]:
    """The ids that stand before a text, so that the network reads it as a user's message."""
    return template.joined([("user", ())], is_open=True)


def windows(ids: Sequence[int]) -> list[Sequence[int]]:
    """The ids of a text -> pieces of at most WINDOW ids."""
    return [ids[start : start + WINDOW] for start in range(0, len(ids), WINDOW)]
