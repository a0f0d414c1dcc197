"""Responses that are kept, and those that are being made; apart for each key."""

from dataclasses import dataclass, field
from typing import Any

from unisono.serve.wire.kept import Kept
from unisono.tokens.message import Message

MAX_RESPONSES, MAX_CHARACTERS = 200, 50_000_000  # of a key; characters of its items, pictures included
KEPT_S = 30 * 86400


@dataclass
class Stored:
    """A response that is over. `messages`: the whole conversation, without instructions; `items`: this
    request's input.
    """

    body: dict[str, Any]
    items: list[dict[str, Any]]
    messages: list[Message]
    calls: set[str]  # ids of calls that may be answered
    previous: str | None


@dataclass
class ResponseStore:
    """Of one application. `running`: (key, id) -> what is being made."""

    kept: Kept[Stored] = field(default_factory=lambda: Kept(MAX_RESPONSES, MAX_CHARACTERS, KEPT_S))
    running: dict[tuple[str, str], Any] = field(default_factory=dict)

    def running_of(self, key: str) -> list[Any]:
        """The responses that are being made for a key."""
        return [one for (owner, _), one in self.running.items() if owner == key]

    def item(self, key: str, id: str) -> dict[str, Any] | None:
        """Finds an item of any response of a key."""
        return next(
            (
                item
                for stored in reversed(self.kept.all(key))
                for item in (*stored.body["output"], *stored.items)
                if item["id"] == id
            ),
            None,
        )


def store_of(request: Any) -> ResponseStore:
    """The store of the application that serves this request."""
    found: ResponseStore = request.app.state.server.responses
    return found
