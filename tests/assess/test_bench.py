"""Every bench at crumb size on a random network: whole records, sane numbers, JSON on the last line. No word
on speed.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_speech_codec

from unisono.assess import bench
from unisono.assess.options import BenchOptions
from unisono.assess.speed import timing, training
from unisono.assess.speed.caller import Heard, Line
from unisono.assess.speed.timing import Effort
from unisono.assess.speed.transformers import load_peer
from unisono.assess.speed.voice_turns import steps, turns
from unisono.cli import main
from unisono.codecs.audio import AudioCodec, AudioCodecConfig
from unisono.codecs.image import ImageCodec, ImageCodecConfig
from unisono.core.errors import UserError
from unisono.core.home import shipped
from unisono.model.config import preset
from unisono.model.hf import save_pretrained
from unisono.model.transformer import Qwen3
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.text import TextTokenizer
from unisono.tokens.vocab import Vocabulary

CRUMB = Effort(
    num_turns=2,
    batch_size=2,
    row_length=64,
    num_steps=1,
    new_ids=8,
    num_prompts=3,
    sound_s=0.5,
    num_pictures=2,
    num_processes=2,
    compile=False,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random network with its codecs."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("network")
    text = TextTokenizer.train(["voice: heart", "Say: What colour is the sky?", "The sky is blue."], 300)
    levels = (3, 3)
    audio = AudioCodec(
        AudioCodecConfig(
            levels=levels,
            encoder_channels=16,
            decoder_channels=16,
            encoder_dilations=(1,),
            decoder_dilations=(1,),
        )
    )
    image = ImageCodec(
        ImageCodecConfig(levels=levels, fine_channels=8, coarse_channels=8, num_coarse_blocks=1)
    )
    vocab = Vocabulary(text.size, 9, 9)
    OmniTokenizer(vocab, text, audio, image).save(place)
    save_pretrained(
        Qwen3(preset("tiny", vocab.size, max_position_embeddings=400)),
        place,
        {"eos_token_id": vocab.id("<|end|>"), "pad_token_id": vocab.id("<|pad|>")},
    )
    return place


def measure(
    what: str, folder: Path, records: Path, capsys: pytest.CaptureFixture[str], effort: Effort = CRUMB
) -> dict:
    """Runs one bench -> its numbers, after checking what all of them share."""
    options = BenchOptions(what=what, model=str(folder), records=records)
    assert bench.run(options, effort) == 0
    numbers = json.loads(capsys.readouterr().out.splitlines()[-1])
    path = Path(numbers.pop("record"))
    assert path.parent == records and numbers.pop("what") == f"bench-{what}" == path.name.split("_")[0]
    record = json.loads(path.read_text())
    assert record["numbers"] == numbers and record["config"]["effort"]["new_ids"] == effort.new_ids
    return numbers


def is_summary(value: dict, n: int) -> bool:
    return value["n"] == n and value["median"] > 0 and value["stderr"] >= 0


def test_train(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = measure("train", folder, tmp_path, capsys)
    assert set(numbers["tokens_per_s"]) == {
        "unisono",
        "unisono muon",
        "transformers",
        "transformers compiled",
    }
    assert all(is_summary(value, 2) for value in numbers["tokens_per_s"].values())
    assert numbers["loss_difference"] < 1e-4
    assert (
        numbers["peer"].startswith("transformers")
        and numbers["ratio_to_peer"][numbers["peer"]]["median"] == 1
    )
    assert 0.2 < numbers["learned_share"] < 0.6 and numbers["ceiling_tokens_per_s"] > 0


def test_the_peer_does_the_same_job(tmp_path: Path) -> None:
    """On a network sharp enough that attending to a neighbouring document would show in the loss."""
    torch.manual_seed(0)
    model = Qwen3(preset("tiny", 320))
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.2) if weight.ndim > 1 else weight.uniform_(0.5, 1.5)
    save_pretrained(model, tmp_path)
    program = training.training_program(BenchOptions(what="train", model=str(tmp_path)), CRUMB, tmp_path)
    peer, batch = load_peer(tmp_path), program.batch(0)
    assert training.loss_difference(program, peer, batch) < 1e-4
    one_document = torch.arange(64).expand(2, 64)
    assert (
        training.loss_difference(
            program, lambda **given: peer(**{**given, "position_ids": one_document}), batch
        )
        > 1e-2
    )


def test_generate(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = measure("generate", folder, tmp_path, capsys)
    assert {"onnx int8", "onnx float32"} < set(numbers["ids_per_s"]) and len(numbers["ids_per_s"]) >= 5
    assert all(is_summary(value, 2) for value in numbers["ids_per_s"].values())
    equal = numbers["leading_ids_equal_to_peer"]
    assert all(count == 8 for name, count in equal.items() if "int8" not in name)
    agreement = numbers["int8_against_float32"]
    assert (
        0 < agreement["max_logit_error"] < agreement["logit_spread"] and agreement["num_positions"] == 3 * 3
    )
    limits = numbers["memory_limit_ids_per_s"]
    assert limits["int8"] > limits["float32"] > 0 and numbers["bandwidth"] > 1e8


def test_codec(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = torch.get_num_threads()
    numbers = measure("codec", folder, tmp_path, capsys)
    assert torch.get_num_threads() == before
    assert set(numbers["rtf"]) == {"encode", "decode", "whole", "streaming"} and all(
        is_summary(v, 2) for v in numbers["rtf"].values()
    )
    assert numbers["num_codes"] == 25 and numbers["differing_codes"] <= 1 and numbers["max_pcm_error"] < 1e-4
    assert all(is_summary(value, 4) for value in numbers["picture_ms"].values())


def test_a_codec_of_its_own(folder: Path, tmp_path: Path) -> None:
    """--codec measures that codec and not the network's: of the second kind, 25 codes a second, told the
    voice."""
    tiny_speech_codec().save(tmp_path / "codec")
    options = BenchOptions(what="codec", model=str(folder), records=tmp_path, codec=str(tmp_path / "codec"))
    assert bench.run(options, CRUMB) == 0
    (path,) = tmp_path.glob("bench-codec_*.json")
    numbers = json.loads(path.read_text(encoding="utf8"))["numbers"]
    assert numbers["num_codes"] == 13 and numbers["differing_codes"] == 0
    assert numbers["max_pcm_error"] < 1e-4


def test_chat(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = measure("chat", folder, tmp_path, capsys)
    assert is_summary(numbers["load_s"], 2) and numbers["import_s"]["median"] < numbers["load_s"]["median"]
    assert numbers["resident_mb"]["median"] > 50
    for way in ("typed", "spoken"):
        assert is_summary(numbers[f"{way}_total_s"], 2)
    assert numbers["typed_first_sound_s"] is None
    assert numbers["spoken_first_sound_s"]["median"] <= numbers["spoken_total_s"]["median"]
    assert numbers["spoken_sound_s"]["median"] > 0


def test_a_folder_without_a_network_is_explained(tmp_path: Path) -> None:
    for what in ("train", "generate", "codec", "chat"):
        with pytest.raises(UserError):
            bench.run(BenchOptions(what=what, model=str(tmp_path), records=tmp_path), CRUMB)
    assert not list(tmp_path.glob("*.json"))


def test_quality_is_dispatched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quality = pytest.importorskip("unisono.assess.quality.run")
    monkeypatch.setattr(quality, "run", lambda options: options.samples)
    assert main(["bench", "quality", "--samples", "7", "--records", str(tmp_path)]) == 7


def test_without_weights_a_nano_network_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "shipped", lambda: tmp_path)
    program = training.training_program(BenchOptions(what="train"), replace(CRUMB, row_length=64), tmp_path)
    assert program.model.config.vocab_size == training.NANO_IDS and program.batch(0)["ids"].shape == (2, 64)


def test_contenders_take_turns() -> None:
    order: list[str] = []
    # type: ignore[func-returns-value]
    found = timing.take_turns({name: lambda name=name: order.append(name) or 1.0 for name in "abc"}, 3)
    assert "".join(order) == "abcbcacab" and found == {name: [1.0] * 3 for name in "abc"}
    assert timing.best({"x1": [1, 9, 1], "x2": [2, 2, 2], "y": [5, 5, 5]}, "x") == "x2"
    assert timing.ratio([4, 6], [2, 3]) == {"median": 2.0, "stderr": 0.0, "n": 2}


def test_a_summary_knows_its_error() -> None:
    values = np.random.default_rng(0).normal(10, 1, 200).tolist()
    found = timing.summary(values)
    assert (
        abs(found["median"] - 10) < 0.3 and 0.05 < found["stderr"] < 0.15
    )  # theory: 1.25 / sqrt(200) = 0.09
    assert timing.summary([3.0]) == {"median": 3.0, "stderr": 0.0, "n": 1}
    with pytest.raises(ValueError, match="at least one"):
        timing.summary([])


def test_streamed_sound_equals_whole(folder: Path) -> None:
    codec = OmniTokenizer.load(folder).audio_codec
    pcm = bench.some_sound(None, codec.sample_rate, 0.33)
    assert pcm.dtype == torch.float32 and pcm.abs().max() <= 1
    codes, sound, spent = bench.stream(codec, pcm)
    assert len(codes) == 17 and len(sound) == 17 * codec.frame_size and len(spent) == 5
    assert torch.equal(codes, codec.encode(pcm[None])[0])
    torch.testing.assert_close(sound, codec.decode(codes[None])[0], atol=1e-5, rtol=0)


def test_a_reply_counts_from_when_it_is_heard() -> None:
    line, heard = Line(None), Heard()
    line.spoken_at = 10.0
    silent, loud = np.zeros(2400, np.float32), np.full(2400, 0.5, np.float32)
    line._judge(
        heard, [silent, loud], [10.2, 10.5], 10.2, 10.1
    )  # 100 ms of silence, and 200 ms of waiting for the voice
    assert (heard.stopped_s, heard.first_delta_s, heard.gap_s, heard.latency_s) == pytest.approx(
        (0.1, 0.2, 0.2, 0.5)
    )
    line._judge(mute := Heard(), [silent], [10.2], 10.2, 10.1)
    assert mute.latency_s is None and mute.error == "0.1 s of silence"


def test_turns_that_failed_are_counted() -> None:
    found = turns(
        [
            Heard(latency_s=0.1, first_delta_s=0.1, right=True),
            Heard(latency_s=0.3, first_delta_s=0.3, cut_in=True),
            Heard(error="no reply"),
        ]
    )
    assert (found["p50_ms"], found["n"], found["answered"], found["cut_in_share"]) == (
        200,
        3,
        2,
        pytest.approx(1 / 3),
    )
    with pytest.raises(UserError, match="no turn was answered aloud: no reply"):
        turns([Heard(error="no reply")])


def test_steps_of_turns_are_read_from_the_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(
        '{"event": "turn", "spoken_ms": 0, "detected_ms": 60, "fed_ms": 65}\nnoise\n{"event": "end"}\n'
    )
    assert {step: value["median"] for step, value in steps(tmp_path / "log", 5).items()} == {
        "detected": 60,
        "fed": 5,
    }


# ---- the server and its page, as their clients feel them ----

has_weights = pytest.mark.skipif(
    not list(shipped().glob("*/model.safetensors")), reason="no weights in the package"
)


def measured(what: str, records: Path, minutes: float = 30, effort: Effort = Effort()) -> dict:
    """A bench over the shipped weights -> the numbers of its record."""
    assert bench.run(BenchOptions(what=what, records=records, minutes=minutes), effort) == 0
    (path,) = records.glob(f"bench-{what}_*.json")
    return json.loads(path.read_text(encoding="utf8"))["numbers"]


@has_weights
def test_the_page_loads(tmp_path: Path) -> None:
    pytest.importorskip("playwright")
    from unisono.assess.speed.page import NAMES

    if not any(map(shutil.which, NAMES)):
        pytest.skip("no Chromium; apt-get install chromium")
    numbers = measured("page", tmp_path, effort=CRUMB)
    assert (
        numbers["first_paint_ms"]["n"] == 2
        and 10_000 < numbers["bytes"]["median"] < 150_000
        and numbers["layout_shift"]["median"] < 0.1
    )


@pytest.mark.slow
@has_weights
def test_a_short_soak(tmp_path: Path) -> None:
    numbers = measured("soak", tmp_path, minutes=0.4)
    assert (
        not numbers["failures"]
        and min(numbers["done"].values()) > 2
        and numbers["handles"]["late"]["median"] < 60
    )


@pytest.mark.slow
@has_weights
def test_the_server_is_measured(tmp_path: Path) -> None:
    numbers = measured("serve", tmp_path, effort=replace(CRUMB, new_ids=32))
    assert numbers["semantic_vad"]["answered"] and numbers["semantic_vad"]["p50_ms"] > 0 and numbers["ratios"]
