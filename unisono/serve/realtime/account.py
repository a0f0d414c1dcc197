"""What the key of a realtime session may use, and what its replies have used."""

import time
from typing import Any

from unisono.serve.reply.events import Usage
from unisono.serve.wire.access import WINDOW_S, Limits
from unisono.serve.wire.metrics import IDS


class Account:
    """The limits of one key, as a session meets them."""

    def __init__(self, key: str, limits: Limits) -> None:
        self.key, self.limits = key, limits

    def check(self) -> None:
        """Counts a response; ApiError 429 where a limit is reached."""
        self.limits.check(self.key)

    def use(self, usage: Usage) -> None:
        """Counts the ids that a reply took."""
        self.limits.use(self.key, sum(usage.prompt.values()) + sum(usage.reply.values()))
        for direction, counts in (("in", usage.prompt), ("out", usage.reply)):
            for modality, count in counts.items():
                IDS.labels(modality, direction).inc(count)

    def rate_limits(self) -> list[dict[str, Any]]:
        """What the key may still use in this minute, as an event shows it; empty without limits."""
        settings, since = self.limits.settings, time.monotonic() - WINDOW_S
        used_ids = sum(count for at, count in self.limits.tokens[self.key] if at > since)
        counts = {
            "requests": (settings.requests_per_minute, len(self.limits.requests[self.key])),
            "tokens": (settings.tokens_per_minute, used_ids),
        }
        return [
            {"name": name, "limit": limit, "remaining": max(0, limit - used), "reset_seconds": WINDOW_S}
            for name, (limit, used) in counts.items()
            if limit
        ]
