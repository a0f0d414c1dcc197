"""The items of a realtime conversation: read from what clients send, shown to them, and the ids that they are
for the network.

An item's body is what stands between <|role|> and <|end|>. Items that make one turn are joined: those of one
reply, and
a picture with the words or the sound beside it.

Shapes: N samples at 16 kHz.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from unisono.engine.grammar import CLOSES, OPENS
from unisono.media import Sound
from unisono.serve.reply.parts import PartReader
from unisono.serve.reply.plan import new_id
from unisono.serve.reply.service import Service
from unisono.serve.reply.tools import written
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.media_in import from_base64
from unisono.serve.wire.requests import encoded
from unisono.serve.wire.resample import PromptResampler
from unisono.serve.wire.sound import from_s16, from_wire, rate_of, to_s16, to_wire
from unisono.tokens.message import Audio, Call, Codes, Message, Part, Text
from unisono.tokens.vocab import Vocabulary

CODEC_RATE, FRAME_MS = 16000, 20
KINDS = ("message", "function_call", "function_call_output")
# What each role may say, with the spelling of the beta as courtesy.
CONTENT = {
    "system": ("input_text", "text"),
    "user": ("input_text", "text", "input_audio", "input_image", "input_video"),
    "assistant": ("output_text", "text", "output_audio", "audio"),
}
Piece = tuple[str, list[int]]  # text, audio, image or call, with its marks


def item_id() -> str:
    """Of a new item; clients may choose up to 32 characters themselves."""
    return new_id("item_")[:29]


@dataclass
class Item:
    """A thing that was said, shown, called or answered."""

    id: str
    kind: str
    role: str  # system, user, assistant or tool: whose turn it is for the network
    status: str = "completed"
    content: list[dict[str, Any]] = field(default_factory=list)  # as shown, without sound
    call: dict[str, str] = field(default_factory=dict)  # name, call_id, arguments; call_id, output
    body: list[int] = field(default_factory=list)
    codes: Codes | None = None  # of what the person said
    sound: bytes | None = None  # the same, 16 kHz and 16 bit, as long as it is kept
    group: str | None = None  # the reply that made it
    said: list[int] | None = None  # a spoken reply's whole body; `body` is what was heard of it
    frames: int = 0  # of its voice, all of it
    skipped_ms: float = 0.0  # of it, silence at its beginning that was not sent
    speed: float = 1.0  # at which the rest was played

    def shown(self, *, audio: dict[str, Any] | None = None) -> dict[str, Any]:
        """As events show it; with its sound in the format `audio`, where it is kept."""
        head: dict[str, Any] = {
            "id": self.id,
            "object": "realtime.item",
            "type": self.kind,
            "status": self.status,
        }
        if self.kind != "message":
            return {**head, **self.call}
        content = [dict(part) for part in self.content]
        if audio and self.sound is not None:
            for part in content:
                if part["type"] == "input_audio":
                    part["audio"] = encoded(
                        to_wire(
                            PromptResampler(CODEC_RATE, rate_of(audio)).push(from_s16(self.sound), last=True),
                            audio,
                        )
                    )
        return {**head, "role": self.role, "content": content}

    @property
    def length_ms(self) -> float:
        """Of its voice, as it was played."""
        return 0 if self.said is None else max(0.0, self.frames * FRAME_MS - self.skipped_ms) / self.speed

    def hear(self, vocab: Vocabulary, heard_ms: float) -> None:
        """Keeps what was heard of a spoken reply: the sound up to there and the words that belong to it; of
        one that was cut short not
        the thought, which tells the rest."""
        assert self.said is not None
        left, kept = (
            math.ceil((heard_ms * self.speed + self.skipped_ms * (heard_ms > 0)) / FRAME_MS),
            list[Piece](),
        )
        is_whole = left >= self.frames
        for kind, ids in pieces(vocab, self.said):
            if kind == "thought" and not is_whole:
                continue
            if kind == "audio":
                kept += _cut(kept, ids, left)
                left -= len(ids) - 2
                if left <= 0:
                    break
            else:
                kept.append((kind, ids))
        self.body = [id for _, ids in kept for id in ids]

    def write(self, service: Service) -> None:
        """Shows the words of the body, after it was cut."""
        words = "".join(part.text for part in service.tokenizer.decode(self.body) if isinstance(part, Text))
        for part in self.content:
            if part["type"] == "output_audio":
                part["transcript"] = words


def _cut(kept: list[Piece], ids: list[int], left: int) -> list[Piece]:
    """A stretch of sound of which `left` codes were heard; shortens the words before it by as much."""
    codes = ids[1:-1]
    if left >= len(codes):
        return [("audio", ids)]
    if kept and kept[-1][0] == "text":
        _, words = kept.pop()
        if heard := words[: math.ceil(max(0, left) / len(codes) * len(words))]:
            kept.append(("text", heard))
    return [("audio", [ids[0], *codes[:left], ids[-1]])] if left > 0 else []


def pieces(vocab: Vocabulary, ids: Sequence[int]) -> Iterator[Piece]:
    """A reply's ids, cut where text, sound, pictures and calls begin; what broke off is closed, or left out
    if it cannot be.
    """
    kind, piece = "text", list[int]()
    for id in ids:
        name = vocab.name(id)
        if kind == "text" and name in OPENS:
            if piece:
                yield kind, piece
            kind, piece = OPENS[name], [id]
        elif name == CLOSES.get(kind):
            yield kind, [*piece, id]
            kind, piece = "text", []
        elif name != "<|end|>":
            piece.append(id)
    if kind == "audio" and len(piece) > 1:
        yield kind, [*piece, vocab.id(CLOSES[kind])]
    elif kind == "text" and piece:
        yield kind, piece


def rendered(vocab: Vocabulary, items: Sequence[Item]) -> list[int]:
    """The ids of a conversation."""
    ids, end = list[int](), vocab.id("<|end|>")
    for number, item in enumerate(items):
        before = items[number - 1] if number else None
        if before and _are_one(vocab, before, item):
            ids.pop()
        else:
            ids.append(vocab.id(f"<|{item.role}|>"))
        ids += [*item.body, end]
    return ids


def _are_one(vocab: Vocabulary, before: Item, item: Item) -> bool:
    if before.role != item.role:
        return False
    if item.role == "user" and before.body and item.body:  # words after words would run into each other
        return before.body[-1] >= vocab.text_size or item.body[0] >= vocab.text_size
    return item.group is not None and item.group == before.group


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
        item.role, parts, reader = role, list[Part](), PartReader(self.request, self.service)
        for number, part in enumerate(content):
            place = f"{param}.content.{number}"
            if not isinstance(part, dict) or part.get("type") not in CONTENT[role]:
                raise ApiError(
                    f"{place}.type must be one of {', '.join(CONTENT[role])} for {role}.",
                    400,
                    f"{place}.type",
                    "invalid_value",
                )
            coded, shown = await self._part(item, reader, part, format, place)
            parts += [coded] if coded else []
            item.content.append(shown)
        item.body = self._ids(role, parts)

    async def _part(
        self, item: Item, reader: PartReader, part: dict[str, Any], format: dict[str, Any], param: str
    ) -> tuple[Part | None, dict[str, Any]]:
        """-> the part for the network, and as it is shown."""
        kind = part["type"]
        if kind in ("input_text", "output_text", "text"):
            shown = "output_text" if item.role == "assistant" else "input_text"
            return reader.text(part.get("text"), f"{param}.text"), {"type": shown, "text": part.get("text")}
        if kind in ("output_audio", "audio"):
            words = part.get("transcript") or ""
            return (reader.text(words, f"{param}.transcript") if words else None), {
                "type": "output_audio",
                "transcript": words,
            }
        if kind == "input_image":
            coded = await reader.part(
                {"type": "input_image", "image_url": part.get("image_url")}, param, True
            )
            return coded, {
                "type": kind,
                "image_url": part["image_url"],
                **({"detail": part["detail"]} if isinstance(part.get("detail"), str) else {}),
            }
        if kind == "input_video":  # our page's: pictures at two a second
            coded = await reader.part({"type": "video", "video": part.get("frames")}, param, True)
            return coded, {
                "type": "input_image",
                "image_url": part["frames"][0],
            }  # the API has no word for clips
        pcm = from_wire(from_base64(part.get("audio"), f"{param}.audio"), format)
        pcm = PromptResampler(rate_of(format), CODEC_RATE).push(pcm, last=True)
        if len(pcm) < CODEC_RATE // 50:
            raise ApiError(f"{param}.audio is shorter than 20 ms.", 400, f"{param}.audio")
        if len(pcm) > CODEC_RATE * 600:
            raise ApiError(f"{param}.audio is longer than ten minutes.", 400, f"{param}.audio")
        coded = await self.service.code(Sound(pcm, CODEC_RATE))
        assert isinstance(coded, Audio)
        item.codes, item.sound = coded.codes, to_s16(pcm)
        transcript = part.get("transcript")
        return coded, {"type": kind, "transcript": transcript if isinstance(transcript, str) else None}

    def _ids(self, role: str, parts: list[Part]) -> list[int]:
        """The body of a message."""
        return [int(id) for id in self.service.tokenizer.encode([Message(role, parts)])[0][1:-1]]
