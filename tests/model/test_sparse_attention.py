"""Sparse attention: blocks, FlexAttention and a dense mask compute the same, here and in transformers; the
engine goes on where a row left off.
"""

import json
from dataclasses import replace
from pathlib import Path

import crumb
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from unisono.core.errors import UserError
from unisono.engine.load import load_engine
from unisono.model.config import preset
from unisono.model.hf import config_from_hf, config_to_hf, load_pretrained, save_pretrained
from unisono.model.sparse_attention import Pattern
from unisono.model.transformer import Qwen3, packed_mask
from unisono.train.loop import run
from unisono.train.network import NetworkProgram

VOCAB = 320
KINDS = ("sliding", "strided", "fixed")
CASES = [(window, length) for window in (1, 4, 16) for length in (1, 15, 64, 75)] + [(200, 75)]


def inputs(length: int) -> list[Tensor]:
    """q, k, v of 2 rows, 4 query heads on 2 key/value heads."""
    torch.manual_seed(length)
    return [torch.randn(2, heads, length, 8) for heads in (4, 2, 2)]


def documents_of(length: int) -> Tensor:
    """Three documents in one row, one and the filling behind it in the other."""
    place = torch.arange(length)
    return torch.stack([place * 3 // max(length, 1), -(place >= length * 2 // 3).long()])


def seen(kind: str, window: int, length: int) -> Tensor:
    """The pattern as the paper says it, pair by pair; independent of the code under test."""
    pairs = torch.zeros(length, length, dtype=torch.bool)
    for i in range(length):
        for j in range(i + 1):
            near = i // window == j // window if kind == "fixed" else i - j < window
            far = {
                "full": True,
                "sliding": False,
                "strided": (i - j) % window == 0,
                "fixed": j % window >= window - 8,
            }[kind]
            pairs[i, j] = near or far
    return pairs


def check_same(
    kind: str, window: int, documents: Tensor | None, length: int, how: str, sinks: Tensor | None = None
) -> None:
    """Output and gradients of the pattern against scaled_dot_product_attention under the dense mask."""
    q, k, v = (t.requires_grad_(how != "flex") for t in inputs(length))  # on a CPU it has no way back
    mask = seen(kind, window, length)[None, None]
    if documents is not None:
        mask = mask & packed_mask(documents)
    if sinks is None:
        expected = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
    else:  # a key more, whose score is the sink and whose value is nothing
        scores = q @ k.repeat_interleave(2, dim=1).mT / q.shape[-1] ** 0.5
        scores = torch.cat(
            [scores.masked_fill(~mask, -1e9), sinks.view(1, 4, 1, 1).expand(2, 4, length, 1)], -1
        )
        expected = scores.softmax(-1)[..., :-1] @ v.repeat_interleave(2, dim=1)
    pattern = Pattern(kind, window)
    given = {
        "blocks": documents,
        "flex": pattern.block_mask(torch.zeros(2, length).long() if documents is None else documents),
        "dense": packed_mask(torch.zeros(1, length).long() if documents is None else documents),
    }[how]
    found = pattern.attend(q, k, v, given, sinks)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    if how == "flex":
        return
    weight = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weight).sum(), (q, k, v))
    for one, other in zip(torch.autograd.grad((found * weight).sum(), (q, k, v)), wanted):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_packed", [False, True])
def test_blocks_are_exact_and_so_are_their_gradients(kind: str, is_packed: bool) -> None:
    for window, length in CASES:
        check_same(kind, window, documents_of(length) if is_packed else None, length, "blocks")
    check_same(kind, 16, documents_of(75), 75, "dense")


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("kind", KINDS)
def test_flex_attention_takes_the_same_pattern(kind: str) -> None:
    for documents in (None, documents_of(150)):
        check_same(kind, 16, documents, 150, "flex")


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("kind", ("full", *KINDS))
def test_sinks_take_their_part_of_the_softmax(kind: str) -> None:
    sinks = torch.tensor([-1.0, 0.0, 1.0, 3.0])
    for how in ("blocks", "flex", "dense"):
        check_same(kind, 16, documents_of(75), 75, how, sinks)
    check_same(kind, 16, None, 75, "blocks", sinks)


def build(**changes: object) -> Qwen3:
    torch.manual_seed(0)
    return Qwen3(preset("tiny", VOCAB, **{"attention_window": 8, **changes})).eval()


