"""`unisono data` and `unisono train`: which folders feed which program. Every step resumes, and a finished one is skipped.

Under --home:  speech/codec, speech/world   sound for training
               codes, heard                 the same sound as codes, as it was said and as microphones hear it
               shards/<size>                token shards, one for each --seed, and the tokenizer and codecs that made them
               runs                         checkpoints: image-codec, image-codec-<size> of larger ones, network-<name>, ...
               networks/<size>              the finished network with tokenizer and codecs (--name: another folder)
"""
import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from unisono.codecs.audio import AudioCodec
from unisono.codecs.image import ImageCodec
from unisono.codecs.phonemes import PhonemeReader
from unisono.codecs.storage import made_by
from unisono.core.config import override, to_json
from unisono.core.device import seed_all
from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.core.record import PHONEMES, write_record
from unisono.data.codebank import CodeBank, Encoding, encode_all
from unisono.data.corpus import MAIN_VOICE, build_codec_speech, build_reply_speech, build_world_speech
from unisono.data.cutter import WordCutter
from unisono.data.disjoint import check_disjoint
from unisono.data.prepare import REPLY_VOICES, Counts, prepare
from unisono.data.samples import load_stories
from unisono.data.shard import Shard
from unisono.data.splits import split_of
from unisono.data.texts import documents
from unisono.data.waves import Waves, sound_folders
from unisono.data.world import spoken_texts
from unisono.model.hf import load_pretrained, save_pretrained
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.text import TextTokenizer
from unisono.tokens.vocab import Vocabulary
from unisono.train.audio_codec import DECODER, AudioCodecProgram, AudioCodecRecipe
from unisono.train.audio_encoder import AudioEncoderProgram, AudioEncoderRecipe
from unisono.train.checkpoint import NAME as CHECKPOINT
from unisono.train.image_codec import CODECS, ImageCodecProgram, ImageCodecRecipe
from unisono.train.loop import Outcome, run as run_loop
from unisono.train.network import RECIPES, NetworkProgram, NetworkRecipe
from unisono.train.recode import recoded

AUDIO_SCHOOLS = ("audio-codec", "audio-encoder", "audio-decoder")      # in this order; each takes over what the one before left
Recipe = TypeVar("Recipe", AudioCodecRecipe, AudioEncoderRecipe, ImageCodecRecipe, NetworkRecipe)
ELSEWHERE = "train-elsewhere.json"      # says of a codec that it is finished, though no record of its training lies here
READER = f"audio_codec/{PHONEMES}"     # beside a finished network
TEXT_SIZES = {"tiny": 512, "nano": 4096, "small": 16384, "base": 32768}
# What people say to the network comes through microphones. Its own voice does not, nor the open sentences, which nano does not learn.
ASKED = ("world/question", "codec/recordings", "codec/digits", "codec/digits-spoken")
TEXT_LIMITS = {"dialogues": 3000, "books": 2000, "sentences": 20000}
VAL_LIMITS = {"stories": 60, "dialogues": 60, "books": 30, "sentences": 200}
VAL_COUNTS = Counts(see=200, recall=200, draw=200, see_emoji=100, draw_emoji=100, read=200, letters=100, watch=100, talk=200)


def run(arguments: argparse.Namespace) -> int:
    """Entry of `unisono data` and `unisono train`."""
    if arguments.command == "train":
        _trained(arguments)
    elif arguments.what == "speech":
        build_codec_speech(arguments.shared, arguments.home / "speech" / "codec", arguments.workers, arguments.scale)
    elif arguments.what == "world":
        speech, workers, scale = arguments.home / "speech", arguments.workers, arguments.scale
        build_reply_speech(arguments.shared, speech / MAIN_VOICE, workers, scale)
        build_world_speech(*spoken_texts(1, max(1, int(150000 * scale))), speech / "world", workers, scale)
    else:
        if arguments.start:
            take_over(Path(arguments.start), arguments.home, arguments.size)
        network_data(arguments.home, arguments.shared, arguments.size, arguments.scale, arguments.most_mb * 1e6, arguments.seed, arguments.workers)
    return 0


