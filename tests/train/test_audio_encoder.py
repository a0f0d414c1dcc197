"""The encoder's second stage: it hears better through microphones, and nothing else of the codec moves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tone

from unisono.codecs.audio import AudioCodec, AudioCodecConfig
from unisono.data.speech.corpus import Spoken, to_int16, write_waves
from unisono.data.speech.waves import Waves
from unisono.train.audio_encoder import AudioEncoderProgram, AudioEncoderRecipe
from unisono.train.loop import LoopConfig, run

TINY = AudioCodecConfig(
    encoder_channels=48, decoder_channels=48, encoder_dilations=(1, 2), decoder_dilations=(1, 2)
)
RECIPE = AudioEncoderRecipe(
    batch_size=8,
    item_s=0.64,
    loop=LoopConfig(
        num_steps=120,
        learning_rate=2e-3,
        warmup_steps=5,
        validate_every=120,
        device="cpu",
        bf16=False,
        weight_decay=0.0,
    ),
)


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("waves")
    rng = np.random.default_rng(0)
    sounds = [np.roll(tone(1.0), 97 * n) * np.repeat(rng.uniform(0.05, 1, 20), 800) for n in range(6)]
    write_waves(
        folder,
        [
            Spoken(to_int16(pcm), {"text": None, "voice": str(n), "split": "train" if n < 4 else "test"})
            for n, pcm in enumerate(sounds)
        ],
    )
    return folder


def test_the_encoder_learns_what_the_teacher_would_have_heard(waves: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    codec = AudioCodec(TINY)
    with torch.no_grad():
        codec.to_latent.weight *= 4  # codes that differ from sound to sound
    program = AudioEncoderProgram(RECIPE, codec, Waves([waves], "train"), Waves([waves], "train"))
    with torch.no_grad():
        before = program.validate()
    run(program, RECIPE.loop, tmp_path)
    with torch.no_grad():
        after = program.validate()
    assert before["clean_same_codes"] == 1.0 and before["microphone_same_codes"] < 0.7
    assert (
        after["microphone_loss"] < 0.75 * before["microphone_loss"]
        and after["clean_loss"] < after["microphone_loss"]
    )
    taught = AudioCodec.load(tmp_path / "codec")
    codes = torch.arange(40)[None]
    assert (
        torch.allclose(taught.decode(codes), codec.decode(codes), atol=0.01) and taught.config == codec.config
    )
    assert not torch.equal(program.model.to_latent.weight, codec.to_latent.weight)


def test_batches_are_repeatable_and_aligned(waves: Path) -> None:
    program = AudioEncoderProgram(
        replace(RECIPE, clean_share=1.0), AudioCodec(TINY), Waves([waves], "train"), Waves([waves], "test")
    )
    first, again = program.batch(3), program.batch(3)
    assert torch.equal(first["said"], again["said"]) and torch.equal(first["said"], first["heard"])
    assert first["said"].shape == (8, 10240) and not torch.equal(first["said"], program.batch(4)["said"])
