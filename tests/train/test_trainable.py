"""Which weights move, and that the others stay; LoRA as peft reads and writes it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unisono.core.errors import UserError
from unisono.data.shards.loader import LoaderConfig
from unisono.data.shards.shard import Shard, ShardWriter
from unisono.model.config import preset
from unisono.model.grow import inserted
from unisono.model.hf import load_pretrained, save_pretrained
from unisono.model.transformer import Qwen3
from unisono.train.loop import LoopConfig, run
from unisono.train.lora import LoraLinear, add_lora, load_adapter, merged, save_adapter
from unisono.train.network import NetworkProgram, NetworkRecipe
from unisono.train.prompt import prompt_of
from unisono.train.trainable import arranged

TEXT, VOCAB = 40, 128
IDS = torch.arange(30)[None]
RECIPE = NetworkRecipe(
    compile=False,
    task_shares={},
    lora_rank=4,
    loader=LoaderConfig(batch_size=2, row_length=32, block_ids=400, chained_share=0.0),
    loop=LoopConfig(
        num_steps=3, learning_rate=1e-2, warmup_steps=1, device="cpu", bf16=False, weight_decay=0.1
    ),
)


def model(kind: str = "llama", **changes: object) -> Qwen3:
    torch.manual_seed(5)
    return Qwen3(preset("tiny", VOCAB, model_type=kind, **changes)).eval()


def logits(network: Qwen3) -> torch.Tensor:
    with torch.no_grad():
        return network.logits(network(IDS))


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Shard:
    """Documents of a base's ids, up to 40, and of ours."""
    folder: Path = tmp_path_factory.mktemp("shard")
    writer, rng = ShardWriter(folder, VOCAB), np.random.default_rng(0)
    for _ in range(8):
        writer.add(rng.integers(0, VOCAB, size=20), np.ones(20), "talk")
    writer.close(text_end=60, base="some", units={"text": [0, TEXT, "byte", 1]})
    return Shard(folder)


def trained(shard: Shard, folder: Path, **changes: object) -> tuple[Qwen3, Qwen3, NetworkProgram]:
    """-> the start, what came of it as it is on disk, and the program."""
    save_pretrained(model(), folder / "start")
    recipe = replace(RECIPE, start_from=str(folder / "start"), **changes)
    program = NetworkProgram(recipe, shard, shard)
    run(program, recipe.loop, folder)
    return load_pretrained(folder / "start"), load_pretrained(folder / "network"), program


def test_new_rows_learn_faster_than_those_of_the_base(shard: Shard, tmp_path: Path) -> None:
    once, fast = (
        trained(shard, tmp_path / f"{rate}", new_rows_rate=rate, loop=replace(RECIPE.loop, num_steps=1))
        for rate in (1.0, 3.0)
    )
    moved, further = (
        after.embed_tokens.weight - before.embed_tokens.weight for before, after, _ in (once, fast)
    )
    assert torch.allclose(moved[:TEXT], further[:TEXT], atol=1e-7) and moved[:TEXT].abs().max() > 1e-4
    assert torch.allclose(3 * moved[TEXT:], further[TEXT:], atol=1e-6)


@pytest.mark.parametrize("way", ["lora", "layers"])
def test_the_base_stays_where_only_what_is_new_moves(way: str, shard: Shard, tmp_path: Path) -> None:
    before, after, program = trained(shard, tmp_path, trainable=way)
    rows, old_rows = after.embed_tokens.weight, before.embed_tokens.weight
    assert torch.equal(rows[:TEXT], old_rows[:TEXT]) and not torch.equal(rows[TEXT:], old_rows[TEXT:])
    assert torch.equal(after.norm.weight, before.norm.weight)
    old = before.config.num_hidden_layers
    new = inserted(old, after.config.num_hidden_layers)
    assert len(new) == (way == "layers")
    kept = [layer for number, layer in enumerate(after.layers) if number not in new]
    for one, other in zip(before.layers, kept, strict=True):
        is_same = [torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)]
        assert all(is_same) == (way == "layers")
    if way == "lora":
        again = merged(load_adapter(load_pretrained(tmp_path / "start"), tmp_path / "adapter"))
        assert torch.allclose(logits(again), logits(after), atol=1e-6)
        assert all(
            not p.requires_grad
            for n, p in program.model.named_parameters()
            if "lora" not in n and "embed" not in n
        )
    else:
        assert after.layers[new[0]].mlp.down_proj.weight.abs().max() > 0


