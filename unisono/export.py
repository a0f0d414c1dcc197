"""`unisono export`: the network for other engines. `hf`: a folder for transformers, vLLM, SGLang; `gguf`: a
file for llama.cpp.

Every id has a name there: special ids, time marks and the codes of sound and pictures are added tokens, so
that a conversation can be written as text (<|user|>What is this?<|begin_image|><|image_17|>...).
"""

import json
import shlex
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.base.base import SETTINGS, TEMPLATE
from unisono.base.gguf_folder import CONTROL, USER_DEFINED, in_gguf_order, split_name
from unisono.core.errors import UserError
from unisono.core.home import atomic_write, default_weights
from unisono.model.config import HASHED, Qwen3Config
from unisono.model.hf import config_from_hf, load_pretrained, read_config, read_tensors
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.template import Template, chat_template
from unisono.tokens.text import TextTokenizer
from unisono.tokens.vocab import Vocabulary

# mxfp4: blocks of 32 four-bit floats (e2m1) that share a power of two (OCP Microscaling 1.0), as in gpt-oss;
# mxfp4_mlp: the MLPs in it and the rest in f16, near to what gpt-oss does with its experts.
GGUF_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "mxfp4", "mxfp4_mlp")
FILE_TYPES = {"f32": "ALL_F32", "mxfp4": "MOSTLY_MXFP4_MOE", "mxfp4_mlp": "MOSTLY_MXFP4_MOE"}
NORMAL = 1  # a kind of token in a GGUF file, as CONTROL and USER_DEFINED


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """The options of `unisono export`; cli/export.py says what they mean."""

    what: str
    target: Path
    type: str | None = None
    model: str | None = None


def run(options: ExportOptions) -> int:
    """Entry of `unisono export`."""
    folder = Path(options.model or default_weights())
    check_whole(folder)
    if options.what == "hf":
        if options.type:
            raise UserError("--type is for gguf; the folder of export hf keeps the weights as they are")
        export_hf(folder, options.target)
        print(
            f"{options.target}: load it with transformers' AutoModelForCausalLM.from_pretrained, or: "
            f"vllm serve {options.target} --served-model-name unisono --max-logprobs 1000"
        )
    else:
        kind = options.type or "q8_0"
        export_gguf(folder, options.target, kind)
        print(
            f"{options.target}: {options.target.stat().st_size / 1e6:.1f} MB, {kind}; "
            f"run it with llama-server -m {shlex.quote(str(options.target))}"
        )
    return 0


def check_whole(folder: Path) -> None:
    """UserError unless all files of the network are there and fit together, before anything is written."""
    load_pretrained(folder, vocab_size=OmniTokenizer.load(folder).vocab.size)


def token_names(folder: Path) -> list[str]:
    """The name of each id in order: byte-level pieces of text, then <|user|>, <|audio_17|> and all others."""
    text, vocab = _text_and_vocab(folder)
    names = [str(text.inner.id_to_token(id)) for id in range(text.size)]
    taken = set(names)  # a base may have special tokens of the same name
    for id in range(text.size, vocab.size):
        name = vocab.name(id)
        names.append(name.replace("<|", "<|omni_", 1) if name in taken else name)
    return names


def _text_and_vocab(folder: Path) -> tuple[TextTokenizer, Vocabulary]:
    vocab = Vocabulary.load(folder / "vocabulary.json")
    return TextTokenizer.load(folder / "tokenizer.json", vocab.text_size), vocab


def _named(folder: Path) -> dict[str, str]:
    """bos_token and others of a base, which its chat template may name."""
    path = folder / SETTINGS
    return json.loads(path.read_text(encoding="utf8")) if path.exists() else {}


def _chat_template(folder: Path) -> str:
    """That of the base, where the network began as another LLM, or ours; before it the network's prompt."""
    path, names = folder / TEMPLATE, token_names(folder)
    prompt = "".join(names[id] for id in Template.load(folder).prompt)
    return prompt + (path.read_text(encoding="utf8") if path.exists() else chat_template())


