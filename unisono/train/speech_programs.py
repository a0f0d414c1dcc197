"""`unisono train audio-teacher | audio-student | audio-voices`: the stages of the codec of 25 ids a second,
in this order.

Under --home/runs:  audio-teacher/teacher    from states to ids and back
                    audio-student/encoder    from sound to the same ids
                    audio-voices/codec       the whole codec: encoder, and a decoder that is told the voice
                    audio-voices/phonemes.safetensors  reads phonemes in its ids
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from unisono.codecs.speech_encoder import SpeechEncoder
from unisono.codecs.teacher import AudioTeacher
from unisono.core.config import override
from unisono.core.device import seed_all
from unisono.core.errors import UserError
from unisono.data.speech.material import states
from unisono.train.audio_student import AudioStudentProgram, AudioStudentRecipe
from unisono.train.audio_teacher import AudioTeacherProgram, AudioTeacherRecipe
from unisono.train.audio_voices import AudioVoicesProgram, AudioVoicesRecipe
from unisono.train.loop import Program
from unisono.train.options import TrainOptions

Recipe = TypeVar("Recipe", AudioTeacherRecipe, AudioStudentRecipe, AudioVoicesRecipe)


def audio_teacher(options: TrainOptions) -> tuple[AudioTeacherProgram, AudioTeacherRecipe]:
    """The teacher's stage."""
    recipe = _recipe(AudioTeacherRecipe(), options)
    return AudioTeacherProgram(recipe, states(options.home, "train"), states(options.home, "val")), recipe


def audio_student(options: TrainOptions) -> tuple[AudioStudentProgram, AudioStudentRecipe]:
    """The encoder's stage."""
    recipe = _recipe(AudioStudentRecipe(), options)
    teacher = AudioTeacher.load(_made(recipe.teacher, options.home, "audio-teacher", "teacher"))
    train, val = (states(options.home, split) for split in ("train", "val"))
    return AudioStudentProgram(recipe, teacher, train, val), recipe


def audio_voices(options: TrainOptions) -> tuple[AudioVoicesProgram, AudioVoicesRecipe]:
    """The decoder's stage."""
    recipe = _recipe(AudioVoicesRecipe(), options)
    teacher = AudioTeacher.load(_made(recipe.teacher, options.home, "audio-teacher", "teacher"))
    encoder = SpeechEncoder.load(_made(recipe.encoder, options.home, "audio-student", "encoder"))
    train, val = (states(options.home, split) for split in ("train", "val"))
    return AudioVoicesProgram(recipe, encoder, teacher, train, val), recipe


def _recipe(usual: Recipe, options: TrainOptions) -> Recipe:
    """The recipe as --set has it; the first weights are drawn by its seed."""
    recipe = override(usual, options.set)
    seed_all(recipe.loop.seed)
    return recipe


def _made(named: str, home: Path, run: str, what: str) -> Path:
    """The folder that is named, or the one that an earlier stage left. UserError where there is none."""
    folder = Path(named) if named else home / "runs" / run / what
    if not (folder / "config.json").exists():
        raise UserError(
            f"no {what} in {folder}; run `unisono train {run}` first, or name a folder with --set {what}=DIR"
        )
    return folder


SPEECH_STAGES: dict[str, Callable[[TrainOptions], tuple[Program, Any]]] = {
    "audio-teacher": audio_teacher,
    "audio-student": audio_student,
    "audio-voices": audio_voices,
}
