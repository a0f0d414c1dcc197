"""What a person said in a realtime session, written down by the network beside the conversation.

The question is put in a sequence of its own, as the network was taught it, so that nothing of it is in the
conversation.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from unisono.engine.sample import Sampler
from unisono.media import Sound
from unisono.serve.realtime.items import Item
from unisono.serve.realtime.turn_detection import VAD_RATE
from unisono.serve.reply import hear
from unisono.serve.reply.events import ReplySpec, Usage, Words
from unisono.serve.reply.in_order import add
from unisono.serve.reply.service import SAMPLING, Service
from unisono.serve.reply.turn import Turn
from unisono.serve.wire.errors import logged
from unisono.serve.wire.sound import from_s16
from unisono.tokens.message import Audio, Message, Text
from unisono.tokens.phrases import WRITE_DOWN

MAX_S = 10.0  # of sound heard at once: more than the sentences that the network was taught


class Transcript:
    """Of one item: iterate it for (words, logprobs); then `text` and `usage`."""

    def __init__(self, service: Service, item: Item, with_logprobs: bool) -> None:
        self.service, self.item, self.with_logprobs = service, item, with_logprobs
        self.text, self.usage = "", Usage()
        self.logprobs: list[dict[str, Any]] = []

    async def __aiter__(self) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
        async for turn in self._turns():
            is_first = True
            async with aclosing(aiter(turn)) as events:  # type: ignore[type-var]
                async for event in events:
                    if isinstance(event, Words) and event.text:
                        gap = " " if is_first and self.text else ""
                        is_first = False
                        self.text += gap + event.text
                        told = (
                            [self._shown(id, logprob) for id, logprob, _ in event.tokens]
                            if self.with_logprobs
                            else []
                        )
                        self.logprobs += told
                        yield gap + event.text, told
            add(self.usage, turn.usage)

    async def _turns(self) -> AsyncIterator[Turn]:
        codes = self.item.codes
        assert codes is not None
        seconds = len(codes) / self.service.tokenizer.audio_codec.frame_rate
        if seconds > MAX_S and self.item.sounds:
            for segment in hear.segments(Sound(from_s16(self.item.sounds[0]), VAD_RATE)):
                yield await hear.begin(self.service, segment, WRITE_DOWN[0], 0.0)
        elif len(codes):
            spec = ReplySpec(
                max_ids=hear.MIN_IDS + int(hear.IDS_A_SECOND * seconds),
                sampler=Sampler(SAMPLING),
                top_logprobs=0 if self.with_logprobs else None,
            )
            yield await self.service.reply([Message("user", [Audio(codes), Text(WRITE_DOWN[0])])], spec)

    def _shown(self, id: int, logprob: float) -> dict[str, Any]:
        piece = self.service.tokenizer.text.piece(id)
        return {"token": piece.decode("utf8", "replace"), "bytes": list(piece), "logprob": logprob}

    @property
    def shown_usage(self) -> dict[str, Any]:
        """As the event shows it."""
        given, made = self.usage.prompt, sum(self.usage.reply.values())
        return {
            "type": "tokens",
            "input_tokens": sum(given.values()),
            "output_tokens": made,
            "total_tokens": sum(given.values()) + made,
            "input_token_details": {"text_tokens": given["text"], "audio_tokens": given["audio"]},
        }


def fault(error: Exception) -> dict[str, Any]:
    """For the event that says that it failed."""
    found = logged(error)
    return {"type": found.type, "code": found.code or found.type, "message": found.message}
