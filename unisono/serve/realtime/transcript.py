"""What a person said in a realtime session, written down by the network beside the conversation: the question
is put in a sequence of
its own, as the network was taught it, so that nothing of it is in the conversation."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from unisono.engine.sample import Sampler
from unisono.media import Sound
from unisono.serve.realtime.items import CODEC_RATE, Item
from unisono.serve.reply import hear
from unisono.serve.reply.in_order import add
from unisono.serve.reply.service import SAMPLING, ReplySpec, Service, Turn, Usage, Words
from unisono.serve.wire.errors import logged
from unisono.serve.wire.sound import from_s16
from unisono.tokens.message import Audio, Message, Text
from unisono.tokens.phrases import WRITE_DOWN

LONGEST = 500  # codes heard at once: 10 s, more than the sentences that the network was taught


class Transcript:
    """Of one item: iterate it for (words, logprobs); then `text` and `usage`."""

    def __init__(self, service: Service, item: Item, with_logprobs: bool) -> None:
        self.service, self.item, self.with_logprobs = service, item, with_logprobs
        self.text, self.usage = "", Usage()
        self.logprobs: list[dict[str, Any]] = []

    async def __aiter__(self) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
        async for turn in self._turns():
            is_first = True
            async with aclosing(aiter(turn)) as events:
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
        if len(codes) > LONGEST and self.item.sound is not None:
            for segment in hear.segments(Sound(from_s16(self.item.sound), CODEC_RATE)):
                yield await hear.begin(self.service, segment, WRITE_DOWN[0], 0.0)
        elif len(codes):
            spec = ReplySpec(
                max_ids=hear.MIN_IDS + hear.IDS_A_SECOND * len(codes) // 50,
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
