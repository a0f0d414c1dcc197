"""What `unisono train` leaves behind is whole: a folder that loads, whatever its name."""
from pathlib import Path

from conftest import tiny_tokenizer

from unisono.model.config import preset
from unisono.model.hf import read_config, save_pretrained
from unisono.model.transformer import Qwen3
from unisono.omni import Omni
from unisono.train.programs import AUDIO_SCHOOLS, audio_run, publish


def test_a_network_of_another_name_gets_tokenizer_and_codecs(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.save(tmp_path / "made_with")
    network = Qwen3(preset("tiny", tokenizer.vocab.size))
    save_pretrained(network, tmp_path / "trained")
    save_pretrained(network, tmp_path / "made_with")
    publish(tmp_path / "trained", tmp_path / "made_with", tmp_path / "other", 77)
    assert read_config(tmp_path / "other")["trained_length"] == 77 and "trained_length" not in read_config(tmp_path / "made_with")
    assert Omni(tmp_path / "other").reply("Hello.", seed=0).finish_reason in ("stop", "length")


def test_the_codec_of_the_last_school_that_is_finished_is_used(tmp_path: Path) -> None:
    for school in reversed(AUDIO_SCHOOLS):
        (tmp_path / "runs" / school / "codec").mkdir(parents=True)
    assert audio_run(tmp_path) == "audio-codec"
    for school in ("audio-decoder", "audio-encoder"):
        (tmp_path / "runs" / school / f"train-{school}_x_2026-01-01.json").write_text("{}")
        assert audio_run(tmp_path) == school
    assert audio_run(tmp_path, AUDIO_SCHOOLS[:2]) == "audio-decoder"