def some_ids(length: int = 50) -> Tensor:
    return torch.randint(0, VOCAB, (1, length), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("changes", [{}, {"model_type": "qwen2"}, {"num_experts": 4}], ids=str)
def test_transformers_computes_the_sliding_network(tmp_path: Path, changes: dict[str, object]) -> None:
    transformers = pytest.importorskip("transformers")
    model, ids = build(attention="sliding", **changes), some_ids()
    save_pretrained(model, tmp_path)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    with torch.no_grad():
        ours = model.logits(model(ids))
        torch.testing.assert_close(ours, theirs(ids).logits, atol=1e-4, rtol=0)
        model.layers[0].self_attn.pattern = None
        assert (model.logits(model(ids)) - ours).abs().max() > 1e-3, "the window is of no matter"
    assert load_pretrained(tmp_path).config == model.config


@pytest.mark.parametrize(
    ("kind", "sinks"), [(kind, False) for kind in KINDS] + [("full", True), ("sliding", True)]
)
def test_our_engine_goes_on_and_the_others_refuse(tmp_path: Path, kind: str, sinks: bool) -> None:
    model_type = "llama" if kind == "sliding" else "qwen3"
    model, ids = build(attention=kind, model_type=model_type, attention_sinks=sinks), some_ids()
    if sinks:
        model.layers[0].self_attn.sinks.data += 2.0
    save_pretrained(model, tmp_path)
    assert load_pretrained(tmp_path).config == model.config
    with torch.no_grad():
        expected = model.logits(model(ids))[0]
    engine = load_engine(tmp_path)  # auto
    handle = engine.open()
    rows = [engine.feed([(handle, ids[0, :30].tolist())])[0]]
    rows += [engine.feed([(handle, [id])])[0] for id in ids[0, 30:].tolist()]
    for row, wanted in zip(rows, expected[29:]):
        torch.testing.assert_close(torch.from_numpy(row), wanted, atol=1e-4, rtol=0)
    name = f"{kind} attention" + " with sinks" * sinks
    pytest.importorskip("onnxruntime")
    with pytest.raises(UserError, match=f"does not compute {name}; use the engine torch"):
        load_engine(tmp_path, kind="onnx")
    with pytest.raises(UserError, match=f"no server knows {name}; use the engine torch"):
        load_engine(tmp_path, kind="http://localhost:1/v1")


def test_transformers_refuses_a_pattern_that_it_lacks(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    save_pretrained(build(attention="strided"), tmp_path)
    with pytest.raises(ValueError, match="qwen3_sparse"):
        transformers.AutoModelForCausalLM.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attention": "stridden"}, "attention must be one of full, sliding, strided, fixed, got 'stridden'"),
        (
            {"attention": "strided", "attention_window": 0},
            "attention_window must be a whole number from 1 on",
        ),
    ],
)
def test_bad_patterns_are_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(**changes)
    shard = crumb.documents(tmp_path, 8)
    with pytest.raises(UserError, match=message):
        NetworkProgram(replace(crumb.RECIPE, **changes), shard, shard)
    stored = config_to_hf(build(attention="strided").config)
    with pytest.raises(UserError, match=message):
        own = {"attention_window": 4, "attention_sinks": False, **changes}
        config_from_hf(stored | {"sparse_attention": own})


def test_stored_windows_are_read_as_transformers_does() -> None:
    stored = json.loads(json.dumps(config_to_hf(build().config)))
    assert config_from_hf(stored).attention == "full"
    slides = stored | {"use_sliding_window": True, "sliding_window": 9}
    assert config_from_hf(slides).attention == "full"  # only from layer 28 on, and there is none
    every = config_from_hf(slides | {"max_window_layers": 0})
    assert (every.attention, every.attention_window) == ("sliding", 9)
    with pytest.raises(UserError, match="sliding window in the layers"):
        config_from_hf(slides | {"max_window_layers": 1})
    with pytest.raises(UserError, match="attention_window must be a whole number"):
        config_from_hf(slides | {"max_window_layers": 0, "sliding_window": None})
    with pytest.raises(UserError, match="sparse_attention in config.json must be"):
        config_from_hf(stored | {"sparse_attention": "strided"})


@pytest.mark.parametrize(("kind", "sinks"), [("strided", False), ("full", True)])
def test_a_crumb_is_learned_and_validated_through_a_pattern(tmp_path: Path, kind: str, sinks: bool) -> None:
    shard = crumb.documents(tmp_path / "shard", 8)
    recipe = replace(
        crumb.RECIPE,
        attention=kind,
        attention_window=4,
        attention_sinks=sinks,
        loader=replace(crumb.RECIPE.loader, batch_size=2),
        loop=replace(crumb.RECIPE.loop, num_steps=30, warmup_steps=5, validate_every=30),
    )
    program = NetworkProgram(recipe, shard, shard)
    before = program.validate()
    run(program, recipe.loop, tmp_path)
    after = program.validate()
    assert all(after[task] < before[task] - 2 for task in before)
    again = load_pretrained(tmp_path / "network")
    assert again.config.attention == kind
    torch.testing.assert_close(again(some_ids(20) % 10), program.model.eval()(some_ids(20) % 10))
    with pytest.raises(UserError, match="mup, shape and attention are for networks that begin from nothing"):
        NetworkProgram(replace(recipe, start_from=str(tmp_path / "network")), shard, shard)
