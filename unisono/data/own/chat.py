"""A conversation in the form of OpenAI's chat fine-tuning files -> messages for the network.

{"messages": [{"role", "content", "weight", "tool_calls", ...}, ...], "tools": [...]}. Content is a text
or a list of parts: text, image_url, input_audio, audio_url, video_url, each by path, by address or as
data; assistants may show and play things too. Media by path lie in the folder of the file.
"""

import asyncio
import re
from pathlib import Path
from typing import Any, Protocol

from PIL import Image as Pictures

from unisono.core import address
from unisono.core.errors import UserError
from unisono.data.own.items import read_bytes, within
from unisono.media import Footage, Sound, read_clip, read_picture, read_sound
from unisono.tokens.message import Audio, Call, Codes, Message, Part, Text, Thought
from unisono.tokens.phrases import call_text, tool_line, voice_line

Given = dict[str, Any]
ROLES = {"developer": "system", "function": "tool"}
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
TEXTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
PICTURES = ("image_url", "input_image", "image")
SOUNDS = ("input_audio", "output_audio", "audio", "audio_url")
CLIPS = ("video_url", "input_video", "video")
MAX_MEDIA = 64


class Coding(Protocol):
    """What makes parts of media; see coding.py."""

    voice: str

    def part(self, given: object) -> Part:
        """Sound, a picture or a clip -> its codes."""

    def spoken(self, text: str, codes: Codes) -> list[Part]:
        """Words and their sound -> word by word."""


def conversation(given: Given, root: Path, coding: Coding) -> tuple[list[Message], str]:
    """-> the messages, and what tells this conversation from others. UserError says what is wrong with it."""
    messages = given.get("messages")
    if not isinstance(messages, list) or not messages:
        raise UserError("a line has no messages; expected {'messages': [...]} or {'text': ...}")
    if not all(isinstance(message, dict) for message in messages):
        raise UserError("a message is no object with a role")
    _check_order(messages)
    reader = _Reader(root, coding)
    read = [reader.message(message) for message in messages]
    if not any(message.role == "assistant" and message.is_learned for message in read):
        raise UserError("no reply of an assistant has a weight above 0: there is nothing to learn")
    first = next((message for message in messages if message.get("role") == "user"), messages[0])
    return _with_system(read, _tools(given.get("tools")), reader.speaks, coding.voice), repr(
        first.get("content")
    )


def _check_order(messages: list[Given]) -> None:
    """UserError unless instructions come first, every call has its result, and an assistant has the last
    word.
    """
    before, open_calls = "", set[str]()
    for message in messages:
        role = message.get("role")
        role = ROLES.get(role, role) if isinstance(role, str) else role
        if role not in ("system", "user", "assistant", "tool"):
            raise UserError(f"there is no role {str(role)[:40]!r}; expected system, user, assistant or tool")
        if role == "system" and before not in ("", "system"):
            raise UserError("roles are out of order: instructions come after the conversation has begun")
        if role == "assistant" and before == "assistant":
            raise UserError("roles are out of order: an assistant follows an assistant")
        if role == "tool" and message.get("tool_call_id") not in open_calls:
            raise UserError("roles are out of order: a tool answers a call that was not made")
        if role != "tool" and open_calls:
            raise UserError("roles are out of order: a call has no result before the next message")
        open_calls.discard(message.get("tool_call_id", ""))
        for call in message.get("tool_calls") or () if role == "assistant" else ():
            if isinstance(call, dict) and isinstance(call.get("id"), str):
                open_calls.add(call["id"])
        before = role
    if "assistant" not in (message.get("role") for message in messages):
        raise UserError("a conversation has no reply of an assistant")
    if before != "assistant":
        raise UserError("a conversation does not end with the reply of an assistant")


def _tools(given: object) -> list[str]:
    """The member `tools` -> a line for each."""
    if given is None:
        return []
    if not isinstance(given, list):
        raise UserError("tools are no list")
    lines = []
    for tool in given:
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not NAME.fullmatch(name):
            raise UserError("a tool has no name of 1 to 64 letters, digits, underscores or dashes")
        schema, description = function.get("parameters"), function.get("description") or ""
        if not isinstance(schema or {}, dict) or not isinstance(description, str):
            raise UserError("a tool has no description in words and no parameters as a schema")
        empty = {"properties": {}, "additionalProperties": False}
        lines.append(tool_line(name, description, {"type": "object", **(schema or empty)}))
    return lines


def _with_system(messages: list[Message], tools: list[str], speaks: bool, voice: str) -> list[Message]:
    """All instructions in one first message: the voice, what is told, the tools."""
    told = [message.text for message in messages if message.role == "system"]
    lines = [*([voice_line(voice)] if speaks else []), *told, *tools]
    rest = [message for message in messages if message.role != "system"]
    return [Message("system", [Text("\n".join(lines))]), *rest] if lines else rest


