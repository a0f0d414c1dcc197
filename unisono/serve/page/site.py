"""The page at /: files that lie beside this one, under a policy that lets in nothing from elsewhere."""

import mimetypes
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from unisono.serve.reply.service import service_of
from unisono.serve.wire.model_names import OWN

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent
NAMES = frozenset(path.name for path in FOLDER.iterdir())
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src "
    "'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
    "permissions-policy": "microphone=(self), camera=(self), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
}
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}


@router.get("/page/choices")
async def choices(request: Request) -> dict[str, Any]:
    """The voices and models that the settings offer."""
    return {"voices": service_of(request).tokenizer.speakers, "models": list(OWN)}


@router.get("/")
@router.get("/{name}")
async def page(request: Request, name: str = "index.html") -> Response:
    """One of the page's files."""
    path = FOLDER / name
    if path.suffix not in TYPES or name not in NAMES:
        raise HTTPException(404)
    content = path.read_bytes()
    tag = f'"{hash(content) & 0xFFFFFFFFFFFF:x}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"etag": tag})
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(name)[0]
    return Response(content, media_type=kind, headers={**HEADERS, "etag": tag})
