"""Routers: each sends ids where its paper says, learns, goes on where it was stopped, and is saved."""

from dataclasses import replace
from pathlib import Path

import crumb
import pytest
import torch
from torch.nn import functional

from unisono.core.config import override
from unisono.core.errors import UserError
from unisono.data.shards.shard import Shard
from unisono.model.config import HASHED, preset
from unisono.model.experts import Routed
from unisono.model.hf import load_pretrained
from unisono.model.transformer import Qwen3
from unisono.train.loop import run
from unisono.train.network import NetworkProgram, NetworkRecipe
from unisono.train.routing import (
    ROUTERS,
    Policy,
    Routing,
    balance_loss,
    policy_loss,
    routed_shape,
    transport,
)

SET = ("shape.num_experts=4", "loader.batch_size=2", "loop.num_steps=60", "loop.validate_every=60")


def recipe_of(router: str, *more: str) -> NetworkRecipe:
    return override(crumb.RECIPE, (*SET, f"router={router}", *more))


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Shard:
    return crumb.documents(tmp_path_factory.mktemp("shard"), 8)


@pytest.mark.parametrize(
    ("router", "more"),
    [("topk", ("shape.num_experts_per_tok=2",)), ("topk", ()), ("sinkhorn", ()), ("hash", ()), ("rl", ())],
)
def test_a_network_of_each_router_learns_and_is_saved(
    shard: Shard, tmp_path: Path, router: str, more: tuple[str, ...]
) -> None:
    torch.manual_seed(0)
    program = NetworkProgram(recipe_of(router, *more), shard, shard)
    program.model.eval()
    before = program.validate()
    run(program, program.recipe.loop, tmp_path)
    program.model.eval()
    after = program.validate()
    assert all(before[task] > 4 and after[task] < before[task] - 2.5 for task in after)
    again, ids = load_pretrained(tmp_path / "network"), torch.arange(10)[None]
    assert again.config.model_type == (HASHED if router == "hash" else "qwen3_moe")
    torch.testing.assert_close(again(ids), program.model(ids))
    assert not any("choose" in name for name in again.state_dict())


@pytest.mark.parametrize("router", ROUTERS)
def test_a_training_that_is_stopped_becomes_the_same(shard: Shard, tmp_path: Path, router: str) -> None:
    recipe = recipe_of(router, "loop.num_steps=4", "loop.validate_every=2")
    torch.manual_seed(0)
    start = NetworkProgram(recipe, shard, shard).model.state_dict()
    whole = NetworkProgram(recipe, shard, shard)
    whole.model.load_state_dict(start)
    run(whole, recipe.loop, tmp_path / "whole")
    for part in range(4):
        last = NetworkProgram(recipe, shard, shard)
        if not part:
            last.model.load_state_dict(start)
        outcome = run(last, replace(recipe.loop, time_limit_s=1e-9), tmp_path / "parts")
    assert outcome.finished
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, last.model.state_dict()[name]), name


def test_recomputing_layers_changes_no_gradient(shard: Shard) -> None:
    gradients = []
    for recompute in ("false", "true"):
        torch.manual_seed(0)
        program = NetworkProgram(recipe_of("rl", f"recompute={recompute}"), shard, shard)
        torch.manual_seed(1)
        program.loss(program.batch(0), 0)[0].backward()
        gradients.append([parameter.grad for parameter in program.model.parameters()])
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, again)


