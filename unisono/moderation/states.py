"""Hidden states of the network over texts: what embeddings and moderation are made of.

The engines give next ids only; the states come from the network in PyTorch, in float32.

Shapes: B texts, T ids, S = layers + 2 places to look at (the ids' embeddings, after each layer, after the
last norm), C hidden_size.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unisono.model.hf import load_pretrained
from unisono.model.transformer import Qwen3

MAX_IDS = 1024  # computed at once, filling included


class States:
    """The network, and what it holds in mind at the end of each layer."""

    def __init__(self, folder: str | Path) -> None:
        self.model: Qwen3 = load_pretrained(folder)
        self.seen: list[Tensor] = []
        for module in (self.model.embed_tokens, *self.model.layers, self.model.norm):
            module.register_forward_hook(lambda module, given, made: self.seen.append(made))

    @property
    def size(self) -> int:
        """C."""
        return self.model.config.hidden_size

    @torch.inference_mode()
    def means(self, begin: int, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Texts of at least one id each -> (B, S, C): means over the positions of the text, `begin` before it
        not counted.

        Filled up on the right: what comes later changes nothing before it, since the network only looks back.
        """
        length = max(map(len, texts)) + 1
        ids = torch.tensor([[begin, *text, *[begin] * (length - 1 - len(text))] for text in texts])
        counts = torch.tensor([len(text) for text in texts])
        place = torch.arange(length)
        weights = ((place >= 1) & (place <= counts[:, None])).float() / counts[:, None]  # (B, T)
        self.seen.clear()
        self.model(ids)
        means = torch.stack([torch.einsum("bt,btc->bc", weights, states) for states in self.seen], dim=1)
        self.seen.clear()
        return means.numpy()


def batches(texts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of texts of about equal length, few enough at a time."""
    batch: list[int] = []
    for place in sorted(range(len(texts)), key=lambda place: len(texts[place])):
        if batch and (len(batch) + 1) * (len(texts[place]) + 1) > MAX_IDS:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
