"""The items of a realtime conversation in their order: added, found, cut to what was heard, deleted. Every
change is told to the clients and to the session.
"""

from collections.abc import Callable

from unisono.serve.realtime.events import Events
from unisono.serve.realtime.items import Item
from unisono.serve.realtime.turn_detection import VAD_RATE
from unisono.serve.reply.plan import new_id
from unisono.serve.reply.service import Service
from unisono.serve.wire.errors import ApiError

MAX_ITEMS = 2000
RESERVE = 16  # items that a response may need
# Bytes of people's sound and pictures that can be retrieved; older ones go: 64 sessions hold 250 MB.
MAX_KEPT = 120 * VAD_RATE * 2


class Conversation:
    """What was said, shown, called and answered so far."""

    def __init__(self, service: Service, events: Events, changed: Callable[[], None]) -> None:
        """`changed` is called after every change of what the network is to be told."""
        self.service, self.events, self.changed = service, events, changed
        self.id = new_id("conv_")
        self.items: list[Item] = []

    def find(self, id: object, param: str = "item_id", code: str = "item_not_found") -> Item:
        """The item of this name; ApiError with `param` and `code` where there is none."""
        for item in self.items:
            if item.id == id:
                return item
        raise ApiError(f"There is no item {str(id)[:40]!r} in this conversation.", 400, param, code)

    def before(self, item: Item) -> str | None:
        """The name of the item before."""
        place = self.items.index(item)
        return self.items[place - 1].id if place else None

    def check_room(self, count: int = 1) -> None:
        """ApiError where `count` more items do not fit."""
        if len(self.items) > MAX_ITEMS - count:
            raise ApiError(
                f"A conversation holds {MAX_ITEMS} items; delete some.", 400, None, "too_many_items"
            )

    def add(self, item: Item, place: int | None = None) -> None:
        """Puts an item at `place`, else at the end, and tells of it."""
        self.check_room()
        self.items.insert(len(self.items) if place is None else place, item)
        self.changed()
        self.events.emit("conversation.item.added", previous_item_id=self.before(item), item=item.shown())
        kept = 0
        for old in reversed(self.items):
            kept += old.num_kept
            if kept > MAX_KEPT:
                old.forget_media()

    def done(self, item: Item) -> None:
        """Tells that an item is whole."""
        if item in self.items:
            self.events.emit("conversation.item.done", previous_item_id=self.before(item), item=item.shown())

    def remove(self, item: Item) -> None:
        """Deletes an item and tells of it."""
        if item in self.items:
            self.items.remove(item)
        self.changed()
        self.events.emit("conversation.item.deleted", item_id=item.id)

    def truncate(self, item: Item, end_ms: float) -> None:
        """Keeps what was heard of a spoken item and tells of it."""
        item.hear(self.service.vocab, end_ms)
        item.write(self.service)
        self.changed()
        self.events.emit(
            "conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=int(end_ms)
        )

    def settled(self) -> list[Item]:
        """What the network is told of: all but what is still being made."""
        return [item for item in self.items if item.status != "in_progress"]
