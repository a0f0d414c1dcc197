"""`unisono data` and `unisono train`: which folders feed which program. Every step resumes, and a finished
one is skipped.

Under --home:  speech/codec, speech/world   sound for training
               codes, heard                 the same sound as codes, as it was said and as microphones hear it
               shards/<size>                token shards, one for each --seed, and the tokenizer and codecs
               that made them
               runs                         checkpoints: image-codec, image-codec-<size> of larger ones,
               network-<name>, ...
               networks/<size>              the finished network with tokenizer and codecs (--name: another
               folder)
"""

import argparse
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from unisono.base.base import Base
from unisono.codecs.audio import AudioCodec
from unisono.codecs.image import IMAGE_CODECS
from unisono.core.config import override, to_json
from unisono.core.device import seed_all
from unisono.core.errors import UserError
from unisono.core.record import write_record
from unisono.data.shards.build import (
    AUDIO_STAGES,
    ELSEWHERE,
    audio_run,
    finished,
    image_run,
    made_with,
    network_data,
    take_over,
)
from unisono.data.shards.shard import Shard
from unisono.data.speech.corpus import build_codec_speech, build_reply_speech, build_world_speech
from unisono.data.speech.material import build_material
from unisono.data.speech.plans import MAIN_VOICE
from unisono.data.speech.waves import Waves, sound_folders
from unisono.data.world.conversations import spoken_texts
from unisono.data.world.samples import load_stories
from unisono.model.hf import load_pretrained, save_pretrained
from unisono.tokens.vocab import Vocabulary
from unisono.train.audio_codec import DECODER, AudioCodecProgram, AudioCodecRecipe
from unisono.train.audio_encoder import AudioEncoderProgram, AudioEncoderRecipe
from unisono.train.checkpoint import NAME as CHECKPOINT
from unisono.train.image_codec import ImageCodecProgram, ImageCodecRecipe
from unisono.train.loop import Outcome, Program, run as run_loop
from unisono.train.network import FROM_BASE, RECIPES, NetworkProgram, NetworkRecipe
from unisono.train.speech_programs import SPEECH_STAGES
from unisono.train.start import begun
from unisono.train.transfer_codebook import transferred

Recipe = TypeVar("Recipe", AudioCodecRecipe, AudioEncoderRecipe, ImageCodecRecipe, NetworkRecipe)


def run(arguments: argparse.Namespace) -> int:
    """Entry of `unisono data` and `unisono train`."""
    if arguments.init and arguments.what != "network":
        raise UserError(
            f"--init is for the network; `unisono {arguments.command} {arguments.what}` makes the "
            f"same for every base"
        )
    arguments.size = arguments.size or ("small" if arguments.init else "nano")
    if arguments.command == "train":
        _trained(arguments)
    elif arguments.what == "speech":
        build_codec_speech(
            arguments.shared, arguments.home / "speech" / "codec", arguments.workers, arguments.scale
        )
    elif arguments.what == "states":
        build_material(arguments.shared, arguments.home, arguments.scale)
    elif arguments.what == "world":
        speech, workers, scale = arguments.home / "speech", arguments.workers, arguments.scale
        build_reply_speech(arguments.shared, speech / MAIN_VOICE, workers, scale)
        build_world_speech(*spoken_texts(1, max(1, int(150000 * scale))), speech / "world", workers, scale)
    else:
        if arguments.start and arguments.init:
            raise UserError(
                "--start goes on with a finished network, --init begins from another LLM; give one of them"
            )
        if arguments.start:
            take_over(Path(arguments.start), arguments.home, arguments.size)
        base = Base.load(arguments.init, arguments.home) if arguments.init else None
        if base and not base.render:
            print(
                "this base has no chat template: messages stand between marks of ours, which it has to learn"
            )
        network_data(
            arguments.home,
            arguments.shared,
            arguments.size,
            arguments.scale,
            arguments.max_mb * 1e6,
            arguments.seed,
            arguments.workers,
            base,
        )
    return 0


def _trained(arguments: argparse.Namespace) -> Outcome:
    """Trains one codec, reader or network until it is finished or --minutes are over; writes a record when it
    is finished.
    """
    makers: dict[str, Callable[[argparse.Namespace], tuple[Program, Any]]] = {
        "audio-codec": _audio_codec,
        "audio-decoder": _audio_decoder,
        "audio-encoder": _audio_encoder,
        **SPEECH_STAGES,
        "image-codec": _image_codec,
        "network": _network,
    }
    name = arguments.name or arguments.size
    runs = {"image-codec": image_run(arguments.size), "network": f"network-{name}"}
    if arguments.what in SPEECH_STAGES and arguments.name:
        runs[arguments.what] = f"{arguments.what}-{arguments.name}"
    folder = arguments.home / "runs" / runs.get(arguments.what, arguments.what)
    program, recipe = makers[arguments.what](arguments)
    (folder / ELSEWHERE).unlink(missing_ok=True)  # what was taken over is trained here from now on
    loop = replace(recipe.loop, time_limit_s=arguments.minutes * 60) if arguments.minutes else recipe.loop
    outcome = run_loop(program, loop, folder)
    if arguments.what == "network":
        publish(
            folder / "network",
            made_with(arguments.home, arguments.size),
            arguments.home / "networks" / name,
            recipe.loader.row_length,
        )
    if outcome.finished and (outcome.numbers or not any(folder.glob("train-*.json"))):  # once
        seeds = {loop.seed, recipe.loader.seed} if arguments.what == "network" else {loop.seed}
        write_record(
            f"train-{arguments.what}",
            {**outcome.numbers, "steps": outcome.step, "wall_s": outcome.wall_s},
            config=to_json(recipe),
            seeds=sorted(seeds),
            folder=folder,
        )
    return outcome


