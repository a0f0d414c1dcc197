"""POST /v1/content_provenance_checks: whether a picture or a recording says that Unisono made it.

The API has a slot for C2PA and one for a watermark that it calls `synthid`. Ours is not Google's SynthID: the
result names its scheme.
"""

import asyncio
import time
from typing import Any

from fastapi import APIRouter, Request

from unisono.core.errors import UserError
from unisono.provenance.check import Provenance, check
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.requests import RequestBody, form_body, read_form, unless_left

router = APIRouter(prefix="/v1", tags=["provenance"])
SCHEME = "unisono-watermark-1"
MODEL = "unisono"


class ProvenanceRequest(RequestBody):
    """Only the file."""


@router.post("/content_provenance_checks", openapi_extra=form_body(ProvenanceRequest, "file"))
async def content_provenance_checks(request: Request) -> dict[str, Any]:
    """A result for the manifest and one for the watermark, each detected or not_detected."""
    async with read_form(request) as form:
        form.wanted(ProvenanceRequest)
        content = await form.file("file").read()
    if not content:
        raise ApiError("file is empty.", 400, "file")
    try:
        found = await unless_left(request, asyncio.to_thread(check, content, "file"))
    except UserError as error:
        raise ApiError(f"{error}.", 400, "file") from None
    return {
        "object": "content_provenance_check",
        "created_at": int(time.time()),
        "results": [_manifest(found), _watermark(found)],
    }


def _manifest(found: Provenance) -> dict[str, Any]:
    one = found.manifest
    is_ours = one is not None and one.is_ours
    return {
        "type": "c2pa",
        "outcome": "detected" if is_ours else "not_detected",
        "validation_state": one.state if one else "not_present",
        "issuer": one.issuer if one else None,
        "model": MODEL if is_ours else None,
        "generated_at": one.generated_at if one else None,
        **({"unchecked": found.unchecked["c2pa"]} if "c2pa" in found.unchecked else {}),
    }


def _watermark(found: Provenance) -> dict[str, Any]:
    return {
        "type": "synthid",
        "scheme": SCHEME,
        "outcome": "detected" if found.is_marked else "not_detected",
        "model": MODEL if found.is_marked else None,
        "generated_at": None,
    }
