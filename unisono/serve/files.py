"""/v1/files: what clients keep here to name it later. Apart for each key, bounded, gone when the server stops."""
import contextlib
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from unisono.serve.errors import ApiError
from unisono.serve.forms import Wanted, form_body, read_form

router = APIRouter(prefix="/v1/files", tags=["files"])
MOST_FILES = 1000               # of one key
MOST_BYTES = 500_000_000        # of one key
MOST_BYTES_IN_ALL = 5_000_000_000
PIECE = 1 << 20


class FileWanted(Wanted):
    """An upload; `expires_after` is {"anchor": "created_at", "seconds": ...}."""

    purpose: Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
    expires_after: dict[str, Any] | None = None


@dataclass
class Stored:
    """A file of one key."""

    id: str
    filename: str
    purpose: str
    num_bytes: int
    path: Path
    created_at: int = field(default_factory=lambda: int(time.time()))
    expires_at: int | None = None

    def shown(self) -> dict[str, Any]:
        """As the API has it; nothing expires unless asked to."""
        body = {"id": self.id, "object": "file", "bytes": self.num_bytes, "created_at": self.created_at, "filename": self.filename,
                "purpose": "user_data" if self.purpose == "evals" else self.purpose, "status": "processed"}
        return body if self.expires_at is None else {**body, "expires_at": self.expires_at}


class Store:
    """The files of all keys, in a folder that goes when the server does."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="unisono-files-")
        self.files: dict[str, dict[str, Stored]] = {}

    def of(self, key: str) -> dict[str, Stored]:
        """What a key keeps, oldest first, without what has expired."""
        own = self.files.setdefault(key, {})
        for file in [file for file in own.values() if file.expires_at is not None and file.expires_at <= time.time()]:
            self.delete(key, file.id)
        return own

    def find(self, key: str, id: str) -> Stored:
        """A file of this key; those of others do not exist for it."""
        found = self.of(key).get(id)
        if found is None:
            raise ApiError(f"No file {id!r} of this key; GET /v1/files lists them.", 404, "file_id")
        return found

    def delete(self, key: str, id: str) -> None:
        """Forgets a file."""
        self.files[key].pop(id).path.unlink(missing_ok=True)

    async def add(self, key: str, upload: UploadFile, wanted: FileWanted) -> Stored:
        """Keeps an upload; ApiError, and nothing kept, where it does not fit."""
        for other in list(self.files):
            self.of(other)          # what has expired makes room
        own, others = self.of(key), sum(file.num_bytes for files in self.files.values() for file in files.values())
        seconds = _seconds(wanted.expires_after)
        room = min(MOST_BYTES - sum(file.num_bytes for file in own.values()), MOST_BYTES_IN_ALL - others)
        if len(own) >= MOST_FILES or (upload.size or 0) > room:
            raise ApiError("There is no room for more files; delete some first.", 400, "file")
        id = f"file-{uuid.uuid4().hex[:24]}"
        path = Path(self.folder.name) / id
        stored = own[id] = Stored(id, upload.filename or "file", wanted.purpose, upload.size or 0, path)     # takes its room at once
        stored.expires_at = None if seconds is None else stored.created_at + seconds
        try:
            with path.open("wb") as file:
                while piece := await upload.read(PIECE):
                    file.write(piece)
            stored.num_bytes = path.stat().st_size
        except BaseException:
            own.pop(id, None)
            path.unlink(missing_ok=True)
            raise
        return stored


def _seconds(expires_after: dict[str, Any] | None) -> int | None:
    if not expires_after:
        return None
    with contextlib.suppress(TypeError, ValueError):
        seconds = int(expires_after.get("seconds"))     # type: ignore[arg-type]
        if 3600 <= seconds <= 2592000:
            return seconds
    raise ApiError("expires_after.seconds must be a whole number from 3600 to 2592000.", 400, "expires_after")


def store_of(request: Any) -> Store:
    """The store of the application, made when the first file comes."""
    state = request.app.state
    if not hasattr(state, "files"):
        state.files = Store()
    return state.files


def content_of_file(request: Any, id: object) -> tuple[bytes, str]:
    """What a request of the same key means by `file_id` -> content, name."""
    found = store_of(request).find(request.state.key, str(id))
    return found.path.read_bytes(), found.filename


@router.post("", openapi_extra=form_body(FileWanted, "file"))
async def upload_file(request: Request) -> dict[str, Any]:
    """Keeps a file."""
    async with read_form(request) as form:
        return (await store_of(request).add(request.state.key, form.file("file"), form.wanted(FileWanted))).shown()


@router.get("")
async def list_files(request: Request, purpose: str | None = None, limit: int = Query(10000, ge=1, le=10000),
                     order: Literal["asc", "desc"] = "desc", after: str | None = None) -> dict[str, Any]:
    """The files of a key, the newest first."""
    found = list(store_of(request).of(request.state.key).values())
    found = found[::-1] if order == "desc" else found
    if after is not None:
        places = [place for place, file in enumerate(found) if file.id == after]
        if not places:
            raise ApiError(f"No file {after!r} of this key.", 400, "after")
        found = found[places[0] + 1:]
    found = [file.shown() for file in found]
    found = [file for file in found if purpose in (None, file["purpose"])]
    page = found[:limit]
    ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
    return {"object": "list", "data": page, "has_more": len(found) > limit, **ends}


@router.get("/{file_id}")
async def find_file(request: Request, file_id: str) -> dict[str, Any]:
    """What is known of a file."""
    return store_of(request).find(request.state.key, file_id).shown()


@router.get("/{file_id}/content", response_class=Response)
async def file_content(request: Request, file_id: str) -> Response:
    """What is in a file. Never as something that a browser would run."""
    content, _ = content_of_file(request, file_id)
    return Response(content, media_type="application/octet-stream", headers={"x-content-type-options": "nosniff"})


@router.delete("/{file_id}")
async def delete_file(request: Request, file_id: str) -> dict[str, Any]:
    """Forgets a file."""
    store = store_of(request)
    store.find(request.state.key, file_id)
    store.delete(request.state.key, file_id)
    return {"id": file_id, "object": "file", "deleted": True}
