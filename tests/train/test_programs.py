"""What `unisono train` leaves behind is whole: a folder that loads, whatever its name."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_speech_codec, tiny_tokenizer

from unisono.codecs.audio import AudioCodec, AudioCodecConfig
from unisono.codecs.image import ImageCodec
from unisono.codecs.phonemes import PhonemeReader
from unisono.codecs.speech import SpeechCodec
from unisono.codecs.storage import made_by
from unisono.core.errors import UserError
from unisono.data.shards.build import (
    READER,
    TEXT_SIZES,
    _keep_to,
    network_data,
    take_over,
)
from unisono.data.shards.shard import ShardWriter
from unisono.data.shards.trained import AUDIO_STAGES, Sound, audio_run, finished, sound_of
from unisono.model.config import preset
from unisono.model.hf import read_config, save_pretrained
from unisono.model.transformer import Qwen3
from unisono.omni import Omni
from unisono.train.programs import publish


def test_a_network_of_another_name_gets_tokenizer_and_codecs(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.save(tmp_path / "made_with")
    network = Qwen3(preset("tiny", tokenizer.vocab.size))
    save_pretrained(network, tmp_path / "trained")
    publish(tmp_path / "trained", tmp_path / "made_with", tmp_path / "other", 77)
    assert read_config(tmp_path / "other")["trained_length"] == 77
    assert Omni(tmp_path / "other").reply("Hello.", seed=0).finish_reason in ("stop", "length")


def test_the_codec_of_the_last_stage_that_is_finished_is_used(tmp_path: Path) -> None:
    for stage in reversed(AUDIO_STAGES):
        (tmp_path / "runs" / stage / "codec").mkdir(parents=True)
    assert audio_run(tmp_path) == "audio-codec"
    for second, stage in enumerate(("audio-encoder", "audio-decoder")):
        (tmp_path / "runs" / stage / f"train-{stage}_x.json").write_text(
            json.dumps({"date": f"2026-01-01T00:00:0{second}+00:00"})
        )
        assert audio_run(tmp_path) == stage
    assert audio_run(tmp_path, AUDIO_STAGES[:2]) == "audio-encoder"


def test_a_stage_that_lacks_what_was_learned_since_is_refused(tmp_path: Path) -> None:
    for second, stage in enumerate(("audio-decoder", "audio-encoder")):
        (tmp_path / "runs" / stage).mkdir(parents=True)
        (tmp_path / "runs" / stage / f"train-{stage}_x.json").write_text(
            json.dumps({"date": f"2026-01-01T00:00:0{second}+00:00"})
        )
    with pytest.raises(UserError, match="audio-decoder lacks what audio-encoder learned since"):
        audio_run(tmp_path)


def test_codes_of_another_encoder_are_refused(tmp_path: Path) -> None:
    codec, other = (AudioCodec(AudioCodecConfig(encoder_channels=8, decoder_channels=8)) for _ in range(2))
    sound, another = (Sound(one, one, tmp_path, tmp_path, tmp_path) for one in (codec, other))
    assert made_by(codec) != made_by(other) and sound.names != another.names
    _keep_to(sound.names["said"], tmp_path)
    other.encoder.load_state_dict(codec.encoder.state_dict())
    other.to_latent.load_state_dict(codec.to_latent.state_dict())
    _keep_to(another.names["said"], tmp_path)  # another decoder changes no code
    torch.nn.init.ones_(other.to_latent.weight)
    with pytest.raises(UserError, match="another encoder; delete the folder"):
        _keep_to(another.names["heard"], tmp_path)


def test_the_codec_of_25_ids_is_that_of_small_where_it_is_there(tmp_path: Path) -> None:
    tokenizer, codec = tiny_tokenizer(), tiny_speech_codec()
    tokenizer.audio_codec.save(tmp_path / "runs" / "audio-codec" / "codec")
    assert isinstance(sound_of(tmp_path, "small").heard, AudioCodec)
    codec.save(tmp_path / "runs" / "audio-voices" / "codec")
    sound, older = sound_of(tmp_path, "small"), sound_of(tmp_path, "nano")
    assert isinstance(sound.said, SpeechCodec) and isinstance(older.said, AudioCodec)
    assert sound.reader == tmp_path / "runs" / "audio-voices" / "phonemes.safetensors"
    assert {sound.said_codes, sound.heard_codes}.isdisjoint({older.said_codes, older.heard_codes})
    torch.nn.init.ones_(codec.presets)  # further training of the decoder: the ids stay what they are
    codec.save(tmp_path / "runs" / "audio-voices-adversarial" / "codec")
    later = sound_of(tmp_path, "small")
    assert later.reader.parent.name == "audio-voices-adversarial" and later.names == sound.names


def test_shards_of_other_codecs_are_not_taken_for_those_asked_for(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.audio_codec.save(tmp_path / "runs" / "audio-codec" / "codec")
    tokenizer.image_codec.save(tmp_path / "runs" / "image-codec" / "codec")
    writer = ShardWriter(tmp_path / "shards" / "nano" / "train-2", 100)
    writer.add(np.arange(9), np.ones(9), "see")
    writer.close()
    with pytest.raises(UserError, match="no speech under"):
        network_data(tmp_path, tmp_path)
    writer.close(codecs={"said": "another"})
    with pytest.raises(UserError, match="made with other codecs"):
        network_data(tmp_path, tmp_path)


def test_the_codecs_of_a_finished_network_are_taken_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer, start, home = tiny_tokenizer(), tmp_path / "start", tmp_path / "home"
    tokenizer.save(start)
    with pytest.raises(UserError, match="phonemes.safetensors is missing"):
        take_over(start, home, "tiny")
    PhonemeReader(len(tokenizer.audio_codec.config.levels)).save(start / READER)
    for _ in range(2):  # the second time everything is there
        take_over(start, home, "tiny")
    audio = finished(home, audio_run(home), AudioCodec)
    assert made_by(audio) == made_by(AudioCodec.load(start / "audio_codec"))
    assert made_by(finished(home, "image-codec", ImageCodec)) == made_by(
        ImageCodec.load(start / "image_codec")
    )
    assert (home / "texts" / f"tokenizer-{TEXT_SIZES['tiny']}.json").read_bytes() == (
        start / "tokenizer.json"
    ).read_bytes()
    assert not capsys.readouterr().err  # nothing there is half trained
    PhonemeReader.load(home / "runs" / "audio-codec" / "phonemes.safetensors")


def test_other_codecs_are_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, start, home = tiny_tokenizer(), tmp_path / "start", tmp_path / "home"
    tokenizer.save(start)
    PhonemeReader(len(tokenizer.audio_codec.config.levels)).save(start / READER)
    other = home / "runs" / "image-codec" / "codec" / "model.safetensors"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"mine")
    with pytest.raises(UserError, match="choose another --home"):
        take_over(start, home, "tiny")
    with (
        monkeypatch.context() as patched,
        pytest.raises(UserError, match="of --size tiny at most 10; name the size"),
    ):
        patched.setitem(TEXT_SIZES, "tiny", 10)
        take_over(start, tmp_path / "new", "tiny")
    with pytest.raises(UserError, match="image_codec/config.json is missing"):
        (start / "image_codec" / "config.json").unlink()
        take_over(start, tmp_path / "new", "tiny")
    assert not (tmp_path / "new").exists()
    assert (
        other.read_bytes() == b"mine"
        and not (home / "texts").exists()
        and not (home / "runs" / "audio-codec").exists()
    )
