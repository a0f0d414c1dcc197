"""The three stages of the codec of 25 ids a second, on next to no sound: each learns, resumes to the bit, and
hands on what the next needs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from heard import build_home

from unisono.codecs.phonemes import PHONES, PhonemeReader
from unisono.codecs.speech import PRESETS, SpeechCodec, SpeechCodecConfig
from unisono.codecs.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from unisono.codecs.teacher import AudioTeacher, AudioTeacherConfig
from unisono.core.errors import UserError
from unisono.core.record import PHONEMES
from unisono.data.speech.states import States
from unisono.train import speech_programs
from unisono.train.audio_student import AudioStudentProgram, AudioStudentRecipe, begun
from unisono.train.audio_teacher import AudioTeacherProgram, AudioTeacherRecipe
from unisono.train.audio_voices import AudioVoicesProgram, AudioVoicesRecipe
from unisono.train.loop import LoopConfig, run
from unisono.train.options import TrainOptions

LEVELS = (5, 3)
SHARES = {"hibari": 0.5, "piper": 0.5}
LOOP = LoopConfig(
    num_steps=24, learning_rate=3e-3, warmup_steps=3, validate_every=24, device="cpu", bf16=False
)
TEACHER = AudioTeacherRecipe(
    teacher=AudioTeacherConfig(
        levels=LEVELS, latent_channels=16, channels=24, dilations=(1,), mel_channels=16
    ),
    loop=LOOP,
    batch_size=3,
    row_frames=60,
    shares=SHARES,
)
ENCODER = SpeechEncoderConfig(
    levels=LEVELS, num_mels=20, channels=24, num_heads=2, ahead=(1,), num_layers=2, window=10
)
STUDENT = AudioStudentRecipe(
    encoder=ENCODER, loop=LOOP, batch_size=3, row_frames=60, shares=SHARES, start_from="nothing"
)
VOICES = AudioVoicesRecipe(
    codec=SpeechCodecConfig(
        decoder_channels=24, decoder_dilations=(1,), fine_channels=16, fine_dilations=(1,), style_size=8
    ),
    loop=replace(LOOP, num_steps=8, validate_every=8),
    batch_size=2,
    row_frames=40,
    by_teacher=True,
    shares=SHARES,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small home."""
    return build_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def sets(data: Path) -> tuple[States, States]:
    """Training and validation."""
    train, val = (States(data / "speech", data / "states", split) for split in ("train", "val"))
    return train, val


