"""GET /v1/models: the network under its own name and under those that clients have as defaults."""

from typing import Any

from fastapi import APIRouter, Request

from unisono.serve.reply.service import ALIASES, MODEL, Service, service_of
from unisono.serve.wire.errors import ApiError

router = APIRouter(prefix="/v1")


def _model(name: str, service: Service) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": service.created, "owned_by": "unisono"}


@router.get("/models")
async def list_models(request: Request) -> dict[str, Any]:
    """All names."""
    return {"object": "list", "data": [_model(name, service_of(request)) for name in (MODEL, *ALIASES)]}


@router.get("/models/{name:path}")
async def find_model(request: Request, name: str) -> dict[str, Any]:
    """One name."""
    if name not in (MODEL, *ALIASES):
        raise ApiError(
            f"The model {name!r} does not exist; GET /v1/models lists those that do.",
            404,
            "model",
            "model_not_found",
        )
    return _model(name, service_of(request))
