"""Items of the Responses API -> messages for the network, and how they are listed later."""

from collections.abc import Callable
from typing import Any

from unisono.serve.reply.parts import PartReader
from unisono.serve.reply.plan import new_id
from unisono.serve.reply.tools import written
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.media_in import from_base64, picture_from
from unisono.tokens.message import Call, Message, Part, Text

Item = dict[str, Any]
ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
PREFIXES = {
    "message": "msg_",
    "function_call": "fc_",
    "function_call_output": "fc_",
    "image_generation_call": "ig_",
}
KEPT = {
    "message": ("role", "content", "status", "phase"),
    "function_call": ("call_id", "name", "arguments", "status"),
    "function_call_output": ("call_id", "output", "status"),
    "image_generation_call": ("result", "status"),
}


def add(messages: list[Message], role: str, parts: list[Part]) -> None:
    """Adds what somebody said; the assistant's text, calls and pictures in a row are one message, as the
    network made them.
    """
    if role == "assistant" and messages and messages[-1].role == "assistant":
        messages[-1] = Message(role, [*messages[-1].parts, *parts])
    else:
        messages.append(Message(role, parts))


class ItemReader:
    """Reads the input of one request. `known`: ids of calls that may have a result; `find`: items that are
    kept.
    """

    def __init__(self, reader: PartReader, known: set[str], find: Callable[[str], Item | None]) -> None:
        self.reader, self.known, self.find = reader, set(known), find

    async def read(self, given: object, *, may_be_empty: bool = False) -> tuple[list[Message], list[Item]]:
        """`input` -> messages, and the items with ids, as they are listed. Only a request that follows
        another response may have none.
        """
        if isinstance(given, str):
            given = [{"type": "message", "role": "user", "content": given}]
        if not isinstance(given, list) or not (given or may_be_empty):
            raise ApiError("input must be a string or a list of items.", 400, "input")
        messages: list[Message] = []
        items = [await self._item(messages, item, f"input.{number}") for number, item in enumerate(given)]
        return messages, [item for item in items if item is not None]

    async def _item(self, messages: list[Message], item: object, param: str) -> Item | None:
        if not isinstance(item, dict):
            raise ApiError(f"{param} must be an object.", 400, param)
        kind = item.get("type") or ("message" if "role" in item else None)
        if kind == "item_reference":
            kind, item = self._refer(item, param)
        if kind == "reasoning":
            return None  # this network thinks aloud or not at all
        if kind == "message":
            await self._message(messages, item, param)
        elif kind == "function_call":
            if not isinstance(item.get("call_id"), str):
                raise ApiError(f"{param}.call_id must be a string.", 400, f"{param}.call_id")
            self.known.add(item["call_id"])
            add(messages, "assistant", [Call(written(item.get("name"), item.get("arguments"), param))])
        elif kind == "function_call_output":
            if not isinstance(item.get("call_id"), str) or item["call_id"] not in self.known:
                raise ApiError(
                    f"{param}.call_id must be the id of a call before it.", 400, f"{param}.call_id"
                )
            if item.get("output") is None:
                raise ApiError(f"{param}.output is missing.", 400, f"{param}.output")
            add(
                messages,
                "tool",
                await self.reader.content(item["output"], f"{param}.output", with_media=True),
            )
        elif kind == "image_generation_call":
            self.reader.count(param)
            picture = await picture_from(
                from_base64(item.get("result"), f"{param}.result"), f"{param}.result"
            )
            add(messages, "assistant", [await self.reader.coded(picture, param)])
        else:
            raise ApiError(
                (
                    f"{param}: there is no item of type {str(kind)[:40]!r} here; choose from "
                    f"{', '.join(PREFIXES)}."
                ),
                400,
                param,
            )
        return _listed(str(kind), item)

    def _refer(self, item: Item, param: str) -> tuple[str, Item]:
        found = self.find(str(item.get("id")))
        if found is None:
            raise ApiError(
                f"{param}: no item {str(item.get('id'))[:60]!r} is kept here; send the item itself.",
                400,
                f"{param}.id",
            )
        return found["type"], found

    async def _message(self, messages: list[Message], item: Item, param: str) -> None:
        role = ROLES.get(str(item.get("role")))
        if role is None:
            raise ApiError(f"{param}.role must be one of {', '.join(ROLES)}.", 400, f"{param}.role")
        if item.get("content") is None:
            raise ApiError(f"{param}.content is missing.", 400, f"{param}.content")
        add(
            messages,
            role,
            await self.reader.content(item["content"], f"{param}.content", with_media=role == "user"),
        )


def _listed(kind: str, item: Item) -> Item:
    """An item as GET .../input_items shows it: with an id, a status, and its content in parts."""
    shown = {name: item[name] for name in KEPT[kind] if item.get(name) is not None}
    id = item["id"] if isinstance(item.get("id"), str) and item["id"] else new_id(PREFIXES[kind])
    shown = {"status": "completed", **shown, "id": id, "type": kind}
    if kind == "message":
        is_own = shown["role"] == "assistant"
        parts = (
            [{"type": "text", "text": shown["content"]}]
            if isinstance(shown["content"], str)
            else shown["content"]
        )
        shown["content"] = [
            _listed_part({"type": "text", "text": part} if isinstance(part, str) else part, is_own)
            for part in parts
        ]
    return shown


def _listed_part(part: Item, is_own: bool) -> Item:
    if part["type"] in ("text", "input_text", "output_text"):
        more: Item = {"annotations": [], "logprobs": []} if is_own else {}
        return {"type": "output_text" if is_own else "input_text", "text": part["text"], **more}
    if part["type"] == "input_image":
        return {**part, "detail": part.get("detail") or "auto"}
    if part["type"] in ("input_file", "refusal"):
        return part
    # Listed items know no sound and no clips: they are shown as files.
    sound = part.get("input_audio")
    return {
        "type": "input_file",
        "filename": part["type"],
        **({"file_data": sound.get("data")} if isinstance(sound, dict) else {}),
    }


def with_instructions(messages: list[Message], instructions: str | None) -> list[Message]:
    """The conversation with the instructions of this request before it."""
    return [Message("system", [Text(instructions)]), *messages] if instructions else messages
