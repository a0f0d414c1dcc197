"""Sparse attention (Child et al. 2019, "Generating Long Sequences with Sparse Transformers", arXiv
1904.10509): which pairs of a row may attend, and two ways to compute it.

sliding  the last `window` ids; what Hugging Face calls sliding_window
strided  the same, and every id that lies a multiple of `window` behind
fixed    the ids of the same block of `window`, and the last SUMMARIES ids of each earlier block; blocks are
         counted from the beginning of the row

With a window of about sqrt(T) an id attends to about sqrt(T) others, and the work grows as T * sqrt(T). On a
GPU FlexAttention computes it; elsewhere blocks of plain operators do, and never a T x T matrix.

Shapes: B rows, T ids, H query heads, K key/value heads, D head_dim, w ids of a window, N windows in a row.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention.flex_attention import AuxRequest, BlockMask, create_block_mask, flex_attention

from unisono.model.config import Qwen3Config

# Ids of an earlier block that are seen under "fixed". A share of the block would make the work T * T again.
SUMMARIES = 8


@dataclass(frozen=True)
class Pattern:
    """Which earlier ids an id may attend to. kind: one of config.ATTENTIONS; window: from 1 on, in ids."""

    kind: str
    window: int

    def allows(self, query: Tensor, key: Tensor) -> Tensor:
        """Places in the row, in shapes that go together -> bool: whether the query may attend to the key."""
        behind = query - key
        if self.kind == "full":
            return behind >= 0
        if self.kind == "fixed":
            is_summary = key % self.window >= self.window - SUMMARIES
            near = (query // self.window == key // self.window) | is_summary
        else:
            near = behind < self.window
            if self.kind == "strided":
                near = near | (behind % self.window == 0)
        return near & (behind >= 0)

    def block_mask(self, documents: Tensor) -> BlockMask:
        """(B, T) document number of each id -> what FlexAttention takes: the pattern within each document."""

        def may_attend(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            return self.allows(query, key) & (documents[row, query] == documents[row, key])

        rows, length = documents.shape
        return create_block_mask(may_attend, rows, None, length, length, device=documents.device)

    def packed(self, documents: Tensor) -> Tensor | BlockMask:
        """(B, T) document number of each id -> the mask that `attend` takes, made once for all layers."""
        return self.block_mask(documents) if documents.is_cuda else documents

    def attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | BlockMask | None,
        sinks: Tensor | None = None,
    ) -> Tensor:
        """(B, H, T, D), (B, K, T, D) twice -> (B, H, T, D).

        mask: document numbers (B, T) or a block mask, as `packed` gives them; (B, 1, T, T) bool, to which the
        pattern is added; None: the row is one document. sinks: (H,) logits that take part in the softmax and
        belong to no id.
        """
        if isinstance(mask, BlockMask):
            found, more = flex_attention(
                q, k, v, block_mask=mask, enable_gqa=True, return_aux=AuxRequest(lse=True)
            )
            if sinks is None:
                return found
            assert more.lse is not None  # it was asked for
            return found * (more.lse - sinks[:, None]).sigmoid()[..., None].to(v.dtype)
        T = q.shape[2]
        if self.kind == "full" and (mask is None or mask.dim() == 2):
            documents = torch.zeros(1, T, dtype=torch.long, device=q.device) if mask is None else mask
            mask = documents[:, None, :, None] == documents[:, None, None, :]
        if mask is not None and mask.dim() == 4:
            place = torch.arange(T, device=q.device)
            mask = mask & self.allows(place[:, None], place)
            return masked_attention(q, k, v, mask, sinks)
        documents = torch.zeros(1, T, dtype=torch.long, device=q.device) if mask is None else mask
        # A window longer than the row is the whole row; a row is filled up to whole windows behind its end,
        # where no real id looks.
        w = min(self.window, T)
        missing, repeats = -T % w, q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(repeats, dim=1), v.repeat_interleave(repeats, dim=1)
        q, k, v = (functional.pad(t, (0, 0, 0, missing)).unflatten(2, (-1, w)) for t in (q, k, v))
        blocks = functional.pad(documents, (0, missing)).unflatten(1, (-1, w))
        return self._in_blocks(q, k, v, blocks[:, None], sinks).flatten(2, 3)[:, :, :T]

    def _in_blocks(self, q: Tensor, k: Tensor, v: Tensor, documents: Tensor, sinks: Tensor | None) -> Tensor:
        """(B, H, N, w, D) three times, (B, 1, N, w) -> (B, H, N, w, D): one softmax over near and far."""
        w, near_k, near_v, near_documents = q.shape[3], k, v, documents
        place = torch.arange(w, device=q.device)
        may = place[:, None] >= place  # (w, w)
        if self.kind != "fixed":  # a window reaches into the block before
            near_k, near_v = _with_previous(k), _with_previous(v)
            near_documents = _with_previous(documents[..., None])[..., 0]
            before = (place[:, None] < place) & (_blocks(q)[:, None, None] > 0)  # (N, w, w)
            may = torch.cat([before, may.expand_as(before)], dim=-1)
        near = _scores(q, near_k, documents, near_documents, may)
        if self.kind == "sliding":
            return _softmax(near, sinks).to(v.dtype) @ near_v
        far = self._far(q, k, documents)
        weights = _softmax(torch.cat([near, far], dim=-1), sinks).to(v.dtype)
        near, far = weights.split([near.shape[-1], far.shape[-1]], dim=-1)
        if self.kind == "strided":
            return near @ near_v + (far.transpose(2, 3) @ v.transpose(2, 3)).transpose(2, 3)
        return near @ near_v + far @ _last(v)

    def _far(self, q: Tensor, k: Tensor, documents: Tensor) -> Tensor:
        """Scores of what lies in earlier blocks. strided: (B, H, N, w, N), the column of the same place in
        each block; fixed: (B, H, N, w, N * SUMMARIES), the last ids of each block.
        """
        block = _blocks(q)
        if self.kind == "strided":
            columns = documents.transpose(2, 3)
            may = block[:, None] > block
            return _scores(q.transpose(2, 3), k.transpose(2, 3), columns, columns, may).transpose(2, 3)
        last = _last(documents[..., None])
        of_block = block.repeat_interleave(last.shape[3] // len(block))
        may = block[:, None, None] > of_block  # (N, 1, N * SUMMARIES)
        return _scores(q, _last(k), documents, last[..., 0], may)


def _blocks(x: Tensor) -> Tensor:
    """(N,) the number of each block of (B, H, N, w, D)."""
    return torch.arange(x.shape[2], device=x.device)


def _with_previous(x: Tensor) -> Tensor:
    """(B, H, N, w, D) -> (B, H, N, 2 w, D): each block behind the one before it; zeros before the first."""
    return torch.cat([functional.pad(x, (0, 0, 0, 0, 1, 0))[:, :, :-1], x], dim=3)


def _last(x: Tensor) -> Tensor:
    """(B, H, N, w, D) -> (B, H, 1, N * SUMMARIES, D): the last ids of all blocks, for every block."""
    return x[:, :, :, -SUMMARIES:].flatten(2, 3)[:, :, None]


def _scores(q: Tensor, k: Tensor, of_q: Tensor, of_k: Tensor, may: Tensor) -> Tensor:
    """(..., Q, D), (..., S, D), their documents (..., Q), (..., S), a mask -> (..., Q, S) in float32."""
    may = may & (of_q[..., :, None] == of_k[..., None, :])
    scores = (q @ k.transpose(-1, -2)).float() * q.shape[-1] ** -0.5
    return scores.masked_fill(~may, float("-inf"))


def _softmax(scores: Tensor, sinks: Tensor | None) -> Tensor:
    """(B, H, ..., S) -> the same; with sinks (H,) a row adds up to less than 1 (Xiao et al. 2023, arXiv
    2309.17453; learned as in gpt-oss).
    """
    if sinks is None:
        return scores.softmax(-1)
    sink = sinks.float().view(-1, *[1] * (scores.dim() - 2)).expand(*scores.shape[:-1], 1)
    return torch.cat([scores, sink], dim=-1).softmax(-1)[..., :-1]


def masked_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, sinks: Tensor | None) -> Tensor:
    """(B, H, T, D), (B, K, S, D) twice, (B, 1, T, S) bool, (H,) -> (B, H, T, D)."""
    if sinks is None:
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
    repeats = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(repeats, dim=1), v.repeat_interleave(repeats, dim=1)
    scores = (q @ k.transpose(-1, -2)).float() * q.shape[-1] ** -0.5
    return _softmax(scores.masked_fill(~mask, float("-inf")), sinks).to(v.dtype) @ v


def pattern_of(config: Qwen3Config) -> Pattern | None:
    """The pattern of a network; None where attention is full and has no sinks."""
    return None if config.has_plain_attention else Pattern(config.attention, config.attention_window)
