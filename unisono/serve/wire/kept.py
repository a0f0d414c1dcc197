"""Things that clients come back for, apart for each key: bounded in number and size, gone after a while and
when the server stops.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

Thing = TypeVar("Thing")
MAX_KEYS = 1000


@dataclass
class _Entry(Generic[Thing]):
    thing: Thing
    size: int
    expires_at: float


class Kept(Generic[Thing]):
    """Things by key and id; the oldest go first."""

    def __init__(self, most: int, max_size: int, seconds: float) -> None:
        self.most, self.max_size, self.seconds = most, max_size, seconds
        self.entries: OrderedDict[str, OrderedDict[str, _Entry[Thing]]] = OrderedDict()

    def put(self, key: str, id: str, thing: Thing, size: int = 1) -> int:
        """Keeps a thing -> when it goes, in seconds since 1970."""
        own = self.entries.setdefault(key, OrderedDict())
        self.entries.move_to_end(key)
        while len(self.entries) > MAX_KEYS:
            self.entries.popitem(last=False)
        expires_at = int(time.time() + self.seconds)
        own[id] = _Entry(thing, size, expires_at)
        while (
            len(own) > self.most or len(own) > 1 and sum(entry.size for entry in own.values()) > self.max_size
        ):
            own.popitem(last=False)
        return expires_at

    def find(self, key: str, id: str) -> Thing | None:
        """A thing of this key; those of others do not exist for it."""
        entry = self.entries.get(key, OrderedDict()).get(id)
        if entry is None or entry.expires_at <= time.time():
            return None
        return entry.thing

    def all(self, key: str) -> list[Thing]:
        """Of a key, the oldest first."""
        return [entry.thing for entry in self.entries.get(key, {}).values() if entry.expires_at > time.time()]

    def delete(self, key: str, id: str) -> None:
        """Forgets a thing."""
        self.entries.get(key, OrderedDict()).pop(id, None)