def test_a_transport_gives_every_expert_its_share() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(512, 8, generator=generator) + 2 * torch.arange(8)  # nearly all want the last one
    assert scores.argmax(-1).bincount(minlength=8)[-1] > 400
    plan = transport(scores)
    torch.testing.assert_close(plan.sum(1), torch.ones(512))
    torch.testing.assert_close(plan.sum(0), torch.full((8,), 64.0), rtol=0.02, atol=0)
    counts = plan.argmax(-1).bincount(minlength=8)
    assert counts.min() > 50 and counts.max() < 80
    likes = scores - scores.mean(0)  # within equal shares an id goes where it wants to more than others do
    assert likes.gather(1, plan.argmax(-1, keepdim=True)).mean() > 1
    two = transport(torch.tensor([[3.0, 2.9], [3.0, 0.0]]))
    assert two.argmax(-1).tolist() == [1, 0]  # the first loses less by leaving the expert that both want
    assert torch.isfinite(transport(torch.zeros(4, 2))).all()


def test_sinkhorn_balances_in_training_and_is_greedy_afterwards() -> None:
    torch.manual_seed(0)
    model = Qwen3(preset("tiny", 64, **routed_shape("sinkhorn", {"num_experts": 4})))
    Routing(model, "sinkhorn")
    layer = model.layers[0].mlp
    x, ids = torch.randn(256, 64), torch.zeros(256, dtype=torch.long)
    x[:, 0] += 20
    torch.nn.init.normal_(layer.gate.weight)
    greedy = layer.gate(x).argmax(-1)
    chosen, weights = layer.train().route(x, ids)
    counts = chosen[:, 0].bincount(minlength=4)
    assert counts.min() > 40 and greedy.bincount(minlength=4).max() > 200
    torch.testing.assert_close(weights, layer.gate(x).softmax(-1).gather(1, chosen))
    assert layer.eval().route(x, ids)[0][:, 0].equal(greedy)


def test_balance_is_one_for_each_expert_that_works_on_an_id_and_more_where_one_gets_all() -> None:
    even = Routed(torch.zeros(4, 4), torch.tensor([[0, 1], [2, 3], [0, 1], [2, 3]]))
    real = torch.tensor([True, True, True, True])
    assert balance_loss([even], real) == pytest.approx(2)
    one = Routed(torch.tensor([[9.0, 0, 0, 0]] * 4), torch.zeros(4, 1, dtype=torch.long))
    assert balance_loss([one], real) == pytest.approx(4, rel=1e-2)
    others = Routed(torch.tensor([[0.0, 9.0, 0, 0]] * 4), torch.ones(4, 1, dtype=torch.long))
    assert balance_loss([one, others], real) == pytest.approx(2, rel=1e-2)  # over both layers
    half = Routed(torch.cat([one.scores[:2], others.scores[:2]]), torch.tensor([[0], [0], [1], [1]]))
    assert balance_loss([half], torch.tensor([True, True, False, False])) == pytest.approx(4, rel=1e-2)


def test_balance_is_that_of_transformers() -> None:
    modeling = pytest.importorskip("transformers.models.qwen3_moe.modeling_qwen3_moe")
    scores = [torch.randn(20, 6), torch.randn(20, 6)]
    routed = [Routed(one, one.topk(2).indices) for one in scores]
    mask = torch.arange(20) < 15
    theirs = modeling.load_balancing_loss_func(tuple(scores), 6, 2, mask[None].long())
    torch.testing.assert_close(balance_loss(routed, mask), theirs)


def test_a_policy_is_drawn_in_training_and_greedy_afterwards() -> None:
    torch.manual_seed(0)
    model = Qwen3(preset("tiny", 64, **routed_shape("rl", {"num_experts": 4})))
    Routing(model, "rl")
    layer, x, ids = model.layers[0].mlp, torch.randn(1, 64).repeat(2000, 1), torch.zeros(2000).long()
    torch.nn.init.normal_(layer.gate.weight, std=0.2)
    chosen, weights = layer.train().route(x, ids)
    shares = chosen[:, 0].bincount(minlength=4) / 2000
    torch.testing.assert_close(shares, layer.gate(x[0]).softmax(-1).detach(), atol=0.05, rtol=0)
    assert (weights == 1).all() and shares.max() < 0.95
    assert layer.eval().route(x, ids)[0].unique().tolist() == [layer.gate(x[0]).argmax().item()]


