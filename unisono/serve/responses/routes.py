"""POST /v1/responses and what belongs to it: items in, items out, conversations that go on by the id of the
last response.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from unisono.serve.reply.service import service_of
from unisono.serve.responses.request import ResponseRequest, read_response
from unisono.serve.responses.response import Responding
from unisono.serve.responses.store import ResponseStore, Stored, store_of
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.requests import json_body, read_json, unless_left
from unisono.serve.wire.sse import EVENT_STREAM, streamed

router = APIRouter(prefix="/v1/responses", tags=["responses"])
MAX_BACKGROUND = 16  # responses of a key that are made while nobody waits


@router.post("", openapi_extra=json_body(ResponseRequest), response_class=Response)
async def create_response(request: Request) -> Response:
    """The network's response."""
    wanted = await read_json(request, ResponseRequest)
    responding = Responding(request, wanted, await read_response(request, wanted))
    if wanted.stream:
        return await streamed(
            _followed(request, responding) if wanted.background else responding.stream(), EVENT_STREAM
        )
    if wanted.background:
        return JSONResponse(_in_background(request, responding, responding.whole()))
    return JSONResponse(await unless_left(request, responding.whole()))


async def _followed(request: Request, responding: Responding) -> AsyncIterator[bytes]:
    """The events of a response in the background: where their reader leaves, it goes on."""
    made: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()

    async def make() -> None:
        try:
            async for piece in responding.stream():
                made.put_nowait(piece)
        except Exception as error:
            made.put_nowait(error)
        finally:
            made.put_nowait(None)

    _in_background(request, responding, make())
    while (piece := await made.get()) is not None:
        if isinstance(piece, Exception):
            raise piece
        yield piece


def _in_background(
    request: Request, responding: Responding, work: Coroutine[Any, Any, Any]
) -> dict[str, Any]:
    """Begins; the client asks for it later. What goes wrong is said in the response."""
    store = store_of(request)
    if sum(one.wanted.background is True for one in store.running_of(request.state.key)) >= MAX_BACKGROUND:
        raise ApiError(
            "Too many responses are being made in the background; wait for some of them.",
            429,
            "background",
            None,
            5,
        )
    store.running[request.state.key, responding.id] = responding
    task = asyncio.ensure_future(work)
    responding.task = task
    task.add_done_callback(lambda done: None if done.cancelled() else done.exception())
    return responding.body()


@router.post("/input_tokens", openapi_extra=json_body(ResponseRequest), response_class=Response)
async def count_input(request: Request) -> Response:
    """How many ids a request would have."""
    read = await read_response(request, await read_json(request, ResponseRequest))
    service = service_of(request)
    ids = service.prompt(read.plan.messages, read.plan.spec(service))
    return JSONResponse({"object": "response.input_tokens", "input_tokens": len(ids)})


@router.get("/{response_id}")
async def find_response(request: Request, response_id: str, stream: bool | None = None) -> dict[str, Any]:
    """A response that was stored, or is being made."""
    if stream:
        raise ApiError(
            "A response is streamed only while it is created; ask for it without stream.", 400, "stream"
        )
    running = store_of(request).running.get((request.state.key, response_id))
    return running.body() if running else _stored(request, response_id).body


@router.delete("/{response_id}")
async def delete_response(request: Request, response_id: str) -> dict[str, Any]:
    """Forgets a response; one that is being made ends."""
    store: ResponseStore = store_of(request)
    running = store.running.get((request.state.key, response_id))
    if running:
        running.is_kept = False
        store.running.pop((request.state.key, response_id))
        await running.cancel()
    else:
        _stored(request, response_id)
    store.kept.delete(request.state.key, response_id)
    return {"id": response_id, "object": "response", "deleted": True}


@router.post("/{response_id}/cancel")
async def cancel_response(request: Request, response_id: str) -> dict[str, Any]:
    """Ends a response that is being made; one that is over stays as it is."""
    running = store_of(request).running.get((request.state.key, response_id))
    if running:
        await running.cancel()
        return running.body()
    return _stored(request, response_id).body


@router.get("/{response_id}/input_items")
async def input_items(
    request: Request,
    response_id: str,
    limit: int = Query(20, ge=1, le=100),
    order: Literal["asc", "desc"] = "desc",
    after: str | None = None,
) -> dict[str, Any]:
    """What a response answers, with all that was said before."""
    found: list[dict[str, Any]] = []
    stored: Stored | None = _stored(request, response_id)
    while stored:
        found = [*stored.items, *found]
        earlier = store_of(request).kept.find(request.state.key, stored.previous) if stored.previous else None
        found = [*earlier.body["output"], *found] if earlier else found
        stored = earlier
    found = found[::-1] if order == "desc" else found
    if after is not None:
        places = [place for place, item in enumerate(found) if item["id"] == after]
        if not places:
            raise ApiError(f"No item {after[:60]!r} in this response.", 400, "after")
        found = found[places[0] + 1 :]
    page = found[:limit]
    return {
        "object": "list",
        "data": page,
        "has_more": len(found) > limit,
        "first_id": page[0]["id"] if page else "",
        "last_id": page[-1]["id"] if page else "",
    }


def _stored(request: Request, id: str) -> Stored:
    found = store_of(request).kept.find(request.state.key, id)
    if found is None:
        raise ApiError(f"No response {id[:80]!r} is stored for this key.", 404, "response_id")
    return found
