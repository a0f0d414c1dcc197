"""`unisono data network`: codes of all speech, then token shards for training and for validation.

Under --home:  codes, heard                 sound as codes, as it was said and as microphones hear it
               shards/<size>                token shards, one for each --seed, and the tokenizer and codecs
               that made them
"""

import json
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, TypeVar

from unisono.base.base import Base
from unisono.codecs.audio import AudioCodec
from unisono.codecs.image import IMAGE_CODECS, ImageCodec
from unisono.codecs.phonemes import PhonemeReader
from unisono.codecs.storage import made_by
from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.core.record import PHONEMES
from unisono.data.phrasings import rephrase
from unisono.data.shards.coder import REPLY_VOICES
from unisono.data.shards.disjoint import check_disjoint
from unisono.data.shards.lessons import VAL_LESSONS, LessonCounts, base_makers, lessons
from unisono.data.shards.prepare import Counts, prepare
from unisono.data.shards.shard import Shard
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

Codec = TypeVar("Codec", AudioCodec, ImageCodec)
AUDIO_STAGES = (
    "audio-codec",
    "audio-encoder",
    "audio-decoder",
)  # in this order; each takes over what the one before left


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
    pieces = {start / READER: runs / "audio-codec" / PHONEMES}
    if with_text:
        pieces[start / "tokenizer.json"] = home / "texts" / f"tokenizer-{TEXT_SIZES[size]}.json"
    for kind, run in (("audio_codec", "audio-codec"), ("image_codec", image_run(size))):
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
    if (last := audio_run(home)) != "audio-codec":
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
    for run in ("audio-codec", image_run(size)):
        atomic_write(
            runs / run / ELSEWHERE,
            lambda part: part.write_text(json.dumps({"date": "", "from": str(start)}) + "\n"),
        )


def finished(home: Path, what: str, kind: type[Codec]) -> Codec:
    """The codec that `unisono train` left under home/runs; UserError where there is none, a warning where it
    was not trained to its end.
    """
    run = home / "runs" / what
    if not (run / "codec" / "config.json").exists():
        command = what if what in AUDIO_STAGES else what.replace("image-codec-", "image-codec --size ")
        raise UserError(f"no codec in {run}; run `unisono train {command}` first")
    if not any(run.glob("train-*.json")):
        print(
            (
                f"{run} is not trained to its end; what is made with it will have to be made anew when it "
                f"goes on"
            ),
            file=sys.stderr,
        )
    return kind.load(run / "codec")


def _keep_to(codec: AudioCodec, folder: Path) -> str:
    """The name of the encoder; UserError where the codes in `folder` were made by another."""
    mark, name = folder / "encoder.txt", made_by(codec, ("encoder", "to_latent"))
    if mark.exists() and mark.read_text().strip() != name:
        raise UserError(
            f"the codes in {folder} were made by another encoder; delete the folder, and the shards, "
            f"to make them anew"
        )
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(mark, lambda part: part.write_text(name + "\n"))
    return name


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
    student = audio_run(home, AUDIO_STAGES[:2])  # the decoder's stage leaves the codes as they are
    clean, audio = finished(home, "audio-codec", AudioCodec), finished(home, audio_run(home), AudioCodec)
    image = finished(home, image_run(size), ImageCodec)
    codecs = {
        "said": _keep_to(clean, home / "codes"),
        "heard": _keep_to(audio, home / "heard" / student),
        "image": made_by(image),
    }
    facts = {"codecs": codecs, **({"base": base.name} if base else {})}
    _check_shards(home / "shards" / size, facts)
    said, heard = _encodings(home, student, seed)
    encode_all([*said, *heard], {"clean": clean, "heard": audio}, workers)
    bank = CodeBank([job.folder for job in said], [job.folder for job in heard])
    text = base.text if base else text_tokenizer(home, shared, TEXT_SIZES[size])
    reader = PhonemeReader.load(home / "runs" / "audio-codec" / PHONEMES)
    tokenizer, cutter = _tools(made_with(home, size), bank, (clean, audio, image), text, reader, base)
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
                makers=base_makers(home, shared, more, counts.of("talk")) if base else {},
                typed=rephrase.said if base else None,
                **facts,
            )
    compared = check_disjoint(Shard(taught), Shard(judged), tokenizer.template)
    told = ", ".join(f"{count} {task}" for task, count in compared.items())
    print(f"none of these of the validation was taught: {told}")


def _encodings(home: Path, student: str, seed: int) -> tuple[list[Encoding], list[Encoding]]:
    """How every sound folder is coded: as it was said, by the codec whose codes are the better ones to speak
    with, and as it is heard.
    """
    said, heard = list[Encoding](), list[Encoding]()
    for folder in sound_folders(home):
        place = folder.relative_to(home / "speech")
        said.append(Encoding(folder, "clean", home / "codes" / place))
        is_asked = any(place.is_relative_to(asked) for asked in ASKED)
        told = home / "heard" / student / str(seed) / place
        heard.append(Encoding(folder, "heard", told, seed) if is_asked else said[-1])
    return said, heard


def _tools(
    folder: Path,
    bank: CodeBank,
    codecs: tuple[AudioCodec, AudioCodec, ImageCodec],
    text: TextTokenizer,
    reader: PhonemeReader,
    base: Base | None,
) -> tuple[OmniTokenizer, WordCutter]:
    """The tokenizer, saved in `folder` beside the shards, and what cuts recordings into words. `codecs`: of
    clean sound, of sound as it is heard, of pictures.
    """
    clean, audio, image = codecs
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
    reader.save(folder / READER)
    return tokenizer, WordCutter(clean, reader)


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


def audio_run(home: Path, stages: tuple[str, ...] = AUDIO_STAGES) -> str:
    """The run whose audio codec is used: the last of its stages that is finished, or the first one. UserError
    where an earlier one was
    finished after it, and so is not in it."""
    last, since = stages[0], ""
    for stage in stages:
        times = [
            json.loads(record.read_text())["date"]
            for record in (home / "runs" / stage).glob(f"train-{stage}*.json")
        ]
        if times and max(times) < since:
            raise UserError(
                f"{home / 'runs' / stage} lacks what {last} learned since; delete it and run `unisono "
                f"train {stage}` again"
            )
        last, since = (stage, max(times)) if times else (last, since)
    return last


def image_run(size: str) -> str:
    """The run whose image codec this size uses: sizes that see alike share one."""
    return f"image-codec-{size}" if size in IMAGE_CODECS and size != "nano" else "image-codec"


def made_with(home: Path, size: str) -> Path:
    """Where the tokenizer and codecs lie that this size's shards were made with. Not beside a finished
    network, which has those that its own
    shards were made with."""
    return home / "shards" / size / "made-with"
