"""/health and /metrics."""
import os
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from unisono.serve.models import service_of

router = APIRouter()


@router.get("/health")
async def health(request: Request) -> dict[str, Any]:
    """Whether the server takes requests, and how busy it is."""
    scheduler, settings = service_of(request).scheduler, request.app.state.settings
    return {"status": "draining" if settings.is_draining else "ok", "process": os.getpid(), "replies": len(scheduler.running), "waiting": len(scheduler.waiting)}


@router.get("/metrics")
async def metrics() -> Response:
    """For Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
