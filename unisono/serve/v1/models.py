"""GET /v1/models: the network under its own name and under those that clients have as defaults, and which
guards are on.
"""

from typing import Any

from fastapi import APIRouter, Request

from unisono.serve.reply.service import Service, service_of
from unisono.serve.wire.model_names import listed

router = APIRouter(prefix="/v1")
NOT_GUARDED = (
    "No guard of this server reads what is asked or answered; put one before it where people use it."
)


def _model(name: str, service: Service) -> dict[str, Any]:
    own = {"id": name, "object": "model", "created": service.created, "owned_by": "unisono"}
    return {**own, "guards": {**service.guards.on(), "moderation": False}, "note": NOT_GUARDED}


@router.get("/models")
async def list_models(request: Request) -> dict[str, Any]:
    """The names that are listed; more are answered (wire/model_names.py)."""
    service = service_of(request)
    names = listed(strict=service.strict_models)
    return {"object": "list", "data": [_model(name, service) for name in names]}


@router.get("/models/{name:path}")
async def find_model(request: Request, name: str) -> dict[str, Any]:
    """One name."""
    service = service_of(request)
    return _model(service.check_model(name), service)
