"""`unisono data network`: codes of all speech, then token shards for training and for validation.

Under --home:  codes, heard                 sound as codes, as it was said and as microphones hear it
               shards/<size>                token shards, one for each --seed, and the tokenizer and codecs
               that made them
"""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from unisono.base.base import Base
from unisono.codecs.image import ImageCodec
from unisono.codecs.load import load_audio_codec
from unisono.codecs.phonemes import PhonemeReader
from unisono.codecs.speech import SpeechCodec
from unisono.codecs.storage import made_by
from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.core.record import PHONEMES
from unisono.data.phrasings import rephrase
from unisono.data.shards.coder import REPLY_VOICES
from unisono.data.shards.disjoint import check_disjoint
from unisono.data.shards.lessons import VAL_LESSONS, LessonCounts, base_makers, lessons, own_words
from unisono.data.shards.prepare import Counts, prepare
from unisono.data.shards.shard import Shard
from unisono.data.shards.trained import (
    AUDIO_STAGES,
    VOICES_STAGES,
    Sound,
    audio_run,
    finished,
    image_run,
    sound_of,
)
from unisono.data.speech.codebank import CodeBank, Encoding, encode_all
from unisono.data.speech.cutter import WordCutter
from unisono.data.speech.waves import Waves, sound_folders
from unisono.data.splits import split_of
from unisono.data.texts import documents
from unisono.data.words.ask import answers_file
from unisono.data.world.conversations import spoken_texts
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.text import TextTokenizer
from unisono.tokens.vocab import Vocabulary

ELSEWHERE = (
    "train-elsewhere.json"  # says of a codec that it is finished, though no record of its training lies here
)


READER = f"audio_codec/{PHONEMES}"  # beside a finished network


TEXT_SIZES = {"tiny": 512, "nano": 4096, "small": 16384, "base": 32768}


# What people say to the network comes through microphones. Its own voice does not, nor the open sentences,
# which nano does not learn.
ASKED = ("world/question", "codec/recordings", "codec/digits", "codec/digits-spoken")


TEXT_LIMITS = {"dialogues": 3000, "books": 2000, "sentences": 20000}


VAL_LIMITS = {"stories": 60, "dialogues": 60, "books": 30, "sentences": 200}


VAL_COUNTS = Counts(
    see=200, recall=200, draw=200, see_emoji=100, draw_emoji=100, read=200, letters=100, watch=100, talk=200
)


def take_over(start: Path, home: Path, size: str, *, with_text: bool = True) -> None:
    """Puts the codecs and the phoneme reader of a finished network where the data of `size` is made with
    them, and its tokenizer too unless another LLM brings one, so that its weights can go on with other
    data. UserError where others are there already.
    """
    runs = home / "runs"
    has_voices = (start / "audio_codec" / "config.json").is_file() and isinstance(
        load_audio_codec(start / "audio_codec"), SpeechCodec
    )
    audio = VOICES_STAGES[-1] if has_voices else AUDIO_STAGES[0]
    pieces = {start / READER: runs / audio / PHONEMES}
    if with_text:
        pieces[start / "tokenizer.json"] = home / "texts" / f"tokenizer-{TEXT_SIZES[size]}.json"
    for kind, run in (("audio_codec", audio), ("image_codec", image_run(size))):
        pieces |= {
            start / kind / name: runs / run / "codec" / name for name in ("config.json", "model.safetensors")
        }
    if missing := [source for source in pieces if not source.is_file()]:
        raise UserError(
            f"{start} is no finished network with its codecs: {missing[0].relative_to(start)} is missing"
        )
    if with_text and (has := Vocabulary.load(start / "vocabulary.json").text_size) > TEXT_SIZES[size]:
        raise UserError(
            f"the text vocabulary of {start} has {has} pieces, of --size {size} at most "
            f"{TEXT_SIZES[size]}; name the size of this network"
        )
    if not has_voices and (last := audio_run(home)) != audio:
        raise UserError(
            f"{runs / last} holds another audio codec, which would be used instead; choose another "
            f"--home or move it away"
        )
    for source, target in pieces.items():
        if target.exists() and target.read_bytes() != source.read_bytes():
            raise UserError(
                f"{target} is not that of {start}; to go on from there, choose another --home or move it away"
            )
    for source, target in pieces.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(target, partial(shutil.copyfile, source))
    for run in (audio, image_run(size)):
        atomic_write(
            runs / run / ELSEWHERE,
            lambda part: part.write_text(json.dumps({"date": "", "from": str(start)}) + "\n"),
        )


def _keep_to(name: str, folder: Path) -> None:
    """UserError where the codes in `folder` were made by another encoder than this."""
    mark = folder / "encoder.txt"
    if mark.exists() and mark.read_text().strip() != name:
        raise UserError(
            f"the codes in {folder} were made by another encoder; delete the folder, and the shards, "
            f"to make them anew"
        )
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(mark, lambda part: part.write_text(name + "\n"))


def text_tokenizer(home: Path, shared: Path, size: int) -> TextTokenizer:
    """The byte-pair encoding of this size, trained once on the training texts and the small world's
    sentences.
    """
    path = home / "texts" / f"tokenizer-{size}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        questions, answers = spoken_texts(2, 6000)
        spoken = [text for text in (*questions, *answers) if split_of(text) == "train"] * 3
        heard = [item["text"] for item in Waves(sound_folders(home), "train").items if item.get("text")]
        plain = [text for _, text in documents(shared, "train", TEXT_LIMITS)]
        atomic_write(path, TextTokenizer.train([*spoken, *heard, *plain], size).save)
    return TextTokenizer.load(path, size)