def publish(trained: Path, made_with: Path, target: Path, trained_length: int) -> None:
    """Puts trained weights, in half precision, beside the tokenizer and codecs that their data was made with;
    config.json tells
    how many ids in a row they were trained on."""
    shutil.copytree(made_with, target, dirs_exist_ok=True)
    vocab = Vocabulary.load(target / "vocabulary.json")
    extras = {
        "eos_token_id": vocab.id("<|end|>"),
        "pad_token_id": vocab.id("<|pad|>"),
        "trained_length": trained_length,
    }
    save_pretrained(load_pretrained(trained, vocab_size=vocab.size), target, extras, dtype=torch.float16)


def _recipe(usual: Recipe, arguments: argparse.Namespace) -> Recipe:
    """The recipe as --set has it; the first weights are drawn by its seed."""
    recipe = override(usual, arguments.set)
    seed_all(recipe.loop.seed)
    return recipe


def _audio_codec(
    arguments: argparse.Namespace, usual: AudioCodecRecipe = AudioCodecRecipe()
) -> tuple[AudioCodecProgram, AudioCodecRecipe]:
    recipe = _recipe(usual, arguments)
    folders = sound_folders(arguments.home)
    teacher = finished(arguments.home, "audio-codec", AudioCodec) if recipe.is_fixed else None
    return AudioCodecProgram(recipe, Waves(folders, "train"), Waves(folders, "val"), teacher), recipe


def _audio_decoder(arguments: argparse.Namespace) -> tuple[AudioCodecProgram, AudioCodecRecipe]:
    before = audio_run(arguments.home, AUDIO_STAGES[:2])
    return _audio_codec(
        arguments, replace(DECODER, start_from=str(arguments.home / "runs" / before / "codec"))
    )


def _audio_encoder(arguments: argparse.Namespace) -> tuple[AudioEncoderProgram, AudioEncoderRecipe]:
    recipe = _recipe(AudioEncoderRecipe(), arguments)
    codec = (
        AudioCodec.load(recipe.start_from)
        if recipe.start_from
        else finished(arguments.home, "audio-codec", AudioCodec)
    )
    folders = sound_folders(arguments.home)
    return AudioEncoderProgram(recipe, codec, Waves(folders, "train"), Waves(folders, "val")), recipe


def _image_codec(arguments: argparse.Namespace) -> tuple[ImageCodecProgram, ImageCodecRecipe]:
    recipe = _recipe(
        ImageCodecRecipe(codec=IMAGE_CODECS.get(arguments.size, IMAGE_CODECS["nano"])), arguments
    )
    archive = arguments.shared / "storybook_images.tar" if arguments.shared else None
    size = recipe.codec.image_size
    stories = load_stories(archive, size) if archive else np.zeros((0, size, size, 3), np.uint8)
    return ImageCodecProgram(recipe, stories), recipe


def _network(arguments: argparse.Namespace) -> tuple[NetworkProgram, NetworkRecipe]:
    usual = FROM_BASE if arguments.init else RECIPES.get(arguments.size, NetworkRecipe(size=arguments.size))
    recipe, name = _recipe(usual, arguments), arguments.name or arguments.size
    run = arguments.home / "runs" / f"network-{name}"
    if arguments.init:
        if recipe.start_from:
            raise UserError(
                "start_from goes on with a finished network, --init begins from another LLM; give one of them"
            )
        start = run / "start"
        if not (run / CHECKPOINT).exists() or not (start / "config.json").exists():
            begun(
                Base.load(arguments.init, arguments.home),
                made_with(arguments.home, arguments.size),
                start,
                recipe.codes_of,
            )
        recipe = replace(recipe, start_from=str(start))
    elif recipe.start_from:
        if Path(recipe.start_from).resolve() == (arguments.home / "networks" / name).resolve():
            raise UserError(
                f"the finished network would take the place of the one it starts from, {recipe.start_from}; "
                "give the run another --name"
            )
        if not (run / CHECKPOINT).exists():  # what is resumed has its weights already
            start = transferred(
                Path(recipe.start_from),
                made_with(arguments.home, arguments.size),
                arguments.home,
                run / "start",
            )
            recipe = replace(recipe, start_from=str(start))
    shards = arguments.home / "shards" / arguments.size
    whole = sorted(manifest.parent for manifest in shards.glob("train*/manifest.json"))
    program = NetworkProgram(recipe, Shard(*(whole or [shards / "train"])), Shard(shards / "val"))
    if left_out := program.loader.num_too_long:
        print(
            f"{left_out:,} documents are left out: they are longer than a row of "
            f"{recipe.loader.row_length} ids"
        )
    return program, recipe
