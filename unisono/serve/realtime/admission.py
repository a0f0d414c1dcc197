"""Who may open a live session, and with which settings: client secrets, limits, and the first settings of a
session.
"""

import secrets
import time
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field

from unisono.serve.realtime.session import Live, State
from unisono.serve.realtime.settings import SessionRequest, SessionSettings, default_session, merged, prepared
from unisono.serve.reply.service import Service, service_of
from unisono.serve.wire.access import sent_key
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.requests import RequestBody, json_body, read_json

router = APIRouter(prefix="/v1")
DEFAULT_MODEL = "gpt-realtime"
MAX_SECRETS = 10_000
DEFAULT_LIFE_S = 600


@dataclass(frozen=True)
class Secret:
    """What an ek_ key stands for."""

    owner: str  # the key that made it
    session: SessionSettings
    expires_at: float


class ExpiresAfter(RequestBody):
    """expires_after."""

    anchor: Literal["created_at"] | None = None
    seconds: int | None = Field(None, ge=10, le=7200)


class SecretRequest(RequestBody):
    """POST /realtime/client_secrets."""

    expires_after: ExpiresAfter | None = None
    session: SessionRequest | None = None


def secrets_of(app: Any) -> dict[str, Secret]:
    """All that are alive."""
    found: dict[str, Secret] = app.state.server.client_secrets
    for value in [value for value, secret in found.items() if secret.expires_at <= time.time()]:
        del found[value]
        app.state.server.settings.client_keys.pop(value, None)
    return found


@router.post("/realtime/client_secrets", openapi_extra=json_body(SecretRequest))
async def create_secret(request: Request) -> dict[str, Any]:
    """A key for a browser: opens sessions with these settings until it expires."""
    wanted = await read_json(request, SecretRequest)
    found = secrets_of(request.app)
    if request.state.key.startswith("ek_"):
        raise ApiError("A client secret cannot make others; use an API key.", 403)
    if len(found) >= MAX_SECRETS:
        raise ApiError(
            f"There are {MAX_SECRETS} client secrets already; wait until some expire.",
            429,
            None,
            "rate_limit_exceeded",
            60,
        )
    session = await wanted_session(service_of(request), wanted.session, None)
    expires_at = time.time() + (wanted.expires_after and wanted.expires_after.seconds or DEFAULT_LIFE_S)
    value = f"ek_{secrets.token_hex(20)}"
    found[value] = Secret(request.state.key, session, expires_at)
    request.app.state.server.settings.client_keys[value] = request.state.key, expires_at
    return {"value": value, "expires_at": int(expires_at), "session": session}


async def wanted_session(
    service: Service,
    wanted: SessionRequest | None,
    model: str | None,
    kind: str = "realtime",
    base: SessionSettings | None = None,
) -> SessionSettings:
    """A session's settings from those of its secret, of its address and of its first request; ApiError where
    they do not fit.
    """
    kind = wanted.type if wanted and wanted.type else base["type"] if base else kind
    named = model or (wanted.model if wanted and kind == "realtime" else None)
    if named is not None:
        service.check_model(named)
    if base and base["type"] == kind:
        session = {
            **default_session(kind, named or DEFAULT_MODEL),
            **{name: value for name, value in base.items() if name not in ("id", "expires_at")},
        }
        if named and kind == "realtime":
            session["model"] = named
    else:
        session = default_session(
            kind, named or (DEFAULT_MODEL if kind == "realtime" else "gpt-4o-mini-transcribe")
        )
    if wanted:
        session = merged(session, wanted.model_copy(update={"model": None}), service)
    await prepared(service, session)
    return session


async def admit(request: Any, wanted: SessionRequest | None = None) -> tuple[Live, str]:
    """A session for a request or a socket, and whose it is; ApiError where it may not be."""
    service, limits = service_of(request), request.state.limits
    secret = secrets_of(request.app).get(sent_key(request.headers))
    owner = secret.owner if secret else request.state.key
    if limits.sessions[owner] >= limits.settings.sessions:
        raise ApiError(
            f"This key has {limits.settings.sessions} sessions open; close one.",
            429,
            None,
            "rate_limit_exceeded",
            5,
        )
    kind = "transcription" if request.query_params.get("intent") == "transcription" else "realtime"
    limits.sessions[owner] += 1  # before anything is waited for: others may ask meanwhile
    try:
        session = await wanted_session(
            service, wanted, request.query_params.get("model"), kind, secret.session if secret else None
        )
        has_model = bool(secret or request.query_params.get("model") or wanted and wanted.model)
        live = Live(service, session, key=owner, limits=limits, has_model=has_model)
        await live.open()
    except BaseException:
        limits.sessions[owner] -= 1
        raise
    return live, owner


async def leave(request: Any, live: Live, owner: str) -> None:
    """Ends a session that `admit` began."""
    if live.state is not State.CLOSED:
        request.state.limits.sessions[owner] -= 1
        await live.close()
