"""The items of a realtime conversation: as clients see them, and the ids that they are for the network.

An item's body is what stands between <|role|> and <|end|>. Items that make one turn are joined: those of one
reply, and a picture with the words or the sound beside it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from unisono.engine.grammar import CLOSES, OPENS
from unisono.serve.realtime.turn_detection import VAD_RATE
from unisono.serve.reply.plan import new_id
from unisono.serve.reply.service import Service
from unisono.serve.wire.requests import encoded
from unisono.serve.wire.resample import PromptResampler
from unisono.serve.wire.sound import from_s16, rate_of, to_wire
from unisono.tokens.message import Codes, Text
from unisono.tokens.template import Template
from unisono.tokens.turns import START
from unisono.tokens.vocab import Vocabulary

Piece = tuple[str, list[int]]  # text, audio, image or call, with its marks


def item_id() -> str:
    """Of a new item; clients may choose up to 32 characters themselves."""
    return new_id("item_")[:29]


@dataclass(frozen=True)
class Voiced:
    """What was said in one message of a spoken reply, and how it is played."""

    ids: list[int]  # words, sound and what else the reply holds
    num_frames: int  # of sound
    frame_ms: float  # how long each of them is
    skipped_ms: float = 0.0  # silence at the beginning that was not sent
    speed: float = 1.0  # at which the rest is played

    @property
    def length_ms(self) -> float:
        """Of the sound, as it is played."""
        return max(0.0, self.num_frames * self.frame_ms - self.skipped_ms) / self.speed

    def frames_until(self, played_ms: float) -> int:
        """How many frames have begun when so much of it was played."""
        skipped_ms = self.skipped_ms if played_ms > 0 else 0.0
        return math.ceil((played_ms * self.speed + skipped_ms) / self.frame_ms)


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
    # Of the parts with these numbers, 16 kHz and 16 bit, as long as it is kept.
    sounds: dict[int, bytes] = field(default_factory=dict)
    group: str | None = None  # the reply that made it
    voiced: Voiced | None = None  # of a spoken reply: all that was said; `body` is what was heard of it

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
        if audio:
            for number, sound in self.sounds.items():
                pcm = PromptResampler(VAD_RATE, rate_of(audio)).push(from_s16(sound), last=True)
                content[number]["audio"] = encoded(to_wire(pcm, audio))
        return {**head, "role": self.role, "content": content}

    @property
    def num_kept(self) -> int:
        """Bytes of its sound and its pictures."""
        pictures = sum(len(part.get("image_url") or "") for part in self.content)
        return pictures + sum(map(len, self.sounds.values()))

    def forget_media(self) -> None:
        """Drops its sound and its pictures; the network keeps their codes."""
        self.sounds.clear()
        for part in self.content:
            part.pop("image_url", None)

    def hear(self, vocab: Vocabulary, heard_ms: float) -> None:
        """Keeps what was heard of a spoken reply: the sound up to there and the words that belong to it. Of
        one that was cut short neither the thought, which tells the rest, nor words that have no sound yet.
        """
        assert self.voiced is not None
        left, kept = self.voiced.frames_until(heard_ms), list[Piece]()
        if self.status == "completed" and 0 < self.voiced.num_frames <= left:
            self.body = list(self.voiced.ids)
            return
        for kind, ids in pieces(vocab, self.voiced.ids):
            if kind == "audio":
                kept += _cut(kept, ids, left)
                left -= len(ids) - 2
                if left <= 0:
                    break
            elif kind != "thought":
                kept.append((kind, ids))
        while kept and kept[-1][0] == "text":
            kept.pop()
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


def rendered(
    template: Template, items: Sequence[Item], *, before: str = START, is_open: bool = False
) -> list[int]:
    """The ids of a conversation after a message of the role `before`. `is_open`: the last item goes on."""
    turns: list[tuple[str, list[int]]] = []
    for number, item in enumerate(items):
        if number and _are_one(template.vocab, items[number - 1], item):
            turns[-1][1].extend(item.body)
        else:
            turns.append((item.role, list(item.body)))
    return template.joined(turns, before=before, is_open=is_open)


def _are_one(vocab: Vocabulary, before: Item, item: Item) -> bool:
    if before.role != item.role:
        return False
    if item.role == "user" and before.body and item.body:  # words after words would run into each other
        return before.body[-1] >= vocab.text_size or item.body[0] >= vocab.text_size
    return item.group is not None and item.group == before.group
