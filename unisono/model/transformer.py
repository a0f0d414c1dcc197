"""The decoder-only language model: ids in, next-id logits out. One device, no modality, Qwen3 layer for
layer.

Attribute names are those of Hugging Face, so hf.py only adds the prefix `model.`. RMSNorm, QK-norm, rotary
positions, grouped-query attention, SwiGLU. Nothing that the Qwen3 family lacks may enter this file;
patterns of sparse attention stand in sparse_attention.py.

Shapes: B batch, T ids fed, S ids attended to (S = T without a cache), C hidden_size, V vocab_size,
H query heads, K key/value heads, D head_dim.
"""

from math import pi
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.flex_attention import BlockMask

from unisono.model.config import ROPE_SCALING, Qwen3Config
from unisono.model.experts import Experts
from unisono.model.sparse_attention import Pattern, masked_attention, pattern_of

IGNORE = -100  # a label that is not learned
Mask = Tensor | BlockMask  # a BlockMask only for a pattern; see sparse_attention.py
BLOCKS = 4  # pieces of the queries in blockwise_attention


class KVCache(Protocol):
    """Where an engine keeps the keys and values of what was fed before."""

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Stores (B, K, T, D) keys and values; returns all (B, K, S, D) that are attended to, S >= T."""


class RMSNorm(nn.Module):
    """x / rms(x) * weight, computed in float32."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        x32 = x.float()
        return self.weight * (x32 * torch.rsqrt(x32.square().mean(-1, keepdim=True) + self.eps)).to(x.dtype)


def inverse_frequencies(config: Qwen3Config) -> Tensor:
    """(D/2,) rotation per position, in radians.

    Where the rope is scaled, as in Llama 3.1, turns longer than the context of the first training are slowed
    down by a factor, short ones are kept, and those in between are mixed.
    """
    kept = config.rope_theta ** (-torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim)
    if config.rope_scaling is None:
        return kept
    factor, low, high, context = (config.rope_scaling[name] for name in ROPE_SCALING)
    turns = context * kept / (2 * pi)  # within that context
    share = ((turns - low) / (high - low)).clamp(0, 1)
    return share * kept + (1 - share) * kept / factor


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions. (B, heads, T, D) with (B or 1, 1, T, D/2) -> the same shape in float32."""
    low, high = x.float().chunk(2, dim=-1)
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)


def blockwise_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Attention under a causal mask in plain operators, a quarter of the queries at a time, so that what lies
    ahead is not computed.

    (B, H, T, D), (B, K, T, D) twice, (B, 1, T, T) bool -> (B, H, T, D). Compiled for a CPU it takes half the
    time of scaled_dot_product_attention forward and backward (T 512, 4 heads, bf16: 26 ms, not 51; dev/LOG.md
    2026-11-21); uncompiled it is slower.
    """
    repeats, width = q.shape[1] // k.shape[1], q.shape[2] // BLOCKS
    k, v = k.repeat_interleave(repeats, dim=1), v.repeat_interleave(repeats, dim=1)
    parts = []
    for start in range(0, q.shape[2], width):
        end = start + width
        scores = (q[:, :, start:end] @ k[:, :, :end].transpose(-1, -2)).float() * q.shape[-1] ** -0.5
        weights = scores.masked_fill(~mask[:, :, start:end, :end], float("-inf")).softmax(-1).to(v.dtype)
        parts.append(weights @ v[:, :, :end])
    return torch.cat(parts, dim=2)


class Attention(nn.Module):
    def __init__(self, config: Qwen3Config, layer: int) -> None:
        super().__init__()
        C, D, bias = config.hidden_size, config.head_dim, config.has_qkv_bias
        self.layer, self.head_dim, self.pattern = layer, D, pattern_of(config)
        self.sinks = nn.Parameter(torch.zeros(config.num_attention_heads)) if config.attention_sinks else None
        self.q_proj = nn.Linear(C, config.num_attention_heads * D, bias=bias)
        self.k_proj = nn.Linear(C, config.num_key_value_heads * D, bias=bias)
        self.v_proj = nn.Linear(C, config.num_key_value_heads * D, bias=bias)
        self.o_proj = nn.Linear(config.num_attention_heads * D, C, bias=config.has_o_bias)
        self.q_norm = RMSNorm(D, config.rms_norm_eps) if config.has_qk_norm else nn.Identity()
        self.k_norm = RMSNorm(D, config.rms_norm_eps) if config.has_qk_norm else nn.Identity()

    def forward(
        self, x: Tensor, rope: tuple[Tensor, Tensor], mask: Mask | None, kv_cache: KVCache | None
    ) -> Tensor:
        B, T, _ = x.shape
        q = self.q_norm(self.q_proj(x).view(B, T, -1, self.head_dim)).transpose(1, 2)
        k = self.k_norm(self.k_proj(x).view(B, T, -1, self.head_dim)).transpose(1, 2)
        v = self.v_proj(x).view(B, T, -1, self.head_dim).transpose(1, 2)
        q, k = rotate(q, *rope).to(v.dtype), rotate(k, *rope).to(v.dtype)
        if kv_cache is not None:
            k, v = kv_cache.append(self.layer, k, v)
        if self.pattern is not None and kv_cache is None:
            y = self.pattern.attend(q, k, v, mask, self.sinks)
        elif self.sinks is not None:  # with a cache, whose mask holds the pattern
            assert isinstance(mask, Tensor)
            y = masked_attention(q, k, v, mask, self.sinks)
        elif isinstance(mask, BlockMask):
            raise TypeError("a block mask is for a network with a pattern of attention, without a cache")
        elif (
            mask is not None
            and kv_cache is None
            and T % BLOCKS == 0
            and q.device.type == "cpu"
            and torch.compiler.is_compiling()
        ):
            y = blockwise_attention(q, k, v, mask)
        elif (
            mask is not None and q.device.type == "cuda"
        ):  # its fused kernels take a mask or grouped heads, not both
            k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], dim=1) for t in (k, v))
            y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            is_causal = mask is None and T > 1
            y = functional.scaled_dot_product_attention(
                q, k, v, attn_mask=mask, is_causal=is_causal, enable_gqa=True
            )
        return self.o_proj(y.transpose(1, 2).reshape(B, T, -1))