def take_over(start: Path, home: Path, size: str) -> None:
    """Puts the tokenizer, the codecs and the phoneme reader of a finished network where the data of `size` is made with them, so that its
    weights can go on with other data. UserError where others are there already."""
    runs = home / "runs"
    pieces = {start / READER: runs / "audio-codec" / PHONEMES, start / "tokenizer.json": home / "texts" / f"tokenizer-{TEXT_SIZES[size]}.json"}
    for kind, run in (("audio_codec", "audio-codec"), ("image_codec", image_run(size))):
        pieces |= {start / kind / name: runs / run / "codec" / name for name in ("config.json", "model.safetensors")}
    if missing := [source for source in pieces if not source.is_file()]:
        raise UserError(f"{start} is no finished network with its codecs: {missing[0].relative_to(start)} is missing")
    if (has := TextTokenizer.load(start / "tokenizer.json").size) > TEXT_SIZES[size]:
        raise UserError(f"the text vocabulary of {start} has {has} pieces, of --size {size} at most {TEXT_SIZES[size]}; name the size of this network")
    if (last := audio_run(home)) != "audio-codec":
        raise UserError(f"{runs / last} holds another audio codec, which would be used instead; choose another --home or move it away")
    for source, target in pieces.items():
        if target.exists() and target.read_bytes() != source.read_bytes():
            raise UserError(f"{target} is not that of {start}; to go on from there, choose another --home or move it away")
    for source, target in pieces.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(target, lambda part, source=source: shutil.copyfile(source, part))
    for run in ("audio-codec", image_run(size)):
        atomic_write(runs / run / ELSEWHERE, lambda part: part.write_text(json.dumps({"date": "", "from": str(start)}) + "\n"))


def finished(home: Path, what: str, kind: type) -> AudioCodec | ImageCodec:
    """The codec that `unisono train` left under home/runs; UserError where there is none, a warning where it was not trained to its end."""
    run = home / "runs" / what
    if not (run / "codec" / "config.json").exists():
        command = what if what in AUDIO_SCHOOLS else what.replace("image-codec-", "image-codec --size ")
        raise UserError(f"no codec in {run}; run `unisono train {command}` first")
    if not any(run.glob("train-*.json")):
        print(f"{run} is not trained to its end; what is made with it will have to be made anew when it goes on", file=sys.stderr)
    return kind.load(run / "codec")


def _keep_to(codec: AudioCodec, folder: Path) -> str:
    """The name of the encoder; UserError where the codes in `folder` were made by another."""
    mark, name = folder / "encoder.txt", made_by(codec, ("encoder", "to_latent"))
    if mark.exists() and mark.read_text().strip() != name:
        raise UserError(f"the codes in {folder} were made by another encoder; delete the folder, and the shards, to make them anew")
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(mark, lambda part: part.write_text(name + "\n"))
    return name


def text_tokenizer(home: Path, shared: Path, size: int) -> TextTokenizer:
    """The byte-pair encoding of this size, trained once on the training texts and the small world's sentences."""
    path = home / "texts" / f"tokenizer-{size}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        questions, answers = spoken_texts(2, 6000)
        spoken = [text for text in (*questions, *answers) if split_of(text) == "train"] * 3
        heard = [item["text"] for item in Waves(sound_folders(home), "train").items if item.get("text")]
        plain = [text for _, text in documents(shared, "train", TEXT_LIMITS)]
        atomic_write(path, TextTokenizer.train([*spoken, *heard, *plain], size).save)
    return TextTokenizer.load(path)


