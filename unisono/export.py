"""`unisono export`: the network for other engines. `hf`: a folder for transformers, vLLM, SGLang; `gguf`: a
file for llama.cpp.

Every id has a name there: special ids, time marks and the codes of sound and pictures are added tokens, so
that a
conversation can be written as text (<|user|>What is this?<|begin_image|><|image_17|>...).
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

from unisono.core.errors import UserError
from unisono.core.home import atomic_write, default_weights
from unisono.model.config import Qwen3Config
from unisono.model.hf import config_from_hf, load_pretrained, read_config, read_tensors
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.template import chat_template
from unisono.tokens.text import TextTokenizer
from unisono.tokens.vocab import Vocabulary

GGUF_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0")
NORMAL, CONTROL = 1, 3  # kinds of tokens in a GGUF file
PRE_TOKENIZER = "qwen2"  # llama.cpp's name for the split of words that is nearest to tokens/text.py


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """The options of `unisono export`; cli/export.py says what they mean."""

    what: str
    target: Path
    type: str = "q8_0"
    model: str | None = None


def run(options: ExportOptions) -> int:
    """Entry of `unisono export`."""
    folder = Path(options.model or default_weights())
    check_whole(folder)
    if options.what == "hf":
        export_hf(folder, options.target)
        print(
            f"{options.target}: load it with transformers' AutoModelForCausalLM.from_pretrained, or: "
            f"vllm serve {options.target} --served-model-name unisono --max-logprobs 1000"
        )
    else:
        export_gguf(folder, options.target, options.type)
        print(
            f"{options.target}: {options.target.stat().st_size / 1e6:.1f} MB, {options.type}; "
            f"run it with llama-server -m {shlex.quote(str(options.target))}"
        )
    return 0


def check_whole(folder: Path) -> None:
    """UserError unless all files of the network are there and fit together, before anything is written."""
    load_pretrained(folder, vocab_size=OmniTokenizer.load(folder).vocab.size)


def token_names(folder: Path) -> list[str]:
    """The name of each id in order: byte-level pieces of text, then <|user|>, <|audio_17|> and all others."""
    text, vocab = TextTokenizer.load(folder / "tokenizer.json"), Vocabulary.load(folder / "vocabulary.json")
    return [str(text.inner.id_to_token(id)) if id < text.size else vocab.name(id) for id in range(vocab.size)]


def export_hf(folder: Path, target: Path) -> None:
    """Writes weights, config, a tokenizer that knows every id, and the chat template: all of it or nothing.

    UserError where `target` is not empty, or lies inside the network.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} is not an empty folder; name a new one")
    if target.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{target} lies inside the network that is to be copied; name a folder elsewhere")
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
    names, size = token_names(folder), TextTokenizer.load(folder / "tokenizer.json").size
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf8"))
    tokenizer["added_tokens"] = [
        {
            "id": id,
            "content": names[id],
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for id in range(size, len(names))
    ]
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|end|>",
        "pad_token": "<|pad|>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": config_from_hf(read_config(folder)).max_position_embeddings,
        "chat_template": chat_template(),
    }
    texts = {
        "tokenizer.json": json.dumps(tokenizer, ensure_ascii=False),
        "tokenizer_config.json": json.dumps(settings, indent=1),
        "chat_template.jinja": chat_template(),
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
    if kind not in GGUF_TYPES:
        raise UserError(
            f"no GGUF type {kind!r} here; choose from {', '.join(GGUF_TYPES)}, or write f16 and run "
            f"llama-quantize for others"
        )
    try:
        import gguf
    except ImportError:
        raise UserError("writing GGUF needs a package; run: pip install gguf") from None
    config = config_from_hf(read_config(folder))
    if config.model_type != "qwen3":
        raise UserError(
            f"GGUF export is written for qwen3 networks, this one is {config.model_type}; use `export "
            f"hf` and llama.cpp's converter"
        )

    def write(part: Path) -> None:
        writer = gguf.GGUFWriter(part, "qwen3")
        _describe(writer, config, folder.name)
        _add_tokens(writer, folder)
        writer.add_file_type(gguf.LlamaFileType[{"f32": "ALL_F32"}.get(kind, f"MOSTLY_{kind.upper()}")])
        places = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, config.num_hidden_layers)
        for name, tensor in read_tensors(folder).items():
            place = places.get_name(name, try_suffixes=(".weight", ".bias"))
            if place is None:
                raise UserError(f"{name} has no place in a GGUF file; use `export hf`")
            _add_tensor(writer, place, tensor.float().numpy(), gguf.GGMLQuantizationType[kind.upper()])
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
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def _add_tokens(writer: Any, folder: Path) -> None:
    names, size, vocab = (
        token_names(folder),
        TextTokenizer.load(folder / "tokenizer.json").size,
        Vocabulary.load(folder / "vocabulary.json"),
    )
    merges = json.loads((folder / "tokenizer.json").read_text(encoding="utf8"))["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(names)
    writer.add_token_types([NORMAL] * size + [CONTROL] * (len(names) - size))
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_eos_token_id(vocab.id("<|end|>"))
    writer.add_pad_token_id(vocab.id("<|pad|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(chat_template())


def _add_tensor(writer: Any, place: str, values: NDArray[np.float32], kind: Any) -> None:
    """Matrices whose rows divide into the type's blocks are quantized, the rest stays as it is."""
    import gguf

    block = gguf.GGML_QUANT_SIZES[kind][0]
    if values.ndim < 2 or values.shape[-1] % block or kind == gguf.GGMLQuantizationType.F32:
        writer.add_tensor(place, np.ascontiguousarray(values, np.float32))
    else:
        writer.add_tensor(place, gguf.quants.quantize(values, kind), raw_dtype=kind)
