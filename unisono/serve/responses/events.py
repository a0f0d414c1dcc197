"""The output items of a response as they grow, and the events that tell of them. Only dicts; nothing is
computed here.
"""

from collections.abc import Iterator
from typing import Any

from unisono.serve.reply.plan import logprobs, new_id
from unisono.serve.reply.reading import CallBegins, CallEnds, CallGrows, Delta, Said
from unisono.serve.reply.service import Service

Event = dict[str, Any]
Item = dict[str, Any]


class Output:
    """Deltas of a reply -> items in `items`, events in the order that clients expect."""

    def __init__(self, service: Service, wants_logprobs: bool) -> None:
        self.service, self.wants_logprobs = service, wants_logprobs
        self.items: list[Item] = []
        self.open: str | None = None  # the type of the item that is being made
        self.num_sketches = 0

    def of(self, delta: Delta) -> Iterator[Event]:
        """Yields the events for a piece of text or of a call."""
        if isinstance(delta, Said):
            yield from self._begin_message()
            shown = self._logprobs(delta.tokens)
            part = self.items[-1]["content"][0]
            part["text"] += delta.text
            part["logprobs"] += shown
            yield self._in_part("output_text.delta", delta=delta.text, logprobs=shown)
        elif isinstance(delta, CallBegins):
            yield from self._end_item()
            yield from self._begin(
                {
                    "id": new_id("fc_"),
                    "type": "function_call",
                    "call_id": new_id("call_"),
                    "name": delta.name,
                    "arguments": "",
                }
            )
        elif isinstance(delta, CallGrows):
            self.items[-1]["arguments"] += delta.text
            yield self._of_item("function_call_arguments.delta", delta=delta.text)
        elif isinstance(delta, CallEnds):
            yield self._of_item(
                "function_call_arguments.done", name=self.items[-1]["name"], arguments=delta.arguments
            )
            yield from self._end_item("completed" if delta.is_whole else "incomplete")

    def drawn(self, content: str, is_last: bool, shown: dict[str, str]) -> Iterator[Event]:
        """Yields the events for a picture or a sketch of one, given as base64 of its file."""
        if self.open != "image_generation_call":
            yield from self._end_item()
            yield from self._begin({"id": new_id("ig_"), "type": "image_generation_call", "result": None})
            self.num_sketches = 0
            yield self._of_item("image_generation_call.in_progress")
            yield self._of_item("image_generation_call.generating")
        if is_last:
            self.items[-1] |= {"result": content, **shown}
            yield self._of_item("image_generation_call.completed")
            yield from self._end_item()
        else:
            yield self._of_item(
                "image_generation_call.partial_image",
                partial_image_b64=content,
                partial_image_index=self.num_sketches,
                **shown,
            )
            self.num_sketches += 1

    def finish(self, is_whole: bool) -> Iterator[Event]:
        """Closes the items that are open. A reply without a word still becomes a message."""
        if not self.items:
            yield from self._begin_message()
        yield from self._end_item("completed" if is_whole else "incomplete")

    def _begin_message(self) -> Iterator[Event]:
        if self.open != "message":
            yield from self._end_item()
            yield from self._begin(
                {"id": new_id("msg_"), "type": "message", "role": "assistant", "content": []}
            )
            self.items[-1]["content"].append(_part())
            yield self._in_part("content_part.added", part=_part())

    def _begin(self, item: Item) -> Iterator[Event]:
        item["status"] = "in_progress"
        self.items.append(item)
        self.open = item["type"]
        yield {"type": "response.output_item.added", "output_index": len(self.items) - 1, "item": _copy(item)}

    def _end_item(self, status: str = "completed") -> Iterator[Event]:
        if self.open is None:
            return
        item = self.items[-1]
        item["status"] = status
        if self.open == "message":
            part = item["content"][0]
            yield self._in_part("output_text.done", text=part["text"], logprobs=list(part["logprobs"]))
            yield self._in_part("content_part.done", part=_copy(part))
        elif self.open == "image_generation_call" and item["result"] is None:
            item["status"] = "failed"  # a picture cannot be cut short
        self.open = None
        yield {"type": "response.output_item.done", "output_index": len(self.items) - 1, "item": _copy(item)}

    def _of_item(self, kind: str, /, **members: Any) -> Event:
        return {
            "type": f"response.{kind}",
            "item_id": self.items[-1]["id"],
            "output_index": len(self.items) - 1,
            **members,
        }

    def _in_part(self, kind: str, /, **members: Any) -> Event:
        return {**self._of_item(kind), "content_index": 0, **members}

    def _logprobs(self, tokens: Any) -> list[dict[str, Any]]:
        if not self.wants_logprobs:
            return []
        shown = logprobs(self.service, tokens)
        for one in [one for token in shown for one in (token, *token["top_logprobs"])]:
            one["bytes"] = one["bytes"] or []
        return shown


def _part() -> dict[str, Any]:
    return {"type": "output_text", "text": "", "annotations": [], "logprobs": []}


def _copy(item: Item) -> Item:
    """A copy of the item as it is now; the item itself goes on growing."""
    return {
        name: [dict(part) if isinstance(part, dict) else part for part in value]
        if isinstance(value, list)
        else value
        for name, value in item.items()
    }
