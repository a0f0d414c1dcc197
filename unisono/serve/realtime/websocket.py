"""The Realtime API over WebSocket."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from unisono.serve.realtime.admission import admit, leave
from unisono.serve.realtime.call import find_call
from unisono.serve.realtime.client_events import Client
from unisono.serve.realtime.session import Live
from unisono.serve.realtime.settings import LIFE_S
from unisono.serve.wire.errors import as_api_error

router = APIRouter(prefix="/v1")
MAX_BACKLOG = 64_000_000  # bytes that a client has not read
HANG_UP_S = 5.0  # that closing may take where nobody reads


class Outbox:
    """Events on their way to one socket, in order. A client that reads nothing is given up before it fills
    the memory.
    """

    def __init__(self, socket: WebSocket) -> None:
        self.socket, self.size = socket, 0
        self.waiting: deque[tuple[str, str | None, Callable[[], None] | None]] = (
            deque()
        )  # text, whose sound it is, what to call
        self.awake, self.ended = asyncio.Event(), asyncio.Event()

    def put(self, event: dict[str, Any]) -> None:
        """Sends an event when those before are sent."""
        if self.ended.is_set():
            return
        text = json.dumps(event)
        self.waiting.append(
            (text, event["response_id"] if event["type"] == "response.output_audio.delta" else None, None)
        )
        self.size += len(text)
        if self.size > MAX_BACKLOG:
            self.end()
        self.awake.set()

    def after(self, call: Callable[[], None]) -> None:
        """Calls when all events so far were given to the socket."""
        self.waiting.append(("", None, call))
        self.awake.set()

    def forget(self, response_id: str) -> None:
        """Drops the sound of a response that is still here."""
        self.waiting = deque(one for one in self.waiting if one[1] != response_id)
        self.size = sum(len(text) for text, _, _ in self.waiting)

    def end(self) -> None:
        """Nothing more is sent: the session is over, or nobody reads."""
        self.ended.set()

    async def run(self) -> None:
        """Sends until the socket closes."""
        while True:
            while self.waiting:
                text, _, call = self.waiting.popleft()
                if call:
                    call()
                if text:
                    self.size -= len(text)
                    await self.socket.send_text(text)
            self.awake.clear()
            if not self.waiting:
                await self.awake.wait()


@router.websocket("/realtime")
async def realtime(socket: WebSocket) -> None:
    """A session, or a sideband of a call."""
    protocol = "realtime" if "realtime" in socket.scope.get("subprotocols", []) else None
    try:
        if call_id := socket.query_params.get("call_id"):
            live, owner = find_call(socket, call_id).live, None
        else:
            live, owner = await admit(socket)
    except Exception as error:
        await socket.send_denial_response(as_api_error(error).response())
        return
    outbox = Outbox(socket)
    try:
        await socket.accept(subprotocol=protocol)
        live.events.outlets.append(outbox)
        if owner is not None:
            live.events.emit("session.created", session=live.settings.session)
            live.events.emit(
                "conversation.created",
                conversation={"id": live.conversation.id, "object": "realtime.conversation"},
            )
        await _converse(socket, live, outbox)
    finally:
        if outbox in live.events.outlets:
            live.events.outlets.remove(outbox)
        if owner is not None:
            await asyncio.shield(leave(socket, live, owner))


async def _converse(socket: WebSocket, live: Live, outbox: Outbox) -> None:
    """Reads and writes until one of the two ends, or the session's time is over."""
    client = Client(live, socket)

    async def read() -> None:
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            await client.receive(
                message.get("text") if message.get("text") is not None else message.get("bytes")
            )

    tasks = [asyncio.create_task(work) for work in (read(), outbox.run(), outbox.ended.wait())]
    try:
        done, _ = await asyncio.wait(tasks, timeout=LIFE_S, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.exception()  # a client that left: nobody needs to hear of it
        if tasks[0] not in done:
            await asyncio.wait_for(
                _hang_up(socket, not done, 1008 if outbox.size > MAX_BACKLOG else 1000), HANG_UP_S
            )
    except (WebSocketDisconnect, RuntimeError, OSError, asyncio.TimeoutError):
        pass  # it is closed already, or nobody reads
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _hang_up(socket: WebSocket, is_expired: bool, code: int) -> None:
    if is_expired:
        await socket.send_text(
            json.dumps(
                {
                    "type": "error",
                    "event_id": "event_expired",
                    "error": {
                        "type": "invalid_request_error",
                        "code": "session_expired",
                        "message": f"The session has lasted {LIFE_S // 60} minutes; open another.",
                        "param": None,
                        "event_id": None,
                    },
                }
            )
        )
    await socket.close(code)
