"""How the routers of a network with experts learn (model/experts.py says what they do afterwards).

topk      Qwen3-MoE: what the network computes, and a loss that balances the experts.
sinkhorn  S-BASE: in training ids are assigned by an optimal transport that gives every expert its share
          (Sinkhorn's iterations); afterwards to the best expert, however full it is.
hash      the id is the router; nothing learns.
rl        RL-R: the router is a policy, a choice of an expert its action, the log probability of the right
          next id its reward (policy gradient with a learned baseline); afterwards the best expert.

All four are those of Clark et al. 2022, "Unified Scaling Laws for Routed Language Models", arXiv 2202.01169,
but for `topk`, which they leave out. Every router but `topk` chooses one expert.

Shapes: N ids of all rows, C hidden_size, E experts, A experts that work on an id.
"""

from collections.abc import Sequence
from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.core.errors import UserError
from unisono.model.config import HASHED, Qwen3Config
from unisono.model.experts import Experts, Routed
from unisono.model.transformer import Qwen3

# Router -> what the shape of its network has, unless told otherwise.
ROUTERS: dict[str, dict[str, Any]] = {
    "topk": {},
    "sinkhorn": {},
    "hash": {"model_type": HASHED},
    "rl": {"norm_topk_prob": True},  # its one expert has the weight 1: the reward alone teaches the policy
}
TEMPERATURE = 0.1  # of the transport, in standard deviations of the scores: lower is nearer to equal shares
MAX_ROUNDS, TOLERANCE = 200, 1e-2
POLICY = 0.01  # of the policy's loss: the router follows it at any weight, the layers below hardly


def routed_shape(router: str, shape: dict[str, Any]) -> dict[str, Any]:
    """The fields of a shape together with those that the router asks for. UserError for an unknown router, or
    for one without experts.
    """
    if router not in ROUTERS:
        raise UserError(f"router must be one of {', '.join(ROUTERS)}, got {router!r}")
    if "num_experts" in shape:
        return {**ROUTERS[router], **shape}
    if router != "topk":
        raise UserError(f"the router {router} needs experts; add --set shape.num_experts=8")
    return shape


class Sinkhorn(nn.Module):
    """Chooses the expert that gets most of an id, where every expert gets an equal share of all ids."""

    def forward(self, scores: Tensor, hidden: Tensor) -> tuple[Tensor, None]:
        """(N, E) scores, (N, C) hidden states, which are not read -> (N, 1) and nothing expected."""
        return transport(scores).argmax(-1, keepdim=True), None


def transport(scores: Tensor) -> Tensor:
    """(N, E) scores -> (N, E) shares of each id: those of an id add up to 1, those of an expert to N / E, and
    high scores have more (Cuturi 2013, arXiv 1306.0895).
    """
    plan = scores / (TEMPERATURE * scores.std()).clamp(min=1e-9)
    share = log(scores.shape[0] / scores.shape[1])
    for _ in range(MAX_ROUNDS):
        plan = plan - plan.logsumexp(0, keepdim=True) + share
        total = plan.logsumexp(1, keepdim=True)
        plan = plan - total
        if total.abs().max() < TOLERANCE:
            break
    return plan.exp()


class Policy(nn.Module):
    """Draws an expert by the softmax of the scores, and expects a reward from the hidden state."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.baseline = nn.Linear(hidden_size, 1)

    def forward(self, scores: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """(N, E) scores, (N, C) hidden states -> (N, 1) and (N,) nats expected."""
        return torch.multinomial(scores.softmax(-1), 1), self.baseline(hidden)[:, 0]


def balance_loss(routed: Sequence[Routed], is_real: Tensor) -> Tensor:
    """E times the sum over experts of (share of the ids that it gets) x (mean softmax of its scores), all
    layers together; A where all get the same (Fedus et al. 2021, arXiv 2101.03961, as in Qwen3-MoE).

    is_real: (N,) whether an id counts.
    """
    num_experts = routed[0].scores.shape[1]
    counted = torch.cat([one.chosen[is_real] for one in routed])
    shares = torch.cat([one.scores[is_real].float().softmax(-1) for one in routed])
    ids = max(1, len(shares))
    got = counted.flatten().bincount(minlength=num_experts) / ids
    return num_experts * (got * shares.sum(0) / ids).sum()


def policy_loss(routed: Routed, reward: Tensor, is_learned: Tensor) -> Tensor:
    """The loss of a policy and of its baseline. reward: (L,) of the ids that `is_learned` (N,) marks."""
    assert routed.expected is not None  # a policy always expects something
    expected = routed.expected
    if not len(reward):
        return expected.sum() * 0
    chances = routed.scores[is_learned].float().log_softmax(-1)
    chosen = chances.gather(-1, routed.chosen[is_learned])[:, 0]
    expected = expected[is_learned].float()
    better = reward - expected.detach()
    return functional.huber_loss(expected, reward) - POLICY * (better * chosen).mean()


class Routing:
    """Sets how the layers of a network with experts choose in training, and says what that costs."""

    def __init__(self, model: Qwen3, router: str) -> None:
        """UserError where the network is not of this router."""
        _check(model.config, router)
        self.coefficient, self.router = model.config.router_aux_loss_coef, router
        self.layers = [module for module in model.modules() if isinstance(module, Experts)]
        for layer in self.layers:
            if router == "sinkhorn":
                layer.choose = Sinkhorn()
            elif router == "rl":
                layer.choose = Policy(model.config.hidden_size)

    def watch(self) -> None:
        """The next forward pass is the one that `loss` is about."""
        for layer in self.layers:
            layer.is_watched = True

    def loss(self, losses: Tensor, is_learned: Tensor, is_real: Tensor) -> Tensor:
        """What is added to the loss of the watched pass; zero for sinkhorn and hash. losses: (L,) nats of the
        ids that `is_learned` (N,) marks; is_real: (N,) whether an id is of a document.
        """
        routed = [layer.routed for layer in self.layers if layer.routed is not None]
        found = losses.new_zeros(())
        if routed and self.router in ("topk", "rl"):
            found = found + self.coefficient * balance_loss(routed, is_real)
        if self.router == "rl":
            found = found + sum(policy_loss(one, -losses.detach(), is_learned) for one in routed)
        for layer in self.layers:  # layers that are computed again on the way back are not watched then
            layer.is_watched, layer.routed = False, None
        return found


def _check(config: Qwen3Config, router: str) -> None:
    if (config.model_type == HASHED) != (router == "hash"):
        raise UserError(f"a network of {config.model_type} cannot be trained with the router {router}")
    if router == "topk" and config.num_experts_per_tok == 1 and config.norm_topk_prob:
        raise UserError(
            "one expert whose weight is always 1 teaches topk nothing; set shape.norm_topk_prob=0"
        )
    if router in ("sinkhorn", "rl") and config.num_experts_per_tok != 1:
        raise UserError(f"the router {router} sends an id to one expert; set shape.num_experts_per_tok=1")
    if router in ("sinkhorn", "rl") and config.norm_topk_prob != (router == "rl"):
        expected = int(router == "rl")
        raise UserError(f"the router {router} needs shape.norm_topk_prob={expected}")
