"""/health, /metrics and /docs."""

import os
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import HTMLResponse, Response

from unisono.serve.reply.service import service_of

router = APIRouter()


@router.get("/health")
async def health(request: Request) -> dict[str, Any]:
    """Whether the server takes requests, and how busy it is."""
    scheduler, settings = service_of(request).scheduler, request.app.state.server.settings
    return {
        "status": "draining" if settings.is_draining else "ok",
        "process": os.getpid(),
        "replies": len(scheduler.running),
        "waiting": len(scheduler.waiting),
    }


@router.get("/metrics")
async def metrics() -> Response:
    """For Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """What there is to ask for. Without scripts, which on this address could read the key that the page
    keeps.
    """
    schema = request.app.openapi()
    rows = "".join(
        f"<tr><td>{escape(method.upper())}<td><code>{escape(path)}</code>"
        f"<td>{escape(what.get('description', ''))}"
        for path, methods in schema["paths"].items()
        for method, what in methods.items()
    )
    text = (
        f"<!doctype html><html lang=en><meta "
        f"charset=utf-8><title>{escape(schema['info']['title'])}</title><h1>{escape(schema['info']['title'])}</h1>"
        f"<p>{escape(schema['info']['summary'])} Every member of every request: <a "
        f"href=openapi.json>openapi.json</a>.<table>{rows}</table>"
        "<p>Sockets: <code>/v1/realtime</code>, <code>/v1/responses</code>."
    )
    return HTMLResponse(text, headers={"content-security-policy": "default-src 'none'"})
