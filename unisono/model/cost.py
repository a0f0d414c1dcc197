"""What a model of a given shape costs: parameters, floating-point operations, cache bytes, roofline. Formulas
only.

A multiply and an add count as two operations. The embedding look-up costs no operations; the head does. Of a
layer with experts an id meets the router and the experts that are chosen for it.
"""

from dataclasses import dataclass

from unisono.model.config import HASHED, Qwen3Config


def mlp_parameters(config: Qwen3Config, layer: int, num_experts: int | None = None) -> int:
    """Weights of a layer behind its attention; of a layer with experts those of the router and of
    `num_experts` experts, all unless told.
    """
    C = config.hidden_size
    if config.num_experts is None or not config.has_experts(layer):
        return 3 * C * config.intermediate_size
    router = C * config.num_experts * (config.model_type != HASHED)
    count = config.num_experts if num_experts is None else num_experts
    return router + count * 3 * C * config.moe_intermediate_size


def block_parameters(config: Qwen3Config, layer: int = 0) -> int:
    """Weights of one transformer block, norms and biases included."""
    C, D = config.hidden_size, config.head_dim
    q, kv = config.num_attention_heads * D, config.num_key_value_heads * D
    attention = C * q + 2 * C * kv + q * C
    bias = (q + 2 * kv) * config.has_qkv_bias + C * config.has_o_bias
    qk_norm = 2 * D * config.has_qk_norm
    return attention + bias + qk_norm + mlp_parameters(config, layer) + 2 * C


def blocks_parameters(config: Qwen3Config) -> int:
    """Weights of all transformer blocks."""
    return sum(block_parameters(config, layer) for layer in range(config.num_hidden_layers))


def idle_parameters(config: Qwen3Config) -> int:
    """Weights that do not work on an id: those of the experts that are not chosen for it."""
    chosen, layers = config.num_experts_per_tok, range(config.num_hidden_layers)
    return sum(mlp_parameters(config, n) - mlp_parameters(config, n, chosen) for n in layers)


def active_parameters(config: Qwen3Config) -> int:
    """Weights that work on one id, the tables of ids included."""
    return parameters(config) - idle_parameters(config)


def dense_parameters(config: Qwen3Config) -> int:
    """Weights of the blocks of the network that has as many experts as work on an id, and no router: its size
    in the law of routed networks.
    """
    routers = (config.num_experts or 0) * config.hidden_size * (config.model_type != HASHED)
    num_routed = sum(config.has_experts(layer) for layer in range(config.num_hidden_layers))
    return blocks_parameters(config) - idle_parameters(config) - routers * num_routed


def parameters(config: Qwen3Config) -> int:
    """All weights; a tied head counts once."""
    embeddings = config.vocab_size * config.hidden_size * (1 if config.tie_word_embeddings else 2)
    return embeddings + blocks_parameters(config) + config.hidden_size


def matmul_parameters(config: Qwen3Config, num_experts: int | None = None) -> int:
    """Weights that every id is multiplied with: the blocks' matrices and the head, tied or not. num_experts:
    of so many experts of each layer instead of those that work on one id.
    """
    chosen = min(num_experts or config.num_experts_per_tok, config.num_experts or 1)
    mlps = sum(mlp_parameters(config, layer, chosen) for layer in range(config.num_hidden_layers))
    C, D = config.hidden_size, config.head_dim
    attention = 2 * C * D * (config.num_attention_heads + config.num_key_value_heads)
    return config.num_hidden_layers * attention + mlps + config.vocab_size * C


def forward_flops_per_id(config: Qwen3Config, context: int) -> int:
    """Operations for one id that attends to `context` ids (itself included)."""
    attended = 4 * config.num_hidden_layers * config.num_attention_heads * config.head_dim * context
    return 2 * matmul_parameters(config) + attended


def train_flops_per_id(config: Qwen3Config, sequence_length: int) -> int:
    """Forward and backward, averaged over a causal sequence (mean context = (length + 1) / 2)."""
    attended = (
        4
        * config.num_hidden_layers
        * config.num_attention_heads
        * config.head_dim
        * (sequence_length + 1)
        // 2
    )
    return 3 * (2 * matmul_parameters(config) + attended)