class _Reader:
    """Reads the messages of one conversation."""

    def __init__(self, root: Path, coding: Coding) -> None:
        self.root, self.coding, self.num_media, self.speaks = root, coding, 0, False

    def message(self, given: Given) -> Message:
        """One message; an assistant's with its calls."""
        role = str(given["role"])
        role = ROLES.get(role, role)
        weight = given.get("weight", 1)
        if weight not in (0, 1) or isinstance(weight, bool):
            raise UserError("a weight is neither 0 nor 1")
        calls = self._calls(given.get("tool_calls")) if role == "assistant" else []
        parts = self._content(given.get("content"), role)
        if role == "assistant":
            if not parts and isinstance(given.get("refusal"), str):
                parts = [Text(given["refusal"])]
            parts = [*self._spoken(parts, given.get("audio")), *calls]
        if not parts:
            raise UserError(f"a message of the {role} is empty")
        return Message(role, parts, is_learned=weight == 1)

    def _content(self, content: object, role: str) -> list[Part]:
        if content is None:
            return []
        if isinstance(content, str):
            return [Text(content)] if content else []
        if not isinstance(content, list):
            raise UserError("the content of a message is neither a text nor a list of parts")
        parts = [self._part(part) for part in content]
        if role in ("system", "tool") and not all(isinstance(part, Text) for part in parts):
            raise UserError(f"a message of the {role} holds more than text")
        return parts

    def _part(self, given: object) -> Part:
        if isinstance(given, str):
            return Text(given)
        kind = given.get("type") if isinstance(given, dict) else None
        if not isinstance(given, dict) or not isinstance(kind, str):
            raise UserError("a part of a message has no type")
        if kind in TEXTS:
            if not isinstance(given.get(TEXTS[kind]), str):
                raise UserError("a part of text has no text")
            return Text(given[TEXTS[kind]])
        self.num_media += 1
        if self.num_media > MAX_MEDIA:
            raise UserError(f"a conversation has more than {MAX_MEDIA} pictures, sounds and clips")
        for kinds, read in ((PICTURES, self._picture), (SOUNDS, self._sound), (CLIPS, self._clip)):
            if kind in kinds:
                return self.coding.part(read(given, kinds))
        raise UserError(
            f"there is no part of type {kind[:40]!r}; expected text, image_url, input_audio or video_url"
        )

    def _picture(self, given: Given, kinds: tuple[str, ...]) -> Pictures.Image:
        found = _reference(given, kinds)
        return found if isinstance(found, Pictures.Image) else read_picture(self._bytes(found, "a picture"))

    def _sound(self, given: Given, kinds: tuple[str, ...]) -> Sound:
        found = _reference(given, kinds)
        return found if isinstance(found, Sound) else read_sound(self._bytes(found, "a sound"))

    def _clip(self, given: Given, kinds: tuple[str, ...]) -> Footage | Sound:
        found = _reference(given, kinds)
        return found if isinstance(found, Footage) else read_clip(self._bytes(found, "a clip"))

    def _bytes(self, found: object, what: str) -> bytes:
        """What a path, an address or data stands for."""
        if not isinstance(found, str) or not found:
            raise UserError(f"{what} is named neither by path nor by address, nor given as data")
        if found[:5].lower() == "data:" or found.lower().startswith(("http://", "https://")):
            return asyncio.run(address.content_of(found, what))
        if "." in found:  # base64 has no dot, and a file its ending
            return read_bytes(within(self.root, found))
        return address.from_base64(found, what)

    def _spoken(self, parts: list[Part], audio: object) -> list[Part]:
        """Words and the sound that says them -> as the network speaks: the words in a thought, then each
        with its sound. `audio` is the member of that name: {"data", "transcript"}.
        """
        if isinstance(audio, dict) and (audio.get("data") or audio.get("path")):
            sound = self.coding.part(self._sound({"audio": audio}, SOUNDS))
            words = audio.get("transcript")
            parts = [*parts, *([Text(words)] if isinstance(words, str) and not parts else []), sound]
        found, words = list[Part](), list[str]()
        for part in parts:
            said = found[-1] if found else None
            if isinstance(part, Audio) and isinstance(said, Text):
                words.append(said.text)
                found[-1:] = self.coding.spoken(said.text, part.codes)
            else:
                found.append(part)
            self.speaks |= isinstance(part, Audio)
        return [Thought(" ".join(words)), *found] if words else found

    def _calls(self, given: object) -> list[Part]:
        if given is None:
            return []
        if not isinstance(given, list):
            raise UserError("tool_calls are no list")
        calls: list[Part] = []
        for call in given:
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict) or not isinstance(call.get("id"), str):
                raise UserError("a call has no id and function")
            name, arguments = function.get("name"), function.get("arguments")
            if not isinstance(name, str) or not NAME.fullmatch(name) or not isinstance(arguments, str):
                raise UserError("a call has no name and arguments as a text of JSON")
            calls.append(Call(call_text(name, arguments)))
        return calls


def _reference(given: Given, kinds: tuple[str, ...]) -> object:
    """What a part of media names: {"image_url": {"url": ...}}, {"input_audio": {"data": ...}}, {"url":
    ...}.
    """
    for key in (*kinds, "url", "path", "data"):
        value = given.get(key)
        if isinstance(value, dict):
            value = next((value[name] for name in ("url", "path", "data") if value.get(name)), None)
        if value is not None:
            return value
    return None
