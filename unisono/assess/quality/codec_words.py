"""`unisono bench codec --words`: what a codec costs in words and in likeness of voices.

Words kept: Whisper-tiny and Whisper-base hear each sentence before and after the codec; nano's codec stands
beside it in the same run. Voices: each preset says the same sentences, and a voice of one's own is read from
seconds of a recording; a speaker encoder that was not trained here compares them with their references.

Shapes: N samples at 16 kHz.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from unisono.assess.options import BenchOptions
from unisono.assess.quality.codec_reader import Sayings, codec_of
from unisono.assess.quality.judge import comparable, transcribe
from unisono.assess.quality.marks import error_rate
from unisono.assess.speed.timing import Measured
from unisono.codecs.load import AnyAudioCodec, load_audio_codec
from unisono.codecs.packed import pack
from unisono.codecs.speech import PRESETS, SpeechCodec
from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.core.progress import track
from unisono.core.record import mean_stderr
from unisono.data.speech.kokoro import PRESETS as PRESET_STYLES
from unisono.data.speech.waves import sound_folders
from unisono.speakers.encoder import speaker_embedding

JUDGES = ("tiny", "base")
REFERENCE_S = 10.0  # of a voice of one's own
MIN_OWN_S = 3.0  # a shorter recording says too little of a voice
Numbers = dict[str, object]


@dataclass(frozen=True)
class WordsEffort:
    """How much is measured."""

    num_sentences: int = 40  # of each kind
    num_said: int = 12  # sentences that each preset says
    num_owners: int = 20  # people whose voice is read


def through(codec: AnyAudioCodec, pcm: np.ndarray) -> np.ndarray:
    """(N,) -> (M,) what comes back from the codec; where it must be told the voice, in the voice of the sound
    itself."""
    sound = torch.from_numpy(pcm)
    codes = codec.encode(sound[None])
    if not isinstance(codec, SpeechCodec):
        return codec.decode(codes)[0].numpy()
    repeats = 1 + int(2.5 * codec.sample_rate) // len(
        sound
    )  # of a single word there is too little for a voice
    return codec.decode(codes, codec.voice_of(sound.repeat(repeats)))[0].numpy()


def words_kept(codecs: dict[str, AnyAudioCodec], sayings: Sayings, count: int) -> Numbers:
    """Word errors by kind, judge and codec, "original" beside them. What people say was written down by
    Whisper-base: there it judges with its own ears."""
    found: Numbers = {}
    for kind, numbers in sayings.test(count).items():
        clips = [sayings.waves.pcm(number) for number in numbers]
        texts = [sayings.texts[number] for number in numbers]
        kept = [n for n, text in enumerate(texts) if comparable(text)]
        if not kept:
            continue
        versions = {"original": [clips[n] for n in kept]} | {
            name: [through(codec, clips[n]) for n in track(kept, f"{kind} through {name}")]
            for name, codec in codecs.items()
        }
        found[kind] = {
            judge: {
                name: error_rate(
                    [texts[n] for n in kept],
                    [transcribe(pcm, 16000, judge=judge) for pcm in track(made, f"{judge} hears {name}")],
                )
                for name, made in versions.items()
            }
            for judge in JUDGES
        }
    return found


def presets(codec: SpeechCodec, sayings: Sayings, count: int) -> Numbers:
    """Each preset says sentences of the main voice -> likeness to its own reference, words misheard; and how
    much any two presets resemble each other."""
    numbers = sayings.test(count)["main voice"]
    texts = [sayings.texts[number] for number in numbers]
    codes = [codec.encode(torch.from_numpy(sayings.waves.pcm(number))[None]) for number in numbers]
    found: Numbers = {}
    means: dict[str, np.ndarray] = {}
    for name in track(PRESETS, "presets"):
        said = [codec.decode(one, name)[0].numpy() for one in codes]
        voices = [speaker_embedding(pcm) for pcm in said]
        reference = own_reference(sayings, PRESET_STYLES[name])
        means[name] = np.mean(voices, axis=0)
        found[name] = {
            "likeness": mean_stderr([float(voice @ reference) for voice in voices])
            if reference is not None
            else None,
            "words": error_rate(texts, [transcribe(pcm, 16000, judge="base") for pcm in said]),
        }
    pairs = {
        f"{a} {b}": float(means[a] @ means[b] / np.linalg.norm(means[a]) / np.linalg.norm(means[b]))
        for a, b in combinations(PRESETS, 2)
    }
    nearest = max(pairs, key=lambda pair: pairs[pair])
    return {"presets": found, "nearest": nearest, "nearest_likeness": pairs[nearest], "pairs": pairs}


def own_reference(sayings: Sayings, voice: str) -> np.ndarray | None:
    """(256,) the speaker embedding of all that a voice says, None where it says nothing."""
    items = [n for n, item in enumerate(sayings.waves.items) if item["voice"] == voice]
    if not items:
        return None
    return speaker_embedding(np.concatenate([sayings.waves.pcm(number) for number in items]))


def own_voices(codec: SpeechCodec, sayings: Sayings, count: int) -> Numbers:
    """People never heard: the style is read from the first seconds of a recording, and the codec says a
    sentence of the main voice -> likeness to the recording. Beside it the likeness of the recording's two
    halves, which no codec can pass."""
    spoken = sayings.test(1)["main voice"]
    people = [
        n
        for n, item in enumerate(sayings.waves.items)
        if item["source"] == "librispeech_train251"
        and item["split"] != "train"
        and item["length"] > 2 * MIN_OWN_S * 16000
    ][:count]
    if not spoken or not people:
        return {}
    codes = codec.encode(torch.from_numpy(sayings.waves.pcm(spoken[0]))[None])
    likeness, halves = [], []
    for number in track(people, "voices of people"):
        pcm = sayings.waves.pcm(number)
        first, second = pcm[: len(pcm) // 2][: int(REFERENCE_S * 16000)], pcm[len(pcm) // 2 :]
        made = codec.decode(codes, codec.voice_of(torch.from_numpy(first)))[0].numpy()
        whose = speaker_embedding(second)
        likeness.append(float(speaker_embedding(made) @ whose))
        halves.append(float(speaker_embedding(first) @ whose))
    return {"likeness": mean_stderr(likeness), "recording_itself": mean_stderr(halves)}


def bench_words(options: BenchOptions, effort: WordsEffort = WordsEffort()) -> Measured:
    """Entry of `unisono bench codec --words`: the sound under --home, the codec of --codec or --model, nano's
    beside it."""
    codec, sayings = codec_of(options), Sayings(sound_folders(options.home))
    nano = load_audio_codec(default_weights() / "audio_codec")
    for one in (codec, nano):
        pack(one)
    words = words_kept({"codec": codec, "nano": nano}, sayings, effort.num_sentences)
    if not words:
        raise UserError(
            "no transcribed sentences of the test split under --home; build them with `unisono data speech`"
        )
    numbers: Numbers = {"words": words}
    measured = Measured(numbers, {"codec": options.codec or ""})
    for kind, judges in words.items():
        for judge, names in judges.items():  # type: ignore[attr-defined]
            for name, errors in names.items():
                measured.row(
                    f"words wrong, {kind}, {name}",
                    {"median": 100 * errors["wer"], "stderr": 100 * errors["stderr"], "n": errors["n"]},
                    "%",
                    f"Whisper-{judge}, {errors['n']} sentences",
                )
    if isinstance(codec, SpeechCodec):
        numbers |= presets(codec, sayings, effort.num_said)
        numbers["own_voice"] = own_voices(codec, sayings, effort.num_owners)
    return measured
