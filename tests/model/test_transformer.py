"""The network alone: causality, packing, init, loss, and that it compiles whole."""

import math

import pytest
import torch

from unisono.core.errors import UserError
from unisono.model.config import Qwen3Config, preset
from unisono.model.transformer import IGNORE, Qwen3, blockwise_attention, packed_mask

VOCAB = 320


@pytest.fixture
def model() -> Qwen3:
    torch.manual_seed(0)
    return Qwen3(preset("tiny", VOCAB)).eval()


def random_ids(*shape: int) -> torch.Tensor:
    return torch.randint(0, VOCAB, shape, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_the_future_changes_nothing(model: Qwen3) -> None:
    ids = random_ids(1, 20)
    changed = ids.clone()
    changed[:, 12:] = (changed[:, 12:] + 1) % VOCAB
    assert torch.allclose(model(ids)[:, :12], model(changed)[:, :12], atol=1e-6)
    assert not torch.allclose(model(ids)[:, 12:], model(changed)[:, 12:], atol=1e-3)


@torch.no_grad()
def test_packed_documents_do_not_see_each_other(model: Qwen3) -> None:
    first, second = random_ids(1, 9), random_ids(1, 7).flip(1)
    packed = torch.cat([first, second], dim=1)
    positions = torch.cat([torch.arange(9), torch.arange(7)])[None]
    document = torch.tensor([[0] * 9 + [1] * 7])
    hidden = model(packed, positions, packed_mask(document))
    assert torch.allclose(hidden[:, :9], model(first), atol=1e-5)
    assert torch.allclose(hidden[:, 9:], model(second), atol=1e-5)


def test_loss_is_the_mean_over_learned_labels(model: Qwen3) -> None:
    ids, labels = random_ids(2, 16), random_ids(2, 16).roll(3, 1)
    labels[0, :10] = IGNORE
    losses = model.loss_per_id(ids, labels)
    assert losses.shape == labels.shape and (losses[0, :10] == 0).all()
    assert torch.allclose(model.loss(ids, labels), losses.sum() / (labels != IGNORE).sum())
    assert model.loss(ids, torch.full_like(ids, IGNORE)).item() == 0


def test_a_new_model_guesses_uniformly(model: Qwen3) -> None:
    loss = model.loss(random_ids(4, 64), random_ids(4, 64).roll(1, 1)).item()
    assert abs(loss - math.log(VOCAB)) < 0.1
    residual_std = model.layers[0].mlp.down_proj.weight.std().item()
    assert residual_std == pytest.approx(0.02 / math.sqrt(2 * 2), rel=0.05)


def test_it_can_learn_a_sentence_by_heart(model: Qwen3) -> None:
    ids, labels = random_ids(2, 16), random_ids(2, 16).roll(-1, 1)
    labels[:, -1] = IGNORE
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(40):
        loss = model.loss(ids, labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.1


@pytest.mark.parametrize(
    "changes", [{}, {"tie_word_embeddings": False, "attention_bias": True}, {"model_type": "llama"}]
)
def test_shapes_in_every_variant(changes: dict) -> None:
    model = Qwen3(preset("tiny", VOCAB, **changes))
    assert model.logits(model(random_ids(2, 5))).shape == (2, 5, VOCAB)


def test_no_graph_break_with_mask_positions_and_autocast(model: Qwen3) -> None:
    ids, document = random_ids(2, 16), torch.arange(16).expand(2, 16) // 8
    positions = torch.arange(16).expand(2, 16) % 8
    with torch.autocast("cpu", torch.bfloat16):
        report = torch._dynamo.explain(model.loss)(ids, ids, positions, packed_mask(document))
    assert report.graph_break_count == 0


def test_impossible_shapes_are_refused() -> None:
    with pytest.raises(UserError, match="unknown size 'huge'"):
        preset("huge", VOCAB)
    with pytest.raises(UserError, match="multiple of num_key_value_heads"):
        preset("tiny", VOCAB, num_key_value_heads=3)
    with pytest.raises(UserError, match="model_type must be one of"):
        preset("tiny", VOCAB, model_type="mamba")
    with pytest.raises(TypeError):
        Qwen3Config(n_embd=3)  # type: ignore[call-arg]


@torch.no_grad()
def test_attention_a_quarter_at_a_time_is_attention() -> None:
    random = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, heads, 64, 16, generator=random) for heads in (4, 2, 2))
    mask = packed_mask(torch.tensor([[0] * 20 + [1] * 44, [0] * 64]))
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
    assert torch.allclose(blockwise_attention(q, k, v, mask), expected, atol=1e-6)
