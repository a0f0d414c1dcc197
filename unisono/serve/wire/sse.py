"""Server-sent events, and answers that begin when their first piece is there."""

import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse

from unisono.serve.wire.errors import logged

EVENT_STREAM = "text/event-stream"
# What readers of lines such as str.splitlines take for the end of one; JSON escapes only those below 0x20.
LINE_ENDS = {mark: f"\\u{mark:04x}" for mark in (0x85, 0x2028, 0x2029)}


def event(data: dict[str, Any], name: str | None = None) -> bytes:
    """A server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False).translate(LINE_ENDS)}\n\n".encode()


async def streamed(pieces: AsyncIterator[bytes], media_type: str) -> StreamingResponse:
    """An answer that begins when its first piece is there: what fails before that is an ordinary error."""
    try:
        first = await anext(pieces)
    except StopAsyncIteration:
        first = b""

    async def all_pieces() -> AsyncIterator[bytes]:
        try:
            yield first
            async for piece in pieces:
                yield piece
        except Exception as error:
            if media_type != EVENT_STREAM:
                raise  # the connection breaks off; raw sound has no other way to say it
            yield event(logged(error).body)
        finally:
            await pieces.aclose()  # type: ignore[attr-defined]

    return StreamingResponse(
        all_pieces(), media_type=media_type, headers={"cache-control": "no-cache", "x-accel-buffering": "no"}
    )