class MLP(nn.Module):
    def __init__(self, C: int, width: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(C, width, bias=False)
        self.up_proj = nn.Linear(C, width, bias=False)
        self.down_proj = nn.Linear(width, C, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, config: Qwen3Config, layer: int) -> None:
        super().__init__()
        self.self_attn = Attention(config, layer)
        C = config.hidden_size
        self.mlp: MLP | Experts
        if config.num_experts is not None and config.has_experts(layer):
            experts = [MLP(C, config.moe_intermediate_size) for _ in range(config.num_experts)]
            self.mlp = Experts(config, experts)
        else:
            self.mlp = MLP(C, config.intermediate_size)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        x: Tensor,
        rope: tuple[Tensor, Tensor],
        mask: Mask | None,
        kv_cache: KVCache | None,
        ids: Tensor,
    ) -> Tensor:
        """(B, T, C) -> (B, T, C). The ids (B, T) themselves are read by hash routing alone."""
        x = x + self.self_attn(self.input_layernorm(x), rope, mask, kv_cache)
        normed = self.post_attention_layernorm(x)
        return x + (self.mlp(normed, ids) if isinstance(self.mlp, Experts) else self.mlp(normed))


class Qwen3(nn.Module):
    """`model(ids)` gives hidden states, `model.logits(hidden)` the next-id logits, `model.loss(...)` the
    loss.
    """

    inv_freq: Tensor

    def __init__(self, config: Qwen3Config) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config, layer) for layer in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        # Tied: the head is the embedding itself and no second name exists, here or in the saved file.
        self.lm_head = (
            None
            if config.tie_word_embeddings
            else nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        )
        self.register_buffer("inv_freq", inverse_frequencies(config), persistent=False)
        self.apply(self._initialize)
        residual_std = config.initializer_range / (2 * config.num_hidden_layers) ** 0.5
        for block in self.layers:
            assert isinstance(block, Block)
            nn.init.normal_(block.self_attn.o_proj.weight, std=residual_std)
            for name, weight in block.mlp.named_parameters():
                if name.endswith("down_proj.weight"):
                    nn.init.normal_(weight, std=residual_std)

    def _initialize(self, module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(
        self,
        ids: Tensor,
        positions: Tensor | None = None,
        attention_mask: Mask | None = None,
        kv_cache: KVCache | None = None,
    ) -> Tensor:
        """(B, T) ids -> (B, T, C) hidden states after the last norm.

        positions: (B, T) or (T,), default 0 .. T-1. attention_mask: (B, 1, T, S) bool, True = may attend;
        None = causal. With a cache that already holds ids and T > 1, the mask must be given: causal would
        then mean the first T of S.
        """
        if positions is None:
            positions = torch.arange(ids.shape[-1], device=ids.device)
        positions = positions.view(-1, ids.shape[-1])  # (B or 1, T)
        angles = positions[:, None, :, None].float() * self.inv_freq  # (B or 1, 1, T, D/2)
        rope = angles.cos(), angles.sin()
        x = self.embed_tokens(ids)
        for block in self.layers:
            x = block(x, rope, attention_mask, kv_cache, ids)
        return self.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., C) -> (..., V)."""
        head = self.embed_tokens if self.lm_head is None else self.lm_head
        return functional.linear(hidden, head.weight)

    def loss_per_id(
        self,
        ids: Tensor,
        labels: Tensor,
        positions: Tensor | None = None,
        attention_mask: Mask | None = None,
    ) -> Tensor:
        """(B, T) ids and labels -> (B, T) cross-entropy in nats, float32; 0 where the label is -100.

        labels[b, t] is the id that follows ids[b, t]: already shifted, because only the loader knows where
        one document ends and the next begins.
        """
        logits = self.logits(self(ids, positions, attention_mask)).float()
        return functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE, reduction="none"
        ).view_as(labels)

    def loss(
        self,
        ids: Tensor,
        labels: Tensor,
        positions: Tensor | None = None,
        attention_mask: Mask | None = None,
    ) -> Tensor:
        """Mean of `loss_per_id` over the labels that are not -100, in nats; 0 if there is none."""
        losses = self.loss_per_id(ids, labels, positions, attention_mask)
        return losses.sum() / (labels != IGNORE).sum().clamp(min=1)


def packed_mask(document: Tensor, pattern: Pattern | None = None) -> Mask:
    """(B, T) document number of each id -> (B, 1, T, T) bool: causal, and within one document; with a
    pattern of attention, what that takes in its place.
    """
    if pattern is not None:
        return pattern.packed(document)
    T = document.shape[1]
    causal = torch.ones(T, T, dtype=torch.bool, device=document.device).tril()
    return (causal & (document[:, :, None] == document[:, None, :]))[:, None]
