"""The reference engine: the network itself in PyTorch with a static key/value cache, on any device.

Shapes: B rows fed together, T ids per row, S positions attended to, K key/value heads, D head_dim, V
vocab_size.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unisono.engine.cache import CachedEngine, Piece
from unisono.model.sparse_attention import pattern_of
from unisono.model.transformer import Qwen3

PREFILL = 512  # ids of a long prompt fed at a time: bounds the memory of its attention mask


class RowCache:
    """Writes and reads given rows of the cache; what the network sees as its KVCache during one step."""

    def __init__(
        self, store: list[tuple[Tensor, Tensor]], rows: Tensor, positions: Tensor, num_attended: int
    ) -> None:
        """rows (B,), positions (B, T): where the ids of this step go."""
        self.store, self.rows, self.positions, self.num_attended = store, rows, positions, num_attended

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        for stored, new in zip(self.store[layer], (k, v)):
            stored[self.rows[:, None], :, self.positions] = new.transpose(1, 2)
        rows = (
            slice(self.rows[0], self.rows[0] + 1) if len(self.rows) == 1 else self.rows
        )  # a slice copies nothing
        stored_k, stored_v = self.store[layer]
        return stored_k[rows, :, : self.num_attended], stored_v[rows, :, : self.num_attended]


class TorchEngine(CachedEngine):
    """Computes with the weights and in the number format of `model`, where the model lies."""

    def __init__(self, model: Qwen3, max_length: int | None = None) -> None:
        longest = model.config.max_position_embeddings
        super().__init__(model.config.vocab_size, min(max_length or longest, longest))
        self.model, self.pattern = model.eval(), pattern_of(model.config)
        self.device = model.embed_tokens.weight.device
        self.dtype = model.embed_tokens.weight.dtype
        self.store: list[tuple[Tensor, Tensor]] = [
            (self._empty(0, 0), self._empty(0, 0)) for _ in model.layers
        ]

    def _empty(self, num_rows: int, capacity: int) -> Tensor:
        config = self.model.config
        return torch.zeros(
            num_rows,
            config.num_key_value_heads,
            capacity,
            config.head_dim,
            device=self.device,
            dtype=self.dtype,
        )

    def _grow(self, num_rows: int, capacity: int) -> None:
        for layer, old_pair in enumerate(self.store):
            new_pair = self._empty(num_rows, capacity), self._empty(num_rows, capacity)
            for old, new in zip(old_pair, new_pair):
                new[: self.num_rows, :, : self.capacity] = old
            self.store[layer] = new_pair
        self.num_rows, self.capacity = num_rows, capacity

    def _copy_row(self, source: int, target: int, length: int) -> None:
        for pair in self.store:
            for stored in pair:
                stored[target, :, :length] = stored[source, :, :length]

    @torch.inference_mode()
    def _step(self, pieces: list[Piece]) -> NDArray[np.float32]:
        logits = np.empty((len(pieces), self.vocab_size), np.float32)
        single = [n for n, piece in enumerate(pieces) if len(piece.ids) == 1]
        if single:
            logits[single] = self._run([pieces[n] for n in single])
        for n, piece in enumerate(pieces):
            if len(piece.ids) > 1:
                for first in range(0, len(piece.ids), PREFILL):
                    logits[n] = self._run(
                        [Piece(piece.row, piece.start + first, piece.ids[first : first + PREFILL])]
                    )[0]
        return logits

    def _run(self, pieces: Sequence[Piece]) -> NDArray[np.float32]:
        """Pieces of equal length -> (B, V)."""
        ids = torch.from_numpy(np.stack([piece.ids for piece in pieces])).to(self.device)
        starts = torch.tensor([piece.start for piece in pieces], device=self.device)
        rows = torch.tensor([piece.row for piece in pieces], device=self.device)
        positions = starts[:, None] + torch.arange(ids.shape[1], device=self.device)
        num_attended = max(piece.end for piece in pieces)
        places = torch.arange(num_attended, device=self.device)
        mask = places <= positions[:, None, :, None]  # (B, 1, T, S)
        if self.pattern is not None:
            mask = self.pattern.allows(positions[:, None, :, None], places)
        hidden = self.model(ids, positions, mask, RowCache(self.store, rows, positions, num_attended))
        return self.model.logits(hidden[:, -1]).float().cpu().numpy()
