"""Which numbers a network is trained in: fp8 on a GPU alone, and the layers that it is for."""

from dataclasses import replace
from pathlib import Path

import crumb
import pytest
import torch
from torch import nn

from unisono.core.errors import UserError
from unisono.data.shards.shard import Shard
from unisono.model.config import preset
from unisono.model.transformer import Qwen3
from unisono.train.network import NetworkProgram
from unisono.train.precision import is_for_fp8, to_fp8


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Shard:
    return crumb.documents(tmp_path_factory.mktemp("shard"), 8)


def test_fp8_without_such_a_gpu_is_told(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(crumb.RECIPE, precision="fp8")
    with pytest.raises(UserError, match="compute capability 8.9"):
        NetworkProgram(recipe, shard, shard)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    with pytest.raises(UserError, match="compute capability 8.9"):
        to_fp8(nn.Linear(16, 16), torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setitem(__import__("sys").modules, "torchao.float8", None)
    with pytest.raises(UserError, match=r"pip install 'unisono\[fp8\]'"):
        to_fp8(nn.Linear(16, 16), torch.device("cuda"))


def test_fp8_is_for_learned_matrices_of_whole_blocks_alone() -> None:
    frozen = nn.Linear(32, 32)
    frozen.weight.requires_grad_(False)
    assert is_for_fp8(nn.Linear(32, 48), "layers.0.mlp.up_proj")
    for module, name in (
        (nn.Linear(32, 40), "layers.0.mlp.up_proj"),
        (nn.Linear(40, 32), "layers.0.mlp.up_proj"),
        (nn.Linear(32, 48), "lm_head"),
        (nn.Linear(32, 16), "layers.0.mlp.gate"),
        (frozen, "layers.0.mlp.up_proj"),
        (nn.Embedding(32, 32), "embed_tokens"),
    ):
        assert not is_for_fp8(module, name)


@pytest.mark.filterwarnings("ignore")  # torchao's own, about its kernels
def test_torchao_takes_the_layers_and_keeps_names_and_weights() -> None:
    pytest.importorskip("torchao")
    torch.manual_seed(0)
    model = Qwen3(preset("tiny", 128))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ids = torch.arange(16)[None]
    usual = model.loss(ids, ids)
    to_fp8(model, torch.device("cpu"), emulate=True)
    chosen = [module for module in model.modules() if type(module).__name__ == "Float8Linear"]
    assert len(chosen) == 7 * model.config.num_hidden_layers
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    loss = model.loss(ids, ids)
    loss.backward()
    assert loss != usual and torch.isclose(loss, usual, rtol=0.05)
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.gpu
def test_a_crumb_is_learned_in_fp8(shard: Shard, tmp_path: Path) -> None:
    from unisono.train.loop import run

    loop = replace(crumb.RECIPE.loop, num_steps=60, device="cuda", bf16=True)
    recipe = replace(crumb.RECIPE, precision="fp8", loop=loop)
    program = NetworkProgram(recipe, shard, shard)
    before = max(program.model.cuda() and program.validate().values())
    run(program, loop, tmp_path)
    assert max(program.validate().values()) < before / 2


def test_float32_and_bf16_are_told_apart(shard: Shard) -> None:
    losses = {}
    for precision in ("bf16", "float32"):
        torch.manual_seed(0)
        program = NetworkProgram(replace(crumb.RECIPE, precision=precision), shard, shard)
        with torch.autocast("cpu", torch.bfloat16):
            losses[precision] = program.loss(program.batch(0), 0)[0].item()
        torch.manual_seed(0)
        plain = NetworkProgram(crumb.RECIPE, shard, shard)
        whole = plain.loss(plain.batch(0), 0)[0].item()
        assert (losses[precision] == whole) == (precision == "float32")
