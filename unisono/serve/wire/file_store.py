"""What clients keep on the server to name it later. Apart for each key, bounded, gone when the server
stops.
"""

import contextlib
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from starlette.datastructures import UploadFile

from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.requests import RequestBody

MAX_FILES = 1000  # of one key


MAX_BYTES = 500_000_000  # of one key


MAX_BYTES_IN_ALL = 5_000_000_000


READ_BYTES = 1 << 20


class FileRequest(RequestBody):
    """An upload; `expires_after` is {"anchor": "created_at", "seconds": ...}."""

    purpose: Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
    expires_after: dict[str, Any] | None = None


@dataclass
class StoredFile:
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
        body = {
            "id": self.id,
            "object": "file",
            "bytes": self.num_bytes,
            "created_at": self.created_at,
            "filename": self.filename,
            "purpose": "user_data" if self.purpose == "evals" else self.purpose,
            "status": "processed",
        }
        return body if self.expires_at is None else {**body, "expires_at": self.expires_at}


class FileStore:
    """The files of all keys, in a folder that goes when the server does."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, StoredFile]] = {}

    @cached_property
    def folder(self) -> tempfile.TemporaryDirectory[str]:
        """Made when the first file comes."""
        return tempfile.TemporaryDirectory(prefix="unisono-files-")

    def close(self) -> None:
        """Removes the folder and forgets its files."""
        self.files.clear()
        made = self.__dict__.pop("folder", None)
        if made is not None:
            made.cleanup()

    def of(self, key: str) -> dict[str, StoredFile]:
        """What a key keeps, oldest first, without what has expired."""
        own = self.files.setdefault(key, {})
        for file in [
            file for file in own.values() if file.expires_at is not None and file.expires_at <= time.time()
        ]:
            self.delete(key, file.id)
        return own

    def find(self, key: str, id: str) -> StoredFile:
        """A file of this key; those of others do not exist for it."""
        found = self.of(key).get(id)
        if found is None:
            raise ApiError(f"No file {id!r} of this key; GET /v1/files lists them.", 404, "file_id")
        return found

    def delete(self, key: str, id: str) -> None:
        """Forgets a file."""
        self.files[key].pop(id).path.unlink(missing_ok=True)

    async def add(self, key: str, upload: UploadFile, wanted: FileRequest) -> StoredFile:
        """Keeps an upload; ApiError, and nothing kept, where it does not fit."""
        for other in list(self.files):
            self.of(other)  # what has expired makes room
        own, others = (
            self.of(key),
            sum(file.num_bytes for files in self.files.values() for file in files.values()),
        )
        seconds = _seconds(wanted.expires_after)
        room = min(MAX_BYTES - sum(file.num_bytes for file in own.values()), MAX_BYTES_IN_ALL - others)
        if len(own) >= MAX_FILES or (upload.size or 0) > room:
            raise ApiError("There is no room for more files; delete some first.", 400, "file")
        id = f"file-{uuid.uuid4().hex[:24]}"
        path = Path(self.folder.name) / id
        stored = own[id] = StoredFile(
            id, upload.filename or "file", wanted.purpose, upload.size or 0, path
        )  # takes its room at once
        stored.expires_at = None if seconds is None else stored.created_at + seconds
        try:
            with path.open("wb") as file:
                while piece := await upload.read(READ_BYTES):
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
        seconds = int(expires_after.get("seconds"))  # type: ignore[arg-type]
        if 3600 <= seconds <= 2592000:
            return seconds
    raise ApiError("expires_after.seconds must be a whole number from 3600 to 2592000.", 400, "expires_after")


def store_of(request: Any) -> FileStore:
    """The store of the application."""
    found: FileStore = request.app.state.server.files
    return found


def content_of_file(request: Any, id: object) -> tuple[bytes, str]:
    """What a request of the same key means by `file_id` -> content, name."""
    found = store_of(request).find(request.state.key, str(id))
    return found.path.read_bytes(), found.filename
