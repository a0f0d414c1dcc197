"""The same network in Hugging Face transformers, set up as well as we know how: what our speeds are held against."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

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
    model.generation_config.eos_token_id = None     # never stops early: every run makes equally many ids
    model.generation_config.pad_token_id = 0
    return model


def peer_loss(forward: Any, batch: dict[str, Tensor]) -> Tensor:
    """The loss of a packed batch: transformers finds the documents where positions restart, and masks them apart."""
    return forward(input_ids=batch["ids"], position_ids=batch["positions"], labels=batch["labels"],
                   shift_labels=batch["labels"], use_cache=False).loss


@torch.inference_mode()
def peer_generate(model: nn.Module, prompt: Sequence[int], num_ids: int) -> list[int]:
    """Exactly `num_ids` greedy ids after `prompt`."""
    ids = torch.tensor([list(prompt)])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=num_ids, do_sample=False, use_cache=True)
    return out[0, len(prompt):].tolist()
