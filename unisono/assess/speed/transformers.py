"""Hugging Face transformers, the peer that training and generation are measured beside."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unisono.assess.speed.timing import (
    threads,
)
from unisono.core.errors import UserError


def load_peer(folder: str | Path) -> nn.Module:
    """The network of `folder` as transformers builds it, float32, in evaluation mode."""
    try:
        import transformers
    except ImportError:
        raise UserError("the comparison needs transformers; pip install 'unisono[hf]'") from None
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None  # never stops early: every run makes equally many ids
    model.generation_config.pad_token_id = 0
    return model


def with_threads(number: int, make: Callable[[], list[int]]) -> list[int]:
    """`make()` while PyTorch has `number` threads."""
    with threads(number):
        return make()


@torch.inference_mode()
def peer_generate(model: Any, prompt: Sequence[int], count: int) -> list[int]:
    """Exactly `count` greedy ids of transformers."""
    ids = torch.tensor([list(prompt)])
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False, use_cache=True
    )
    return out[0, len(prompt) :].tolist()
