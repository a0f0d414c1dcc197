"""A linear reading of the network's hidden states: how much a text sounds like each category of harm. Its
weights lie beside the network's.

Trained by `unisono train moderation` for exactly one network: after the network was trained on, this file
says so instead of guessing.

Shapes: B texts, S places of states, C hidden_size, D = S * C, K categories.
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

FILE = "moderation.safetensors"
BEGIN = "<|user|>"  # what stands before a text: it is read as something that a person says
WINDOW = 128  # ids judged together; of a longer text the worst part counts
FLAGGED = 0.5


class Moderator:
    """(B, D) states -> (B, K) probabilities."""

    def __init__(self, weight: NDArray[np.float32], bias: NDArray[np.float32], network: str) -> None:
        self.weight, self.bias, self.network = weight, bias, network

    def scores(self, means: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, S, C) -> (B, K)."""
        logits = means.reshape(len(means), -1) @ self.weight.T + self.bias
        return (1 / (1 + np.exp(-np.clip(logits, -60, 60)))).astype(np.float32)

    def save(self, folder: str | Path) -> Path:
        """Writes it beside the network."""
        path = Path(folder) / FILE
        notes = {"network": self.network, "categories": json.dumps(CATEGORIES)}
        atomic_write(path, lambda part: save_file({"weight": self.weight, "bias": self.bias}, part, notes))
        return path

    @classmethod
    def load(cls, folder: str | Path) -> "Moderator":
        """UserError where there is none for this network."""
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
    """Of the network's weights."""
    digest = hashlib.sha256()
    for path in sorted(Path(folder).glob("model*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def windows(ids: Sequence[int]) -> list[Sequence[int]]:
    """A text's ids in pieces of WINDOW."""
    return [ids[start : start + WINDOW] for start in range(0, len(ids), WINDOW)]
