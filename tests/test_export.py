"""The network in other people's engines: transformers reads the folder, llama.cpp the file, and both say what
ours says.
"""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from unisono.cli import main
from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.engine.load import load_engine
from unisono.engine.session import Session
from unisono.export import as_written, check_whole, export_gguf, export_hf
from unisono.model.hf import load_pretrained
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Message, Text

QUESTION = [Message("user", [Text("What colour is the sky?")])]


def greedy(ids: list[int], count: int) -> list[int]:
    """What our own engine says in full precision."""
    with Session(load_engine(default_weights(), precision="float32")) as session:
        session.append(ids)
        for _ in range(count):
            session.append([int(session.logits().argmax())])
        return session.ids[len(ids) :]


def test_transformers_loads_the_folder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = default_weights()
    assert main(["export", "hf", str(tmp_path / "hf")]) == 0
    own, tokenizer = OmniTokenizer.load(folder), transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    ids, _ = own.encode(QUESTION, begin_reply=True)
    said = [{"role": "user", "content": "What colour is the sky?"}]
    written = tokenizer.apply_chat_template(said, add_generation_prompt=True, tokenize=False)
    assert tokenizer(written)["input_ids"] == ids.tolist()
    assert tokenizer.convert_tokens_to_ids("<|audio_17|>") == own.vocab.to_ids("audio", [17])[0]
    assert len(tokenizer) == own.vocab.size and tokenizer.eos_token_id == own.vocab.id("<|end|>")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf", dtype=torch.float32)
    with torch.no_grad():
        batch = torch.from_numpy(ids.astype(np.int64))[None]
        model = load_pretrained(folder)
        assert (theirs(batch).logits - model.logits(model(batch))).abs().max() < 1e-4
    again = OmniTokenizer.load(tmp_path / "hf")  # an exported folder is a network of ours, too
    assert again.encode(QUESTION)[0].tolist() == own.encode(QUESTION)[0].tolist()


def test_llama_cpp_says_the_same(tmp_path: Path) -> None:
    xllamacpp = pytest.importorskip("xllamacpp")
    export_gguf(default_weights(), tmp_path / "nano.gguf", "f32")
    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.n_ctx, parameters.n_gpu_layers = str(tmp_path / "nano.gguf"), 512, 0
    parameters.cpuparams.n_threads, parameters.warmup, parameters.n_parallel = 1, False, 1
    server = xllamacpp.Server(parameters)
    ids = OmniTokenizer.load(default_weights()).encode(QUESTION, begin_reply=True)[0].tolist()
    answer = server.handle_completions(
        {"prompt": ids, "max_tokens": 8, "temperature": 0, "logprobs": 1, "cache_prompt": False}
    )
    said = [token["id"] for token in answer["choices"][0]["logprobs"]["content"]]
    expected = greedy(ids, 8)
    end = OmniTokenizer.load(default_weights()).vocab.id("<|end|>")
    expected = expected[: expected.index(end)] if end in expected else expected
    assert expected and said[: len(expected)] == expected


@pytest.mark.parametrize("kind", ["f16", "bf16", "q8_0", "q5_1", "q4_0", "mxfp4"])
def test_quantized_files_come_close(tmp_path: Path, kind: str) -> None:
    gguf = pytest.importorskip("gguf")
    export_gguf(default_weights(), tmp_path / "nano.gguf", kind)
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "nano.gguf").tensors}
    weight = load_pretrained(default_weights()).layers[0].mlp.up_proj.weight.detach().numpy()
    read = gguf.quants.dequantize(
        stored["blk.0.ffn_up.weight"].data, stored["blk.0.ffn_up.weight"].tensor_type
    )
    apart = np.abs(read.reshape(weight.shape) - weight).max() / np.abs(weight).max()
    assert apart < {"f16": 1e-3, "bf16": 1e-2, "q8_0": 1e-2, "q5_1": 0.06, "q4_0": 0.13, "mxfp4": 0.25}[kind]