def network_data(home: Path, shared: Path, size: str = "nano", scale: float = 1.0, most_bytes: float = inf,
                 seed: int = 1, workers: int = 1) -> None:
    """Codes of all speech, then the token shards for training and for validation. `scale`: share of the usual number of conversations;
    `most_bytes` of either shard; `seed`: which of the conversations there could be are taught, and how what is asked aloud is heard;
    each makes a training shard of its own, and the network is trained on all."""
    pupil = audio_run(home, AUDIO_SCHOOLS[:2])      # the decoder's school leaves the codes as they are
    clean, audio = finished(home, "audio-codec", AudioCodec), finished(home, audio_run(home), AudioCodec)
    image = finished(home, image_run(size), ImageCodec)
    codecs = {"said": _keep_to(clean, home / "codes"), "heard": _keep_to(audio, home / "heard" / pupil), "image": made_by(image)}
    for folder in (home / "shards" / size).glob("*"):
        if (folder / "manifest.json").exists() and Shard(folder).manifest.get("codecs", codecs) != codecs:
            raise UserError(f"the shard in {folder} was made with other codecs; delete it to make it anew")
    said, heard = list[Encoding](), list[Encoding]()
    for folder in sound_folders(home):
        place = folder.relative_to(home / "speech")
        said.append(Encoding(folder, "clean", home / "codes" / place))      # whose codes of clean sound are the better ones to speak with
        is_asked = any(place.is_relative_to(asked) for asked in ASKED)
        heard.append(Encoding(folder, "heard", home / "heard" / pupil / str(seed) / place, seed) if is_asked else said[-1])
    encode_all([*said, *heard], {"clean": clean, "heard": audio}, workers)
    text = text_tokenizer(home, shared, TEXT_SIZES[size])
    vocab = Vocabulary(text.size, audio.codebook_size, image.codebook_size)
    bank = CodeBank([job.folder for job in said], [job.folder for job in heard])
    spoken = {item["voice"] for item in bank.items}
    tokenizer = OmniTokenizer(vocab, text, audio, image, [voice for voice in REPLY_VOICES if voice in spoken])
    tokenizer.save(made_with(home, size))
    reader = PhonemeReader.load(home / "runs" / "audio-codec" / PHONEMES)
    reader.save(made_with(home, size) / READER)
    cutter = WordCutter(clean, reader)
    taught, judged = (home / "shards" / size / name for name in ("train" if seed == 1 else f"train-{seed}", "val"))
    for folder, split, counts, limits, drawn in ((judged, "val", VAL_COUNTS, VAL_LIMITS, 1), (taught, "train", Counts(scale=scale), TEXT_LIMITS, seed)):
        if not (folder / "manifest.json").exists():
            def texts(of: str, limits: dict[str, int] = limits) -> Iterator[tuple[str, str]]:
                return documents(shared, of, limits)
            prepare(tokenizer, bank, texts, folder, split=split, counts=counts, seed=drawn, most_bytes=most_bytes, cutter=cutter, codecs=codecs)
    compared = check_disjoint(Shard(taught), Shard(judged), vocab)
    print("none of these of the validation was taught: " + ", ".join(f"{count} {task}" for task, count in compared.items()))


def _trained(arguments: argparse.Namespace) -> Outcome:
    """Trains one thing as far as time allows and records what came of it."""
    makers = {"audio-codec": _audio_codec, "audio-decoder": _audio_decoder, "audio-encoder": _audio_encoder, "image-codec": _image_codec,
              "network": _network}
    name = arguments.name or arguments.size
    runs = {"image-codec": image_run(arguments.size), "network": f"network-{name}"}
    folder = arguments.home / "runs" / runs.get(arguments.what, arguments.what)
    program, recipe = makers[arguments.what](arguments)
    (folder / ELSEWHERE).unlink(missing_ok=True)        # what was taken over is trained here from now on
    loop = replace(recipe.loop, time_limit_s=arguments.minutes * 60) if arguments.minutes else recipe.loop
    outcome = run_loop(program, loop, folder)
    if arguments.what == "network":
        publish(folder / "network", made_with(arguments.home, arguments.size), arguments.home / "networks" / name, recipe.loader.row_length)
    if outcome.finished and (outcome.numbers or not any(folder.glob("train-*.json"))):        # once
        seeds = {loop.seed, recipe.loader.seed} if arguments.what == "network" else {loop.seed}
        write_record(f"train-{arguments.what}", {**outcome.numbers, "steps": outcome.step, "wall_s": outcome.wall_s},
                     config=to_json(recipe), seeds=sorted(seeds), folder=folder)
    return outcome


def audio_run(home: Path, schools: tuple[str, ...] = AUDIO_SCHOOLS) -> str:
    """The run whose audio codec is used: the last of its schools that is finished, or the first one. UserError where an earlier one was
    finished after it, and so is not in it."""
    last, since = schools[0], ""
    for school in schools:
        times = [json.loads(record.read_text())["date"] for record in (home / "runs" / school).glob(f"train-{school}*.json")]
        if times and max(times) < since:
            raise UserError(f"{home / 'runs' / school} lacks what {last} learned since; delete it and run `unisono train {school}` again")
        last, since = (school, max(times)) if times else (last, since)
    return last