def network_data(
    home: Path,
    shared: Path,
    size: str = "nano",
    scale: float = 1.0,
    max_bytes: float = inf,
    seed: int = 1,
    workers: int = 1,
    base: Base | None = None,
) -> None:
    """Codes of all speech, then the token shards for training and for validation. `scale`: share of the
    usual number of conversations; `max_bytes` of either shard; `seed`: which of the conversations there
    could be are taught, and how what is asked aloud is heard; each makes a training shard of its own, and
    the network is trained on all. `base`: the LLM that the network begins from, whose tokenizer and turns
    are used, and which has lessons of its own."""
    sound, image = sound_of(home, size), finished(home, image_run(size), ImageCodec)
    codecs = {**sound.names, "image": made_by(image)}
    _keep_to(codecs["said"], sound.said_codes)
    _keep_to(codecs["heard"], sound.heard_codes)
    facts = {"codecs": codecs, **({"base": base.name} if base else {})}
    _check_shards(home / "shards" / size, facts)
    said, heard = _encodings(home, sound, seed)
    encode_all([*said, *heard], {"clean": sound.said, "heard": sound.heard}, workers)
    bank = CodeBank([job.folder for job in said], [job.folder for job in heard])
    text = base.text if base else text_tokenizer(home, shared, TEXT_SIZES[size])
    tokenizer, cutter = _tools(made_with(home, size), bank, sound, image, text, base)
    shards = home / "shards" / size
    taught, judged = shards / ("train" if seed == 1 else f"train-{seed}"), shards / "val"
    answers = answers_file(home, base.name) if base else Path()
    for folder, split, counts, limits, drawn, more in (
        (judged, "val", VAL_COUNTS, VAL_LIMITS, 1, VAL_LESSONS),
        (taught, "train", Counts(scale=scale), TEXT_LIMITS, seed, LessonCounts(scale=scale)),
    ):
        if not (folder / "manifest.json").exists():
            prepare(
                tokenizer,
                bank,
                partial(_texts, shared, limits),
                folder,
                split=split,
                counts=counts,
                seed=drawn,
                max_bytes=max_bytes,
                cutter=cutter,
                lessons=lessons(answers, split, more, drawn) if base else (),
                makers=base_makers(home, shared, more, counts.of("talk"), own_words(answers, split))
                if base
                else {},
                typed=rephrase.said if base else None,
                **facts,
            )
    compared = check_disjoint(Shard(taught), Shard(judged), tokenizer.template)
    told = ", ".join(f"{count} {task}" for task, count in compared.items())
    print(f"none of these of the validation was taught: {told}")


def _encodings(home: Path, sound: Sound, seed: int) -> tuple[list[Encoding], list[Encoding]]:
    """How every sound folder is coded: as it was said, by the codec whose codes are the better ones to speak
    with, and as it is heard.
    """
    said, heard = list[Encoding](), list[Encoding]()
    for folder in sound_folders(home):
        place = folder.relative_to(home / "speech")
        said.append(Encoding(folder, "clean", sound.said_codes / place))
        is_asked = any(place.is_relative_to(asked) for asked in ASKED)
        told = sound.heard_codes / str(seed) / place
        heard.append(Encoding(folder, "heard", told, seed) if is_asked else said[-1])
    return said, heard


def _tools(
    folder: Path,
    bank: CodeBank,
    sound: Sound,
    image: ImageCodec,
    text: TextTokenizer,
    base: Base | None,
) -> tuple[OmniTokenizer, WordCutter]:
    """The tokenizer, saved in `folder` beside the shards, and what cuts recordings into words."""
    audio = sound.heard
    spoken = {item["voice"] for item in bank.items}
    voices = [voice for voice in REPLY_VOICES if voice in spoken]
    if base:
        vocab = base.vocabulary(audio.codebook_size, image.codebook_size)
        tokenizer = OmniTokenizer(vocab, text, audio, image, voices, base.turns(vocab))
        base.save(folder, vocab)
    else:
        vocab = Vocabulary(text.size, audio.codebook_size, image.codebook_size)
        tokenizer = OmniTokenizer(vocab, text, audio, image, voices)
    tokenizer.save(folder)
    reader = PhonemeReader.load(sound.reader)
    reader.save(folder / READER)
    return tokenizer, WordCutter(sound.said, reader)


def _texts(shared: Path, limits: dict[str, int], split: str) -> Iterator[tuple[str, str]]:
    """Plain documents of a split."""
    return documents(shared, split, limits)


def _check_shards(shards: Path, facts: dict[str, Any]) -> None:
    """UserError where a shard is there already that was made with another tokenizer or other codecs."""
    for folder in shards.glob("*"):
        if not (folder / "manifest.json").exists():
            continue
        manifest = Shard(folder).manifest
        if manifest.get("base") != facts.get("base"):
            raise UserError(
                f"the shard in {folder} was made for another base; delete it to make it anew, or choose "
                f"another --size or --home"
            )
        if manifest.get("codecs", facts["codecs"]) != facts["codecs"]:
            raise UserError(f"the shard in {folder} was made with other codecs; delete it to make it anew")


def made_with(home: Path, size: str) -> Path:
    """Where the tokenizer and codecs lie that this size's shards were made with. Not beside a finished
    network, which has those that its own shards were made with."""
    return home / "shards" / size / "made-with"