def test_a_policy_moves_to_what_is_rewarded_more_than_expected() -> None:
    scores = torch.zeros(3, 2, requires_grad=True)
    expected = torch.tensor([-2.0, -2.0, -2.0], requires_grad=True)
    routed = Routed(scores, torch.tensor([[0], [1], [0]]), expected)
    learned = torch.tensor([True, True, False])
    loss = policy_loss(routed, torch.tensor([-1.0, -3.0]), learned)
    loss.backward()
    step = -scores.grad
    assert step[0, 0] > 0 > step[0, 1] and step[1, 0] > 0 > step[1, 1]  # towards the first, off the second
    assert step[2].abs().sum() == 0 and expected.grad[0] < 0 < expected.grad[1] and expected.grad[2] == 0
    torch.testing.assert_close(
        loss.detach(), functional.huber_loss(expected, torch.tensor([-1.0, -3, -2])) * 1.5
    )


def test_a_policy_learns_which_expert_pays() -> None:
    torch.manual_seed(0)
    gate, policy, x = torch.nn.Linear(8, 3, bias=False), Policy(8), torch.randn(200, 8)
    right = (x[:, 0] > 0).long()
    optimizer = torch.optim.AdamW([*gate.parameters(), *policy.parameters()], lr=0.03)
    for _ in range(400):
        scores = gate(x)
        chosen, expected = policy(scores.detach(), x)
        reward = -3.0 + 2 * (chosen[:, 0] == right)
        policy_loss(Routed(scores, chosen, expected), reward, torch.ones(200).bool()).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert (gate(x).argmax(-1) == right).float().mean() > 0.93


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("router=dice",), "router must be one of topk, sinkhorn, hash, rl, got 'dice'"),
        (("shape.num_experts=0",), "num_experts must be a whole number from 1 on, got 0"),
        (("shape.num_experts_per_tok=5",), "cannot go to 5 of 4 experts"),
        (("shape.num_experts_per_tok=0",), "num_experts_per_tok must be a whole number"),
        (("shape.moe_intermediate_size=0.5",), "moe_intermediate_size must be a whole number"),
        (("shape.router_aux_loss_coef=-1",), "router_aux_loss_coef must be a number from 0 on"),
        (("shape.norm_topk_prob=true",), "teaches topk nothing"),
        (("router=sinkhorn", "shape.num_experts_per_tok=2"), "sends an id to one expert"),
        (("router=sinkhorn", "shape.norm_topk_prob=1"), "needs shape.norm_topk_prob=0"),
        (("router=rl", "shape.norm_topk_prob=0"), "needs shape.norm_topk_prob=1"),
        (("router=hash", "shape.num_experts_per_tok=2"), "hash routing sends an id to one expert"),
        (("mup=64",), "mup is not worked out for experts"),
        (("trainable=lora",), "adapters on experts are not supported"),
    ],
)
def test_what_does_not_fit_is_told(shard: Shard, changes: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        NetworkProgram(override(crumb.RECIPE, ("shape.num_experts=4", *changes)), shard, shard)


def test_a_router_needs_experts_and_a_start_of_its_kind(shard: Shard, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the router rl needs experts"):
        NetworkProgram(override(crumb.RECIPE, ("router=rl",)), shard, shard)
    recipe = recipe_of("hash", "loop.num_steps=2")
    NetworkProgram(recipe, shard, shard).save(tmp_path)
    start = f"start_from={tmp_path / 'network'}"
    with pytest.raises(UserError, match="cannot be trained with the router topk"):
        NetworkProgram(override(crumb.RECIPE, (start,)), shard, shard)
    again = NetworkProgram(override(crumb.RECIPE, (start, "router=hash", "start_share=0.5")), shard, shard)
    run(again, recipe.loop, tmp_path / "again")
    assert load_pretrained(tmp_path / "again" / "network").config.num_experts == 4
