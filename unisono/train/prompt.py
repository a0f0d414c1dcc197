"""Prompt tuning (Lester, Al-Rfou and Constant 2021, arXiv 2104.08691): vectors before every conversation,
which are the only weights that move.

What comes out is a plain network: the vectors are the rows of the special ids <|prompt_0|> and so on, and
turns.json puts these ids before the first turn (tokens/turns.py).

Shapes: P vectors, V ids, C hidden_size.
"""

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.core.errors import UserError
from unisono.data.shards.shard import Shard
from unisono.model.transformer import Qwen3
from unisono.tokens.vocab import MAX_PROMPT, NUM_SPECIALS

NUM_COMMON = 100  # ids that vectors may begin as; Lester and others drew from the 5,000 commonest of 32,000
MAX_COUNTED = 1_000_000  # ids of each part of a shard


class PromptedEmbedding(nn.Module):
    """A frozen table (V, C) of which the P rows from `first` on are learned."""

    def __init__(self, inner: nn.Embedding, first: int, begins_as: list[int]) -> None:
        """`begins_as`: the P ids whose rows the vectors are at first."""
        super().__init__()
        self.inner, self.first = inner.requires_grad_(False), first
        self.prompt = nn.Parameter(inner.weight.detach()[begins_as].clone())  # (P, C)

    @property
    def weight(self) -> Tensor:
        """(V, C): the whole table as it is saved, which is the head too where the two are tied."""
        table, end = self.inner.weight, self.first + len(self.prompt)
        return torch.cat([table[: self.first], self.prompt, table[end:]])

    def forward(self, ids: Tensor) -> Tensor:
        """(...) ids -> (..., C)."""
        place = ids - self.first
        is_prompt = (place >= 0) & (place < len(self.prompt))
        learned = functional.embedding(place.clamp(0, len(self.prompt) - 1), self.prompt)
        return torch.where(is_prompt[..., None], learned, self.inner(ids))

    def plain(self) -> nn.Embedding:
        """One table that gives the same."""
        return nn.Embedding.from_pretrained(self.weight.detach().clone(), freeze=False)


def add_prompt(model: Qwen3, prompt: dict[int, int]) -> Qwen3:
    """Makes the rows of some neighbouring ids a prompt, in place; they alone are trainable then.

    `prompt`: each id -> the id whose row it begins as.
    """
    model.requires_grad_(False)
    table = PromptedEmbedding(model.embed_tokens, min(prompt), list(prompt.values()))
    model.embed_tokens = table  # type: ignore[assignment]
    return model


def without_prompt(model: Qwen3) -> Qwen3:
    """A copy with a plain table that computes the same; the model itself where its table is plain."""
    if not isinstance(model.embed_tokens, PromptedEmbedding):
        return model
    model = copy.deepcopy(model)
    table = model.embed_tokens
    assert isinstance(table, PromptedEmbedding)
    model.embed_tokens = table.plain()
    return model


def prompt_of(shard: Shard, length: int, seed: int) -> dict[int, int]:
    """The ids of a prompt in the vocabulary of a shard -> the ids whose rows they begin as: drawn from the
    commonest of the shard's text. UserError for a prompt that cannot be as long.
    """
    if not 1 <= length <= MAX_PROMPT:
        raise UserError(f"prompt_length must be from 1 to {MAX_PROMPT}, got {length}")
    ids = np.concatenate([part.ids[:MAX_COUNTED] for part in shard.parts])
    counts = np.bincount(ids[ids < shard.text_size], minlength=1)
    common = [int(id) for id in np.argsort(-counts, kind="stable")[:NUM_COMMON] if counts[id]] or [0]
    drawn = np.random.default_rng(seed).choice(common, length, replace=len(common) < length)
    first = shard.text_size + NUM_SPECIALS - MAX_PROMPT
    return dict(zip(range(first, first + length), drawn.tolist(), strict=True))
