"""/v1/files: what clients keep here to name it later. Apart for each key, bounded, gone when the server
stops.
"""

from typing import Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.file_store import FileRequest, content_of_file, store_of
from unisono.serve.wire.requests import form_body, read_form
from unisono.serve.wire.shown import TYPES, find_shown

router = APIRouter(prefix="/v1/files", tags=["files"])


@router.post("", openapi_extra=form_body(FileRequest, "file"))
async def upload_file(request: Request) -> dict[str, Any]:
    """Keeps a file."""
    async with read_form(request) as form:
        return (
            await store_of(request).add(request.state.key, form.file("file"), form.wanted(FileRequest))
        ).shown()


@router.get("")
async def list_files(
    request: Request,
    purpose: str | None = None,
    limit: int = Query(10000, ge=1, le=10000),
    order: Literal["asc", "desc"] = "desc",
    after: str | None = None,
) -> dict[str, Any]:
    """The files of a key, the newest first."""
    found = list(store_of(request).of(request.state.key).values())
    found = found[::-1] if order == "desc" else found
    if after is not None:
        places = [place for place, file in enumerate(found) if file.id == after]
        if not places:
            raise ApiError(f"No file {after!r} of this key.", 400, "after")
        found = found[places[0] + 1 :]
    shown = [file.shown() for file in found]
    shown = [file for file in shown if purpose in (None, file["purpose"])]
    page = shown[:limit]
    ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
    return {"object": "list", "data": page, "has_more": len(shown) > limit, **ends}


@router.get("/shown/{name}", response_class=Response)
async def shown_picture(request: Request, name: str) -> Response:
    """A picture that was drawn within the last hour; its address is all that is needed."""
    content = find_shown(request, name)
    if content is None:
        raise ApiError("There is no such picture, or it has expired; have it drawn again.", 404)
    kind = TYPES[name.rpartition(".")[2]]
    return Response(content, media_type=kind, headers={"x-content-type-options": "nosniff"})


@router.get("/{file_id}")
async def find_file(request: Request, file_id: str) -> dict[str, Any]:
    """What is known of a file."""
    return store_of(request).find(request.state.key, file_id).shown()


@router.get("/{file_id}/content", response_class=Response)
async def file_content(request: Request, file_id: str) -> Response:
    """What is in a file. Never as something that a browser would run."""
    content, _ = content_of_file(request, file_id)
    return Response(
        content, media_type="application/octet-stream", headers={"x-content-type-options": "nosniff"}
    )


@router.delete("/{file_id}")
async def delete_file(request: Request, file_id: str) -> dict[str, Any]:
    """Forgets a file."""
    store = store_of(request)
    store.find(request.state.key, file_id)
    store.delete(request.state.key, file_id)
    return {"id": file_id, "object": "file", "deleted": True}
