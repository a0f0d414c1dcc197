"""A GGUF file -> a Hugging Face folder with the same weights, tokenizer and chat template.

Weights are dequantized to float32 by the `gguf` package. llama.cpp keeps the query and key rows of a llama
in another order, pairs of a rotation side by side; the order of Hugging Face is restored.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from unisono.core.errors import UserError
from unisono.core.home import atomic_write

MODEL_TYPES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
WHOLE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
CONTROL, USER_DEFINED, UNUSED = 3, 4, 5  # kinds of tokens
LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def _split(pattern: str) -> list[dict[str, Any]]:
    cut = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return [cut, {**BYTES, "use_regex": False}]


# llama.cpp's name of a split into words -> the same for the `tokenizers` library.
SPLITS: dict[str, list[dict[str, Any]]] = {
    "smollm": [{"type": "Digits", "individual_digits": True}, BYTES],
    "gpt-2": [BYTES],
    "llama-bpe": _split(rf"{SHORT}|{LETTERS}|\p{{N}}{{1,3}}|{REST}"),
    "qwen2": _split(rf"{SHORT}|{LETTERS}|\p{{N}}|{REST}"),
}


def split_name(tokenizer: dict[str, Any]) -> str:
    """llama.cpp's name of the split into words that is nearest to that of a tokenizer.json."""
    split = tokenizer.get("pre_tokenizer") or {}
    steps = split.get("pretokenizers", [split])
    if pattern := next(
        (step["pattern"].get("Regex", "") for step in steps if step.get("type") == "Split"), ""
    ):
        return "llama-bpe" if "{1,3}" in pattern else "qwen2"
    return "smollm" if any(step.get("individual_digits") for step in steps) else "gpt-2"


def is_gguf(path: Path) -> bool:
    """Whether the file begins as GGUF files do."""
    with open(path, "rb") as file:
        return file.read(4) == b"GGUF"


def unpacked(path: Path, target: Path) -> Path:
    """Writes the folder `target`, config.json last. UserError for a file that cannot be taken over."""
    try:
        import gguf
    except ImportError:
        raise UserError("reading a GGUF file needs a package; run: pip install gguf") from None
    try:
        reader = gguf.GGUFReader(path)
        facts = {name: field.contents() for name, field in reader.fields.items()}
        ends = [tensor.data_offset + tensor.n_bytes for tensor in reader.tensors]
    except (ValueError, IndexError, KeyError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} is damaged or cut short ({str(error)[:90]}); fetch it again") from None
    if path.stat().st_size < max(ends, default=0):
        raise UserError(
            f"{path} is cut short: it has {path.stat().st_size:,} bytes of {max(ends):,}; fetch it again"
        )
    config = _config(path, facts, [tensor.name for tensor in reader.tensors])
    tokenizer, settings = _tokenizer(path, facts)
    tensors = {}
    for tensor in reader.tensors:
        name, values = _name(path, tensor.name), _dequantized(path, tensor)
        heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
        part = name.rsplit(".", 2)[-2]
        if config["model_type"] == "llama" and part in heads:
            values = in_hf_order(values, heads[part])
        tensors[name] = torch.from_numpy(np.array(values, np.float32))
    if "model.embed_tokens.weight" not in tensors:
        raise UserError(f"{path} has no token_embd.weight; fetch it again, or use a Hugging Face folder")
    config["vocab_size"] = len(tensors["model.embed_tokens.weight"])
    target.mkdir(parents=True, exist_ok=True)
    atomic_write(target / "model.safetensors", lambda part: save_file(tensors, part, {"format": "pt"}))
    files = {"tokenizer.json": tokenizer, "tokenizer_config.json": settings, "config.json": config}
    for name, content in files.items():
        _write(target / name, json.dumps(content, indent=1, ensure_ascii=False))
    return target


def _write(path: Path, text: str) -> None:
    atomic_write(path, lambda part: part.write_text(text, encoding="utf8"))


