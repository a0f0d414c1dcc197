"""WebSocket /v1/responses: the same responses over a connection that stays open. A client sends
response.create with the members of a request and is sent its events; several at once where each names a
`stream_id`, which its events then carry.
"""

import asyncio
import contextlib
import json
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from unisono.serve.responses.request import ResponseRequest, read_response
from unisono.serve.responses.response import Responding
from unisono.serve.wire.errors import ApiError, logged
from unisono.serve.wire.requests import checked, json_object

router = APIRouter(prefix="/v1")
MAX_AT_ONCE = 8


@router.websocket("/responses")
async def responses(socket: WebSocket) -> None:
    """Responses until the client leaves."""
    await socket.accept(
        subprotocol="realtime" if "realtime" in socket.scope.get("subprotocols", []) else None
    )
    lanes: dict[str | None, asyncio.Task[None]] = {}
    try:
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            stream_id: str | None = None
            try:
                given = _read(
                    message.get("text") if message.get("text") is not None else message.get("bytes")
                )
                stream_id = given.pop("stream_id", None)
                if not isinstance(stream_id, str | None):
                    stream_id = None
                    raise ApiError("stream_id must be a string.", 400, "stream_id")
                for lane in [lane for lane, task in lanes.items() if task.done()]:
                    del lanes[lane]
                if stream_id in lanes or len(lanes) >= MAX_AT_ONCE:
                    raise ApiError(
                        (
                            f"A response is being made already; name another stream_id, of which "
                            f"{MAX_AT_ONCE} may be used at once."
                        ),
                        400,
                        "stream_id",
                        "concurrent_response",
                    )
                wanted = checked(ResponseRequest, {**given, "stream": True, "background": None})
                lanes[stream_id] = asyncio.create_task(_respond(socket, wanted, stream_id))
            except Exception as error:
                await _tell(socket, _failed(error), stream_id)
    except (WebSocketDisconnect, RuntimeError, OSError):
        pass  # it is closed already
    finally:
        for task in lanes.values():
            task.cancel()
        await asyncio.gather(*lanes.values(), return_exceptions=True)


def _read(text: str | bytes | None) -> dict[str, Any]:
    given = json_object(text or "", "The event")
    if given.pop("type", None) != "response.create":
        raise ApiError("Expected an event of the type response.create.", 400, "type")
    return given


async def _respond(socket: WebSocket, wanted: ResponseRequest, stream_id: str | None) -> None:
    try:
        socket.state.limits.check(socket.state.key)
        responding = Responding(socket, wanted, await read_response(socket, wanted))
        async with contextlib.aclosing(responding.told()) as events:
            async for event in events:
                await _tell(socket, event, stream_id)
    except WebSocketDisconnect:
        pass
    except Exception as error:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):  # where the client has left
            await _tell(socket, _failed(error), stream_id)


def _failed(error: Exception) -> dict[str, Any]:
    found = logged(error)
    return {"type": "error", "status": found.status, "error": found.body["error"]}


async def _tell(socket: WebSocket, event: dict[str, Any], stream_id: str | None) -> None:
    await socket.send_text(
        json.dumps({**event, **({"stream_id": stream_id} if stream_id is not None else {})})
    )