def image_run(size: str) -> str:
    """The run whose image codec this size uses: sizes that see alike share one."""
    return f"image-codec-{size}" if size in CODECS and size != "nano" else "image-codec"


def made_with(home: Path, size: str) -> Path:
    """Where the tokenizer and codecs lie that this size's shards were made with. Not beside a finished network, which has those that its own
    shards were made with."""
    return home / "shards" / size / "made-with"


def publish(trained: Path, made_with: Path, target: Path, trained_length: int) -> None:
    """Puts trained weights, in half precision, beside the tokenizer and codecs that their data was made with; config.json tells
    how many ids in a row they were trained on."""
    shutil.copytree(made_with, target, dirs_exist_ok=True)
    vocab = Vocabulary.load(target / "vocabulary.json")
    extras = {"eos_token_id": vocab.id("<|end|>"), "pad_token_id": vocab.id("<|pad|>"), "trained_length": trained_length}
    save_pretrained(load_pretrained(trained, vocab_size=vocab.size), target, extras, dtype=torch.float16)


def _recipe(usual: Recipe, arguments: argparse.Namespace) -> Recipe:
    """The recipe as --set has it; the first weights are drawn by its seed."""
    recipe = override(usual, arguments.set)
    seed_all(recipe.loop.seed)
    return recipe


def _audio_codec(arguments: argparse.Namespace, usual: AudioCodecRecipe = AudioCodecRecipe()) -> tuple[AudioCodecProgram, AudioCodecRecipe]:
    recipe = _recipe(usual, arguments)
    folders = sound_folders(arguments.home)
    teacher = finished(arguments.home, "audio-codec", AudioCodec) if recipe.is_fixed else None
    return AudioCodecProgram(recipe, Waves(folders, "train"), Waves(folders, "val"), teacher), recipe


def _audio_decoder(arguments: argparse.Namespace) -> tuple[AudioCodecProgram, AudioCodecRecipe]:
    before = audio_run(arguments.home, AUDIO_SCHOOLS[:2])
    return _audio_codec(arguments, replace(DECODER, start_from=str(arguments.home / "runs" / before / "codec")))


def _audio_encoder(arguments: argparse.Namespace) -> tuple[AudioEncoderProgram, AudioEncoderRecipe]:
    recipe = _recipe(AudioEncoderRecipe(), arguments)
    codec = AudioCodec.load(recipe.start_from) if recipe.start_from else finished(arguments.home, "audio-codec", AudioCodec)
    folders = sound_folders(arguments.home)
    return AudioEncoderProgram(recipe, codec, Waves(folders, "train"), Waves(folders, "val")), recipe


def _image_codec(arguments: argparse.Namespace) -> tuple[ImageCodecProgram, ImageCodecRecipe]:
    recipe = _recipe(ImageCodecRecipe(codec=CODECS.get(arguments.size, CODECS["nano"])), arguments)
    archive = arguments.shared / "storybook_images.tar" if arguments.shared else None
    size = recipe.codec.image_size
    stories = load_stories(archive, size) if archive else np.zeros((0, size, size, 3), np.uint8)
    return ImageCodecProgram(recipe, stories), recipe


def _network(arguments: argparse.Namespace) -> tuple[NetworkProgram, NetworkRecipe]:
    recipe = _recipe(RECIPES.get(arguments.size, NetworkRecipe(size=arguments.size)), arguments)
    if recipe.start_from:
        name = arguments.name or arguments.size
        if Path(recipe.start_from).resolve() == (arguments.home / "networks" / name).resolve():
            raise UserError(f"the finished network would take the place of the one it starts from, {recipe.start_from}; "
                            "give the run another --name")
        run = arguments.home / "runs" / f"network-{name}"
        if not (run / CHECKPOINT).exists():      # what is resumed has its weights already
            start = recoded(Path(recipe.start_from), made_with(arguments.home, arguments.size), arguments.home, run / "start")
            recipe = replace(recipe, start_from=str(start))
    shards = arguments.home / "shards" / arguments.size
    whole = sorted(manifest.parent for manifest in shards.glob("train*/manifest.json"))
    program = NetworkProgram(recipe, Shard(*(whole or [shards / "train"])), Shard(shards / "val"))
    if left_out := program.loader.num_too_long:
        print(f"{left_out:,} documents are left out: they are longer than a row of {recipe.loader.row_length} ids")
    return program, recipe
