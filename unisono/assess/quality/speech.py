"""What the network hears and says, and what its audio codec keeps.

Shapes: N samples.
"""

import random
from collections.abc import Callable

import numpy as np
import torch

from unisono.assess.quality.held_out import WORLD, Bench
from unisono.assess.quality.judge import (
    comparable,
    transcribe,
)
from unisono.assess.quality.marks import Numbers, error_rate, is_same
from unisono.core.progress import track
from unisono.core.record import mean_stderr
from unisono.data.speech.microphone import spoilt
from unisono.data.speech.recordings import iter_recordings
from unisono.data.splits import split_of
from unisono.media import Sound
from unisono.speakers.encoder import can_judge_voices, voice_similarity
from unisono.tokens.phrases import WRITE_DOWN

SINGLE_WORDS = 4  # for each sentence that is asked


def audio_codec(bench: Bench) -> Numbers:
    """Word errors of Whisper-tiny on decoded speech and on the original; of hibari also through a microphone.

    LibriSpeech has no transcripts here: its reference is what Whisper-tiny hears in the original. Where the
    package resemblyzer is installed, the likeness of the decoded voice to the original's is measured too.
    """
    codec, numbers = bench.omni.tokenizer.audio_codec, {}
    for source in ("hibari", "hibari_microphone", "piper", "neural_speech", "librispeech_train251"):
        refs, before, after, likeness, rng = [], [], [], [], np.random.default_rng(0)
        for pcm, item in track(bench.open_speech(source.removesuffix("_microphone")), f"codec {source}"):
            pcm = spoilt(pcm, rng) if source.endswith("_microphone") else pcm
            decoded = codec.decode(codec.encode(torch.from_numpy(pcm)[None]))[0].numpy()
            before.append(transcribe(pcm, 16000))
            after.append(transcribe(decoded, 16000))
            refs.append(item["text"] or before[-1] or "-")
            if can_judge_voices():
                likeness.append(voice_similarity(pcm, decoded))
        heard = [n for n, ref in enumerate(refs) if comparable(ref)]
        refs, before, after = ([texts[n] for n in heard] for texts in (refs, before, after))
        if refs:  # a crumb of the data may hold none
            numbers[source] = {"original": error_rate(refs, before), "decoded": error_rate(refs, after)} | (
                {"voice": mean_stderr(likeness)} if likeness else {}
            )
    return numbers


def hears(bench: Bench) -> Numbers:
    """The network's own transcripts: word errors on synthesized voices, accuracy on single words of people.

    No sentence and no person was in the training. Questions about the small world come in voices of the
    training, the same through microphones, and in new voices. Open sentences come by voice.
    """
    numbers: Numbers = {}

    def is_new(item: dict) -> bool:
        return item.get("role") == "question" and split_of(item["text"]) == "test"

    groups = {
        "world": bench.waves("world", lambda item: is_new(item) and item["voice"] in bench.heard_voices),
        "world_new_voices": bench.waves(
            "new", lambda item: is_new(item) and item["voice"] not in bench.heard_voices
        ),
    }
    groups |= {
        source: bench.open_speech(source)
        for source in ("hibari", "flite", "espeak", "piper", "neural_speech")
    }
    for name, items in groups.items():
        if items:
            said = [
                bench.ask(Sound(pcm, 16000), WRITE_DOWN[0]).text for pcm, _ in track(items, f"hears {name}")
            ]
            numbers[name] = error_rate([item["text"] for _, item in items], said)
    if groups["world"]:
        rng = np.random.default_rng(0)
        said = [
            bench.ask(Sound(spoilt(pcm, rng), 16000), WRITE_DOWN[0]).text
            for pcm, _ in track(groups["world"], "hears through a microphone")
        ]
        numbers["world_microphone"] = error_rate([item["text"] for _, item in groups["world"]], said)
    for source, split in (("fsdd", "test"), ("arabic_commands", "val")):
        rows = [
            r
            for r in iter_recordings(bench.shared, source, split)
            if source != "fsdd" or r.facts.voice.endswith("lucas")
        ]
        random.Random(source).shuffle(rows)
        right = [
            float(bench.ask(Sound(row.pcm, 16000), WRITE_DOWN[0]).text.strip() == row.facts.text)
            for row in track(rows[: SINGLE_WORDS * bench.samples], f"hears {source}")
        ]
        numbers[f"{source}_accuracy"] = mean_stderr(right)
    return numbers


def speaks(bench: Bench) -> Numbers:
    """Word errors of Whisper-tiny on the network's speech, and on its source voice saying the same sentences.

    The network is asked in words to say them, and it is given its words, as /v1/audio/speech does. The source
    voice also goes through the codec: that is what the codec costs.
    """
    belongs: dict[str, Callable[[dict], bool]] = {
        "world": lambda item: item["voice"] == "heart" and item.get("role") in WORLD,
        "open": lambda item: item["voice"] == "heart" and not item.get("role"),
    }
    found = {name: bench.waves(f"speaks {name}", is_one) for name, is_one in belongs.items()}
    return {name: _speaks(bench, name, items) for name, items in found.items() if items}


def _speaks(bench: Bench, name: str, items: list[tuple[np.ndarray, dict]]) -> Numbers:
    refs = [item["text"] for _, item in items]
    made = [bench.ask(f"Say: {text}", outputs=("text", "audio")) for text in track(refs, f"speaks {name}")]
    given = [bench.omni.say(text, seed=0) for text in track(refs, f"speaks {name}, words given")]
    ours, theirs = (
        [transcribe(reply.pcm, 16000) if len(reply.pcm) else "" for reply in replies]
        for replies in (made, given)
    )
    codec = bench.omni.tokenizer.audio_codec
    coded = [codec.decode(codec.encode(torch.from_numpy(pcm)[None]))[0].numpy() for pcm, _ in items]
    source, decoded = (
        [transcribe(pcm, 16000) for pcm in sound] for sound in ([pcm for pcm, _ in items], coded)
    )
    return {
        "network": error_rate(refs, ours),
        "words_given": error_rate(refs, theirs),
        "source_voice": error_rate(refs, source),
        "source_decoded": error_rate(refs, decoded),
        "written_right": mean_stderr([is_same(reply.text, ref) for reply, ref in zip(made, refs)]),
    }
