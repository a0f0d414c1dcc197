"""The application: routes, life span, and what wraps every request. Starting it is `unisono serve`'s business
(serve/run.py).
"""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from unisono.core.errors import UserError
from unisono.serve.page import site
from unisono.serve.realtime import admission, call, webrtc, websocket
from unisono.serve.reply.service import Service
from unisono.serve.responses import routes as responses, socket as response_socket
from unisono.serve.state import ServerState
from unisono.serve.v1 import (
    audio,
    chat,
    embeddings,
    files,
    images,
    models,
    moderations,
    operations,
    provenance,
    voices,
)
from unisono.serve.wire.access import AccessControl, Settings
from unisono.serve.wire.errors import ApiError, answer_error
from unisono.serve.wire.handshake import Handshakes
from unisono.serve.wire.head import HeadAsGet

ROUTERS = (
    models.router,
    chat.router,
    responses.router,
    response_socket.router,
    audio.router,
    voices.router,
    images.router,
    embeddings.router,
    moderations.router,
    provenance.router,
    files.router,
    admission.router,
    websocket.router,
    webrtc.router,
    operations.router,
    site.router,
)


def create_app(service: Service, settings: Settings) -> FastAPI:
    """The server's application; it starts and ends the service's threads."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await call.close_calls(app)
        service.close()
        app.state.server.files.close()

    app = FastAPI(
        title="Unisono",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        summary="One network behind the API that people's clients already call.",
    )
    app.state.server = ServerState(service, settings)
    for router in ROUTERS:
        app.include_router(router)
    for kind in (ApiError, UserError, HTTPException, OSError, Exception):
        app.add_exception_handler(kind, answer_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_middleware(HeadAsGet)
    app.add_middleware(AccessControl, settings=settings)
    app.add_middleware(Handshakes)  # around AccessControl, which refuses sockets too
    return app


async def _answer_invalid(request: Request, error: Exception) -> JSONResponse:
    """Pydantic's findings -> one sentence that names the first member that is wrong."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = [str(step) for step in first["loc"] if step not in ("body", "query", "header", "path")]
    param = ".".join(place) or None
    message = str(first["msg"]).removeprefix("Value error, ")
    return ApiError(f"{param}: {message}." if param else f"{message}.", 400, param).response()
