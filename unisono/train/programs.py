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

import shutil
from collections.abc import Callable, Sequence
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
from unisono.core.distributed import group_of
from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.core.record import write_record
from unisono.core.store import fetched
from unisono.data.pictures.named import gallery
from unisono.data.shards.build import ELSEWHERE, made_with, network_data, take_over
from unisono.data.shards.lessons import spoken_words
from unisono.data.shards.shard import Shard
from unisono.data.shards.trained import AUDIO_STAGES, audio_run, finished, image_run
from unisono.data.speech.corpus import build_codec_speech, build_reply_speech, build_world_speech
from unisono.data.speech.material import build_material
from unisono.data.speech.plans import MAIN_VOICE
from unisono.data.speech.waves import Waves, sound_folders
from unisono.data.words.ask import answers_file
from unisono.data.world.conversations import spoken_texts
from unisono.data.world.samples import load_stories
from unisono.model.hf import load_pretrained, save_pretrained
from unisono.tokens.template import Template
from unisono.tokens.turns import FILE as TURNS
from unisono.tokens.vocab import Vocabulary
from unisono.train.audio_codec import DECODER, AudioCodecProgram, AudioCodecRecipe
from unisono.train.audio_encoder import AudioEncoderProgram, AudioEncoderRecipe
from unisono.train.checkpoint import NAME as CHECKPOINT
from unisono.train.image_codec import NAMED, SMALL_SHARES, ImageCodecProgram, ImageCodecRecipe
from unisono.train.loop import Program, run as run_loop
from unisono.train.network import FROM_BASE, RECIPES, NetworkProgram, NetworkRecipe
from unisono.train.options import CommonOptions, DataOptions, TrainOptions
from unisono.train.speech_programs import SPEECH_STAGES
from unisono.train.start import begun
from unisono.train.transfer_codebook import transferred

Recipe = TypeVar("Recipe", AudioCodecRecipe, AudioEncoderRecipe, ImageCodecRecipe, NetworkRecipe)


def make_data(options: DataOptions) -> int:
    """Entry of `unisono data speech | states | world | network`."""
    _check_init(options, "data")
    home, workers, scale = options.home, options.workers, options.scale
    assert options.shared is not None  # cli/data.py has asked for it
    if options.what == "speech":
        build_codec_speech(options.shared, home / "speech" / "codec", workers, scale)
    elif options.what == "states":
        build_material(options.shared, home, scale)
    elif options.what == "world":
        build_reply_speech(options.shared, home / "speech" / MAIN_VOICE, workers, scale)
        questions, answers = spoken_texts(1, max(1, int(150000 * scale)))
        if options.init:
            own = spoken_words(answers_file(home, Base.load(options.init, home).name))
            questions, answers = questions | own[0], answers | own[1]
        build_world_speech(questions, answers, home / "speech" / "world", workers, scale)
    else:
        _shards(options, options.shared)
    return 0


def _shards(options: DataOptions, shared: Path) -> None:
    """Token shards; with --start the codecs are those of that network, and so is the tokenizer, but for
    --init.
    """
    if options.start:
        take_over(Path(options.start), options.home, options.network_size, with_text=not options.init)
    base = Base.load(options.init, options.home) if options.init else None
    if base and not base.render:
        print("this base has no chat template: messages stand between marks of ours, which it has to learn")
    network_data(
        options.home,
        shared,
        options.network_size,
        options.scale,
        options.max_mb * 1e6,
        options.seed,
        options.workers,
        base,
    )


def train(options: TrainOptions) -> int:
    """Entry of `unisono train`: one codec, reader or network until it is finished or --minutes are over.
    Writes a record when it is finished.
    """
    _check_init(options, "train")
    makers: dict[str, Callable[[TrainOptions], tuple[Program, Any]]] = {
        "audio-codec": _audio_codec,
        "audio-decoder": _audio_decoder,
        "audio-encoder": _audio_encoder,
        **SPEECH_STAGES,
        "image-codec": _image_codec,
        "network": _network,
    }
    size = options.network_size
    name = options.name or size
    runs = {"image-codec": image_run(size), "network": f"network-{name}"}
    if options.what in SPEECH_STAGES and options.name:
        runs[options.what] = f"{options.what}-{options.name}"
    folder = options.home / "runs" / runs.get(options.what, options.what)
    program, recipe = makers[options.what](options)
    (folder / ELSEWHERE).unlink(missing_ok=True)  # what was taken over is trained here from now on
    loop = replace(recipe.loop, time_limit_s=options.minutes * 60) if options.minutes else recipe.loop
    outcome = run_loop(program, loop, folder)
    if not group_of().is_first:
        return 0
    if options.what == "network":
        target = options.home / "networks" / name
        made = made_with(options.home, size)
        publish(folder / "network", made, target, recipe.loader.row_length, getattr(program, "prompt", ()))
    if outcome.finished and (outcome.numbers or not any(folder.glob("train-*.json"))):  # once
        seeds = {loop.seed, recipe.loader.seed} if options.what == "network" else {loop.seed}
        write_record(
            f"train-{options.what}",
            {**outcome.numbers, "steps": outcome.step, "wall_s": outcome.wall_s},
            config=to_json(recipe),
            seeds=sorted(seeds),
            folder=folder,
        )
    return 0


def _check_init(options: CommonOptions, command: str) -> None:
    """UserError where an LLM is named for what has nothing to do with one."""
    if options.init and options.what not in ("network", *(["world"] if command == "data" else [])):
        raise UserError(
            f"--init is for the network; `unisono {command} {options.what}` makes the same for every base"
        )


