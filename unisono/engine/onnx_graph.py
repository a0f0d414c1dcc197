"""A checkpoint as one ONNX graph, built by hand with the fused operators of ONNX Runtime, weights optionally
in 4 or 8 bits. Nothing is traced and no file is written: the graph holds names, the weights are handed over
as arrays.

Inputs  ids (B, T) int64; seqlens_k (B,) int32 = ids of the sequence after this step, minus 1;
        total_length (1,) int32 = the longest of them; past_k.L / past_v.L (B, K, S, D) per layer L.
Outputs logits (B, V) of the last id of each row; present_k.L / present_v.L, bound to the same memory as past.

Shapes: B sequences, T ids fed, S cache capacity, V vocab_size, C hidden_size, K key/value heads, D head_dim.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from unisono.core.errors import UserError
from unisono.model.config import Qwen3Config
from unisono.model.transformer import inverse_frequencies

PRECISIONS = ("float32", "int8", "int4")
CONTRIB = "com.microsoft"
OPSET = 21
QUANT_BLOCK = 32  # weights that share one scale
Array = NDArray[np.generic]
DTYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.uint8): TensorProto.UINT8}


def quantize(weight: NDArray[np.float32], bits: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(N, C) weights -> packed (N, blocks, bytes) codes around 2^(bits-1), and (N, blocks) scales.

    The value of largest size in a block lands exactly on the lowest code, as in llama.cpp's Q4_0: the range
    is not symmetric (-8 .. 7), and this spends the extra code where it helps most.
    """
    N, C = weight.shape
    padded = np.pad(weight, ((0, 0), (0, -C % QUANT_BLOCK))).reshape(N, -1, QUANT_BLOCK)
    middle = 1 << (bits - 1)
    extreme = np.take_along_axis(padded, np.abs(padded).argmax(-1, keepdims=True), axis=-1)
    scales = extreme / -middle
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales != 0)
    codes = np.clip(np.rint(padded * inverse) + middle, 0, 2 * middle - 1).astype(np.uint8)
    if bits == 4:
        codes = codes[..., 0::2] | (codes[..., 1::2] << 4)
    return np.ascontiguousarray(codes), np.ascontiguousarray(scales[..., 0], dtype=np.float32)


