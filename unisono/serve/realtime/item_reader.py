"""Reads the items that a client adds to a realtime conversation: checked, coded, and as they are shown.

Shapes: N samples at VAD_RATE.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.media import Sound
from unisono.serve.realtime.incoming import Incoming
from unisono.serve.realtime.items import Item, item_id
from unisono.serve.realtime.turn_detection import VAD_RATE
from unisono.serve.reply.parts import PartReader
from unisono.serve.reply.plan import new_id
from unisono.serve.reply.service import Service
from unisono.serve.reply.tools import written
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.media_in import from_base64
from unisono.serve.wire.sound import to_s16
from unisono.tokens.message import Call, Message, Part

KINDS = ("message", "function_call", "function_call_output")
# What each role may say, with the spelling of the beta as courtesy.
CONTENT = {
    "system": ("input_text", "text"),
    "user": ("input_text", "text", "input_audio", "input_image", "input_video"),
    "assistant": ("output_text", "text", "output_audio", "audio"),
}
MIN_S, MAX_S = 0.02, 600.0  # of a sound
Shown = dict[str, Any]


class ItemReader:
    """Reads the items that a client sends."""

    def __init__(self, service: Service, request: Any) -> None:
        self.service, self.request = service, request

    async def read(self, given: object, format: dict[str, Any], param: str = "item") -> Item:
        """-> an item; ApiError names what is wrong."""
        if not isinstance(given, dict):
            raise ApiError(f"{param} must be an object.", 400, param)
        kind, id = given.get("type", "message"), given.get("id")
        if kind not in KINDS:
            raise ApiError(
                f"{param}.type must be one of {', '.join(KINDS)}.", 400, f"{param}.type", "invalid_value"
            )
        if id is not None and (not isinstance(id, str) or not 1 <= len(id) <= 32):
            raise ApiError(
                f"{param}.id must be a string of 1 to 32 characters.", 400, f"{param}.id", "invalid_value"
            )
        item = Item(id or item_id(), kind, "assistant" if kind == "function_call" else "tool")
        if kind == "message":
            await self._message(item, given, format, param)
        else:
            self._call(item, given, param)
        if len(item.body) > self.service.scheduler.engine.max_length:
            raise ApiError(
                (
                    f"{param} is too long: {len(item.body)} ids, the network holds "
                    f"{self.service.scheduler.engine.max_length}."
                ),
                400,
                param,
                "context_length_exceeded",
            )
        return item

    def _call(self, item: Item, given: dict[str, Any], param: str) -> None:
        call_id = given.get("call_id")
        if item.kind == "function_call_output":
            output = given.get("output")
            if not isinstance(call_id, str) or not isinstance(output, str):
                raise ApiError(
                    f"{param} needs call_id and output, both strings.",
                    400,
                    f"{param}.output" if isinstance(call_id, str) else f"{param}.call_id",
                )
            item.call = {"call_id": call_id, "output": output}
            item.body = self._ids(
                "tool", [PartReader(self.request, self.service).text(output, f"{param}.output")]
            )
            return
        text = written(given.get("name"), given.get("arguments"), param)
        item.call = {
            "name": given["name"],
            "call_id": call_id if isinstance(call_id, str) else new_id("call_")[:21],
            "arguments": given["arguments"],
        }
        item.body = self._ids("assistant", [Call(text)])

    async def _message(self, item: Item, given: dict[str, Any], format: dict[str, Any], param: str) -> None:
        role, content = given.get("role"), given.get("content")
        if role not in CONTENT:
            raise ApiError(
                f"{param}.role must be system, user or assistant.", 400, f"{param}.role", "invalid_value"
            )
        if not isinstance(content, list):
            raise ApiError(
                f"{param}.content must be a list of parts.", 400, f"{param}.content", "invalid_type"
            )
        item.role, parts, incoming = role, list[Part](), Incoming(format)
        for number, part in enumerate(content):
            place = f"{param}.content.{number}"
            if not isinstance(part, dict) or part.get("type") not in CONTENT[role]:
                raise ApiError(
                    f"{place}.type must be one of {', '.join(CONTENT[role])} for {role}.",
                    400,
                    f"{place}.type",
                    "invalid_value",
                )
            coded: Part | None
            if part["type"] == "input_audio":
                pcm = self._sound(part, incoming, content[number + 1 : number + 2], place)
                item.sounds[number] = to_s16(pcm)
                coded, shown = await self.service.code(Sound(pcm, VAD_RATE)), _shown_sound(part)
            else:
                coded, shown = await self._part(role, part, place)
            parts += [coded] if coded else []
            item.content.append(shown)
        item.body = self._ids(role, parts)

    async def _part(self, role: str, part: dict[str, Any], param: str) -> tuple[Part | None, Shown]:
        """-> a part of anything but sound for the network, None where it says nothing, and as it is shown."""
        kind, reader = part["type"], PartReader(self.request, self.service)
        if kind in ("input_text", "output_text", "text"):
            shown = "output_text" if role == "assistant" else "input_text"
            return reader.text(part.get("text"), f"{param}.text"), {"type": shown, "text": part.get("text")}
        if kind in ("output_audio", "audio"):
            words = part.get("transcript") or ""
            told = reader.text(words, f"{param}.transcript") if words else None
            return told, {"type": "output_audio", "transcript": words}
        if kind == "input_image":
            given = {"type": "input_image", "image_url": part.get("image_url")}
            coded = await reader.part(given, param, True)
            detail = {"detail": part["detail"]} if isinstance(part.get("detail"), str) else {}
            return coded, {"type": kind, "image_url": part["image_url"], **detail}
        # input_video is our page's: pictures at two a second. The API has no word for clips.
        coded = await reader.part({"type": "video", "video": part.get("frames")}, param, True)
        return coded, {"type": "input_image", "image_url": part["frames"][0]}

    def _sound(
        self, part: dict[str, Any], incoming: Incoming, following: list[Any], param: str
    ) -> NDArray[np.float32]:
        """-> (N,) the sound of a part. Where another sound follows at once, a sample that was cut in two goes
        on there.
        """
        pcm = incoming.read(from_base64(part.get("audio"), f"{param}.audio"))
        goes_on = (
            bool(following) and isinstance(following[0], dict) and following[0].get("type") == "input_audio"
        )
        if not goes_on:
            pcm = np.concatenate([pcm, incoming.end()])
        if not MIN_S * VAD_RATE <= len(pcm) + incoming.held <= MAX_S * VAD_RATE:
            wanted = "longer than ten minutes" if len(pcm) > VAD_RATE else "shorter than 20 ms"
            raise ApiError(f"{param}.audio is {wanted}.", 400, f"{param}.audio")
        return pcm

    def _ids(self, role: str, parts: list[Part]) -> list[int]:
        """The body of a message."""
        return self.service.tokenizer.template.body(Message(role, parts))


def _shown_sound(part: dict[str, Any]) -> Shown:
    transcript = part.get("transcript")
    return {"type": "input_audio", "transcript": transcript if isinstance(transcript, str) else None}
