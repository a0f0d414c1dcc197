"""A model made larger that computes what it computed: more ids, or more layers.

Shapes: V old ids, N new ids, C hidden_size, W width of the rows that directions are taken from.
"""

from dataclasses import replace

import torch
from torch import Tensor

from unisono.core.errors import UserError
from unisono.model.transformer import Block, Qwen3

TABLES = ("embed_tokens.weight", "lm_head.weight")  # the second one is absent where both are one
# Of a new row from the mean row, as a share of what the old rows have (median). SmolLM2's rows lie 2.3 from
# their mean.
# Codes that lay 0.5 from it were hardly told apart: 8.2 nats a code after 39 steps of 8 x 512, 7.3 where
# they lay 2.0.
DISTANCE = 0.87


def new_rows(table: Tensor, count: int, seed: int = 0, like: Tensor | None = None) -> Tensor:
    """(V, C) rows of a table -> (count, C) rows for new ids: the mean row, and from there DISTANCE in
    directions of their own.

    An average hidden state gives a new id the logit of an average old one, and two new ids are as easy to
    tell apart as two old ones. `like`: (count, W) rows of another network, whose differences are turned into
    C dimensions: codes that were alike there are alike here. Without it the directions are random.
    """
    generator = torch.Generator().manual_seed(seed)
    mean = table.float().mean(0)
    distance = DISTANCE * (table.float() - mean).norm(dim=1).median()
    if like is None:
        directions = torch.randn(count, table.shape[1], generator=generator)
    else:
        if len(like) != count:
            raise UserError(
                f"expected {count} rows to take directions from, got {len(like)}; the codecs are others"
            )
        wide, narrow = max(table.shape[1], like.shape[1]), min(table.shape[1], like.shape[1])
        turn = torch.linalg.qr(torch.randn(wide, narrow, generator=generator)).Q
        differences = like.float() - like.float().mean(0)
        directions = differences @ (turn if len(turn) == like.shape[1] else turn.mT)
    lengths = directions.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return (mean + distance * directions / lengths).to(table.dtype)


@torch.no_grad()
def grow_vocabulary(
    model: Qwen3, new_size: int, *, kept: int | None = None, like: dict[int, Tensor] | None = None
) -> Qwen3:
    """A model with the same weights and `new_size` ids.

    The first `kept` ids, or all, keep their rows; see `new_rows`.

    `like`: first id -> (count, W) rows of another network that the rows from there on shall be like.
    """
    kept = model.config.vocab_size if kept is None else kept
    if not kept <= min(new_size, model.config.vocab_size):
        raise UserError(f"the vocabulary can only grow: the model has {kept} ids, {new_size} were asked for")
    with torch.device("meta"):
        grown = Qwen3(replace(model.config, vocab_size=new_size))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for number, name in enumerate(TABLES):
        if name in state:
            old = state[name][:kept]
            rows = torch.cat([old, new_rows(old.cpu(), new_size - kept, seed=number).to(old)])
            for first, others in (like or {}).items():
                rows[first : first + len(others)] = new_rows(old.cpu(), len(others), 2 + number, others).to(
                    old
                )
            state[name] = rows
    grown.load_state_dict(state, assign=True)
    grown.inv_freq = model.inv_freq.clone()
    return grown.requires_grad_(True).train(model.training)


@torch.no_grad()
def untied(model: Qwen3) -> Qwen3:
    """A model that computes the same, its head a copy of the embedding; itself where they are apart."""
    if model.lm_head is not None:
        return model
    with torch.device("meta"):
        apart = Qwen3(replace(model.config, tie_word_embeddings=False))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    state[TABLES[1]] = state[TABLES[0]].clone()
    apart.load_state_dict(state, assign=True)
    apart.inv_freq = model.inv_freq.clone()
    return apart.requires_grad_(True).train(model.training)


@torch.no_grad()
def grow_depth(model: Qwen3, num_hidden_layers: int) -> Qwen3:
    """A model of more layers that computes the same at first: copies of some blocks, evenly spread, whose
    outputs are nothing until they are trained (Wu et al. 2024, "LLaMA Pro: Progressive LLaMA with block
    expansion", arXiv 2401.02415)."""
    old = model.config.num_hidden_layers
    if num_hidden_layers < old:
        raise UserError(
            f"the depth can only grow: the model has {old} layers, {num_hidden_layers} were asked for"
        )
    grown = Qwen3(replace(model.config, num_hidden_layers=num_hidden_layers))
    grown = grown.to(model.embed_tokens.weight.device, model.embed_tokens.weight.dtype)
    grown.load_state_dict(
        {name: value for name, value in model.state_dict().items() if not name.startswith("layers.")},
        strict=False,
    )
    new = inserted(old, num_hidden_layers)
    for number, block in enumerate(grown.layers):
        assert isinstance(block, Block)
        block.load_state_dict(model.layers[number * old // num_hidden_layers].state_dict())
        if number in new:
            for name, value in block.named_parameters():
                if "o_proj." in name or "down_proj." in name:
                    value.zero_()
    return grown.train(model.training)


def inserted(old: int, new: int) -> list[int]:
    """The numbers of the layers that `grow_depth` adds."""
    return [number for number in range(1, new) if number * old // new == (number - 1) * old // new]
