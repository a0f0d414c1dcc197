"""What shape a language model has: Hugging Face Qwen3 field names and nothing else, and one preset per size.

`model_type` is "qwen3", or for bases (see unisono/base) "llama", the same without QK-norm, or "qwen2",
without QK-norm and with biases of queries, keys and values. "qwen3_moe" has experts (see experts.py);
"qwen3_moe_hash" is ours alone: the id itself says which expert.
"""

from dataclasses import dataclass, fields
from math import inf
from typing import Any

from unisono.core.errors import UserError

ROPE_SCALING = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
MODEL_TYPES = ("qwen3", "llama", "qwen2", "qwen3_moe", "qwen3_moe_hash")
HASHED = "qwen3_moe_hash"
ATTENTIONS = ("full", "sliding", "strided", "fixed")  # see sparse_attention.py
EXPERT_FIELDS = (
    "num_experts",
    "num_experts_per_tok",
    "moe_intermediate_size",
    "norm_topk_prob",
    "router_aux_loss_coef",
    "decoder_sparse_step",
)

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
    # Ours: which earlier ids an id attends to. Hugging Face knows full and sliding; see hf.py.
    attention: str = "full"
    attention_window: int = 128  # in ids; of no matter for full
    attention_sinks: bool = False  # a learned logit for each head in the softmax that no id belongs to
    # Of a network with experts alone; None: every layer has one MLP of intermediate_size.
    num_experts: int | None = None
    num_experts_per_tok: int = 8
    moe_intermediate_size: int = 768  # of each expert
    norm_topk_prob: bool = False  # whether the weights of the chosen experts add up to 1
    router_aux_loss_coef: float = 0.001  # of the loss that balances experts in training
    decoder_sparse_step: int = 1  # every so many layers one has experts, the others one MLP

    def __post_init__(self) -> None:
        self._check_whole_numbers(
            "vocab_size",
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
            "max_position_embeddings",
            "attention_window",
        )
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
        if self.attention not in ATTENTIONS:
            raise UserError(f"attention must be one of {', '.join(ATTENTIONS)}, got {self.attention!r}")
        self._check_experts()

    def _check_whole_numbers(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise UserError(f"{name} must be a whole number from 1 on, got {value!r}")

    def _check_experts(self) -> None:
        if (self.num_experts is not None) != ("moe" in self.model_type):
            raise UserError(
                "a network with num_experts has the model_type qwen3_moe, and one without has another; "
                f"got num_experts {self.num_experts!r} and {self.model_type!r}"
            )
        if self.num_experts is None:
            return
        self._check_whole_numbers(
            "num_experts", "num_experts_per_tok", "moe_intermediate_size", "decoder_sparse_step"
        )
        coefficient = self.router_aux_loss_coef
        if not isinstance(coefficient, int | float) or not 0 <= coefficient < inf:
            raise UserError(f"router_aux_loss_coef must be a number from 0 on, got {coefficient!r}")
        if self.num_experts_per_tok > self.num_experts:
            raise UserError(
                f"an id cannot go to {self.num_experts_per_tok} of {self.num_experts} experts; "
                "num_experts_per_tok must be at most num_experts"
            )
        if self.model_type == HASHED and self.num_experts_per_tok != 1:
            raise UserError("hash routing sends an id to one expert; num_experts_per_tok must be 1")

    def has_experts(self, layer: int) -> bool:
        """Whether this layer, counted from 0, has experts in place of one MLP."""
        return self.num_experts is not None and (layer + 1) % self.decoder_sparse_step == 0

    @property
    def has_own_attention(self) -> bool:
        """Whether no other program knows this network's pattern of attention."""
        is_own = self.attention in ("strided", "fixed")
        return is_own or self.attention_sinks or (self.attention == "sliding" and self.model_type == "llama")

    @property
    def has_plain_attention(self) -> bool:
        """Whether each id attends to every earlier one, and to nothing else."""
        return self.attention == "full" and not self.attention_sinks

    @property
    def attention_name(self) -> str:
        """For a sentence to the user: "strided attention", "full attention with sinks"."""
        return f"{self.attention} attention{' with sinks' * self.attention_sinks}"

    @property
    def has_qk_norm(self) -> bool:
        """Whether queries and keys are normalized, head by head."""
        return self.model_type.startswith("qwen3")

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
            f"no field {min(unknown)!r} in the shape of a size; expected one of "
            f"{', '.join((*SIZES[size], *EXPERT_FIELDS))}"
        )
    whole = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in changes.items()
    }
    shape = {**SIZES[size], **whole}
    if "num_experts" in shape:
        shape = {**_usual_experts(shape), **shape}
        shape["norm_topk_prob"] = bool(shape["norm_topk_prob"])
    return Qwen3Config(vocab_size=vocab_size, **shape)


def _usual_experts(shape: dict[str, Any]) -> dict[str, Any]:
    """What a shape with experts has unless it says otherwise: as many weights work on an id as in one MLP."""
    chosen = shape.get("num_experts_per_tok", 1)
    return {
        "model_type": "qwen3_moe",
        "num_experts_per_tok": chosen,
        "moe_intermediate_size": max(1, shape["intermediate_size"] // max(1, chosen)),
        "norm_topk_prob": chosen > 1,
    }


def weight_shapes(config: Qwen3Config) -> dict[str, tuple[int, ...]]:
    """Every weight of the network under its name: what transformer.py builds, without building it, which
    would cost a start 1 s and 75 MB.
    """
    C, D = config.hidden_size, config.head_dim
    q, kv = config.num_attention_heads * D, config.num_key_value_heads * D
    linears = {
        "self_attn.q_proj": (q, C),
        "self_attn.k_proj": (kv, C),
        "self_attn.v_proj": (kv, C),
        "self_attn.o_proj": (C, q),
    }
    block: dict[str, tuple[int, ...]] = {f"{name}.weight": shape for name, shape in linears.items()}
    block |= {"input_layernorm.weight": (C,), "post_attention_layernorm.weight": (C,)}
    biased = ("q_proj", "k_proj", "v_proj") * config.has_qkv_bias + ("o_proj",) * config.has_o_bias
    block |= {f"self_attn.{name}.bias": linears[f"self_attn.{name}"][:1] for name in biased}
    if config.attention_sinks:
        block["self_attn.sinks"] = (config.num_attention_heads,)
    if config.has_qk_norm:
        block |= {"self_attn.q_norm.weight": (D,), "self_attn.k_norm.weight": (D,)}
    shapes = {
        f"layers.{layer}.{name}": shape
        for layer in range(config.num_hidden_layers)
        for name, shape in (block | _mlp_shapes(config, layer)).items()
    }
    shapes |= {"embed_tokens.weight": (config.vocab_size, C), "norm.weight": (C,)}
    return shapes if config.tie_word_embeddings else shapes | {"lm_head.weight": (config.vocab_size, C)}


def _mlp_shapes(config: Qwen3Config, layer: int) -> dict[str, tuple[int, ...]]:
    """The weights of a layer behind its attention: one MLP, or the router (`gate`) and its experts."""
    C, found = config.hidden_size, dict[str, tuple[int, ...]]()
    width, places = config.intermediate_size, ["mlp"]
    if config.num_experts is not None and config.has_experts(layer):
        width = config.moe_intermediate_size
        places = [f"mlp.experts.{expert}" for expert in range(config.num_experts)]
        if config.model_type != HASHED:
            found["mlp.gate.weight"] = (config.num_experts, C)
    for place in places:
        found |= {f"{place}.{name}_proj.weight": (width, C) for name in ("gate", "up")}
        found[f"{place}.down_proj.weight"] = (C, width)
    return found