def kv_bytes_per_id(config: Qwen3Config, bytes_per_number: float = 4) -> int:
    """Cache for one id of one sequence."""
    return int(2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * bytes_per_number)


@dataclass(frozen=True)
class DecodeRoofline:
    """The most ids/s that one decode step after another can reach, and which limit binds."""

    memory_ids_per_s: float
    compute_ids_per_s: float

    @property
    def ids_per_s(self) -> float:
        return min(self.memory_ids_per_s, self.compute_ids_per_s)


def decode_roofline(
    config: Qwen3Config,
    *,
    context: int,
    batch: int,
    bytes_per_weight: float,
    bandwidth: float,
    peak_flops: float,
    kv_bytes_per_number: float = 4,
) -> DecodeRoofline:
    """Limits for `batch` sequences of `context` ids each; bandwidth in bytes/s, peak_flops in operations/s.

    Each step reads every weight once and each sequence's cache once; of experts those that are chosen.
    """
    read = matmul_parameters(config, batch * config.num_experts_per_tok)
    cache = batch * context * kv_bytes_per_id(config, kv_bytes_per_number)
    step_bytes = read * bytes_per_weight + cache
    return DecodeRoofline(
        memory_ids_per_s=batch * bandwidth / step_bytes,
        compute_ids_per_s=peak_flops / forward_flops_per_id(config, context),
    )


def block_activation_bytes_per_id(
    config: Qwen3Config,
    sequence_length: int,
    *,
    layer: int = 0,
    bf16: bool = True,
    repeats_heads: bool = True,
) -> int:
    """What one block keeps of one id for the way back, not compiled. With `bf16` matrices are multiplied in
    bfloat16 and norms computed in float32 (autocast). `repeats_heads`: keys and values are copied to every
    query head first, as on a GPU, whose kernels take a mask or grouped heads.
    """
    C, b = config.hidden_size, 2 if bf16 else 4
    H, K = config.num_attention_heads, config.num_key_value_heads
    q, kv = H * config.head_dim, K * config.head_dim
    into_matrices = 5 * C * b if bf16 else 2 * C * b  # autocast casts anew for each of q, k, v, gate and up
    norms = 16 * C + 8
    if config.has_qk_norm:
        norms += (4 + b) * (q + kv) + 4 * (H + K)
    attention = b * (3 * q + 2 * kv + sequence_length) + 4 * H  # queries, output twice; keys, values; mask
    repeated = 2 * b * (q - kv) * repeats_heads
    return into_matrices + norms + attention + repeated + _mlp_activation_bytes(config, layer, b)


def _mlp_activation_bytes(config: Qwen3Config, layer: int, b: int) -> int:
    """What lies between the norm and the end of a block; b: bytes of a number in a matrix product."""
    if config.num_experts is None or not config.has_experts(layer):
        return 4 * config.intermediate_size * b
    C, chosen = config.hidden_size, config.num_experts_per_tok
    inside = 4 * chosen * config.moe_intermediate_size * b
    # copies of an id for each of its experts, cast anew for gate and up, and what the experts give
    copies = (2 if b == 4 else 3) * chosen * C * b
    routing = config.num_experts * (8 + b) + 48 * chosen  # two softmaxes, scores; numbers and weights
    return inside + copies + routing


def outer_activation_bytes_per_id(config: Qwen3Config, *, bf16: bool = True) -> int:
    """The same of what lies outside of the blocks, but for the loss."""
    C = config.hidden_size
    return 8 + 4 * config.head_dim + 16 * C + 2 * C * bf16


def loss_bytes_per_id(config: Qwen3Config) -> int:
    """The most that the loss of one learned id holds: its logits and their gradients, three times in
    float32.
    """
    return 12 * config.vocab_size


def cast_bytes(config: Qwen3Config) -> int:
    """The copies in bfloat16 that autocast keeps of all matrices during a step."""
    return 2 * matmul_parameters(config, config.num_experts)
