"""Text -> speech of the network: sentence by sentence, each written into the reply as it was given and then
spoken by it.

The network was taught "Say: SENTENCE" with one sentence a reply, so every sentence is a reply of its own; the
next ones are being made while the first is heard.

Shapes: N samples.
"""

import re
from collections.abc import AsyncGenerator, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from unisono.engine.grammar import Grammar, Rules
from unisono.provenance.watermark import Watermark
from unisono.serve.reply.events import ReplySpec, Speech, Usage
from unisono.serve.reply.in_order import add, in_order
from unisono.serve.reply.service import Service
from unisono.serve.reply.turn import Turn
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.sound import API_RATE, Resampler, Stretcher
from unisono.tokens.message import Message, Text
from unisono.tokens.phrases import SAY

LONGEST = 120  # letters said in one breath; the network was taught sentences of up to 90
ENDS = re.compile(r"(?<=[.!?;:\u3002\uff01\uff1f\u061f\u2026])[\"')\]]*\s+|\s*\n+\s*")
PAUSES = re.compile(r"(?<=[,\u060c\u3001])\s+|\s+(?=[-\u2013\u2014(])")


def sentences(text: str) -> list[str]:
    """Cuts at the ends of sentences; what is too long for one breath at pauses, else between words, else
    anywhere.
    """
    return [
        piece
        for sentence in ENDS.split(text)
        if sentence and sentence.strip()
        for piece in _breaths(sentence.strip())
    ]


def _breaths(sentence: str) -> Iterator[str]:
    if len(sentence) <= LONGEST:
        yield sentence
        return
    piece = ""
    for part in _joints(sentence):
        if piece and len(piece) + 1 + len(part) > LONGEST:
            yield piece
            piece = ""
        piece = f"{piece} {part}" if piece else part
    yield piece


def _joints(sentence: str) -> Iterator[str]:
    """Parts between pauses that fit a breath, or smaller ones where they do not."""
    for clause in PAUSES.split(sentence):
        for word in [clause] if len(clause) <= LONGEST else clause.split():
            yield from (word[start : start + LONGEST] for start in range(0, len(word), LONGEST))


async def begin(service: Service, sentence: str, voice: object, mark: Watermark | None = None) -> Turn:
    """Begins to say a sentence: its words are given, only the sound is the network's to choose. `mark` goes
    on from the sentence before.
    """
    rules = Rules.spoken(service.tokenizer.script(sentence), service.tokenizer.audio_codec.frame_rate)
    spec = ReplySpec(
        outputs=frozenset({"audio"}), voice=voice, mark=mark, grammar=Grammar(service.vocab, rules)
    )
    return await service.reply([Message("user", [Text(SAY[0].format(sentence))])], spec)


async def speak(
    service: Service, text: str, voice: object, speed: float, usage: Usage
) -> AsyncGenerator[NDArray[np.float32], None]:
    """Yields pcm at API_RATE as it is made; what it took is added to `usage`."""
    resample, stretch = Resampler(service.sample_rate, API_RATE), Stretcher(API_RATE, speed)
    mark = service.guards.mark(service.sample_rate, speed)
    begins = [partial(begin, service, sentence, voice, mark) for sentence in sentences(text)]
    async with in_order(begins) as turns:
        async for turn in turns:
            async for news in turn:
                if isinstance(news, Speech) and len(news.pcm):
                    yield stretch.push(resample.push(news.pcm))
            add(usage, turn.usage)
            if turn.finish_reason == "content_filter":
                raise ApiError(
                    "The voice guard cut the speech: it was not the chosen voice; try again.",
                    503,
                    retry_after_s=1,
                )
    yield stretch.push(resample.push(np.zeros(0, np.float32), last=True), last=True)
