"""Pictures at an address of this server: for clients that expect a URL. The name is a secret of 128 bits and
needs no key, as an <img> sends none; it lasts an hour.
"""

import secrets
from typing import Any

from unisono.serve.wire.access import SHOWN
from unisono.serve.wire.kept import Kept

SHOWN_S, MAX_SHOWN, MAX_SHOWN_BYTES = 3600, 200, 100_000_000  # of a key
TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}

ShownPictures = Kept[bytes]


def shown_pictures() -> ShownPictures:
    """The store of one application."""
    return Kept(MAX_SHOWN, MAX_SHOWN_BYTES, SHOWN_S)


def show(request: Any, content: bytes, format: str) -> str:
    """Keeps a picture of a format of TYPES -> its address."""
    name = f"{secrets.token_hex(16)}.{format}"
    store: ShownPictures = request.app.state.server.shown
    store.put(request.state.key, name, content, len(content))
    return f"{str(request.base_url).rstrip('/')}{SHOWN}{name}"


def find_shown(request: Any, name: str) -> bytes | None:
    """A picture that is still kept, whoever had it drawn."""
    store: ShownPictures = request.app.state.server.shown
    found = (store.find(key, name) for key in list(store.entries))
    return next((content for content in found if content is not None), None)
