"""`unisono bench guards --only consent`: whose voice passes for whose, and what for the sentence of consent.

People: LibriSpeech's readers under --shared. The sentence, its contraries and others are spoken by
synthesizers; a codec of 25 ids a second, of --codec or of --model, tells them by its reader of phonemes.

Shapes: N samples at 16 kHz.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unisono.assess.options import BenchOptions
from unisono.assess.quality.codec_reader import codec_of
from unisono.assess.quality.guard_texts import NO_CONSENT, SENTENCES
from unisono.codecs.phonemes import PhonemeReader
from unisono.codecs.speech import SpeechCodec
from unisono.codecs.storage import made_by
from unisono.core.errors import UserError
from unisono.core.progress import track
from unisono.core.record import PHONEMES, mean_stderr
from unisono.data.speech.kokoro import NEVER_HEARD, speak_as
from unisono.data.speech.recordings import SAMPLE_RATE, iter_recordings
from unisono.data.speech.voices import speak
from unisono.speakers.consent import (
    MAX_NATS,
    MIN_HALVES,
    MIN_LIKENESS,
    SENTENCE,
    RecordingError,
    check_sentence,
    consent_nats,
    voice_in,
)
from unisono.speakers.encoder import speaker_embedding

Pcm = np.ndarray
Numbers = dict[str, Any]
READERS = "librispeech_train251"
CLIP_S = 10.0  # of a reader; half of it is the consent, half the sample
VOICES = ("joe", "heart", "slt", "rms", "awb", "kal")  # of synthesizers that the codec heard in training


def measure_consent(options: BenchOptions) -> Numbers:
    """Shares of pairs of recordings, of recordings, and of sentences that pass."""
    if not options.shared:
        raise UserError("bench guards needs --shared DIR, the folder with the recordings")
    numbers = {
        **people(readers(options.shared, options.samples)),
        "min_likeness": MIN_LIKENESS,
        "min_halves": MIN_HALVES,
        "max_nats": MAX_NATS,
    }
    codec = codec_of(options)
    if isinstance(codec, SpeechCodec):
        numbers |= {"codec": made_by(codec), **sentences(codec, reader_of(options))}
    return numbers


def readers(shared: Path, count: int) -> list[Pcm]:
    """The first CLIP_S of `count` readers, or of all that read so long."""
    size = round(CLIP_S * SAMPLE_RATE)
    whole = (recording.pcm for recording in iter_recordings(shared, READERS))
    found = [pcm[:size] for pcm in whole if len(pcm) >= size]
    return found[:count]


def people(clips: list[Pcm]) -> Numbers:
    """Two recordings of one reader, and of two; readers alone, and two in one recording."""
    half = len(clips[0]) // 2
    first, second = (
        np.stack([speaker_embedding(clip[part]) for clip in track(clips, "readers")])
        for part in (slice(half), slice(half, None))
    )
    alike = first @ second.T
    others = alike[~np.eye(len(clips), dtype=bool)]
    joined = [np.concatenate([clip[:half], clips[n - 1][half:]]) for n, clip in enumerate(clips)]
    return {
        "same_voice": mean_stderr((np.diag(alike) >= MIN_LIKENESS).astype(float).tolist()),
        "other_voice": mean_stderr((others >= MIN_LIKENESS).astype(float).tolist()),
        "one_person": mean_stderr(
            [float(_passes(partial(voice_in, clip))) for clip in track(clips, "alone")]
        ),
        "two_people": mean_stderr(
            [float(_passes(partial(voice_in, clip))) for clip in track(joined, "in two")]
        ),
    }


def sentences(codec: SpeechCodec, reader: PhonemeReader) -> Numbers:
    """What passes for the sentence, with the nats that decide."""
    said = {
        "sentence": [SENTENCE],
        "contrary": NO_CONSENT,
        "others": [f"{a} {b}" for a, b in zip(SENTENCES, SENTENCES[1:4])],
    }
    found: Numbers = {}
    for kind, texts in said.items():
        for heard, voices in (("known", VOICES), ("never_heard", NEVER_HEARD)):
            read = [
                _read(codec, reader, pcm)
                for text, voice in track(list(product(texts, voices)), f"{kind}, {heard}")
                if (pcm := _spoken(text, voice)) is not None
            ]
            if not read:
                continue
            nats = [consent_nats(one)[0] for one in read]
            passed = [float(_passes(partial(check_sentence, one))) for one in read]
            found[f"{kind}_{heard}"] = {"passed": mean_stderr(passed), "nats": mean_stderr(nats)}
    return {"sentences": found}


def reader_of(options: BenchOptions) -> PhonemeReader:
    """The reader of phonemes in the codec's folder; training leaves it beside that."""
    folder = Path(options.codec or options.network / "audio_codec")
    inside = folder / PHONEMES
    return PhonemeReader.load(inside if inside.exists() else folder.parent / inside.name)


def _spoken(text: str, voice: str) -> Pcm | None:
    """None where the synthesizer is not installed."""
    try:
        return speak_as(text, voice) if voice in NEVER_HEARD else speak(text, voice)
    except UserError:
        return None


@torch.inference_mode()
def _read(codec: SpeechCodec, reader: PhonemeReader, pcm: Pcm) -> torch.Tensor:
    found: torch.Tensor = reader(codec.quantizer.from_codes(codec.encode(torch.from_numpy(pcm)[None])))[0]
    return found


def _passes(check: Callable[[], object]) -> bool:
    try:
        check()
    except RecordingError:
        return False
    return True