def test_a_way_that_is_none_is_refused() -> None:
    for options, message in (
        (
            dict(way="some", num_hidden_layers=0, lora_rank=4),
            "trainable must be one of all, lora, layers, prompt, head, got 'some'",
        ),
        (dict(way="lora", num_hidden_layers=0, lora_rank=0), "lora_rank must be at least 1"),
        (dict(way="layers", num_hidden_layers=2, lora_rank=4), "needs more layers than the 2 that there are"),
    ):
        with pytest.raises(UserError, match=message):
            arranged(model(), options.pop("way"), **options)


def disturbed(network: Qwen3) -> Qwen3:
    """With adapters that do something."""
    for module in network.modules():
        if isinstance(module, LoraLinear):
            torch.nn.init.normal_(module.lora_B, std=0.1)
    return network


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("tied", [True, False])
def test_peft_reads_what_we_write_and_writes_what_we_read(kind: str, tied: bool, tmp_path: Path) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    start = model(kind, tie_word_embeddings=tied)
    save_pretrained(start, tmp_path / "start")
    own = add_lora(load_pretrained(tmp_path / "start"), rank=4, alpha=8)
    assert torch.equal(logits(own), logits(start))
    wanted = logits(disturbed(own))
    with torch.no_grad():
        own.embed_tokens.weight[TEXT:] += 0.01
    wanted = logits(own)
    assert torch.allclose(logits(merged(own)), wanted, atol=1e-5)
    save_adapter(own, tmp_path / "adapter", str(tmp_path / "start"))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "start", dtype=torch.float32)
    theirs = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapter").eval()
    with torch.no_grad():
        assert (theirs(IDS).logits - wanted).abs().max() < 1e-5
    plain = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "start", dtype=torch.float32)
    config = peft.LoraConfig(r=2, lora_alpha=6, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    made = peft.get_peft_model(plain, config).eval()
    made.save_pretrained(tmp_path / "theirs")
    with torch.no_grad():
        wanted = made(IDS).logits
    taken = load_adapter(load_pretrained(tmp_path / "start"), tmp_path / "theirs")
    assert (logits(merged(taken)) - wanted).abs().max() < 1e-5


def test_an_adapter_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no adapter in"):
        load_adapter(model(), tmp_path)
    save_adapter(add_lora(model(), 4, 4), tmp_path, "base")
    with pytest.raises(UserError, match="is of another network: .* expected"):
        load_adapter(model(intermediate_size=64), tmp_path)
    with pytest.raises(UserError, match="changes layers.1.* which this network does not have"):
        load_adapter(model(num_hidden_layers=1), tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA", "use_dora": true}')
    with pytest.raises(UserError, match="has use_dora True; expected False"):
        load_adapter(model(), tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"x")
    with pytest.raises(UserError, match="is damaged"):
        load_adapter(model(), tmp_path)


def test_a_prompt_is_all_that_moves_and_transformers_computes_the_same(shard: Shard, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    before, after, program = trained(shard, tmp_path, trainable="prompt", prompt_length=5)
    assert program.prompt == list(range(TEXT + 32, TEXT + 37))  # <|prompt_0|> and so on
    changed = {
        name
        for name, value in after.state_dict().items()
        if not torch.equal(value, before.state_dict()[name])
    }
    assert changed == {"embed_tokens.weight"}
    rows = (after.embed_tokens.weight != before.embed_tokens.weight).any(1)
    assert rows.nonzero()[:, 0].tolist() == program.prompt
    assert [n for n, p in program.model.named_parameters() if p.requires_grad] == ["embed_tokens.prompt"]
    ids = torch.cat([torch.tensor([program.prompt]), IDS], dim=1)
    with torch.no_grad():
        ours = program.model.eval().logits(program.model(ids))
        theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "network", dtype=torch.float32)
        assert (theirs(ids).logits - ours).abs().max() < 1e-5
        assert (theirs(IDS).logits - ours[:, 5:]).abs().max() > 1e-3  # it does say something


def test_a_prompt_stands_before_every_document_and_begins_as_common_ids(shard: Shard, tmp_path: Path) -> None:
    save_pretrained(model(), tmp_path)
    recipe = replace(RECIPE, start_from=str(tmp_path), trainable="prompt", prompt_length=4)
    recipe = replace(recipe, loader=replace(recipe.loader, chained_share=1.0))
    program = NetworkProgram(recipe, shard, shard)
    batch = program.batch(0)
    ids, labels = batch["ids"][0], batch["labels"][0]
    assert ids[:4].tolist() == program.prompt and (labels[:3] == -100).all() and labels[4] == ids[5]
    assert batch["positions"][0, :24].tolist() == list(range(24))
    drawn = prompt_of(shard, 4, seed=1)
    text = torch.tensor(np.concatenate([shard.document(n)[0] for n in range(8)]))
    assert set(drawn.values()) <= set(text[text < TEXT].tolist()) and prompt_of(shard, 4, seed=2) != drawn
    first = program.model.embed_tokens.prompt
    assert torch.equal(first, load_pretrained(tmp_path).embed_tokens.weight[list(drawn.values())])


@pytest.mark.parametrize("tied", [True, False])
def test_the_head_is_all_that_moves(tied: bool, shard: Shard, tmp_path: Path) -> None:
    save_pretrained(model(tie_word_embeddings=tied), tmp_path / "start")
    recipe = replace(RECIPE, start_from=str(tmp_path / "start"), trainable="head", start_share=0.5)
    program = NetworkProgram(recipe, shard, shard)
    run(program, recipe.loop, tmp_path)
    before, after = load_pretrained(tmp_path / "start"), load_pretrained(tmp_path / "network")
    assert after.lm_head is not None
    for name, value in before.state_dict().items():
        if name != "lm_head.weight":
            assert torch.equal(value, after.state_dict()[name])
    head = before.embed_tokens if tied else before.lm_head
    half = (head.weight + program.model.lm_head.weight) / 2
    assert torch.allclose(after.lm_head.weight, half) and not torch.equal(half, head.weight)


@pytest.mark.parametrize("way", ["prompt", "head"])
def test_a_run_that_is_interrupted_comes_to_the_same(way: str, shard: Shard, tmp_path: Path) -> None:
    _, whole, _ = trained(shard, tmp_path / "whole", trainable=way, prompt_length=4)
    save_pretrained(model(), tmp_path / "start")
    recipe = replace(RECIPE, start_from=str(tmp_path / "start"), trainable=way, prompt_length=4)
    for limit in (1e-9, 0.0):  # one step, then the others
        program = NetworkProgram(recipe, shard, shard)
        outcome = run(program, replace(recipe.loop, time_limit_s=limit), tmp_path / "parts")
    assert outcome.step == 3
    again = load_pretrained(tmp_path / "parts" / "network").state_dict()
    assert all(torch.equal(value, again[name]) for name, value in whole.state_dict().items())


@pytest.mark.parametrize("length", [0, 33])
def test_a_prompt_of_another_length_is_refused(length: int, shard: Shard, tmp_path: Path) -> None:
    save_pretrained(model(), tmp_path)
    recipe = replace(RECIPE, start_from=str(tmp_path), trainable="prompt", prompt_length=length)
    with pytest.raises(UserError, match=f"prompt_length must be from 1 to 32, got {length}"):
        NetworkProgram(recipe, shard, shard)
