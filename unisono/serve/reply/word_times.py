"""When each word of a transcript is spoken. The reader that was trained with the codec finds phonemes in its
codes, and each word's phonemes are laid along them, as in training (data/speech/cutter.py). espeak-ng tells
the phonemes of words; without it, or where the two do not fit, words share their segment by their letters.

Shapes: F frames of the codec.
"""

import logging
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from unisono.codecs.phonemes import PhonemeReader
from unisono.core.errors import UserError
from unisono.data.speech.cutter import pronounced, word_starts
from unisono.serve.reply.hear import CODEC_RATE, FRAME, SILENCE, TranscriptSegment, loudness
from unisono.serve.reply.own_voices import READER
from unisono.serve.reply.service import Service

log = logging.getLogger("unisono.serve")
LEAST_S = 0.02  # a word lasts no less


@lru_cache(maxsize=4)
def _reader(folder: Path) -> PhonemeReader | None:
    try:
        return PhonemeReader.load(folder / READER).eval()
    except UserError as error:
        log.warning("no word times from phonemes: %s", error)
        return None


async def words_of(service: Service, segment: TranscriptSegment) -> list[dict[str, object]]:
    """The words of a segment that was heard: {word, start, end} in seconds of the whole sound."""
    if not segment.text.split():
        return []
    return await service.codec(_words, service, segment)


def _words(service: Service, segment: TranscriptSegment) -> list[dict[str, object]]:
    loud = loudness(segment.pcm) > SILENCE
    words, starts = _by_phonemes(service, segment) or _by_letters(segment.text, loud)
    seconds = FRAME / CODEC_RATE
    found = []
    for word, start, end in zip(words, starts, [*starts[1:], len(loud)]):
        heard = np.flatnonzero(loud[start:end])
        last = start + int(heard[-1]) + 1 if len(heard) else end  # not into the pause behind it
        begin_s = min(segment.start_s + start * seconds, segment.end_s - LEAST_S)
        end_s = min(segment.end_s, max(segment.start_s + last * seconds, begin_s + LEAST_S))
        found.append({"word": word, "start": round(begin_s, 3), "end": round(end_s, 3)})
    return found


def _by_phonemes(service: Service, segment: TranscriptSegment) -> tuple[list[str], list[int]] | None:
    reader = _reader(service.folder)
    if reader is None:
        return None
    try:
        said = pronounced(segment.text)
    except UserError:  # no espeak-ng here
        return None
    if not said:
        return None
    codec = service.tokenizer.audio_codec
    codes = service.tokenizer.audio_part(segment.pcm, CODEC_RATE).codes
    with torch.inference_mode():
        log_probs = reader(codec.quantizer.from_codes(torch.from_numpy(codes)[None]))[0].numpy()
    starts = word_starts(log_probs, [symbols for _, symbols in said])
    if starts is None:
        return None
    scale = CODEC_RATE / FRAME * codec.config.frame_size / codec.sample_rate  # codec's frames -> of loudness
    return [word.strip() for word, _ in said], [round(start * scale) for start in starts]


def _by_letters(text: str, loud: NDArray[np.bool_]) -> tuple[list[str], list[int]]:
    """Spreads the words over the frames that are heard, each by its share of the letters."""
    words = text.split()
    heard = np.flatnonzero(loud) if loud.any() else np.arange(len(loud))
    before = np.cumsum([0, *(len(word) for word in words)])
    return words, [int(heard[min(len(heard) - 1, len(heard) * at // before[-1])]) for at in before[:-1]]
