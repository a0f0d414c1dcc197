"""The folder we write is a Hugging Face model: transformers computes the same logits, and the way back holds
too.
"""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from unisono.core.errors import UserError
from unisono.model.config import preset, weight_shapes
from unisono.model.grow import grow_depth, grow_vocabulary
from unisono.model.hf import load_pretrained, save_pretrained
from unisono.model.transformer import Qwen3

transformers = pytest.importorskip("transformers")
VOCAB, END = 320, 7


def build(size: str = "tiny", **changes: object) -> Qwen3:
    """A random model whose norm weights are random too, so that a forgotten norm cannot pass for parity."""
    torch.manual_seed(0)
    model = Qwen3(preset(size, VOCAB, **changes)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.uniform_(0.5, 1.5)
            if name.endswith("bias"):
                weight.normal_(std=0.1)
    return model


def logits(model: Qwen3, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(model(ids))


def theirs(folder: Path) -> torch.nn.Module:
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


VARIANTS = [
    ("tiny", {}),
    ("nano", {}),
    ("tiny", {"tie_word_embeddings": False}),
    ("tiny", {"rope_theta": 500.0}),
    ("tiny", {"attention_bias": True}),
    ("tiny", {"model_type": "llama"}),
    ("tiny", {"model_type": "llama", "attention_bias": True}),
    ("tiny", {"model_type": "qwen2"}),
    (
        "tiny",
        {
            "model_type": "llama",
            "rope_theta": 5e5,
            "rope_scaling": {
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        },
    ),
]


@pytest.mark.parametrize("size, changes", VARIANTS)
def test_transformers_computes_the_same(size: str, changes: dict, tmp_path: Path) -> None:
    model = build(size, **changes)
    save_pretrained(model, tmp_path, {"eos_token_id": END, "pad_token_id": 0})
    other = theirs(tmp_path)
    ids = torch.randint(0, VOCAB, (2, 50), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        difference = (other(ids).logits - logits(model, ids)).abs().max().item()
    assert difference < 1e-4
    assert type(other).__name__ == changes.get("model_type", "qwen3").capitalize() + "ForCausalLM"
    assert (logits(load_pretrained(tmp_path), ids) == logits(model, ids)).all()


@pytest.mark.parametrize("size, changes", VARIANTS)
def test_the_shapes_are_those_of_the_network(size: str, changes: dict) -> None:
    model = build(size, **changes)
    assert weight_shapes(model.config) == {
        name: tuple(value.shape) for name, value in model.state_dict().items()
    }


@pytest.mark.parametrize("size", ["tiny", "nano"])
def test_greedy_generation_agrees(size: str, tmp_path: Path) -> None:
    model = build(size)
    save_pretrained(model, tmp_path, {"eos_token_id": VOCAB + 1, "pad_token_id": 0})
    prompt = torch.arange(10)[None]
    generated = theirs(tmp_path).generate(prompt, max_new_tokens=30, do_sample=False)
    ids = prompt
    for _ in range(30):
        ids = torch.cat([ids, logits(model, ids)[:, -1:].argmax(-1)], dim=1)
    assert generated.tolist() == ids.tolist()


@pytest.mark.parametrize("shard_size", ["5GB", "100KB"])
def test_a_folder_saved_by_transformers_loads(shard_size: str, tmp_path: Path) -> None:
    config = transformers.Qwen3Config(
        vocab_size=VOCAB,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        rope_parameters={"rope_type": "default", "rope_theta": 777.0},
    )
    torch.manual_seed(0)
    other = transformers.Qwen3ForCausalLM(config).eval()
    other.save_pretrained(tmp_path, max_shard_size=shard_size)
    assert (tmp_path / "model.safetensors.index.json").exists() == (shard_size == "100KB")
    ours = load_pretrained(tmp_path, vocab_size=VOCAB)
    ids = torch.arange(40)[None]
    with torch.no_grad():
        assert (other(ids).logits - logits(ours, ids)).abs().max() < 1e-4


def test_half_precision_on_disk(tmp_path: Path) -> None:
    save_pretrained(build(), tmp_path, dtype=torch.bfloat16)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    assert load_pretrained(tmp_path).embed_tokens.weight.dtype == torch.float32


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model_type": "mamba"}, "model_type qwen3, llama, qwen2, qwen3_moe, qwen3_moe_hash, found 'mamba'"),
        (
            {"rope_parameters": {"rope_type": "yarn", "factor": 4.0}},
            "expected rope type 'default', found 'yarn'",
        ),
        ({"hidden_act": "gelu"}, "expected hidden_act 'silu', found 'gelu'"),
        ({"hidden_size": None}, "lacks the whole number hidden_size"),
        ({"intermediate_size": 99}, "do not fit config.json"),
        (
            {"max_position_embeddings": None},
            "max_position_embeddings must be a whole number from 1 on, got None",
        ),
        ({"head_dim": "x"}, "head_dim must be a whole number"),
        ({"num_key_value_heads": [2]}, "num_key_value_heads must be"),
        ({"rms_norm_eps": "x"}, "rms_norm_eps must be a number"),
        ({"initializer_range": float("nan")}, "initializer_range must be a number"),
        ({"rope_parameters": [1]}, r"rope_parameters in config.json must be a JSON object, got \[1\]"),
        ({"rope_parameters": None, "rope_theta": "x"}, "rope_theta must be a number"),
        ({"num_attention_heads": 0}, "num_attention_heads must be"),
        ({"num_attention_heads": 0, "head_dim": None, "model_type": "llama"}, "num_attention_heads must be"),
    ],
)
def test_a_foreign_network_is_refused(changes: dict, message: str, tmp_path: Path) -> None:
    save_pretrained(build(), tmp_path)
    edit_config(tmp_path, **changes)
    with pytest.raises(UserError, match=message):
        load_pretrained(tmp_path)


@pytest.mark.parametrize(
    "index",
    [
        "[]",
        "3",
        "{}",
        '{"weight_map": []}',
        '{"weight_map": {}}',
        '{"weight_map": {"a": 3, "b": "x"}}',
        "{",
        "\xff",
    ],
)
def test_a_damaged_index_is_refused(index: str, tmp_path: Path) -> None:
    save_pretrained(build(), tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors.index.json").write_bytes(index.encode("latin1"))
    with pytest.raises(UserError, match="damaged"):
        load_pretrained(tmp_path)


def test_a_damaged_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a folder with config.json"):
        load_pretrained(tmp_path)
    save_pretrained(build(), tmp_path)
    with pytest.raises(UserError, match="has 320 ids but the vocabulary has 321"):
        load_pretrained(tmp_path, vocab_size=321)
    weights = tmp_path / "model.safetensors"
    tensors = load_file(weights)
    tensors.pop("model.norm.weight")
    save_file(tensors, weights)
    with pytest.raises(UserError, match="norm.weight should be .* found nothing"):
        load_pretrained(tmp_path)
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="damaged"):
        load_pretrained(tmp_path)
    weights.unlink()
    with pytest.raises(UserError, match="weights are missing"):
        load_pretrained(tmp_path)


@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": False}])
def test_growing_keeps_the_old_ids(changes: dict) -> None:
    model = build(**changes)
    grown = grow_vocabulary(model, 384)
    ids = torch.arange(20)[None]
    assert torch.allclose(logits(grown, ids)[..., :VOCAB], logits(model, ids), atol=1e-6)
    assert logits(grown, ids).shape[-1] == 384 and grown.config.vocab_size == 384
    with pytest.raises(UserError, match="can only grow"):
        grow_vocabulary(model, 100)


@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": False, "attention_bias": True}])
@pytest.mark.parametrize("layers", [2, 3, 5])
def test_more_layers_compute_the_same_until_they_are_trained(changes: dict, layers: int) -> None:
    model = build(**changes)
    grown = grow_depth(model, layers)
    ids = torch.arange(20)[None]
    assert (
        grown.config.num_hidden_layers == len(grown.layers) == layers and model.config.num_hidden_layers == 2
    )
    assert torch.allclose(logits(grown, ids), logits(model, ids), atol=1e-6)
    with pytest.raises(UserError, match="depth can only grow"):
        grow_depth(grown, layers - 1)
