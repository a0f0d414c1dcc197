"""Networks with experts: transformers' Qwen3-MoE computes the same, both ways; ids go where they should."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from unisono.core.errors import UserError
from unisono.engine.load import load_engine
from unisono.engine.onnx_graph import build as build_graph
from unisono.engine.torch_engine import TorchEngine
from unisono.export import export_gguf, export_hf
from unisono.model import cost
from unisono.model.config import HASHED, Qwen3Config, preset, weight_shapes
from unisono.model.experts import Experts
from unisono.model.grow import grow_depth, grow_vocabulary
from unisono.model.hf import load_pretrained, read_config, save_pretrained
from unisono.model.transformer import Qwen3

VOCAB = 320
SHAPES = [
    {"num_experts": 4, "num_experts_per_tok": 2},
    {"num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": 0.0, "tie_word_embeddings": False},
    {"num_experts": 5, "decoder_sparse_step": 2, "moe_intermediate_size": 48},
    {"num_experts": 1},
]


def build(**changes: object) -> Qwen3:
    """A random network whose router has clear preferences."""
    torch.manual_seed(0)
    model = Qwen3(preset("tiny", VOCAB, **changes)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.uniform_(0.5, 1.5) if "norm" in name else weight.normal_(std=0.1)
    return model


def some_ids(count: int = 50) -> torch.Tensor:
    return torch.randint(0, VOCAB, (2, count), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def logits(model: Qwen3, ids: torch.Tensor) -> torch.Tensor:
    return model.logits(model(ids))


@pytest.mark.parametrize("changes", SHAPES)
def test_transformers_computes_the_same_both_ways(changes: dict, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model, ids = build(**changes), some_ids()
    save_pretrained(model, tmp_path / "ours", {"eos_token_id": 7, "pad_token_id": 0})
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours", dtype=torch.float32).eval()
    assert type(theirs).__name__ == "Qwen3MoeForCausalLM"
    with torch.no_grad():
        assert (theirs(ids).logits - logits(model, ids)).abs().max() < 1e-4
    assert logits(load_pretrained(tmp_path / "ours"), ids).equal(logits(model, ids))
    theirs.save_pretrained(tmp_path / "theirs")
    again = load_pretrained(tmp_path / "theirs")
    assert logits(again, ids).equal(logits(model, ids))
    assert (again.config.num_experts, again.config.norm_topk_prob) == (
        changes["num_experts"],
        model.config.norm_topk_prob,
    )


def test_each_id_is_the_weighted_sum_of_its_experts() -> None:
    layer = build(num_experts=4, num_experts_per_tok=2).layers[0].mlp
    assert isinstance(layer, Experts) and layer.gate is not None
    x, ids = torch.randn(2, 9, 64), torch.zeros(2, 9, dtype=torch.long)
    made = layer(x, ids)
    for row, place in ((0, 0), (1, 8)):
        shares = layer.gate(x[row, place]).softmax(-1)
        best = shares.argsort(descending=True)[:2].tolist()
        parts = [shares[n] / shares[best].sum() * layer.experts[n](x[row, place]) for n in best]
        torch.testing.assert_close(made[row, place], sum(parts))
    layer.train()
    torch.testing.assert_close(layer(x, ids), made)  # an expert without ids changes nothing
    layer(x[:, :1], ids[:, :1]).sum().backward()
    assert all(weight.grad is not None for weight in layer.parameters())


def test_hash_routing_goes_by_the_id_alone() -> None:
    model = build(num_experts=4, model_type=HASHED)
    layer, x = model.layers[0].mlp, torch.randn(1, 8, 64)
    assert isinstance(layer, Experts) and layer.gate is None
    made = layer(x, torch.tensor([[0, 1, 2, 3, 4, 9, 318, 319]]))
    for place, expert in enumerate((0, 1, 2, 3, 0, 1, 2, 3)):
        torch.testing.assert_close(made[0, place], layer.experts[expert](x[0, place]))


def test_hash_routing_is_saved_for_ours_and_refused_to_others(tmp_path: Path) -> None:
    model, ids = build(num_experts=4, model_type=HASHED), some_ids()
    save_pretrained(model, tmp_path / "own")
    assert logits(load_pretrained(tmp_path / "own"), ids).equal(logits(model, ids))
    assert isinstance(load_engine(tmp_path / "own", device="cpu"), TorchEngine)
    with pytest.raises(UserError, match="runs in ours alone; train with another router"):
        export_hf(tmp_path / "own", tmp_path / "hf")
    transformers = pytest.importorskip("transformers")
    with pytest.raises(ValueError, match="qwen3_moe_hash"):
        transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "own")


@pytest.mark.parametrize("changes", [{"num_experts": 4, "num_experts_per_tok": 2}, {"num_experts": 3}])
def test_the_torch_engine_is_chosen_and_computes_experts(changes: dict, tmp_path: Path) -> None:
    model, ids = build(**changes), some_ids(10)
    save_pretrained(model, tmp_path)
    engine = load_engine(tmp_path, device="cpu")
    assert isinstance(engine, TorchEngine)
    one, two = engine.open(), engine.open()
    engine.feed([(one, ids[0, :9].tolist()), (two, ids[1, :4].tolist())])
    found = engine.feed([(one, ids[0, 9:].tolist()), (two, ids[1, 4:5].tolist())])
    torch.testing.assert_close(torch.from_numpy(found[0]), logits(model, ids[:1])[0, -1], atol=1e-4, rtol=0)
    torch.testing.assert_close(
        torch.from_numpy(found[1]), logits(model, ids[1:, :5])[0, -1], atol=1e-4, rtol=0
    )


def test_what_cannot_hold_experts_says_so(tmp_path: Path) -> None:
    model = build(num_experts=4)
    save_pretrained(model, tmp_path)
    with pytest.raises(UserError, match="use the engine torch"):
        load_engine(tmp_path, kind="onnx")
    with pytest.raises(UserError, match="use the engine torch"):
        build_graph(model.config, {}, "float32")
    pytest.importorskip("gguf")
    with pytest.raises(UserError, match="not written for experts"):
        export_gguf(tmp_path, tmp_path / "x.gguf")


@pytest.mark.parametrize("changes", [*SHAPES, {"num_experts": 4, "model_type": HASHED}])
def test_weights_are_counted_as_they_are(changes: dict) -> None:
    config = preset("tiny", VOCAB, **changes)
    model, ids = Qwen3(config).eval(), torch.zeros(1, 8, dtype=torch.long)
    assert weight_shapes(config) == {name: tuple(w.shape) for name, w in model.state_dict().items()}
    assert cost.parameters(config) == sum(weight.numel() for weight in model.parameters())
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.logits(model(ids))
    by_op = counter.get_flop_counts()["Global"].items()
    attention = sum(flops for op, flops in by_op if "attention" in str(op))
    assert counter.get_total_flops() - attention == 8 * 2 * cost.matmul_parameters(config)
    idle = [
        weight.numel()
        for name, weight in model.named_parameters()
        if ".experts." in name and int(name.split(".experts.")[1].split(".")[0]) >= config.num_experts_per_tok
    ]
    assert cost.active_parameters(config) == cost.parameters(config) - sum(idle)


def test_as_many_weights_work_on_an_id_as_in_the_dense_network() -> None:
    dense = preset("tiny", VOCAB)
    for chosen in (1, 2, 4):
        config = preset("tiny", VOCAB, num_experts=8, num_experts_per_tok=chosen)
        assert cost.dense_parameters(config) == cost.blocks_parameters(dense)
        routers = 2 * 8 * 64
        assert cost.active_parameters(config) == cost.parameters(dense) + routers
        assert cost.forward_flops_per_id(config, 9) == cost.forward_flops_per_id(dense, 9) + 2 * routers
    assert cost.dense_parameters(dense) == cost.blocks_parameters(dense)
    config = preset("tiny", VOCAB, num_experts=16)
    one, many = (
        cost.decode_roofline(
            config, context=1, batch=batch, bytes_per_weight=4, bandwidth=1e9, peak_flops=1e15
        ).memory_ids_per_s
        for batch in (1, 16)
    )
    assert many < 16 * one / 4  # sixteen ids read more experts than one


def test_a_network_with_experts_grows() -> None:
    model, ids = build(num_experts=4, num_experts_per_tok=2), some_ids()
    deeper = grow_depth(model, 3)
    assert len(deeper.layers) == 3
    torch.testing.assert_close(logits(deeper, ids), logits(model, ids))
    wider = grow_vocabulary(model, VOCAB + 9)
    torch.testing.assert_close(logits(wider, ids)[..., :VOCAB], logits(model, ids))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_experts": 0}, "num_experts must be a whole number from 1 on"),
        ({"num_experts": 2, "num_experts_per_tok": 3}, "cannot go to 3 of 2 experts"),
        ({"decoder_sparse_step": 0}, "decoder_sparse_step must be"),
        ({"mlp_only_layers": [1]}, "expected mlp_only_layers"),
        ({"moe_intermediate_size": 9}, "do not fit config.json"),
        ({"model_type": "qwen3"}, "do not fit config.json"),
    ],
)
def test_a_damaged_config_is_refused(changes: dict, message: str, tmp_path: Path) -> None:
    save_pretrained(build(num_experts=4), tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**read_config(tmp_path), **changes}))
    with pytest.raises(UserError, match=message):
        load_pretrained(tmp_path)


def test_experts_and_the_type_of_the_model_belong_together() -> None:
    dense: Qwen3Config = preset("tiny", VOCAB)
    with pytest.raises(UserError, match="has the model_type qwen3_moe"):
        replace(dense, num_experts=4)
    with pytest.raises(UserError, match="has the model_type qwen3_moe"):
        preset("tiny", VOCAB, num_experts=4, model_type="llama")
    with pytest.raises(UserError, match="no field 'experts'.*num_experts_per_tok"):
        preset("tiny", VOCAB, experts=4)
