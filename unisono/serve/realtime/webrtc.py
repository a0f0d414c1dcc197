"""The Realtime API over WebRTC: sound on Opus tracks, events on the data channel oai-events.

This file has the two endpoints; call.py has the call itself.
"""

import json
import logging

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from unisono.serve.realtime.admission import admit
from unisono.serve.realtime.call import OPUS_RATE, PeerCall, calls_of, find_call
from unisono.serve.realtime.settings import SessionRequest
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.requests import checked, read_form

router = APIRouter(prefix="/v1")
log = logging.getLogger("unisono.serve")
MAX_SDP = 100_000


async def _offer(request: Request) -> tuple[str, SessionRequest | None]:
    """The SDP and the session that were sent, raw or as a form."""
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        async with read_form(request) as form:
            parts = {name: form.fields.get(name) for name in ("sdp", "session")}
            for name in parts:
                if name in form.files:
                    parts[name] = (await form.file(name).read()).decode("utf8", "replace")
    else:
        parts = {"sdp": (await request.body()).decode("utf8", "replace"), "session": None}
    sdp, session = parts["sdp"], parts["session"]
    if not isinstance(sdp, str) or not sdp.startswith("v=") or len(sdp) > MAX_SDP:
        raise ApiError(
            "sdp must be an offer, as application/sdp or as a part of a form.", 400, "sdp", "invalid_offer"
        )
    if session is None:
        return sdp, None
    try:
        given = json.loads(session) if isinstance(session, str) else session
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ApiError("session must be a JSON object.", 400, "session")
    return sdp, checked(SessionRequest, given)


@router.post("/realtime/calls", response_class=Response, status_code=201)
async def create_call(request: Request) -> Response:
    """Answers an offer."""
    sdp, wanted = await _offer(request)
    live, owner = await admit(request, wanted)
    live.ear.configure(live.settings.session["audio"]["input"], OPUS_RATE)
    call = PeerCall(request.app, request, live, owner)
    calls_of(request.app)[call.id] = call
    try:
        answer = await call.answer(sdp)
    except BaseException:
        await call.end()
        raise
    return Response(answer, 201, {"location": f"/v1/realtime/calls/{call.id}"}, "application/sdp")


@router.post("/realtime/calls/{id}/hangup")
async def hang_up(request: Request, id: str) -> Response:
    """Ends a call."""
    await find_call(request, id).end()
    return JSONResponse({}, 200)