def publish(
    trained: Path, made_with: Path, target: Path, trained_length: int, prompt: Sequence[int] = ()
) -> None:
    """Puts trained weights, in half precision, beside the tokenizer and codecs that their data was made with;
    config.json tells how many ids in a row they were trained on. `prompt`: the ids that were learned to stand
    before every conversation."""
    shutil.copytree(made_with, target, dirs_exist_ok=True)
    vocab = Vocabulary.load(target / "vocabulary.json")
    if not (made_with / TURNS).exists():  # an earlier network of this name may have had a prompt
        (target / TURNS).unlink(missing_ok=True)
    if prompt:
        atomic_write(target / TURNS, Template.load(target).turns.begun_with(prompt).save)
    extras = {
        "eos_token_id": vocab.id("<|end|>"),
        "pad_token_id": vocab.id("<|pad|>"),
        "trained_length": trained_length,
    }
    save_pretrained(load_pretrained(trained, vocab_size=vocab.size), target, extras, dtype=torch.float16)


def _recipe(usual: Recipe, options: TrainOptions) -> Recipe:
    """The recipe as --set has it; the first weights are drawn by its seed."""
    recipe = override(usual, options.set)
    seed_all(recipe.loop.seed)
    return recipe


def _audio_codec(
    options: TrainOptions, usual: AudioCodecRecipe = AudioCodecRecipe()
) -> tuple[AudioCodecProgram, AudioCodecRecipe]:
    recipe = _recipe(usual, options)
    folders = sound_folders(options.home)
    teacher = finished(options.home, "audio-codec", AudioCodec) if recipe.is_fixed else None
    return AudioCodecProgram(recipe, Waves(folders, "train"), Waves(folders, "val"), teacher), recipe


def _audio_decoder(options: TrainOptions) -> tuple[AudioCodecProgram, AudioCodecRecipe]:
    before = audio_run(options.home, AUDIO_STAGES[:2])
    return _audio_codec(options, replace(DECODER, start_from=str(options.home / "runs" / before / "codec")))


def _audio_encoder(options: TrainOptions) -> tuple[AudioEncoderProgram, AudioEncoderRecipe]:
    recipe = _recipe(AudioEncoderRecipe(), options)
    codec = (
        AudioCodec.load(recipe.start_from)
        if recipe.start_from
        else finished(options.home, "audio-codec", AudioCodec)
    )
    folders = sound_folders(options.home)
    return AudioEncoderProgram(recipe, codec, Waves(folders, "train"), Waves(folders, "val")), recipe


def _image_codec(options: TrainOptions) -> tuple[ImageCodecProgram, ImageCodecRecipe]:
    usual = ImageCodecRecipe(codec=IMAGE_CODECS.get(options.network_size, IMAGE_CODECS["nano"]))
    if usual.codec.image_size > IMAGE_CODECS["nano"].image_size:
        usual = replace(usual, shares=SMALL_SHARES)
    recipe = _recipe(usual, options)
    archive = options.shared / "storybook_images.tar" if options.shared else None
    size = recipe.codec.image_size
    stories = load_stories(archive, size) if archive else np.zeros((0, size, size, 3), np.uint8)
    named = gallery(options.home, options.shared) if options.shared and recipe.shares.get(NAMED) else None
    return ImageCodecProgram(recipe, stories, named), recipe


def _start_of(run: Path) -> Path:
    """Where the weights of the first step are put: each process of a training writes its own."""
    rank = group_of().rank
    return run / (f"start-{rank}" if rank else "start")


def _network(options: TrainOptions) -> tuple[NetworkProgram, NetworkRecipe]:
    size = options.network_size
    if options.shards:
        fetched(options.shards, options.home / "shards" / size)
    usual = FROM_BASE if options.init else RECIPES.get(size, NetworkRecipe(size=size))
    recipe, name = _recipe(usual, options), options.name or size
    run = options.home / "runs" / f"network-{name}"
    if options.init:
        if recipe.start_from:
            raise UserError(
                "start_from goes on with a finished network, --init begins from another LLM; give one of them"
            )
        start = _start_of(run)
        if not (run / CHECKPOINT).exists() or not (start / "config.json").exists():
            begun(
                Base.load(options.init, options.home),
                made_with(options.home, size),
                start,
                recipe.codes_of,
            )
        recipe = replace(recipe, start_from=str(start))
    elif recipe.start_from:
        if Path(recipe.start_from).resolve() == (options.home / "networks" / name).resolve():
            raise UserError(
                f"the finished network would take the place of the one it starts from, {recipe.start_from}; "
                "give the run another --name"
            )
        if not (run / CHECKPOINT).exists():  # what is resumed has its weights already
            start = transferred(
                Path(recipe.start_from),
                made_with(options.home, size),
                options.home,
                _start_of(run),
            )
            recipe = replace(recipe, start_from=str(start))
    shards = options.home / "shards" / size
    whole = sorted(manifest.parent for manifest in shards.glob("train*/manifest.json"))
    program = NetworkProgram(recipe, Shard(*(whole or [shards / "train"])), Shard(shards / "val"))
    if left_out := program.loader.num_too_long:
        print(
            f"{left_out:,} documents are left out: they are longer than a row of "
            f"{recipe.loader.row_length} ids"
        )
    return program, recipe
