"""What a realtime session tells, and to whom: the sockets and channels that listen, and the player of a call.

Shapes: N samples.
"""

import logging
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unisono.serve.reply.plan import new_id
from unisono.serve.wire.errors import ApiError, as_api_error

log = logging.getLogger("unisono.serve")
Event = dict[str, Any]


class Outlet(Protocol):
    """Where events go."""

    def put(self, event: Event) -> None:
        """Sends an event; must not wait."""

    def after(self, call: Callable[[], None]) -> None:
        """Calls when all events so far are on their way."""

    def forget(self, response_id: str) -> None:
        """Drops the sound of a response that was not sent yet."""

    def end(self) -> None:
        """The session is over."""


class Player(Protocol):
    """What plays a reply's sound at the pace of its hearer: WebRTC's track."""

    rate: int

    def push(self, response_id: str, item_id: str, pcm: NDArray[np.float32]) -> None:
        """(N,) more at `rate`."""

    def end(self, response_id: str) -> None:
        """Nothing of the response follows."""

    def clear(self) -> list[tuple[str, str, float]]:
        """Falls silent -> (response, item, how many ms of it were played) of all that played or waited."""


class Events:
    """Tells all who listen to a session."""

    def __init__(self) -> None:
        self.outlets: list[Outlet] = []
        self.player: Player | None = None

    def emit(self, type: str, **members: Any) -> None:
        """Sends an event."""
        event = {"type": type, "event_id": new_id("event_"), **members}
        for outlet in self.outlets:
            outlet.put(event)

    def fail(self, error: Exception, event_id: str | None = None) -> None:
        """Tells of an error; the session goes on. `event_id`: of the client's event that caused it."""
        found = as_api_error(error)
        if found.status >= 500 and not isinstance(error, ApiError):
            log.error("realtime event failed", exc_info=error)
        kind = "server_error" if found.status >= 500 else "invalid_request_error"
        self.emit(
            "error",
            error={
                "type": kind,
                "code": found.code or kind,
                "message": found.message,
                "param": found.param,
                "event_id": event_id,
            },
        )

    def after_sent(self, call: Callable[[], None]) -> None:
        """Calls when everything so far has been sent."""
        if self.outlets:
            self.outlets[0].after(call)

    def forget(self, response_id: str) -> None:
        """Drops the sound of a response that was not sent yet."""
        for outlet in self.outlets:
            outlet.forget(response_id)

    def close(self) -> None:
        """Ends all outlets; nothing is told any more."""
        outlets, self.outlets = self.outlets, []
        for outlet in outlets:
            outlet.end()
