"""A dry run tells what a real training takes: weights, operations and memory are measured here on a CPU."""

import json
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from unisono.cli import main
from unisono.core.device import has_fast_bf16
from unisono.core.distributed import Group
from unisono.core.errors import UserError
from unisono.data.shards.loader import LoaderConfig
from unisono.data.shards.shard import Shard, ShardWriter
from unisono.forecast.hardware import KNOWN, hardware_of
from unisono.forecast.plan import Setting, fitting, memory, plan, seconds
from unisono.model.config import Qwen3Config, preset
from unisono.model.cost import forward_flops_per_id, parameters
from unisono.model.transformer import Qwen3
from unisono.train.loop import LoopConfig, _Run
from unisono.train.network import NetworkProgram, NetworkRecipe

SHAPE = Qwen3Config(
    vocab_size=777,
    hidden_size=96,
    intermediate_size=224,
    num_hidden_layers=3,
    num_attention_heads=6,
    num_key_value_heads=2,
    head_dim=32,
    tie_word_embeddings=False,
)
LENGTH, ROWS = 128, 8


class Peak(TorchDispatchMode):
    """The most bytes that tensors have held at once, those that were there before included."""

    def __init__(self, *present: torch.Tensor) -> None:
        super().__init__()
        self.held: dict[int, int] = {}
        self.most = 0
        for tensor in present:
            self._see(tensor)

    def _see(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self.held:
            self.held[key] = storage.nbytes()
            weakref.finalize(storage, self.held.pop, key)
        self.most = max(self.most, sum(self.held.values()))

    def __torch_dispatch__(self, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._see(tensor)
        return made


def test_parameters_and_operations_are_those_of_the_network() -> None:
    model, ids = Qwen3(SHAPE), torch.zeros(2, 64, dtype=torch.long)
    assert parameters(SHAPE) == sum(p.numel() for p in model.parameters())
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as forward:  # a kernel that is counted
        loss = model.loss(ids, ids)
    assert forward.get_total_flops() == ids.numel() * forward_flops_per_id(
        SHAPE, 64
    )  # the mask saves nothing
    with FlopCounterMode(display=False) as backward:
        loss.backward()
    assert backward.get_total_flops() == pytest.approx(2 * forward.get_total_flops(), rel=0.02)


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Shard:
    """Documents that fill a row each."""
    folder: Path = tmp_path_factory.mktemp("shard")
    rng = np.random.default_rng(0)
    writer = ShardWriter(folder, 512)
    for _ in range(2 * ROWS):
        writer.add(rng.integers(0, 512, size=LENGTH), np.ones(LENGTH, bool), "text")
    writer.close(text_end=512)
    return Shard(folder)


@pytest.mark.parametrize(
    ("bf16", "muon", "recompute", "accumulate", "rows", "shape"),
    [
        (False, False, False, 1, ROWS, {}),
        (True, True, False, 1, ROWS, {}),
        (True, False, True, 1, ROWS, {}),
        (False, False, False, 4, ROWS, {}),
        (False, True, False, 1, 1, {}),  # where the optimizer's step takes the most
        (False, False, False, 1, ROWS, {"num_experts": 4.0, "num_experts_per_tok": 2.0}),
        (True, True, False, 1, ROWS, {"num_experts": 4.0}),
        (False, True, True, 1, ROWS, {"num_experts": 8.0, "decoder_sparse_step": 2.0}),
    ],
)
def test_memory_is_that_of_a_measured_step(
    shard: Shard,
    tmp_path: Path,
    bf16: bool,
    muon: bool,
    recompute: bool,
    accumulate: int,
    rows: int,
    shape: dict[str, float],
) -> None:
    """Within 8 % of what all tensors held at the peak of the second step."""
    loop = LoopConfig(device="cpu", bf16=bf16, muon=muon, accumulate=accumulate)
    recipe = NetworkRecipe(
        size="tiny",
        shape=shape,
        compile=False,
        recompute=recompute,
        task_shares={},
        loader=LoaderConfig(batch_size=rows, row_length=LENGTH, block_ids=400, chained_share=0.0),
        loop=loop,
    )
    program = NetworkProgram(recipe, shard, shard)
    run = _Run(program, loop, tmp_path, torch.device("cpu"), Group())
    _, optimizer, _ = run.modules["network"]
    run._step(0)  # the optimizer's state is made
    state = [value for part in optimizer.parts for one in part.state.values() for value in one.values()]
    with Peak(*program.model.parameters(), *state) as measured:
        optimizer.zero_grad()
        run._step(1)
    setting = Setting(
        rows=rows,
        row_length=LENGTH,
        accumulate=accumulate,
        recompute=recompute,
        bf16=bf16 and has_fast_bf16(torch.device("cpu")),
        muon=muon,
        is_gpu=False,
    )
    told = memory(preset("tiny", 512, **shape), setting)
    assert told["weights"] == 4 * parameters(preset("tiny", 512, **shape))
    assert told["peak"] == pytest.approx(measured.most, rel=0.08)


def test_more_gpus_share_what_they_can_and_the_slowest_limit_decides() -> None:
    one = Setting(rows=64, row_length=1024)
    eight = replace(one, gpus=8)
    shared = replace(eight, shard=True)
    base, h100 = preset("base", 20_000), KNOWN["h100"]
    alone, many, parted = (memory(base, setting) for setting in (one, eight, shared))
    assert many["activations"] < alone["activations"] / 4 and many["weights"] == alone["weights"]
    assert parted["weights"] * 8 == many["weights"] and parted["peak"] < many["peak"]
    assert memory(base, replace(one, recompute=True))["peak"] < alone["peak"]
    assert memory(base, replace(one, accumulate=64))["peak"] < alone["peak"] / 4
    slow = replace(h100, gpus_per_node=4, network=1e9)
    assert seconds(base, eight, slow)["network"] == pytest.approx(450 * seconds(base, eight, h100)["network"])
    told = plan(base, eight, slow, ids=1e9, utilization=0.5, price=2.0)
    assert told["limited_by"] == "network" and told["steps"] == -(-(10**9) // (64 * 1024))
    twice = plan(base, eight, slow, ids=2e9, utilization=1.0, price=2.0)
    assert twice["days"] == pytest.approx(told["days"], rel=1e-4)
    assert told["money"] == pytest.approx(told["gpu_hours"] * 2) == pytest.approx(told["days"] * 24 * 8 * 2)


def test_what_does_not_fit_is_told_what_would() -> None:
    small = KNOWN["l4"]
    setting = Setting(rows=64, row_length=1024)
    told = plan(preset("base", 20_000), setting, small, ids=1e9, utilization=0.4, price=0)
    assert not told["fits"] and "money" not in told
    assert told["fits_with"]["recompute"] and told["fits_with"]["accumulate"] > 1
    better = fitting(preset("base", 20_000), setting, small)
    assert better is not None and memory(preset("base", 20_000), better)["peak"] <= 24e9
    assert fitting(preset("base", 20_000), setting, hardware_of("l4,memory=1e9")) is None


def test_a_budget_of_nothing_and_hardware_that_nobody_knows() -> None:
    setting = Setting(rows=8, row_length=512)
    for changes in ({"ids": 0.0}, {"ids": float("inf")}, {"utilization": 0.0}, {"utilization": 1.5}):
        with pytest.raises(UserError, match="expected"):
            plan(SHAPE, setting, KNOWN["h100"], **{"ids": 1e9, "utilization": 0.4, "price": 0.0, **changes})
    with pytest.raises(UserError, match="cannot be shared by 3 GPUs"):
        Setting(rows=8, row_length=512, gpus=3)
    with pytest.raises(UserError, match="unknown hardware 'abacus'"):
        hardware_of("abacus")
    with pytest.raises(UserError, match="memory of the hardware must be above 0"):
        hardware_of("h100,memory=0")


def test_the_command_line_of_a_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = tmp_path / "runs.csv"
    lines = [
        f"{n},{d},{1.7 + 400 / n**0.34 + 2000 / d**0.37}"
        for n in (1e6, 1e7, 1e8, 1e9)
        for d in (1e8, 1e9, 1e10)
    ]
    runs.write_text("\n".join(["parameters,ids,loss", *lines]))
    words = f"train network --dry-run --home {tmp_path} --hardware h100 --gpus 8 --ids 2e10 --price 2 --json"
    shape = ["--set", "shape.hidden_size=2048", "--set", "shape.num_hidden_layers=20"]
    shape += ["--vocab-size", "30000"]
    more = ["--set", "loader.batch_size=64", "--points", str(runs), "--records", str(tmp_path / "records")]
    assert not main([*words.split(), "--size", "base", *shape, *more])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    wide = preset("base", 30_000, hidden_size=2048, num_hidden_layers=20)
    assert told["parameters"] == parameters(wide) and told["ids"] == 2e10 and told["money"] > 0
    law = 1.7 + 400 / told["parameters"] ** 0.34 + 2000 / 2e10**0.37
    assert told["forecast"]["loss"] == pytest.approx(law, rel=1e-3)
    assert told["best_use"]["loss"] <= law * 1.001
    assert len(list((tmp_path / "records").glob("dry-run_*.json"))) == 1
    sparse = [*words.split(), "--set", "shape.num_experts=8", "--set", "router=rl"]
    assert not main(sparse)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 2 * told["active_parameters"] < told["parameters"]
    assert main([*sparse, "--points", str(runs)]) and "leave out --points" in capsys.readouterr().err
    assert main([*words.split(), "--set", "router=rl"]) and "needs experts" in capsys.readouterr().err
    assert main(["train", "audio-codec", "--dry-run"]) and "leave out --data" in capsys.readouterr().err