@dataclass
class GraphBuilder:
    """Collects nodes and weights; every method returns the name of what it computes."""

    config: Qwen3Config
    state: dict[str, NDArray[np.float32]]  # tensors under their Hugging Face names without `model.`
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: dict[str, Array] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)

    def constant(self, name: str, value: int | list[int]) -> str:
        """A shape or an index: small, and read while the graph is checked, so it lies in the graph itself."""
        self.constants[name] = np.array(value, np.int64)
        return name

    def weight(self, name: str, value: Array) -> str:
        self.weights[name] = value
        return name

    def node(
        self, op: str, inputs: list[str], output: str | list[str], domain: str = "", **attributes: Any
    ) -> str:
        outputs = [output] if isinstance(output, str) else output
        self.nodes.append(
            helper.make_node(op, inputs, outputs, domain=domain, name=f"{op}:{outputs[0]}", **attributes)
        )
        return outputs[0]

    def linear(self, x: str, modules: list[str], output: str, bits: int) -> str:
        """x times the stacked weights of several modules: one product instead of two or three. bits 32 =
        float.
        """
        weight = np.concatenate([self.state[f"{module}.weight"] for module in modules])
        has_bias = f"{modules[0]}.bias" in self.state
        product = f"{output}.product" if has_bias else output
        if bits == 32:
            self.node("MatMul", [x, self.weight(f"{output}.weight", np.ascontiguousarray(weight.T))], product)
        else:
            codes, scales = quantize(weight, bits)
            self.node(
                "MatMulNBits",
                [x, self.weight(f"{output}.codes", codes), self.weight(f"{output}.scales", scales)],
                product,
                CONTRIB,
                N=weight.shape[0],
                K=weight.shape[1],
                bits=bits,
                block_size=QUANT_BLOCK,
                accuracy_level=4,
            )
        if has_bias:
            bias = np.concatenate([self.state[f"{module}.bias"] for module in modules])
            self.node("Add", [product, self.weight(f"{output}.bias", bias)], output)
        return output

    def split(self, x: str, sizes: list[int], outputs: list[str]) -> None:
        self.node("Split", [x, self.constant(f"{x}.sizes", sizes)], outputs, axis=-1)

    def norm(self, x: str, module: str, output: str) -> str:
        return self.node(
            "SimplifiedLayerNormalization",
            [x, self.weight(module, self.state[f"{module}.weight"])],
            output,
            axis=-1,
            epsilon=self.config.rms_norm_eps,
            stash_type=1,
        )

    def add_and_norm(self, x: str, skip: str, module: str, name: str) -> tuple[str, str]:
        """(norm(x + skip), x + skip)."""
        outputs = [f"{name}.normed", "", "", f"{name}.residual"]
        self.node(
            "SkipSimplifiedLayerNormalization",
            [x, skip, self.weight(module, self.state[f"{module}.weight"])],
            outputs,
            CONTRIB,
            epsilon=self.config.rms_norm_eps,
        )
        return outputs[0], outputs[3]

    def head_norm(self, x: str, module: str) -> str:
        """RMSNorm of each head on its own, for (B, T, heads * D)."""
        if not self.config.has_qk_norm:
            return x
        heads = self.node("Reshape", [x, "per_head"], f"{x}.heads")
        normed = self.norm(heads, module, f"{x}.heads_normed")
        return self.node("Reshape", [normed, "merged"], f"{x}.normed")

    def attention(self, x: str, layer: int, bits: int) -> str:
        config, module = self.config, f"layers.{layer}.self_attn"
        q_size = config.num_attention_heads * config.head_dim
        kv_size = config.num_key_value_heads * config.head_dim
        q, k, v = (f"{module}.{name}" for name in "qkv")
        qkv = self.linear(x, [f"{module}.{name}_proj" for name in "qkv"], f"{module}.qkv", bits)
        self.split(qkv, [q_size, kv_size, kv_size], [q, k, v])
        q, k = self.head_norm(q, f"{module}.q_norm"), self.head_norm(k, f"{module}.k_norm")
        y = self.node(
            "GroupQueryAttention",
            [q, k, v, f"past_k.{layer}", f"past_v.{layer}", "seqlens_k", "total_length", "cos", "sin"],
            [f"{module}.y", f"present_k.{layer}", f"present_v.{layer}"],
            CONTRIB,
            num_heads=config.num_attention_heads,
            kv_num_heads=config.num_key_value_heads,
            do_rotary=1,
        )
        return self.linear(y, [f"{module}.o_proj"], f"{module}.out", bits)

    def mlp(self, x: str, layer: int, bits: int) -> str:
        module, width = f"layers.{layer}.mlp", self.config.intermediate_size
        both = self.linear(x, [f"{module}.gate_proj", f"{module}.up_proj"], f"{module}.both", bits)
        self.split(both, [width, width], [f"{module}.gate", f"{module}.up"])
        silu = self.node("QuickGelu", [f"{module}.gate"], f"{module}.silu", CONTRIB, alpha=1.0)
        gated = self.node("Mul", [silu, f"{module}.up"], f"{module}.gated")
        return self.linear(gated, [f"{module}.down_proj"], f"{module}.out", bits)

    def network(self, bits: int, head_bits: int) -> None:
        config = self.config
        self.constant("per_head", [0, 0, -1, config.head_dim])
        self.constant("merged", [0, 0, -1])
        self.rotary_tables()
        residual = self.node(
            "Gather", [self.weight("embed_tokens", self.state["embed_tokens.weight"]), "ids"], "embedded"
        )
        x = self.norm(residual, "layers.0.input_layernorm", "layers.0.normed")
        for layer in range(config.num_hidden_layers):
            name, is_last = f"layers.{layer}", layer + 1 == config.num_hidden_layers
            attended = self.attention(x, layer, bits)
            x, residual = self.add_and_norm(
                attended, residual, f"{name}.post_attention_layernorm", f"{name}.middle"
            )
            widened = self.mlp(x, layer, bits)
            following = "norm" if is_last else f"layers.{layer + 1}.input_layernorm"
            x, residual = self.add_and_norm(widened, residual, following, f"{name}.end")
        last = self.node("Gather", [x, self.constant("last", -1)], "last_hidden", axis=1)
        self.linear(
            last, ["lm_head" if "lm_head.weight" in self.state else "embed_tokens"], "logits", head_bits
        )

    def rotary_tables(self) -> None:
        config = self.config
        angles = (
            np.arange(config.max_position_embeddings + 1, dtype=np.float32)[:, None]
            * inverse_frequencies(config).numpy()
        )
        self.weight("cos", np.cos(angles))
        self.weight("sin", np.sin(angles))

    def model(self) -> onnx.ModelProto:
        """The graph, whose weights are named as external: they are handed over in memory, never
        serialized.
        """
        config = self.config
        cache_shape: list[str | int | None] = ["B", config.num_key_value_heads, "S", config.head_dim]
        inputs = [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["B", "T"]),
            helper.make_tensor_value_info("seqlens_k", TensorProto.INT32, ["B"]),
            helper.make_tensor_value_info("total_length", TensorProto.INT32, [1]),
        ]
        outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", config.vocab_size])]
        for name in cache_names(config):
            inputs.append(helper.make_tensor_value_info(f"past_{name}", TensorProto.FLOAT, cache_shape))
            outputs.append(helper.make_tensor_value_info(f"present_{name}", TensorProto.FLOAT, cache_shape))
        initializers = [external_tensor(name, value) for name, value in self.weights.items()]
        initializers += [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, "unisono", inputs, outputs, initializers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def cache_names(config: Qwen3Config) -> list[str]:
    """k.0, v.0, k.1, ...: the order of the cache's arrays."""
    return [f"{kind}.{layer}" for layer in range(config.num_hidden_layers) for kind in "kv"]


def external_tensor(name: str, value: Array) -> onnx.TensorProto:
    tensor = TensorProto(
        name=name, dims=value.shape, data_type=DTYPES[value.dtype], data_location=TensorProto.EXTERNAL
    )
    tensor.external_data.add(key="location", value="in_memory")
    return tensor


def build(config: Qwen3Config, state: dict[str, NDArray[np.float32]], precision: str) -> GraphBuilder:
    """The whole network. int4 keeps the head at 8 bits: a few percent of speed for most of the error."""
    if precision not in PRECISIONS:
        raise UserError(f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
    if not config.has_plain_attention:
        raise UserError(f"the onnx engine does not compute {config.attention_name}; use the engine torch")
    if config.num_experts:
        raise UserError("the onnx engine does not compute networks with experts; use the engine torch")
    bits = {"float32": 32, "int8": 8, "int4": 4}[precision]
    builder = GraphBuilder(config, state)
    builder.network(bits, head_bits=max(bits, 8))
    return builder
