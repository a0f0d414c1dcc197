"""Training the audio codec: a crumb is learned, phonemes become readable, discriminators leave the encoder
alone.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unisono.codecs.audio import AudioCodec, AudioCodecConfig
from unisono.codecs.phonemes import PhonemeReader
from unisono.core.errors import UserError
from unisono.data.speech.waves import Waves
from unisono.train.audio_codec import AudioCodecProgram, AudioCodecRecipe
from unisono.train.loop import LoopConfig, run

TINY = AudioCodecConfig(
    encoder_channels=48, decoder_channels=48, encoder_dilations=(1, 2), decoder_dilations=(1, 2)
)
RECIPE = AudioCodecRecipe(
    codec=TINY,
    batch_size=4,
    item_s=0.96,
    window_frames=40,
    loop=LoopConfig(
        num_steps=80,
        learning_rate=3e-3,
        warmup_steps=5,
        validate_every=80,
        device="cpu",
        bf16=False,
        weight_decay=0.0,
    ),
)


@pytest.fixture(scope="module")
def waves(tmp_path_factory) -> Path:
    """Six short items: three vowels of two voices, harmonics under two formants."""
    folder: Path = tmp_path_factory.mktemp("waves")
    time = np.arange(12800) / 16000
    items, pcm = [], []
    for symbol, formants in (("i", (300, 2300)), ("ɑ", (750, 1200)), ("u", (320, 800))):
        for pitch in (110, 190):
            tone = sum(
                np.sin(2 * np.pi * pitch * k * time)
                * sum(np.exp(-(((pitch * k - f) / 150) ** 2)) for f in formants)
                for k in range(1, 30)
            )
            pcm.append((tone / np.abs(tone).max() * 0.7 * 32767).astype("<i2"))
            for split in ("train", "test"):
                items.append(
                    {
                        "start": 12800 * (len(pcm) - 1),
                        "length": 12800,
                        "text": symbol,
                        "voice": str(pitch),
                        "split": split,
                        "source": "tones",
                        "phonemes": [symbol],
                    }
                )
    np.concatenate(pcm).tofile(folder / "pcm.i16")
    (folder / "index.jsonl").write_text("\n".join(map(json.dumps, items)) + "\n")
    return folder


def test_a_crumb_is_learned(waves: Path, tmp_path: Path) -> None:
    program = AudioCodecProgram(RECIPE, Waves([waves], "train"), Waves([waves], "test"))
    with torch.no_grad():
        before = program.validate()
    run(program, RECIPE.loop, tmp_path)
    with torch.no_grad():
        after = program.validate()
    assert after["mel"] < 0.6 * before["mel"]
    assert after["ctc"] < 0.5 * before["ctc"]
    assert AudioCodec.load(tmp_path / "codec").config == TINY


def test_a_reader_is_taught_for_a_codec_that_stays_as_it_is(waves: Path, tmp_path: Path) -> None:
    AudioCodec(TINY).save(tmp_path / "start")
    recipe = replace(RECIPE, reader_only=True, start_from=str(tmp_path / "start"))
    program = AudioCodecProgram(recipe, Waves([waves], "train"), Waves([waves], "test"))
    with torch.no_grad():
        before = program.validate()
    run(program, recipe.loop, tmp_path / "run")
    with torch.no_grad():
        after = program.validate()
    assert after["ctc"] < 0.7 * before["ctc"]
    assert (tmp_path / "run" / "codec" / "model.safetensors").read_bytes() == (
        tmp_path / "start" / "model.safetensors"
    ).read_bytes()
    assert (
        PhonemeReader.load(tmp_path / "run" / "phonemes.safetensors").layers[0].weight.dtype == torch.float32
    )
    with pytest.raises(UserError, match="teaches nothing else"):
        AudioCodecProgram(replace(recipe, decoder_only=True), Waves([waves], "train"), Waves([waves], "test"))
    nothing = {
        "pcm": torch.zeros(2, 3200),
        "targets": torch.zeros(2, 1, dtype=torch.int64),
        "target_lengths": torch.zeros(2, dtype=torch.int64),
    }
    program.loss(nothing, 0)[
        0
    ].backward()  # nothing that is whole and known word for word: nothing to learn, no fault
    with pytest.raises(UserError, match="--set start_from=DIR"):
        AudioCodecProgram(replace(RECIPE, reader_only=True), Waves([waves], "train"), Waves([waves], "test"))


@pytest.mark.parametrize("stage", ["adversarial", "decoder_only"])
def test_later_stages_move_the_decoder_only(waves: Path, tmp_path: Path, stage: str) -> None:
    AudioCodec(TINY).save(tmp_path / "start")
    recipe = replace(
        RECIPE, **{stage: True}, start_from=str(tmp_path / "start"), loop=replace(RECIPE.loop, num_steps=2)
    )
    program = AudioCodecProgram(recipe, Waves([waves], "train"), Waves([waves], "test"))
    if stage == "adversarial":
        program.discriminators.crop = 9600
    pcm = torch.from_numpy(Waves([waves], "train").pcm(0))[None]
    codes = program.model.codec.encode(pcm)
    before = program.model.codec.decode(codes)
    run(program, recipe.loop, tmp_path / "run")
    assert torch.equal(program.model.codec.encode(pcm), codes)
    assert not torch.allclose(program.model.codec.decode(codes), before)


@pytest.mark.parametrize("adversarial", [False, True])
def test_a_codec_that_is_stopped_after_each_step_becomes_the_same(
    waves: Path, tmp_path: Path, adversarial: bool
) -> None:
    AudioCodec(TINY).save(tmp_path / "start")
    recipe = replace(
        RECIPE,
        adversarial=adversarial,
        start_from=str(tmp_path / "start"),
        loop=replace(RECIPE.loop, num_steps=3, validate_every=2),
    )

    def program(seed: int) -> AudioCodecProgram:
        torch.manual_seed(seed)  # of what is not in the start, as the discriminators
        made = AudioCodecProgram(recipe, Waves([waves], "train"), Waves([waves], "test"))
        if adversarial:
            made.discriminators.crop = 9600
        return made

    whole = program(0)
    run(whole, recipe.loop, tmp_path / "whole")
    for sitting in range(3):
        last = program(sitting)
        outcome = run(last, replace(recipe.loop, time_limit_s=1e-9), tmp_path / "parts")
    assert outcome.finished
    for name, (module, _) in whole.modules.items():
        assert all(
            torch.equal(a, b) for a, b in zip(module.parameters(), last.modules[name][0].parameters())
        ), name


def test_a_codec_of_another_shape_is_refused(waves: Path, tmp_path: Path) -> None:
    AudioCodec(replace(TINY, decoder_channels=16)).save(tmp_path / "start")
    with pytest.raises(UserError, match="another shape than the recipe"):
        AudioCodecProgram(
            replace(RECIPE, start_from=str(tmp_path / "start")),
            Waves([waves], "train"),
            Waves([waves], "test"),
        )


def test_a_deeper_decoder_begins_as_the_one_it_came_from(waves: Path, tmp_path: Path) -> None:
    AudioCodec(TINY).save(tmp_path / "start")
    deeper = replace(TINY, decoder_dilations=(1, 2, 1))
    known = Waves([waves], "train")
    recipe = replace(
        RECIPE,
        codec=deeper,
        decoder_only=True,
        start_from=str(tmp_path / "start"),
        loop=replace(RECIPE.loop, num_steps=2),
    )
    program = AudioCodecProgram(recipe, known, known)
    pcm, start = torch.from_numpy(known.pcm(0))[None], AudioCodec.load(tmp_path / "start")
    assert torch.allclose(
        program.model.codec.decode(start.encode(pcm)), start.decode(start.encode(pcm)), atol=1e-6
    )
    run(program, recipe.loop, tmp_path / "run")
    assert torch.count_nonzero(program.model.codec.decoder.blocks[2].narrow.weight)
    with pytest.raises(UserError, match="another shape than the recipe"):
        AudioCodecProgram(replace(recipe, codec=replace(TINY, decoder_dilations=(2, 2, 1))), known, known)


def test_the_decoder_learns_the_codes_of_both_encoders(waves: Path, tmp_path: Path) -> None:
    AudioCodec(TINY).save(tmp_path / "start")
    known, teacher = Waves([waves], "train"), AudioCodec(TINY)
    program = AudioCodecProgram(
        replace(RECIPE, decoder_only=True, start_from=str(tmp_path / "start")), known, known, teacher
    )
    batch = program.batch(0)
    with torch.no_grad():
        quantized = program._speak(batch)[2]
    for encoder, rows in ((program.model.codec, slice(0, 2)), (teacher, slice(2, 4))):
        codes = encoder.encode(batch["pcm"][rows])
        assert torch.allclose(quantized[rows], encoder.quantizer.from_codes(codes), atol=1e-6)


def test_what_the_encoder_hears_in_made_sound_is_compared(waves: Path, tmp_path: Path) -> None:
    AudioCodec(TINY).save(tmp_path / "start")
    known = Waves([waves], "train")
    recipe = replace(RECIPE, decoder_only=True, start_from=str(tmp_path / "start"))
    tones, plain = torch.from_numpy(known.pcm(0))[None], AudioCodecProgram(recipe, known, known)
    assert (
        float(plain._hidden_distance(tones, tones)) == 0
        and float(plain._hidden_distance(-tones, tones)) < 1e-4
    )
    assert float(plain._hidden_distance(torch.from_numpy(known.pcm(2))[None], tones)) > 0.01
    weighed = AudioCodecProgram(replace(recipe, hearing_weight=0.5), known, known)
    batch = plain.batch(0)
    (without, numbers), (loss, _) = plain.loss(batch, 0), weighed.loss(batch, 0)
    assert float((loss - without).detach()) == pytest.approx(0.5 * float(numbers["heard"]), rel=1e-3)


def test_a_misspelled_source_is_named(waves: Path) -> None:
    known = Waves([waves], "train")
    AudioCodecProgram(replace(RECIPE, shares={"tones": 0.5, "piper": 0.5}), known, known)
    with pytest.raises(UserError, match="no source 'tonnes' in the speech; choose from tones"):
        AudioCodecProgram(replace(RECIPE, shares={"tonnes": 1.0}), known, known)
