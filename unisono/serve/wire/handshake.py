"""Sockets that are refused before they are opened."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_TURNS = 10  # of the loop


class Handshakes:
    """ASGI middleware: waits a moment behind a refusal.

    uvicorn takes a refused handshake for complete when its connection has closed, which is a turn of the loop
    after the answer; an application that returns before that is logged as one that never answered.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_refused = False

        async def watched(message: Message) -> None:
            nonlocal is_refused
            is_refused = is_refused or message["type"] == "websocket.http.response.start"
            await send(message)

        await self.app(scope, receive, watched if scope["type"] == "websocket" else send)
        for _ in range(MAX_TURNS if is_refused else 0):
            await asyncio.sleep(0)
