"""Devices by name, and what a record says of the machine."""

import pytest
import torch

from unisono.core.device import autocast, hardware, has_fast_bf16, peak_mb, pick_device, seed_all
from unisono.core.errors import UserError


def test_a_named_device_is_taken():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device().type in ("cpu", "cuda")


@pytest.mark.parametrize("name", ["gpu", "mps", "cuda:99", "meta", "cpu:x"])
def test_what_is_not_here_is_a_clear_error(name: str):
    with pytest.raises(UserError, match="cpu|cuda"):
        pick_device(name)


def test_what_to_say_where_there_is_no_cuda(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="--set loop.device=cpu"):
        pick_device("cuda")


def test_a_seed_repeats():
    seed_all(5)
    first = torch.rand(3)
    seed_all(5)
    assert torch.equal(first, torch.rand(3))


def test_autocast_computes_matrix_products_in_half_the_bits_where_that_is_fast():
    cpu = torch.device("cpu")
    with autocast(cpu, enabled=True):
        wanted = torch.bfloat16 if has_fast_bf16(cpu) else torch.float32
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == wanted
    with autocast(torch.device("cpu"), enabled=False):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_hardware_names_the_processor():
    machine = hardware()
    assert machine["name"] and machine["cpus"] >= 1 and machine["threads"] >= 1
    assert peak_mb() > 10
