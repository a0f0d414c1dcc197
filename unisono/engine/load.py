"""A folder -> what computes it: the fast engine where it is installed, the reference elsewhere; and the
tokenizer with its codecs.
"""

import importlib.util
import os
from pathlib import Path

import torch

from unisono.codecs.packed import pack
from unisono.core.device import pick_device
from unisono.core.errors import UserError
from unisono.engine.engine import Engine
from unisono.engine.torch_engine import TorchEngine
from unisono.model.hf import config_from_hf, load_pretrained, read_config
from unisono.tokenizer import OmniTokenizer

KINDS = ("auto", "onnx", "torch")  # or the address of a server, http://host:port/v1


def load_engine(
    folder: str | Path,
    *,
    kind: str = "auto",
    precision: str = "int8",
    device: str | None = None,
    threads: int | None = None,
    max_length: int | None = None,
) -> Engine:
    """An address: vLLM, SGLang or llama.cpp there computes, with the key in UNISONO_ENGINE_KEY if it wants
    one. auto: torch on a GPU in bfloat16, and for experts or sparse attention; else ONNX Runtime, else torch.
    `precision` and `threads` are for onnx only.
    """
    if kind.startswith(("http://", "https://")):
        from unisono.engine.remote_engine import RemoteEngine

        config = config_from_hf(read_config(folder))
        if config.has_own_attention:
            raise UserError(f"no server knows {config.attention_name}; use the engine torch for this network")
        longest = min(max_length or config.max_position_embeddings, config.max_position_embeddings)
        return RemoteEngine(
            kind, config.vocab_size, longest, key=os.environ.get("UNISONO_ENGINE_KEY") or "none"
        )
    if kind not in KINDS:
        raise UserError(
            f"unknown engine {kind!r}; choose one of {', '.join(KINDS)}, or the address of a server "
            f"such as http://gpu:8000/v1"
        )
    place = pick_device(device)
    config = config_from_hf(read_config(folder))
    is_plain = config.num_experts is None and config.has_plain_attention
    has_onnx = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))
    if kind == "onnx" and not has_onnx:
        raise UserError("the onnx engine needs two packages; run: pip install onnx onnxruntime")
    if kind == "onnx" or (kind == "auto" and has_onnx and place.type == "cpu" and is_plain):
        from unisono.engine.onnx_engine import OnnxEngine  # here, because the packages are optional

        return OnnxEngine.from_folder(folder, precision=precision, threads=threads, max_length=max_length)
    dtype = torch.float32 if place.type == "cpu" else torch.bfloat16
    return TorchEngine(load_pretrained(folder, dtype=dtype, device=place), max_length)


def load_network(
    folder: str | Path, *, engine: str = "auto", precision: str = "int8"
) -> tuple[OmniTokenizer, Engine]:
    """All that it takes to talk; the codec of sound is packed and can no longer be saved. UserError if the
    parts are not of one training.
    """
    tokenizer = OmniTokenizer.load(folder)
    pack(tokenizer.audio_codec)
    loaded = load_engine(folder, kind=engine, precision=precision)
    if loaded.vocab_size != tokenizer.vocab.size:
        raise UserError(
            f"the network in {folder} has {loaded.vocab_size} ids, its vocabulary "
            f"{tokenizer.vocab.size}; they are not of the "
            "same training"
        )
    return tokenizer, loaded