@pytest.fixture(scope="module")
def teacher(sets: tuple[States, States], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a teacher that learned for some steps."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("teacher")
    run(AudioTeacherProgram(TEACHER, *sets), TEACHER.loop, folder)
    return folder / "teacher"


def test_the_teacher_gives_back_what_it_was_told(sets: tuple[States, States], teacher: Path) -> None:
    torch.manual_seed(0)
    before = AudioTeacherProgram(TEACHER, *sets)
    after = AudioTeacherProgram(replace(TEACHER, start_from=str(teacher)), *sets)
    with torch.no_grad():
        first, last = before.validate(), after.validate()
    assert last["states"] < 0.7 * first["states"] and last["mel"] < 0.8 * first["mel"]
    assert first["ids_used"] > 2 and last["ids_used"] > 2
    assert after.origin and not before.origin


def test_a_stopped_stage_goes_on_to_the_bit(sets: tuple[States, States], tmp_path: Path) -> None:
    loop = replace(LOOP, num_steps=4, validate_every=4)
    for name, steps in (("whole", (4,)), ("stopped", (2, 4))):
        for num_steps in steps:
            torch.manual_seed(0)
            program = AudioTeacherProgram(TEACHER, *sets)
            if num_steps == 2:
                time_limit = replace(loop, time_limit_s=1e-6)  # stops after each step
                run(program, time_limit, tmp_path / name)
            else:
                run(program, loop, tmp_path / name)
    whole, stopped = (
        AudioTeacher.load(tmp_path / name / "teacher").state_dict() for name in ("whole", "stopped")
    )
    assert all(torch.equal(value, stopped[key]) for key, value in whole.items())


def test_the_student_learns_the_teachers_ids(
    sets: tuple[States, States], teacher: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    program = AudioStudentProgram(replace(STUDENT, back_weight=0.5), AudioTeacher.load(teacher), *sets)
    with torch.no_grad():
        before = program.validate()
    run(program, STUDENT.loop, tmp_path)
    with torch.no_grad():
        after = program.validate()
    assert (
        after["clean_entropy"] < 0.8 * before["clean_entropy"]
        and after["clean_digits"] > before["clean_digits"]
    )
    assert {"microphone_ids", "clean_back_ctc", "microphone_states"} <= set(after)
    batch, again = program.batch(3), program.batch(3)
    assert all(torch.equal(value, again[name]) for name, value in batch.items())
    assert not torch.equal(batch["heard"], batch["pcm"]) and batch["heard"].shape == batch["pcm"].shape
    assert SpeechEncoder.load(tmp_path / "encoder").config == ENCODER
    with pytest.raises(UserError, match="levels"):
        AudioStudentProgram(
            replace(STUDENT, encoder=replace(ENCODER, levels=(5, 5))), AudioTeacher.load(teacher), *sets
        )


def test_the_student_goes_on_from_an_encoder_of_its_shape(tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = SpeechEncoder(ENCODER)
    encoder.save(tmp_path)
    again = begun(replace(STUDENT, start_from=str(tmp_path)))
    assert torch.allclose(again.to_levels.weight, encoder.to_levels.weight, atol=1e-3)
    with pytest.raises(UserError, match="another shape"):
        begun(replace(STUDENT, start_from=str(tmp_path), encoder=replace(ENCODER, window=9)))


@pytest.mark.parametrize("adversarial", [False, True])
def test_the_decoder_speaks_in_a_voice(
    sets: tuple[States, States],
    teacher: Path,
    tmp_path: Path,
    adversarial: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "unisono.train.audio_voices.PRESET_STYLES", dict.fromkeys(PRESETS, "v0") | {"echo": "v1"}
    )
    torch.manual_seed(0)
    program = AudioVoicesProgram(
        replace(VOICES, adversarial=adversarial), SpeechEncoder(ENCODER), AudioTeacher.load(teacher), *sets
    )
    with torch.no_grad():
        before = program.validate()
    outcome = run(program, VOICES.loop, tmp_path)
    assert outcome.numbers["val_mel"] < before["mel"]
    assert outcome.numbers["val_phonemes"] < before["phonemes"]
    assert PhonemeReader.load(tmp_path / PHONEMES)(torch.zeros(1, 9, 2)).shape == (1, 9, len(PHONES) + 1)
    codec = SpeechCodec.load(tmp_path / "codec")
    one, other = (codec.decode(torch.arange(12)[None], name) for name in ("alloy", "echo"))
    assert one.shape == (1, 12 * 640) and not torch.allclose(one, other, atol=1e-4)
    again = replace(VOICES, start_from=str(tmp_path / "codec"))
    went_on = AudioVoicesProgram(again, SpeechEncoder(ENCODER), AudioTeacher.load(teacher), *sets)
    reader = PhonemeReader.load(tmp_path / PHONEMES)
    assert torch.equal(went_on.reader.layers[0].weight, reader.layers[0].weight)
    assert torch.allclose(went_on.codec.decode(torch.arange(12)[None], codec.presets[0]), one, atol=1e-3)


def test_the_stages_find_what_the_earlier_ones_left(data: Path) -> None:
    options = TrainOptions(what="audio-student", home=data, set=["shares.hibari=1"])
    with pytest.raises(UserError, match="run `unisono train audio-teacher` first"):
        speech_programs.audio_student(options)
    AudioTeacher(AudioTeacherConfig()).save(data / "runs" / "audio-teacher" / "teacher")
    program, recipe = speech_programs.audio_student(options)
    assert recipe.shares["hibari"] == 1 and program.teacher.config.levels == recipe.encoder.levels
    with pytest.raises(UserError, match="run `unisono train audio-student` first"):
        speech_programs.audio_voices(options)
    assert json.loads((data / "runs" / "audio-teacher" / "teacher" / "config.json").read_text())[
        "levels"
    ] == [8, 8, 8, 6, 5]
