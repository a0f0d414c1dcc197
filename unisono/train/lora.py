"""Low-rank adapters on all linear layers (Hu et al. 2021, arXiv 2106.09685), on disk as the `peft` package
writes them.

While an adapter is trained the weights below it stay; `merged` adds it to them, and the network is a plain
one again.

Shapes: R rank, I and O a layer's inputs and outputs.
"""

import copy
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.model.transformer import Qwen3

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."  # peft's, before the Hugging Face name
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
TABLES = ("embed_tokens", "lm_head")  # new ids have rows there, which are learned whole


class LoraLinear(nn.Module):
    """A linear layer, and beside it a product of two narrow matrices that begins as zero."""

    def __init__(self, inner: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.inner, self.scale = inner, alpha / rank
        self.lora_A = nn.Parameter(torch.empty(rank, inner.in_features))  # (R, I)
        self.lora_B = nn.Parameter(torch.zeros(inner.out_features, rank))  # (O, R)
        nn.init.kaiming_uniform_(self.lora_A, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) -> (..., O)."""
        return self.inner(x) + functional.linear(functional.linear(x, self.lora_A), self.lora_B) * self.scale

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """One plain layer that computes the same."""
        self.inner.weight += self.scale * (self.lora_B @ self.lora_A).to(self.inner.weight)
        return self.inner


def add_lora(model: Qwen3, rank: int, alpha: float) -> Qwen3:
    """Puts an adapter on every linear layer of the blocks, in place; only the adapters are trainable then."""
    if rank < 1:
        raise UserError(f"lora_rank must be at least 1, got {rank}")
    if model.config.num_experts:
        raise UserError("adapters on experts are not supported; train with trainable=all or layers")
    model.requires_grad_(False)
    for block in model.layers:
        for part in (block.self_attn, block.mlp):
            for name in TARGETS:
                if isinstance(inner := getattr(part, name, None), nn.Linear):
                    setattr(part, name, LoraLinear(inner, rank, alpha))
    return model


def _adapters(model: Qwen3) -> dict[str, LoraLinear]:
    """layers.0.self_attn.q_proj and so on -> the adapter there."""
    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLinear)}


def merged(model: Qwen3) -> Qwen3:
    """A copy of the model without adapters that computes the same; the model itself where it has none."""
    if not _adapters(model):
        return model
    model = copy.deepcopy(model)
    for name, adapter in _adapters(model).items():
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, adapter.merged())
    return model


def save_adapter(model: Qwen3, folder: Path, base: str) -> Path:
    """Writes the adapters, and the tables with the rows of the new ids, for peft.

    `base`: the folder they belong on.
    """
    adapters = _adapters(model)
    one = next(iter(adapters.values()))
    rank = one.lora_A.shape[0]
    tensors = {}
    for name, adapter in adapters.items():
        for letter in "AB":
            tensors[f"{PREFIX}model.{name}.lora_{letter}.weight"] = (
                getattr(adapter, f"lora_{letter}").detach().cpu().contiguous()
            )
    head = model.embed_tokens if model.lm_head is None else model.lm_head
    tensors[f"{PREFIX}model.embed_tokens.weight"] = model.embed_tokens.weight.detach().cpu()
    tensors[f"{PREFIX}lm_head.weight"] = head.weight.detach().cpu().clone()
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": one.scale * rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(TARGETS),
        "modules_to_save": list(TABLES),
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / WEIGHTS, lambda part: save_file(tensors, part, {"format": "pt"}))
    atomic_write(folder / CONFIG, lambda part: part.write_text(json.dumps(config, indent=1) + "\n"))
    return folder


def load_adapter(model: Qwen3, folder: Path) -> Qwen3:
    """Puts the adapter of a peft folder on the model, in place.

    UserError for one that is damaged or of another network.
    """
    config, tensors = _read(folder)
    for name, wanted in (
        ("peft_type", "LORA"),
        ("bias", "none"),
        ("use_dora", False),
        ("fan_in_fan_out", False),
    ):
        if config.get(name, wanted) != wanted:
            raise UserError(
                f"the adapter in {folder} has {name} {config[name]!r}; expected {wanted!r}, a plain "
                f"LoRA adapter"
            )
    if config.get("rank_pattern") or config.get("alpha_pattern"):
        raise UserError(f"the adapter in {folder} has layers of different ranks; expected one rank for all")
    rank, alpha = int(config.get("r", 8)), float(config.get("lora_alpha", 8))
    add_lora(model, rank, alpha * rank**0.5 if config.get("use_rslora") else alpha)
    adapters = _adapters(model)
    for key, value in tensors.items():
        name = key.removeprefix(PREFIX).removeprefix("model.").removesuffix(".weight")
        if name == "lm_head" and model.lm_head is None:  # the head is the embedding
            continue
        target = _target(model, adapters, name)
        if target is None:
            raise UserError(f"the adapter in {folder} changes {name}, which this network does not have")
        if value.shape != target.shape:
            shapes = f"{name} has {tuple(value.shape)}, expected {tuple(target.shape)}"
            raise UserError(f"the adapter in {folder} is of another network: {shapes}")
        target.data.copy_(value)
    return model


def _target(model: Qwen3, adapters: dict[str, LoraLinear], name: str) -> Tensor | None:
    """The parameter that a name of peft means."""
    place, _, last = name.rpartition(".")
    if last in ("lora_A", "lora_B") and place in adapters:
        return getattr(adapters[place], last)
    return getattr(model, name).weight if name in TABLES else None


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        return json.loads((folder / CONFIG).read_text()), load_file(folder / WEIGHTS)
    except FileNotFoundError:
        raise UserError(
            f"no adapter in {folder}: expected {CONFIG} and {WEIGHTS}, as peft writes them"
        ) from None
    except (ValueError, SafetensorError, OSError) as error:
        raise UserError(f"the adapter in {folder} is damaged ({error}); save it again") from None