def export_hf(folder: Path, target: Path) -> None:
    """Writes weights, config, a tokenizer that knows every id, and the chat template: all of it or nothing.

    UserError where `target` is not empty, or lies inside the network.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} is not an empty folder; name a new one")
    if target.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{target} lies inside the network that is to be copied; name a folder elsewhere")
    config = config_from_hf(read_config(folder))
    if config.has_own_attention:
        raise UserError(
            f"no other engine knows {config.attention_name}, so this network runs in ours alone; train "
            "with full or sliding attention to export it"
        )
    if config.model_type == HASHED:
        raise UserError(
            "no other engine routes by ids, so this network runs in ours alone; train with another router "
            "to export it"
        )
    texts = _texts(folder)  # what is wrong with the network is found before anything is written
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():  # the codecs too: they turn codes back into sound and pictures
            if path.is_dir():
                shutil.copytree(path, target / path.name, copy_function=_copy)
            elif path.suffix in (".safetensors", ".json") and path.name not in texts:
                _copy(path, target / path.name)
        for name, text in texts.items():
            atomic_write(target / name, partial(Path.write_text, data=text, encoding="utf8"))
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _texts(folder: Path) -> dict[str, str]:
    """The files that are not simply copied."""
    names, (text, vocab) = token_names(folder), _text_and_vocab(folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf8"))
    kept = [token for token in tokenizer.get("added_tokens") or [] if token["id"] < text.size]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    tokenizer["added_tokens"] = kept + [
        {"id": id, "content": names[id], **flags, "special": True} for id in range(text.size, len(names))
    ]
    settings = {
        **_named(folder),
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": names[vocab.id("<|end|>")],
        "pad_token": names[vocab.id("<|pad|>")],
        "clean_up_tokenization_spaces": False,
        "model_max_length": config_from_hf(read_config(folder)).max_position_embeddings,
        "chat_template": _chat_template(folder),
    }
    texts = {
        "tokenizer.json": json.dumps(tokenizer, ensure_ascii=False),
        "tokenizer_config.json": json.dumps(settings, indent=1),
        TEMPLATE: _chat_template(folder),
    }
    tensors = read_tensors(folder)
    # vLLM takes every file of tensors for weights, unless an index says which are. Shards have theirs.
    if (folder / "model.safetensors").exists():
        texts["model.safetensors.index.json"] = json.dumps(
            {"metadata": {}, "weight_map": dict.fromkeys(sorted(tensors), "model.safetensors")}
        )
    return texts


def _copy(source: str | Path, target: str | Path) -> None:
    atomic_write(target, lambda part: shutil.copyfile(source, part))


def export_gguf(folder: Path, target: Path, kind: str = "q8_0") -> None:
    """Writes one file for llama.cpp: matrices in `kind` (one of GGUF_TYPES), vectors in float32.

    UserError for another kind, for a network that is not Qwen3, and where the package gguf is missing.
    """
    gguf = _gguf_for(kind)
    config = config_from_hf(read_config(folder))
    if not config.has_plain_attention:
        raise UserError("GGUF export is not written for sparse attention; use `export hf` for a sliding one")
    if config.num_experts:
        raise UserError("GGUF export is not written for experts; use `export hf` and llama.cpp's converter")
    if config.rope_scaling:
        raise UserError(
            "GGUF export is not written for a scaled rope; use `export hf` and llama.cpp's converter"
        )

    def write(part: Path) -> None:
        writer = gguf.GGUFWriter(part, config.model_type)
        _describe(writer, config, folder.name)
        _add_tokens(writer, folder)
        writer.add_file_type(gguf.LlamaFileType[FILE_TYPES.get(kind, f"MOSTLY_{kind.upper()}")])
        places = gguf.get_tensor_name_map(
            gguf.MODEL_ARCH[config.model_type.upper()], config.num_hidden_layers
        )
        for name, tensor in read_tensors(folder).items():
            place = places.get_name(name, try_suffixes=(".weight", ".bias"))
            if place is None:
                raise UserError(f"{name} has no place in a GGUF file; use `export hf`")
            values = _in_order(config, name, tensor.float().numpy())
            type_ = type_of(name, values.shape, kind)
            writer.add_tensor(place, gguf.quants.quantize(values, type_), raw_dtype=type_)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()

    if target.is_file():
        with open(target, "rb") as file:
            if file.read(4) not in (b"GGUF", b""):
                raise UserError(f"{target} is there and is no GGUF file; name another")
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(target, write)


def _in_order(config: Qwen3Config, name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Queries and keys of a llama as llama.cpp rotates them; everything else as it is."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    part = name.rsplit(".", 2)[-2]
    is_turned = config.model_type == "llama" and part in heads
    return in_gguf_order(values, heads[part]) if is_turned else values


def _describe(writer: Any, config: Qwen3Config, name: str) -> None:
    writer.add_name(f"unisono-{name}")
    writer.add_license("apache-2.0")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def _add_tokens(writer: Any, folder: Path) -> None:
    names, (text, vocab) = token_names(folder), _text_and_vocab(folder)
    stored = json.loads((folder / "tokenizer.json").read_text(encoding="utf8"))
    merges = stored["model"]["merges"]
    added = {
        token["id"]: CONTROL if token.get("special") else USER_DEFINED for token in stored["added_tokens"]
    }
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split_name(stored))
    writer.add_token_list(names)
    writer.add_token_types(
        [added.get(id, NORMAL) for id in range(text.size)] + [CONTROL] * (len(names) - text.size)
    )
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_eos_token_id(vocab.id("<|end|>"))
    writer.add_pad_token_id(vocab.id("<|pad|>"))
    if (bos := text.specials.get(_named(folder).get("bos_token", ""))) is not None:
        writer.add_bos_token_id(bos)
    writer.add_add_bos_token(False)
    writer.add_chat_template(_chat_template(folder))


def _gguf_for(kind: str) -> Any:
    """The package gguf. UserError for another kind, and where the package is missing or too old for it."""
    if kind not in GGUF_TYPES:
        raise UserError(
            f"no GGUF type {kind!r} here; choose from {', '.join(GGUF_TYPES)}, or write f16 and run "
            f"llama-quantize for others"
        )
    try:
        import gguf
    except ImportError:
        raise UserError("writing GGUF needs a package; run: pip install gguf") from None
    if kind.startswith("mxfp4") and not hasattr(gguf.GGMLQuantizationType, "MXFP4"):
        raise UserError("this version of gguf does not know MXFP4; run: pip install -U gguf")
    return gguf


def type_of(name: str, shape: tuple[int, ...], kind: str) -> Any:
    """-> the gguf.GGMLQuantizationType of a tensor in a file of this kind: matrices whose rows divide into
    the type's blocks are quantized, all others stay float32.
    """
    gguf = _gguf_for(kind)
    wanted = ("mxfp4" if ".mlp." in name else "f16") if kind == "mxfp4_mlp" else kind
    type_ = gguf.GGMLQuantizationType[wanted.upper()]
    is_whole = len(shape) > 1 and shape[-1] % gguf.GGML_QUANT_SIZES[type_][0] == 0
    return type_ if is_whole else gguf.GGMLQuantizationType.F32


def as_written(name: str, values: NDArray[np.float32], kind: str) -> tuple[NDArray[np.float32], int]:
    """A tensor -> the values that a reader of a file of this kind gets, and their bytes there."""
    gguf = _gguf_for(kind)
    type_ = type_of(name, values.shape, kind)
    written = gguf.quants.quantize(values, type_)
    return gguf.quants.dequantize(written, type_).reshape(values.shape), written.nbytes