def in_hf_order(values: NDArray[np.float32], num_heads: int) -> NDArray[np.float32]:
    """(num_heads * D, ...) rows as llama.cpp rotates them, in pairs -> as Hugging Face does, in halves."""
    return values.reshape(num_heads, -1, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def in_gguf_order(values: NDArray[np.float32], num_heads: int) -> NDArray[np.float32]:
    """The way back of `in_hf_order`."""
    return values.reshape(num_heads, 2, -1, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def _dequantized(path: Path, tensor: Any) -> NDArray[np.float32]:
    """The values of a tensor, last dimension as in memory."""
    import gguf

    try:
        return gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    except NotImplementedError:
        raise UserError(
            f"{tensor.name} in {path.name} is stored as {tensor.tensor_type.name}, which cannot be "
            f"read here; "
            "take a Q8_0, Q4_K_M or F16 file of this base, or its Hugging Face folder"
        ) from None


def _name(path: Path, name: str) -> str:
    """token_embd.weight -> model.embed_tokens.weight, and so on."""
    if name in WHOLE:
        return WHOLE[name]
    found = re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", name)
    if not found or found[2] not in NAMES:
        hint = "its rope is scaled" if name.startswith("rope_") else "no llama, qwen2 or qwen3 has it"
        raise UserError(
            f"{path.name} holds the tensor {name}: {hint}; use the Hugging Face folder of this base"
        )
    return f"model.layers.{found[1]}.{NAMES[found[2]]}.{found[3]}"


def _config(path: Path, facts: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The metadata as config.json says it."""
    kind = facts.get("general.architecture")
    if kind not in MODEL_TYPES:
        raise UserError(f"{path.name} holds a {kind} network; expected one of {', '.join(MODEL_TYPES)}")

    def fact(name: str, default: Any = None) -> Any:
        value = facts.get(f"{kind}.{name}", default)
        if value is None:
            raise UserError(
                f"{path.name} does not tell {kind}.{name}; fetch it again, or use a Hugging Face folder"
            )
        return value

    if fact("rope.scaling.type", "none") != "none":
        raise UserError(f"the rope of {path.name} is scaled; use the Hugging Face folder of this base")
    heads, theta = fact("attention.head_count"), float(np.float32(fact("rope.freq_base", 10000.0)))
    return {
        "architectures": [MODEL_TYPES[kind]],
        "model_type": kind,
        "hidden_size": fact("embedding_length"),
        "intermediate_size": fact("feed_forward_length"),
        "num_hidden_layers": fact("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": fact("attention.head_count_kv", heads),
        "head_dim": fact("attention.key_length", fact("embedding_length") // heads),
        "hidden_act": "silu",
        "max_position_embeddings": fact("context_length"),
        "rms_norm_eps": float(f"{fact('attention.layer_norm_rms_epsilon'):.7g}"),
        "rope_theta": theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": theta},
        "tie_word_embeddings": "output.weight" not in names,
        "attention_bias": kind != "qwen2" and "blk.0.attn_q.bias" in names,
        "bos_token_id": facts.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": facts.get("tokenizer.ggml.eos_token_id"),
        "dtype": "float32",
    }


def _tokenizer(path: Path, facts: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """tokenizer.json and tokenizer_config.json; those that lie beside the file, where they do."""
    beside = path.parent / "tokenizer.json"
    tokens, kinds = facts.get("tokenizer.ggml.tokens", []), facts.get("tokenizer.ggml.token_type", [])
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": facts.get("tokenizer.chat_template"),
        "clean_up_tokenization_spaces": False,
    }
    for name in ("bos", "eos"):
        if 0 <= (id := facts.get(f"tokenizer.ggml.{name}_token_id", -1)) < len(tokens):
            settings[f"{name}_token"] = tokens[id]
    if beside.exists():
        try:
            return json.loads(beside.read_text(encoding="utf8")), settings
        except ValueError as error:
            raise UserError(
                f"{beside} is not a tokenizer.json ({error}); fetch it again or move it away"
            ) from None
    return _rebuilt(path, facts, tokens, kinds), settings


def _rebuilt(path: Path, facts: dict[str, Any], tokens: list[str], kinds: list[int]) -> dict[str, Any]:
    """tokenizer.json from the metadata; UserError where it says too little."""
    split_name = facts.get("tokenizer.ggml.pre", "gpt-2")
    split = SPLITS.get(split_name)
    if facts.get("tokenizer.ggml.model") != "gpt2" or not split:
        kind = facts.get("tokenizer.ggml.model")
        raise UserError(
            f"the tokenizer in {path.name} ({kind}, {split_name}) cannot be rebuilt here; put the base's "
            "tokenizer.json beside the file"
        )
    size = 1 + max((id for id, kind in enumerate(kinds) if kind != UNUSED), default=-1)
    added = [
        {"id": id, "content": tokens[id], "special": kinds[id] == CONTROL, "normalized": False}
        | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        for id in range(size)
        if kinds[id] in (CONTROL, USER_DEFINED)
    ]
    nothing = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")
    model = {"type": "BPE", **dict.fromkeys(nothing), "fuse_unk": False, "byte_fallback": False}
    model |= {
        "ignore_merges": split_name == "llama-bpe",
        "vocab": {token: id for id, token in enumerate(tokens[:size])},
        "merges": facts.get("tokenizer.ggml.merges", []),
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "NFC"} if split_name == "qwen2" else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": split},
        "post_processor": None,
        "decoder": BYTES,
        "model": model,
    }