def test_mxfp4_is_four_bit_floats_with_a_power_of_two_for_each_32(tmp_path: Path) -> None:
    """Against torchao, and against what the standard says of the values."""
    values = np.random.default_rng(0).normal(scale=0.02, size=(8, 96)).astype(np.float32)
    values[0, :32] = 0
    read, size = as_written("layers.0.mlp.up_proj.weight", values, "mxfp4")
    assert size == 8 * 3 * (32 // 2 + 1)
    for block, found in zip(values.reshape(-1, 32), read.reshape(-1, 32)):
        largest = np.abs(block).max()
        scale = 2.0 ** (np.floor(np.log2(largest)) - 2) if largest else 1.0
        assert set(np.abs(found / scale)) <= {0, 0.5, 1, 1.5, 2, 3, 4, 6}
        assert np.abs(found - block).max() <= scale * 2  # at most what saturates: from 8 down to 6
    mx = pytest.importorskip("torchao.prototype.mx_formats.mx_tensor")
    kind = torch.float4_e2m1fn_x2
    scale, data = mx.to_mx(torch.from_numpy(values), kind, 32)
    assert np.array_equal(mx.to_dtype(data, scale, kind, 32, torch.float32).numpy(), read)


def test_mxfp4_of_the_mlps_alone(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    export_gguf(default_weights(), tmp_path / "nano.gguf", "mxfp4_mlp")
    kinds = {
        tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(tmp_path / "nano.gguf").tensors
    }
    assert kinds["blk.0.ffn_up.weight"] == "MXFP4" and kinds["blk.0.attn_q.weight"] == "F16"
    assert kinds["token_embd.weight"] == "F16" and kinds["output_norm.weight"] == "F32"


def test_llama_cpp_computes_in_mxfp4_what_its_values_give(tmp_path: Path) -> None:
    """The same words as our own engine says with the rounded weights."""
    xllamacpp = pytest.importorskip("xllamacpp")
    rounded = tmp_path / "rounded"
    shutil.copytree(default_weights(), rounded)
    tensors = load_file(rounded / "model.safetensors")
    save_file(
        {
            name: torch.from_numpy(as_written(name, value.float().numpy(), "mxfp4")[0]).half()
            for name, value in tensors.items()
        },
        rounded / "model.safetensors",
    )
    export_gguf(default_weights(), tmp_path / "nano.gguf", "mxfp4")
    ids = OmniTokenizer.load(rounded).encode(QUESTION, begin_reply=True)[0]
    model = load_pretrained(rounded)
    with torch.no_grad():
        logits = model.logits(model(torch.from_numpy(ids.astype(np.int64))[None])[0, -1])
    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.n_ctx, parameters.n_gpu_layers = str(tmp_path / "nano.gguf"), 512, 0
    parameters.cpuparams.n_threads, parameters.warmup, parameters.n_parallel = 1, False, 1
    answer = xllamacpp.Server(parameters).handle_completions(
        {"prompt": ids.tolist(), "max_tokens": 1, "temperature": 0, "logprobs": 5, "cache_prompt": False}
    )
    told = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    expected = logits.log_softmax(-1)
    # what it multiplies weights with is in 8 bits there
    assert all(abs(one["logprob"] - float(expected[one["id"]])) < 0.25 for one in told[:2])
    assert told[0]["id"] == int(expected.argmax())


def test_what_cannot_be_exported_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not an empty folder"):
        export_hf(default_weights(), tmp_path / "full")
    assert main(["export", "hf", str(tmp_path / "hf"), "--type", "q8_0"]) == 2
    assert "--type is for gguf" in capsys.readouterr().err
    assert main(["export", "gguf", str(tmp_path / "x.gguf"), "--type", "q4_k"]) == 2
    assert "llama-quantize" in capsys.readouterr().err
    assert main(["export", "gguf", str(tmp_path / "x.gguf"), "--model", str(tmp_path)]) == 2
    assert not list(tmp_path.glob("*.gguf*"))


def test_shards_are_exported_with_their_index(tiny_network: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "hf"
    shutil.copytree(tiny_network, source)
    tensors = list(load_file(source / "model.safetensors").items())
    (source / "model.safetensors").unlink()
    shards = {
        "model-00001-of-00002.safetensors": dict(tensors[::2]),
        "model-00002-of-00002.safetensors": dict(tensors[1::2]),
    }
    for name, shard in shards.items():
        save_file(shard, source / name)
    index = {
        "metadata": {},
        "weight_map": {tensor: name for name, shard in shards.items() for tensor in shard},
    }
    (source / "model.safetensors.index.json").write_text(json.dumps(index))
    export_hf(source, target)
    assert json.loads((target / "model.safetensors.index.json").read_text()) == index
    wanted, found = load_pretrained(tiny_network).state_dict(), load_pretrained(target).state_dict()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_a_wrong_network_or_place_leaves_nothing(tiny_network: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        export_hf(tmp_path / "nothing", tmp_path / "hf")
    source = tmp_path / "source"
    shutil.copytree(tiny_network, source)
    with pytest.raises(UserError, match="inside the network"):
        export_hf(source, source / "audio_codec" / "hf")
    (source / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match="damaged"):
        export_hf(source, tmp_path / "hf")
    assert {path.name for path in tmp_path.iterdir()} == {"source"} and not (
        source / "audio_codec" / "hf"
    ).exists()


def test_a_network_in_which_something_is_missing_or_does_not_fit_is_refused(
    tiny_network: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_network, source := tmp_path / "source")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "vocab_size": 999}))
    with pytest.raises(UserError, match="has 999 ids but the vocabulary has|do not fit config.json"):
        check_whole(source)
    (source / "config.json").write_text(
        json.dumps({**config, "num_hidden_layers": config["num_hidden_layers"] + 1})
    )
    with pytest.raises(UserError):
        check_whole(source)
    (source / "config.json").write_text(
        json.dumps({name: value for name, value in config.items() if not name.endswith("token_id")})
    )
    check_whole(source)
    export_gguf(source, tmp_path / "a.gguf", "f16")  # llama.cpp needs them: they are known by name
    shutil.rmtree(source / "audio_codec")
    with pytest.raises(UserError, match="no AudioCodec in"):
        check_whole(source)


def test_what_is_no_gguf_is_not_written_over(tiny_network: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="notes.txt is there and is no GGUF file"):
        export_gguf(tiny_network, tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    for _ in range(2):
        export_gguf(tiny_network, tmp_path / "a.gguf", "f16")


@pytest.mark.parametrize("file", ["model.safetensors", "audio_codec/model.safetensors", "tokenizer.json"])
def test_on_a_full_disk_nothing_is_left(
    tiny_network: Path, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def fails(part: Path, path: Path) -> None:
        if str(path).endswith(file):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(part, path)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(UserError, match="could not write .*No space left on device"):
        export_hf(tiny_network, tmp_path / "hf")
    assert not list(tmp_path.iterdir())
