"""A model on disk: a Hugging Face folder, so that transformers, vLLM, SGLang or llama.cpp load it unchanged.

config.json plus model.safetensors (read also when sharded). Our attribute names are theirs behind `model.`.
`transformers` itself is never imported.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.model.config import EXPERT_FIELDS, MODEL_TYPES, ROPE_SCALING, Qwen3Config, weight_shapes
from unisono.model.transformer import Qwen3, inverse_frequencies

PREFIX = "model."
HEAD = "lm_head.weight"
# Behind the model_type of a network with a pattern that other programs lack: they shall refuse it rather than
# compute something else.
SPARSE = "_sparse"
OWN_FIELDS = ("attention", "attention_window", "attention_sinks")
ARCHITECTURES = {
    "qwen3": "Qwen3ForCausalLM",
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
    # No other engine knows this one, so that none computes something else from its weights without a word.
    "qwen3_moe_hash": "Qwen3MoeHashForCausalLM",
}
SIZE_FIELDS = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
PLAIN_FIELDS = (
    "max_position_embeddings",
    "rms_norm_eps",
    "attention_bias",
    "initializer_range",
    "model_type",
)


def config_to_hf(config: Qwen3Config, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """What config.json says, in the spelling of both old and new readers."""
    dtype_name = str(dtype).removeprefix("torch.")
    return {
        "architectures": [ARCHITECTURES[config.model_type] + ("Sparse" if config.has_own_attention else "")],
        "model_type": config.model_type + (SPARSE if config.has_own_attention else ""),
        **{name: getattr(config, name) for name in SIZE_FIELDS},
        "num_key_value_heads": config.num_key_value_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": config.max_position_embeddings,
        "rms_norm_eps": config.rms_norm_eps,
        # Older engines read rope_theta, transformers 5 reads rope_parameters.
        "rope_theta": config.rope_theta,
        "rope_parameters": {**_rope(config), "rope_theta": config.rope_theta},
        **({"rope_scaling": _rope(config)} if config.rope_scaling else {}),
        "tie_word_embeddings": config.tie_word_embeddings,
        "attention_bias": config.attention_bias,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        **_attention(config),
        "initializer_range": config.initializer_range,
        "use_cache": True,
        **({name: getattr(config, name) for name in EXPERT_FIELDS} if config.num_experts else {}),
        **({"mlp_only_layers": []} if config.num_experts else {}),
        "torch_dtype": dtype_name,
        "dtype": dtype_name,
    }


def _rope(config: Qwen3Config) -> dict[str, Any]:
    return {"rope_type": "llama3", **config.rope_scaling} if config.rope_scaling else {"rope_type": "default"}


def config_from_hf(stored: dict[str, Any]) -> Qwen3Config:
    """config.json -> our config. UserError for a network that ours is not."""
    model_type = stored.get("model_type")
    if isinstance(model_type, str):
        model_type = model_type.removesuffix(SPARSE)
        stored = {**stored, "model_type": model_type}
    if model_type not in MODEL_TYPES:
        raise UserError(
            f"expected a network with model_type {', '.join(MODEL_TYPES)}, found {model_type!r}; "
            f"choose another one"
        )
    missing = [name for name in SIZE_FIELDS if not isinstance(stored.get(name), int)]
    if missing:
        raise UserError(
            f"config.json lacks the whole number {missing[0]}; expected a {model_type} config with "
            f"{', '.join(SIZE_FIELDS)}"
        )
    rope = stored.get("rope_parameters") or stored.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise UserError(f"rope_parameters in config.json must be a JSON object, got {rope!r}")
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "llama3":
        _expect("rope type", kind, "default")
    _expect("hidden_act", stored.get("hidden_act", "silu"), "silu")
    _expect("mlp_bias", bool(stored.get("mlp_bias", False)), False)
    _expect("mlp_only_layers", stored.get("mlp_only_layers") or [], [])
    heads = stored["num_attention_heads"]
    return Qwen3Config(
        **{name: stored[name] for name in SIZE_FIELDS},
        **{name: stored[name] for name in PLAIN_FIELDS if name in stored},
        num_key_value_heads=stored.get("num_key_value_heads") or heads,
        # What transformers assumes when the field is absent: 128 for Qwen3, hidden / heads for Llama.
        head_dim=stored.get("head_dim")
        or (128 if model_type == "qwen3" else stored["hidden_size"] // max(heads, 1)),
        rope_theta=rope.get("rope_theta") or stored.get("rope_theta") or 10000.0,
        tie_word_embeddings=bool(stored.get("tie_word_embeddings", False)),
        rope_scaling={name: rope.get(name, 0) for name in ROPE_SCALING} if kind == "llama3" else None,
        **(_experts(stored) if "moe" in model_type else {}),
        **_stored_attention(stored),
    )


def _attention(config: Qwen3Config) -> dict[str, Any]:
    """The fields of a pattern of attention: those of Hugging Face where it knows the pattern, else ours."""
    if config.has_own_attention:
        own = {name: getattr(config, name) for name in OWN_FIELDS}
        return {"use_sliding_window": False, "sparse_attention": own}
    if config.has_plain_attention:
        return {"use_sliding_window": False}
    return {
        "use_sliding_window": True,
        "sliding_window": config.attention_window,
        "max_window_layers": 0,  # the first layer with a window, for readers that know no layer_types
        "layer_types": ["sliding_attention"] * config.num_hidden_layers,
    }


def _stored_attention(stored: dict[str, Any]) -> dict[str, Any]:
    """The way back. UserError where layers differ, which no network of ours does."""
    own = stored.get("sparse_attention")
    if own is not None:
        if not isinstance(own, dict) or set(own) != set(OWN_FIELDS):
            raise UserError(
                f"sparse_attention in config.json must be a JSON object with {', '.join(OWN_FIELDS)}, "
                f"got {own!r}"
            )
        return own
    if not stored.get("use_sliding_window"):
        return {}
    num_layers = stored["num_hidden_layers"]
    first = stored.get("max_window_layers", 28)  # what transformers assumes
    kinds = stored.get("layer_types") or [
        "sliding_attention" if layer >= first else "full_attention" for layer in range(num_layers)
    ]
    if set(kinds) == {"full_attention"}:
        return {}
    _expect("sliding window in the layers", sorted(set(kinds)), ["sliding_attention"])
    return {"attention": "sliding", "attention_window": stored.get("sliding_window")}


def _experts(stored: dict[str, Any]) -> dict[str, Any]:
    """The fields of experts that config.json has; transformers 5 has another name for their number."""
    found = {name: stored[name] for name in EXPERT_FIELDS if name in stored}
    return {"num_experts": stored.get("num_local_experts", 128), **found}


def _expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise UserError(f"cannot load this checkpoint: expected {what} {wanted!r}, found {found!r}")


def save_pretrained(
    model: Qwen3, folder: str | Path, extras: dict[str, Any] | None = None, dtype: torch.dtype = torch.float32
) -> Path:
    """Writes config.json, generation_config.json and model.safetensors; each file is either whole or absent.

    extras: further keys of config.json, such as eos_token_id (the id of <|end|>) and pad_token_id. What only
    a training needs, such as the baseline of a router, is left out.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = weight_shapes(model.config)
    tensors = {
        name if name == HEAD else PREFIX + name: value.detach().to("cpu", dtype).contiguous()
        for name, value in model.state_dict().items()
        if name in wanted
    }
    extras = extras or {}
    generation: dict[str, Any] = {
        name: extras[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id") if name in extras
    }
    atomic_write(
        folder / "model.safetensors", lambda path: save_file(tensors, path, metadata={"format": "pt"})
    )
    _write_json(folder / "generation_config.json", generation)
    _write_json(folder / "config.json", {**config_to_hf(model.config, dtype), **extras})
    return folder


def _write_json(path: Path, content: dict[str, Any]) -> None:
    atomic_write(path, lambda temporary: Path(temporary).write_text(json.dumps(content, indent=2) + "\n"))


def read_config(folder: str | Path) -> dict[str, Any]:
    """config.json as stored, extras included."""
    path = Path(folder) / "config.json"
    try:
        stored = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(
            f"no model in {folder}: expected a folder with config.json and model.safetensors"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid JSON ({error}); export or fetch the model again") from None
    if not isinstance(stored, dict):
        raise UserError(f"{path} must hold a JSON object with the model's shape")
    return stored


def read_tensors(folder: str | Path) -> dict[str, Tensor]:
    """All tensors of model.safetensors, or of the shards that its index names."""
    with _explained(folder):
        return {name: value for path in _files(Path(folder)) for name, value in load_file(path).items()}


def check_tensors(folder: str | Path, config: Qwen3Config) -> None:
    """UserError unless every weight is there, in its shape and whole. Reads the heads of the files only."""
    found: dict[str, tuple[int, ...]] = {}
    with _explained(folder):
        for path in _files(Path(folder)):
            with safe_open(path, "pt") as file:
                found |= {
                    name.removeprefix(PREFIX): tuple(file.get_slice(name).get_shape()) for name in file.keys()
                }
    _check_shapes(config, {name: shape for name, shape in found.items() if _is_wanted(config, name)}, folder)


def _is_wanted(config: Qwen3Config, name: str) -> bool:
    """Whether a stored tensor is a weight of ours; some files repeat a tied head, or hold what can be
    computed.
    """
    return not name.endswith("rotary_emb.inv_freq") and not (config.tie_word_embeddings and name == HEAD)


def _files(folder: Path) -> list[Path]:
    index, whole = folder / "model.safetensors.index.json", folder / "model.safetensors"
    return [whole] if whole.exists() or not index.exists() else [folder / shard for shard in _shards(index)]


@contextmanager
def _explained(folder: str | Path) -> Iterator[None]:
    """Says in one sentence what is wrong with the files of a folder."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(
            f"weights are missing in {folder} ({error}); expected model.safetensors or all shards that "
            "model.safetensors.index.json names"
        ) from None
    except OSError as error:
        raise UserError(f"the weights in {folder} cannot be read ({error.strerror or error})") from None
    except (SafetensorError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"the weights in {folder} are damaged ({error}); export or fetch the model again"
        ) from None


def _shards(index: Path) -> list[str]:
    """The names of the files of tensors."""
    stored = json.loads(index.read_text())
    places = stored.get("weight_map") if isinstance(stored, dict) else None
    if (
        not isinstance(places, dict)
        or not places
        or not all(isinstance(place, str) for place in places.values())
    ):
        raise UserError(
            f"{index} is damaged: expected a weight_map that names the file of each tensor; export or "
            f"fetch the model again"
        )
    return sorted(set(places.values()))


def read_state(
    folder: str | Path, *, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> tuple[Qwen3Config, dict[str, Tensor]]:
    """The config, and exactly the tensors that it wants, under our names. UserError where the two do not
    fit.
    """
    config = config_from_hf(read_config(folder))
    state = {name.removeprefix(PREFIX): value for name, value in read_tensors(folder).items()}
    state = {name: value.to(device, dtype) for name, value in state.items() if _is_wanted(config, name)}
    _check_shapes(config, {name: tuple(value.shape) for name, value in state.items()}, folder)
    return config, state


def load_pretrained(
    folder: str | Path,
    *,
    vocab_size: int | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> Qwen3:
    """The model in evaluation mode. `vocab_size`: what the tokenizer needs; UserError if the model has
    another.
    """
    config, state = read_state(folder, dtype=dtype, device=device)
    if vocab_size is not None and vocab_size != config.vocab_size:
        raise UserError(
            f"the model in {folder} has {config.vocab_size} ids but the vocabulary has {vocab_size}; "
            "use the tokenizer saved beside the model, or grow the model's vocabulary first"
        )
    with torch.device("meta"):  # no memory and no random numbers for weights that are about to be replaced
        model = Qwen3(config)
    model.load_state_dict(state, assign=True)
    model.inv_freq = inverse_frequencies(config).to(device)
    return model.eval()


def _check_shapes(config: Qwen3Config, found: dict[str, tuple[int, ...]], folder: str | Path) -> None:
    expected = weight_shapes(config)
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise UserError(
                f"the weights in {folder} do not fit config.json: {name} should be "
                f"{expected.get(name, 'absent')}, found {found.get(name, 'nothing')}"
            )
