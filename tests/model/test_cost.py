"""The formulas against what PyTorch counts."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from unisono.model import cost
from unisono.model.config import preset
from unisono.model.transformer import Qwen3


@pytest.mark.parametrize(
    "changes", [{}, {"tie_word_embeddings": False}, {"attention_bias": True}, {"model_type": "llama"}]
)
def test_parameters_are_counted_exactly(changes: dict) -> None:
    config = preset("tiny", 320, **changes)
    assert cost.parameters(config) == sum(p.numel() for p in Qwen3(config).parameters())


def test_matmul_operations_match_the_counter() -> None:
    config = preset("tiny", 320)
    model, ids = Qwen3(config), torch.zeros(1, 8, dtype=torch.long)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.logits(model(ids))
    attention = sum(
        flops for op, flops in counter.get_flop_counts()["Global"].items() if "attention" in str(op)
    )
    assert counter.get_total_flops() - attention == 8 * 2 * cost.matmul_parameters(config)


def test_sizes_are_what_the_design_says() -> None:
    assert 7e6 < cost.parameters(preset("nano", 8640)) < 10e6
    assert 60e6 < cost.parameters(preset("small", 25024)) < 80e6
    assert 0.9e9 < cost.parameters(preset("base", 41408)) < 1.1e9


def test_cache_and_roofline() -> None:
    config = preset("nano", 8640)
    assert cost.kv_bytes_per_id(config) == 2 * 6 * 2 * 64 * 4
    limits = dict(context=100, bytes_per_weight=4, bandwidth=18e9, peak_flops=62e9)
    one, many = (cost.decode_roofline(config, batch=batch, **limits) for batch in (1, 16))
    assert one.ids_per_s == one.memory_ids_per_s < many.memory_ids_per_s
    assert many.ids_per_s <= many.compute_ids_per_s == one.compute_ids_per_s
    assert cost.train_flops_per_id(config, 1) == 3 * cost.forward_flops_per_id(config, 1)
