"""The Realtime API over WebSocket, and the secrets with which browsers may open it."""
import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from pydantic import Field

from unisono.serve.errors import ApiError, as_api_error
from unisono.serve.forms import Wanted, json_body, read_json
from unisono.serve.guard import sent_key
from unisono.serve.live import Live
from unisono.serve.live_config import LIFE_S, Session, SessionWanted, default_session, merged, prepared
from unisono.serve.live_events import Client
from unisono.serve.models import service_of
from unisono.serve.service import Service

router = APIRouter(prefix="/v1")
DEFAULT_MODEL = "gpt-realtime"
MOST_BACKLOG = 64_000_000       # bytes that a client has not read
HANG_UP_S = 5.0                 # that closing may take where nobody reads
MOST_SECRETS = 10_000
DEFAULT_LIFE_S = 600


# ---- secrets ----

@dataclass(frozen=True)
class Secret:
    """What an ek_ key stands for."""

    owner: str                  # the key that made it
    session: Session
    expires_at: float


class ExpiresAfter(Wanted):
    """expires_after."""

    anchor: Literal["created_at"] | None = None
    seconds: int | None = Field(None, ge=10, le=7200)


class SecretWanted(Wanted):
    """POST /realtime/client_secrets."""

    expires_after: ExpiresAfter | None = None
    session: SessionWanted | None = None


def secrets_of(app: Any) -> dict[str, Secret]:
    """All that are alive."""
    if not hasattr(app.state, "client_secrets"):
        app.state.client_secrets = {}
    found: dict[str, Secret] = app.state.client_secrets
    for value in [value for value, secret in found.items() if secret.expires_at <= time.time()]:
        del found[value]
        app.state.settings.client_keys.pop(value, None)
    return found


@router.post("/realtime/client_secrets", openapi_extra=json_body(SecretWanted))
async def create_secret(request: Request) -> dict[str, Any]:
    """A key for a browser: opens sessions with these settings until it expires."""
    wanted = await read_json(request, SecretWanted)
    found = secrets_of(request.app)
    if request.state.key.startswith("ek_"):
        raise ApiError("A client secret cannot make others; use an API key.", 403)
    if len(found) >= MOST_SECRETS:
        raise ApiError(f"There are {MOST_SECRETS} client secrets already; wait until some expire.", 429, None, "rate_limit_exceeded", 60)
    session = await wanted_session(service_of(request), wanted.session, None)
    expires_at = time.time() + (wanted.expires_after and wanted.expires_after.seconds or DEFAULT_LIFE_S)
    value = f"ek_{secrets.token_hex(20)}"
    found[value] = Secret(request.state.key, session, expires_at)
    request.app.state.settings.client_keys[value] = request.state.key, expires_at
    return {"value": value, "expires_at": int(expires_at), "session": session}


async def wanted_session(service: Service, wanted: SessionWanted | None, model: str | None, kind: str = "realtime",
                         base: Session | None = None) -> Session:
    """A session's settings from those of its secret, of its address and of its first request; ApiError where they do not fit."""
    kind = wanted.type if wanted and wanted.type else base["type"] if base else kind
    named = model or (wanted.model if wanted and kind == "realtime" else None)
    if named is not None:
        service.check_model(named)
    if base and base["type"] == kind:
        session = {**default_session(kind, named or DEFAULT_MODEL), **{name: value for name, value in base.items() if name not in ("id", "expires_at")}}
        if named and kind == "realtime":
            session["model"] = named
    else:
        session = default_session(kind, named or (DEFAULT_MODEL if kind == "realtime" else "gpt-4o-mini-transcribe"))
    if wanted:
        session = merged(session, wanted.model_copy(update={"model": None}), service)
    await prepared(service, session)
    return session


async def admit(request: Any, wanted: SessionWanted | None = None) -> tuple[Live, str]:
    """A session for a request or a socket, and whose it is; ApiError where it may not be."""
    service, limits = service_of(request), request.state.limits
    secret = secrets_of(request.app).get(sent_key(request.headers))
    owner = secret.owner if secret else request.state.key
    if limits.sessions[owner] >= limits.settings.sessions:
        raise ApiError(f"This key has {limits.settings.sessions} sessions open; close one.", 429, None, "rate_limit_exceeded", 5)
    kind = "transcription" if request.query_params.get("intent") == "transcription" else "realtime"
    limits.sessions[owner] += 1     # before anything is waited for: others may ask meanwhile
    try:
        session = await wanted_session(service, wanted, request.query_params.get("model"), kind, secret.session if secret else None)
        live = Live(service, session, key=owner, limits=limits)
        live.is_model_open = not (secret or request.query_params.get("model") or wanted and wanted.model)
        await live.open()
    except BaseException:
        limits.sessions[owner] -= 1
        raise
    return live, owner


async def leave(request: Any, live: Live, owner: str) -> None:
    """Ends a session that `admit` began."""
    if not live.is_closed:
        request.state.limits.sessions[owner] -= 1
        await live.close()


# ---- the socket ----

class Outbox:
    """Events on their way to one socket, in order. A client that reads nothing is given up before it fills the memory."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket, self.size = socket, 0
        self.waiting: deque[tuple[str, str | None, Callable[[], None] | None]] = deque()     # text, whose sound it is, what to call
        self.awake, self.ended = asyncio.Event(), asyncio.Event()

    def put(self, event: dict[str, Any]) -> None:
        """Sends an event when those before are sent."""
        if self.ended.is_set():
            return
        text = json.dumps(event)
        self.waiting.append((text, event["response_id"] if event["type"] == "response.output_audio.delta" else None, None))
        self.size += len(text)
        if self.size > MOST_BACKLOG:
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
            from unisono.serve.webrtc import find_call
            live, owner = find_call(socket, call_id).live, None
        else:
            live, owner = await admit(socket)
    except Exception as error:
        await socket.send_denial_response(as_api_error(error).response())
        return
    outbox = Outbox(socket)
    try:
        await socket.accept(subprotocol=protocol)
        live.outlets.append(outbox)
        if owner is not None:
            live.emit("session.created", session=live.settings.session)
            live.emit("conversation.created", conversation={"id": live.conversation_id, "object": "realtime.conversation"})
        await _converse(socket, live, outbox)
    finally:
        if outbox in live.outlets:
            live.outlets.remove(outbox)
        if owner is not None:
            await asyncio.shield(leave(socket, live, owner))


async def _converse(socket: WebSocket, live: Live, outbox: Outbox) -> None:
    """Reads and writes until one of the two ends, or the session's time is over."""
    client = Client(live, socket)

    async def read() -> None:
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            await client.receive(message.get("text") if message.get("text") is not None else message.get("bytes"))

    tasks = [asyncio.create_task(work) for work in (read(), outbox.run(), outbox.ended.wait())]
    try:
        done, _ = await asyncio.wait(tasks, timeout=LIFE_S, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.exception()        # a client that left: nobody needs to hear of it
        if tasks[0] not in done:
            await asyncio.wait_for(_hang_up(socket, not done, 1008 if outbox.size > MOST_BACKLOG else 1000), HANG_UP_S)
    except (WebSocketDisconnect, RuntimeError, OSError, asyncio.TimeoutError):
        pass            # it is closed already, or nobody reads
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _hang_up(socket: WebSocket, is_expired: bool, code: int) -> None:
    if is_expired:
        await socket.send_text(json.dumps({"type": "error", "event_id": "event_expired", "error": {
            "type": "invalid_request_error", "code": "session_expired", "message": f"The session has lasted {LIFE_S // 60} minutes; open another.",
            "param": None, "event_id": None}}))
    await socket.close(code)
