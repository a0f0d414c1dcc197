"""Replies in order, counting of ids, and lengths in ids: what endpoints that hold a Service share."""

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from starlette.requests import HTTPConnection

from unisono.serve.reply.events import Usage
from unisono.serve.reply.service import Service
from unisono.serve.reply.turn import Turn
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.metrics import IDS

AHEAD = 3  # replies of one request that are made at once, the one that is being read included


@contextlib.asynccontextmanager
async def in_order(
    begins: Sequence[Callable[[], Awaitable[Turn]]], ahead: int = AHEAD
) -> AsyncIterator[AsyncIterator[Turn]]:
    """Begins replies, up to `ahead` of them before they are read, and yields them in order. Those that nobody
    reads are ended.
    """
    waiting, begun = deque(begins), deque[Turn]()

    async def turns() -> AsyncIterator[Turn]:
        while waiting or begun:
            while waiting and len(begun) < ahead:
                begun.append(await waiting.popleft()())
            yield begun[0]
            begun.popleft()

    try:
        yield turns()
    finally:  # shielded: a client that left has cancelled us, and whoever waits would be cancelled again
        await asyncio.shield(asyncio.gather(*(turn.end() for turn in begun)))


def add(total: Usage, more: Usage) -> None:
    """Adds the ids of a reply to those counted before."""
    total.cached += more.cached
    total.reasoning += more.reasoning
    for modality in total.prompt:
        total.prompt[modality] += more.prompt[modality]
        total.reply[modality] += more.reply[modality]


def account(request: HTTPConnection, usage: Usage) -> None:
    """Charges the ids to the limits of the key that asked, and to the metrics."""
    request.state.limits.use(request.state.key, sum(usage.prompt.values()) + sum(usage.reply.values()))
    for direction, counts in (("in", usage.prompt), ("out", usage.reply)):
        for modality, count in counts.items():
            IDS.labels(modality, direction).inc(count)


def text_ids(service: Service, text: str, param: str) -> list[int]:
    """Words -> ids; ApiError where there are more than the network holds."""
    most = service.scheduler.engine.max_length
    if len(text) > service.max_letters or len(ids := service.tokenizer.text.encode(text)) > most:
        raise ApiError(
            f"{param} is too long: the network holds {most} ids.", 400, param, "context_length_exceeded"
        )
    return ids


def check_letters(service: Service, texts: Iterable[str], max_ids: int) -> None:
    """ApiError where texts hold more letters than so many ids can: even counting the ids takes time."""
    if sum(map(len, texts)) > service.max_letters * max_ids // service.scheduler.engine.max_length:
        raise ApiError(f"input may hold {max_ids} ids in all.", 400, "input", "context_length_exceeded")


def rounded(value: float, digits: int = 6) -> float:
    """A finite number for JSON."""
    return round(value, digits) if math.isfinite(value) else 0.0
