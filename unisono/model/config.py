"""What shape a language model has: Hugging Face Qwen3 field names and nothing else, and one preset per size.

`model_type` is "qwen3", or for bases (see unisono/base) "llama", the same without QK-norm, or "qwen2",
without QK-norm and with biases of queries, keys and values.
"""

from dataclasses import dataclass, fields
from math import inf
from typing import Any

from unisono.core.errors import UserError

ROPE_SCALING = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
MODEL_TYPES = ("qwen3", "llama", "qwen2")

# One dial. Width, depth and heads per size; the vocabulary comes from the tokenizer.
SIZES: dict[str, dict[str, Any]] = {
    "tiny": dict(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=512,
    ),
    "nano": dict(
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=4096,
    ),
    "small": dict(
        hidden_size=640,
        intermediate_size=1792,
        num_hidden_layers=12,
        num_attention_heads=10,
        num_key_value_heads=5,
        head_dim=64,
        max_position_embeddings=8192,
    ),
    "base": dict(
        hidden_size=1536,
        intermediate_size=5120,
        num_hidden_layers=32,
        num_attention_heads=12,
        num_key_value_heads=4,
        head_dim=128,
        max_position_embeddings=16384,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Qwen3Config:
    """The fields of a Hugging Face Qwen3 config.json that change what the network computes."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int = 4096
    rms_norm_eps: float = 1e-6
    rope_theta: float = 1e6
    tie_word_embeddings: bool = True
    attention_bias: bool = False
    initializer_range: float = 0.02
    model_type: str = "qwen3"
    # Of Llama 3.1 and later: factor, low_freq_factor, high_freq_factor, original_max_position_embeddings;
    # see transformer.py.
    rope_scaling: dict[str, float] | None = None

    def __post_init__(self) -> None:
        for name in (
            "vocab_size",
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
            "max_position_embeddings",
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise UserError(f"{name} must be a whole number from 1 on, got {value!r}")
        for name in ("rms_norm_eps", "rope_theta", "initializer_range"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < inf:
                raise UserError(f"{name} must be a number from 0 on, got {value!r}")
        scaling = self.rope_scaling
        if scaling is not None and not all(
            isinstance(scaling.get(name), int | float) and scaling[name] > 0 for name in ROPE_SCALING
        ):
            raise UserError(f"a scaled rope needs {', '.join(ROPE_SCALING)} above 0, got {scaling!r}")
        if self.num_attention_heads % self.num_key_value_heads:
            raise UserError(
                f"num_attention_heads ({self.num_attention_heads}) must be a multiple of "
                f"num_key_value_heads ({self.num_key_value_heads})"
            )
        if self.head_dim % 2:
            raise UserError(f"head_dim must be even for rotary positions, got {self.head_dim}")
        if self.model_type not in MODEL_TYPES:
            raise UserError(f"model_type must be one of {', '.join(MODEL_TYPES)}, got {self.model_type!r}")

    @property
    def has_qk_norm(self) -> bool:
        """Whether queries and keys are normalized, head by head."""
        return self.model_type == "qwen3"

    @property
    def has_qkv_bias(self) -> bool:
        """Whether queries, keys and values have a bias; Qwen 2 always has, and no field that says so."""
        return self.attention_bias or self.model_type == "qwen2"

    @property
    def has_o_bias(self) -> bool:
        """Whether what attention gives has a bias."""
        return self.attention_bias and self.model_type != "qwen2"


def preset(size: str, vocab_size: int, **changes: Any) -> Qwen3Config:
    """The config of a named size; `changes` override fields. UserError for an unknown size or field."""
    if size not in SIZES:
        raise UserError(f"unknown size {size!r}; choose one of {', '.join(SIZES)}")
    if unknown := set(changes) - {one.name for one in fields(Qwen3Config)}:
        raise UserError(
            f"no field {min(unknown)!r} in the shape of a size; expected one of {', '.join(SIZES[size])}"
        )
    whole = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in changes.items()
    }
    return Qwen3Config(vocab_size=vocab_size, **{**SIZES[size], **whole})


def weight_shapes(config: Qwen3Config) -> dict[str, tuple[int, ...]]:
    """Every weight of the network under its name: what transformer.py builds, without building it, which
    would cost a start 1 s and 75 MB.
    """
    C, D, width = config.hidden_size, config.head_dim, config.intermediate_size
    q, kv = config.num_attention_heads * D, config.num_key_value_heads * D
    linears = {
        "self_attn.q_proj": (q, C),
        "self_attn.k_proj": (kv, C),
        "self_attn.v_proj": (kv, C),
        "self_attn.o_proj": (C, q),
        "mlp.gate_proj": (width, C),
        "mlp.up_proj": (width, C),
        "mlp.down_proj": (C, width),
    }
    block: dict[str, tuple[int, ...]] = {f"{name}.weight": shape for name, shape in linears.items()}
    block |= {"input_layernorm.weight": (C,), "post_attention_layernorm.weight": (C,)}
    biased = ("q_proj", "k_proj", "v_proj") * config.has_qkv_bias + ("o_proj",) * config.has_o_bias
    block |= {f"self_attn.{name}.bias": linears[f"self_attn.{name}"][:1] for name in biased}
    if config.has_qk_norm:
        block |= {"self_attn.q_norm.weight": (D,), "self_attn.k_norm.weight": (D,)}
    shapes = {
        f"layers.{layer}.{name}": shape
        for layer in range(config.num_hidden_layers)
        for name, shape in block.items()
    }
    shapes |= {"embed_tokens.weight": (config.vocab_size, C), "norm.weight": (C,)}
    return shapes if config.tie_word_embeddings else shapes | {"lm_head.weight": (config.vocab_size, C)}
