"""Every engine gives the logits of the plain network, whatever was fed, forked, rewound or dropped before."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.engine.cache import FIRST_CAPACITY
from unisono.engine.engine import Engine
from unisono.engine.load import load_engine
from unisono.engine.onnx_engine import OnnxEngine, runs
from unisono.engine.onnx_graph import quantize
from unisono.engine.torch_engine import TorchEngine
from unisono.model.config import preset
from unisono.model.hf import save_pretrained
from unisono.model.transformer import Qwen3

VOCAB = 320


def build(**changes: object) -> Qwen3:
    """A random network sharp enough that a wrong position or a forgotten norm shows in the logits."""
    torch.manual_seed(0)
    model = Qwen3(preset("tiny", VOCAB, **changes)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.uniform_(0.5, 1.5) if "norm" in name else weight.normal_(std=0.1)
    return model


def engine_of(kind: str, model: Qwen3, **options: object) -> Engine:
    if kind == "torch":
        return TorchEngine(model, **options)  # type: ignore[arg-type]
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    return OnnxEngine(model.config, state, "float32", **options)  # type: ignore[arg-type]


@torch.no_grad()
def uncached(model: Qwen3, ids: list[int]) -> NDArray[np.float32]:
    return model.logits(model(torch.tensor([ids])))[0, -1].numpy()


def some_ids(count: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(0, VOCAB, count).tolist()


def assert_same(found: NDArray[np.float32], model: Qwen3, ids: list[int]) -> None:
    assert np.abs(found - uncached(model, ids)).max() < 1e-3


@pytest.fixture(params=["torch", "onnx"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tie_word_embeddings": False, "attention_bias": True},
        {"model_type": "llama", "rope_theta": 500.0},
    ],
)
def test_cached_equals_uncached(kind: str, changes: dict) -> None:
    model, ids = build(**changes), some_ids(40)
    engine = engine_of(kind, model)
    handle = engine.open()
    assert_same(engine.feed([(handle, ids[:20])])[0], model, ids[:20])
    for n in range(20, 30):
        assert_same(engine.feed([(handle, [ids[n]])])[0], model, ids[: n + 1])
    assert_same(engine.feed([(handle, ids[30:])])[0], model, ids)
    assert engine.length(handle) == 40


def test_greedy_ids_agree_token_for_token(kind: str) -> None:
    model = build()
    engine = engine_of(kind, model)
    handle, ids = engine.open(), some_ids(5)
    plain = list(ids)
    logits = engine.feed([(handle, ids)])[0]
    for _ in range(60):
        ids.append(int(logits.argmax()))
        logits = engine.feed([(handle, ids[-1:])])[0]
        plain.append(int(uncached(model, plain).argmax()))
    assert ids == plain


def test_many_sequences_of_any_length_in_one_step(kind: str) -> None:
    model = build()
    engine = engine_of(kind, model)
    texts = {engine.open(): some_ids(3 + 5 * n, seed=n) for n in range(7)}
    for row, ids in zip(engine.feed(list(texts.items())), texts.values()):
        assert_same(row, model, ids)
    rounds = [[6, 0, 3], [1], [0, 1, 2, 3, 4, 5, 6], [2, 5], [4, 6]]
    for number, chosen in enumerate(rounds):
        feeds = [(handle, some_ids(1 + (handle == 3), seed=100 + number + handle)) for handle in chosen]
        logits = engine.feed(feeds)
        for row, (handle, new) in zip(logits, feeds):
            texts[handle] += new
            assert_same(row, model, texts[handle])
    for handle, ids in texts.items():  # nobody's past was touched by the others
        assert_same(engine.feed([(handle, [9])])[0], model, ids + [9])


def test_fork_rewind_and_drop(kind: str) -> None:
    model, ids = build(), some_ids(30)
    engine = engine_of(kind, model)
    first = engine.open()
    engine.feed([(first, ids)])
    second = engine.fork(first)
    engine.rewind(first, 10)
    assert engine.length(first) == 10 and engine.length(second) == 30
    assert_same(engine.feed([(first, [1, 2])])[0], model, ids[:10] + [1, 2])
    assert_same(engine.feed([(second, [3])])[0], model, ids + [3])
    engine.drop(first)
    third = engine.open()
    assert_same(engine.feed([(third, [4, 5])])[0], model, [4, 5])
    assert_same(engine.feed([(second, [6])])[0], model, ids + [3, 6])
    with pytest.raises(ValueError, match="no open sequence has the handle"):
        engine.length(first)
    engine.rewind(second, 0)
    assert_same(engine.feed([(second, [7])])[0], model, [7])


def test_the_cache_grows_and_long_prompts_are_fed_in_parts(kind: str) -> None:
    model = build(max_position_embeddings=2000)
    engine = engine_of(kind, model)
    short, long = engine.open(), engine.open()
    engine.feed([(short, [1, 2, 3])])
    ids = some_ids(4 * FIRST_CAPACITY + 300)
    assert_same(engine.feed([(long, ids)])[0], model, ids)
    assert_same(engine.feed([(short, [4])])[0], model, [1, 2, 3, 4])


def test_steps_of_every_shape_share_one_room_for_logits() -> None:
    model = build()
    engine = engine_of("onnx", model)
    handles = [engine.open() for _ in range(4)]
    for number, handle in enumerate(handles):
        engine.feed([(handle, some_ids(number + 1))])
        engine.feed([(other, [3]) for other in handles[: number + 1]])
    assert len(engine.bindings) > 4
    assert all(np.shares_memory(binding.logits, engine.logits) for binding in engine.bindings.values())


def test_a_full_sequence_disturbs_nobody(kind: str) -> None:
    model = build()
    engine = engine_of(kind, model, max_length=32)
    left, full, right = engine.open(), engine.open(), engine.open()
    ids = some_ids(32)
    engine.feed([(full, ids[:31]), (left, [1]), (right, [2])])
    engine.feed([(full, ids[31:])])
    with pytest.raises(UserError, match="only 0 of the model's 32 still fit"):
        engine.feed([(left, [3]), (full, [5])])
    assert engine.length(left) == 1  # a refused step feeds nobody
    logits = engine.feed([(left, [3]), (right, [4])])  # the row between them is full
    assert_same(logits[0], model, [1, 3])
    assert_same(logits[1], model, [2, 4])
    engine.rewind(full, 31)
    assert_same(engine.feed([(full, ids[31:])])[0], model, ids)


def test_no_sequence_is_longer_than_the_network_knows_places(kind: str) -> None:
    model = build(max_position_embeddings=40)
    assert [engine_of(kind, model, max_length=length).max_length for length in (None, 30, 50)] == [40, 30, 40]


def test_bad_feeds_are_refused(kind: str) -> None:
    engine = engine_of(kind, build())
    handle = engine.open()
    for bad in ([VOCAB], [-1], []):
        with pytest.raises(ValueError):
            engine.feed([(handle, bad)])
    with pytest.raises(ValueError, match="only once"):
        engine.feed([(handle, [1]), (handle, [2])])
    with pytest.raises(ValueError, match="can rewind to 0 .. 0"):
        engine.rewind(handle, 1)
    assert engine.feed([]).shape == (0, VOCAB)


@pytest.mark.parametrize("bits, error", [(8, 0.01), (4, 0.15)])
def test_quantized_weights_are_close(bits: int, error: float) -> None:
    weight = np.random.default_rng(0).standard_normal((24, 80)).astype(np.float32)
    weight[3] = 0
    codes, scales = quantize(weight, bits)
    values = np.stack([codes & 15, codes >> 4], axis=-1).reshape(24, 3, 32) if bits == 4 else codes
    found = ((values.astype(np.float32) - (1 << (bits - 1))) * scales[..., None]).reshape(24, 96)[:, :80]
    assert np.abs(found - weight).mean() < error
    assert (found[3] == 0).all()


@pytest.mark.parametrize("precision, kl", [("int8", 2e-3), ("int4", 0.2)])
def test_low_precision_predicts_nearly_the_same(precision: str, kl: float, tmp_path: Path) -> None:
    model, ids = build(), some_ids(50)
    save_pretrained(model, tmp_path)
    engine = load_engine(tmp_path, kind="onnx", precision=precision)
    handle, divergences = engine.open(), []
    for n, id in enumerate(ids):
        found = torch.from_numpy(engine.feed([(handle, [id])])[0]).log_softmax(-1)
        wanted = torch.from_numpy(uncached(model, ids[: n + 1])).log_softmax(-1)
        divergences.append(torch.nn.functional.kl_div(found, wanted, log_target=True, reduction="sum").item())
    assert np.mean(divergences) < kl


def test_a_folder_chooses_its_engine(tmp_path: Path) -> None:
    model, ids = build(tie_word_embeddings=False), some_ids(10)
    save_pretrained(model, tmp_path)
    for options in ({"kind": "onnx", "precision": "float32"}, {"kind": "torch", "device": "cpu"}):
        engine = load_engine(tmp_path, **options)
        assert_same(engine.feed([(engine.open(), ids)])[0], model, ids)
    assert isinstance(load_engine(tmp_path, device="cpu"), OnnxEngine)
    with pytest.raises(UserError, match="unknown engine"):
        load_engine(tmp_path, kind="abacus")
    with pytest.raises(UserError, match="unknown precision"):
        load_engine(tmp_path, precision="int3")


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 1},
        {"num_hidden_layers": 3},
        {"model_type": "llama"},
        {"vocab_size": VOCAB + 1},
        {"hidden_size": 32},
        {"intermediate_size": 96},
        {"num_key_value_heads": 4},
        {"attention_bias": True},
        {"tie_word_embeddings": False},
    ],
)
def test_weights_that_do_not_fit_their_config_are_refused(engine: str, changes: dict, tmp_path: Path) -> None:
    save_pretrained(build(), tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**stored, **changes}))
    with pytest.raises(UserError, match="do not fit config.json"):
        load_engine(tmp_path, kind=engine, device="cpu")


def test_rows_are_grouped_into_runs() -> None:
    assert runs([]) == []
    assert runs([4, 0, 1, 3, 7]) == [range(0, 5), range(7, 8)]
