"""Sound -> what is said in it: quiet places, segments, the network's words for each, and how captions are
written.

The network was taught sentences of a few seconds. Longer sound is cut where it is quietest; the segments are
heard side by side in one batch. Times are those of the cuts: the network tells no times within a segment.

Shapes: N samples at CODEC_RATE, F frames of FRAME samples.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from unisono.engine.sample import Sampler, Sampling
from unisono.media import Sound
from unisono.serve.reply.events import ReplySpec, Words
from unisono.serve.reply.in_order import rounded
from unisono.serve.reply.service import SAMPLING, Service
from unisono.serve.reply.turn import Turn
from unisono.signals import to_mono
from unisono.tokens.message import Message, Part, Text
from unisono.tokens.phrases import MEANING, WRITE_DOWN

CODEC_RATE, FRAME = 16000, 320
LONGEST_S, SHORTEST_S = 10.0, 2.0  # of a segment that was cut
MARGIN_S = 0.1  # kept around what is heard
SILENCE = 1e-3  # root mean square of a frame; -60 dB of full scale
SMOOTH = 9  # frames: a pause between words, not the gap within one
IDS_A_SECOND, MIN_IDS = 15, 30
HEARD_AT_ONCE = 8


@dataclass
class TranscriptSegment:
    """A stretch of the sound and what the network wrote down; `tokens` are (id, logprob)."""

    start_s: float
    end_s: float
    pcm: NDArray[np.float32]
    text: str = ""
    tokens: list[tuple[int, float]] = field(default_factory=list)

    @property
    def avg_logprob(self) -> float:
        """Mean over the text ids; 0 where nothing was written."""
        return rounded(sum(logprob for _, logprob in self.tokens) / max(1, len(self.tokens)))


def segments(sound: Sound) -> list[TranscriptSegment]:
    """The stretches of a sound where there is something to hear, none longer than LONGEST_S."""
    pcm = to_mono(sound.pcm, sound.sample_rate, CODEC_RATE)
    loud = loudness(pcm)
    found, start = [], 0
    for end in [*cuts(loud), len(loud)]:
        heard = start + np.flatnonzero(loud[start:end] > SILENCE)
        if len(heard):
            margin = round(MARGIN_S * CODEC_RATE / FRAME)
            first, last = max(start, int(heard[0]) - margin), min(end, int(heard[-1]) + 1 + margin)
            piece = pcm[first * FRAME : last * FRAME]
            found.append(
                TranscriptSegment(
                    round(first * FRAME / CODEC_RATE, 3),
                    round((first * FRAME + len(piece)) / CODEC_RATE, 3),
                    piece,
                )
            )
        start = end
    return found


def loudness(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) -> (F,) root mean square of each frame; the last one filled up with silence."""
    frames = np.pad(pcm, (0, -len(pcm) % FRAME)).reshape(-1, FRAME)
    return np.sqrt(np.square(frames).mean(axis=1))


def cuts(loud: NDArray[np.float32]) -> list[int]:
    """(F,) -> frames to cut at: within each reach the middle of the quietest pause, the latest of equal
    ones.
    """
    longest, shortest = round(LONGEST_S * CODEC_RATE / FRAME), round(SHORTEST_S * CODEC_RATE / FRAME)
    smooth = np.convolve(np.maximum(loud, SILENCE), np.ones(SMOOTH) / SMOOTH, "same")
    places, start = [], 0
    while len(loud) - start > longest:
        reach = smooth[start + shortest : start + longest][::-1]
        start += longest - 1 - int(reach.argmin())
        places.append(start)
    return places


async def begin(service: Service, segment: TranscriptSegment, request: str, temperature: float) -> Turn:
    """Begins a reply that writes one segment down."""
    sampling = {**SAMPLING, "text": Sampling(temperature=temperature)}
    spec = ReplySpec(
        max_ids=MIN_IDS + int(IDS_A_SECOND * len(segment.pcm) / CODEC_RATE),
        top_logprobs=0,
        sampler=Sampler(sampling),
    )
    heard: Part = await service.code(Sound(segment.pcm, CODEC_RATE))
    return await service.reply([Message("user", [heard, Text(request)])], spec)


def listen(service: Service, found: Sequence[TranscriptSegment], temperature: float) -> list[partial]:
    """What begins the hearing of each segment."""
    return [partial(begin, service, segment, WRITE_DOWN[0], temperature) for segment in found]


async def meaning(service: Service, segment: TranscriptSegment, temperature: float) -> Turn:
    """Begins a reply that says in English what was said in another language."""
    return await begin(service, segment, MEANING[0], temperature)


async def written(turn: Turn) -> tuple[str, list[tuple[int, float]]]:
    """The whole reply: its words, and each of its text ids with its logprob."""
    text, tokens = "", []
    async for news in turn:
        if isinstance(news, Words):
            text += news.text
            tokens += [(id, logprob) for id, logprob, _ in news.tokens]
    return text.strip(), tokens


def is_english(text: str) -> bool:
    """Whether a transcript has Latin letters only; the network writes other languages in their own."""
    return all(letter < "\u0250" for letter in text if letter.isalpha())


def language_of(text: str) -> str:
    """Of the languages that the network was taught to write down."""
    return "english" if is_english(text) else "arabic"


# ---- how it is written ----


def verbose(number: int, segment: TranscriptSegment, temperature: float) -> dict[str, object]:
    """A segment as verbose_json has it. The network gives no probability of silence: what is silent is no
    segment.
    """
    content = segment.text.encode()
    return {
        "id": number,
        "seek": round(segment.start_s * 100),
        "start": segment.start_s,
        "end": segment.end_s,
        "text": segment.text,
        "tokens": [id for id, _ in segment.tokens],
        "temperature": temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": rounded(len(content) / max(1, len(zlib.compress(content)))),
        "no_speech_prob": 0.0,
    }


def spoken_by(number: int, segment: TranscriptSegment) -> dict[str, object]:
    """A segment as diarized_json has it. The network does not tell speakers apart and does not pretend to."""
    return {
        "id": f"seg_{number}",
        "type": "transcript.text.segment",
        "start": segment.start_s,
        "end": segment.end_s,
        "speaker": "unknown",
        "text": segment.text,
    }


def clock(seconds: float, point: str) -> str:
    """Seconds as captions write them: 00:00:00,000."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{milliseconds:03}"


def captions(found: Sequence[TranscriptSegment], format: str) -> str:
    """Segments as srt or vtt."""
    point = "," if format == "srt" else "."
    blocks = [
        f"{clock(one.start_s, point)} --> {clock(one.end_s, point)}\n{one.text}\n"
        for one in found
        if one.text
    ]
    if format == "srt":
        return "\n".join(f"{number}\n{block}" for number, block in enumerate(blocks, 1)) + "\n"
    return "WEBVTT\n\n" + "\n".join(blocks) + "\n"
