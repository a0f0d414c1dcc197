"""Hidden states of the network over texts, for embeddings and moderation.

The engines return logits only, so the states are computed by the PyTorch network, in float32.

Shapes: B texts, T ids, S places in the network (the embeddings, after each layer, after the last norm; at
most MAX_PLACES of them), C hidden_size.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unisono.model.hf import load_pretrained
from unisono.model.transformer import Qwen3

MAX_IDS = 1024  # in one batch, padding included
# Of a deeper network so many places are read, evenly spread, the first and the last among them: a classifier
# on all 32 of SmolLM2 would take four times as long.
MAX_PLACES = 8


class States:
    """A network whose forward pass keeps the hidden states of its places."""

    def __init__(self, folder: str | Path) -> None:
        self.model: Qwen3 = load_pretrained(folder)
        self.seen: list[Tensor] = []
        places = [self.model.embed_tokens, *self.model.layers, self.model.norm]
        chosen = np.linspace(0, len(places) - 1, min(len(places), MAX_PLACES)).round().astype(int)
        for module in (places[place] for place in chosen):
            module.register_forward_hook(lambda module, given, made: self.seen.append(made))

    @property
    def size(self) -> int:
        """hidden_size C: the length of one state."""
        return self.model.config.hidden_size

    @torch.inference_mode()
    def means(self, begin: Sequence[int], texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """B texts of at least one id each -> (B, S, C) mean hidden states. `begin`, at least one id, is put
        before each text and does not count in its mean.

        Texts are padded on the right. Attention is causal, so the padding changes no state before it.
        """
        first, longest = len(begin), max(map(len, texts))
        ids = torch.tensor([[*begin, *text, *[begin[0]] * (longest - len(text))] for text in texts])
        counts = torch.tensor([len(text) for text in texts])[:, None]
        place = torch.arange(first + longest)
        weights = ((place >= first) & (place < first + counts)).float() / counts  # (B, T)
        self.seen.clear()
        self.model(ids)
        means = torch.stack([torch.einsum("bt,btc->bc", weights, states) for states in self.seen], dim=1)
        self.seen.clear()
        return means.numpy()


def batches(texts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Groups texts of about equal length -> the indices of each batch of at most MAX_IDS ids."""
    batch: list[int] = []
    for place in sorted(range(len(texts)), key=lambda place: len(texts[place])):
        if batch and (len(batch) + 1) * (len(texts[place]) + 1) > MAX_IDS:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
