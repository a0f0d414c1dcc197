"""Items -> documents: ids and what is learned of them, a few for each item, by the tasks that it is good for.

    sound     hear: write down what you hear        speak: say these words (voices with enough recordings)
    picture   describe: what is in the picture      draw: draw this
    text      read: the text as it is               chat  talk: the conversation

Shapes: L ids.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.codecs.phonemes import PhonemeReader
from unisono.core.errors import UserError
from unisono.core.record import PHONEMES
from unisono.data.own import hub
from unisono.data.own.chat import conversation
from unisono.data.own.items import Item, Row, Slice, read_bytes
from unisono.data.own.lines import json_line, text_of
from unisono.data.speech.cutter import WordCutter
from unisono.data.speech.voices import phonemes
from unisono.data.texts import pieces
from unisono.media import Sound, read_picture, read_sound
from unisono.signals import to_mono
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Audio, Codes, Message, Part, Text, Thought
from unisono.tokens.phrases import DESCRIBE, DRAW, SAY, WRITE_DOWN, voice_line

TASKS = ("hear", "speak", "describe", "draw", "read", "talk")
PEAK, MIN_PEAK = 0.7, 0.05  # as recordings are read elsewhere: raised to a peak, the quietest not all the way


@dataclass(frozen=True)
class Document:
    """(L,) ids and 0/1 of one document of a task."""

    task: str
    ids: NDArray[np.int32]
    learn: NDArray[np.uint8]


@dataclass(frozen=True)
class Coded:
    """The documents of an item, and what tells it from others: equal keys never stand in two splits."""

    key: str
    documents: list[Document]


class Coding:
    """The tokenizer of a finished network, set to code one item after another."""

    def __init__(
        self, start: Path, name: str, max_length: int, voices: dict[str, str], tasks: tuple[str, ...]
    ) -> None:
        """`voices`: speaker -> the voice that is learned of it; `max_length`: ids of a document."""
        self.tokenizer = OmniTokenizer.load(start)
        self.max_length, self.voices, self.tasks, self.voice = max_length, voices, tasks, name
        self.cutter = cutter_of(self.tokenizer, start)

    def part(self, given: object) -> Part:
        """What is played or shown -> a part of a message."""
        return self.tokenizer.part(given)

    def spoken(self, text: str, codes: Codes) -> list[Part]:
        """Words and their sound, word by word where they can be told apart."""
        return self.cutter.cut(text, codes) if self.cutter else [Text(text), Audio(codes)]

    def code(self, item: Item, number: int) -> Coded:
        """-> the documents of the item with this number, always the same ones; UserError says why it has
        none.
        """
        rng = random.Random(f"own {number}")
        makers = {"sound": self._sound, "picture": self._picture, "text": self._text, "chat": self._line}
        return makers[item.kind](item, rng)

    def _document(self, task: str, messages: list[Message], rng: random.Random) -> list[Document]:
        if task not in self.tasks:
            return []
        self.tokenizer.check_letters(messages, self.max_length)
        ids, learn = self.tokenizer.encode(messages, rng=np.random.default_rng(rng.getrandbits(32)))
        return [self._fitting(Document(task, ids, learn))]

    def _fitting(self, document: Document) -> Document:
        if len(document.ids) > self.max_length:
            raise UserError(f"a document is longer than the {self.max_length} ids that the network holds")
        return document

    def _sound(self, item: Item, rng: random.Random) -> Coded:
        if isinstance(item.source, Row):
            content, text, speaker = hub.content_of(item.source, "sound")
        else:
            content, text, speaker = read_bytes(item.source), item.text, item.speaker
        codes = self._heard(read_sound(content))
        asked: list[Part] = [Audio(codes), Text(rng.choice(WRITE_DOWN))]
        rng.shuffle(asked)
        found = self._document("hear", [Message("user", asked), Message("assistant", [Text(text)])], rng)
        if (voice := self.voices.get(speaker)) and self.cutter:
            said = [Thought(text), *self.spoken(text, codes)]
            messages = [
                Message("system", [Text(voice_line(voice))]),
                Message("user", [Text(rng.choice(SAY).format(text))]),
                Message("assistant", said),
            ]
            found += self._document("speak", messages, rng)
        return Coded(text, found)

    def _heard(self, sound: Sound) -> Codes:
        pcm = to_mono(sound.pcm, sound.sample_rate, self.tokenizer.audio_codec.sample_rate)
        peak = float(np.abs(pcm).max(initial=0.0))
        if peak < 1e-4:
            raise UserError("a sound is silent")
        part = self.tokenizer.audio_part(
            pcm * (PEAK / max(MIN_PEAK, peak)), self.tokenizer.audio_codec.sample_rate
        )
        return part.codes

    def _picture(self, item: Item, rng: random.Random) -> Coded:
        if isinstance(item.source, Row):
            content, text, _ = hub.content_of(item.source, "picture")
        else:
            content, text = read_bytes(item.source), item.text
        image = self.tokenizer.image_part(read_picture(content))
        asked: list[Part] = [image, Text(rng.choice(DESCRIBE))]
        rng.shuffle(asked)
        what = as_asked_for(text)
        request = Message("user", [Text(rng.choice(DRAW).format(what))])
        drawn = Message("assistant", [Text(f"Here is {what}."), image])
        found = self._document("describe", [Message("user", asked), Message("assistant", [Text(text)])], rng)
        return Coded(image.codes.tobytes().hex(), found + self._document("draw", [request, drawn], rng))

    def _text(self, item: Item, rng: random.Random) -> Coded:
        assert isinstance(item.source, Path)
        return self._read(text_of(read_bytes(item.source)))

    def _read(self, text: str) -> Coded:
        found = [Document("read", *self.tokenizer.template.document(piece)) for piece in pieces(text)]
        if not found:
            raise UserError("a text is empty")
        return Coded(text, [self._fitting(one) for one in found] if "read" in self.tasks else [])

    def _line(self, item: Item, rng: random.Random) -> Coded:
        given: Any = item.source
        if isinstance(given, Slice):
            given = json_line(read_bytes(given))
        elif isinstance(given, Row):
            given = hub.line_of(given)
        if "messages" not in given and isinstance(given.get("text"), str):
            return self._read(given["text"])
        messages, key = conversation(given, item.root, self)
        return Coded(key, self._document("talk", messages, rng))


def as_asked_for(caption: str) -> str:
    """A caption as it stands in a request: "A red house." -> "a red house"."""
    caption = caption.strip().rstrip(".")
    return caption[:1].lower() + caption[1:] if caption[1:2].islower() or caption[1:2] == " " else caption


def cutter_of(tokenizer: OmniTokenizer, start: Path) -> WordCutter | None:
    """What finds the words in a recording; None where the network ships no reader, or espeak-ng is
    missing.
    """
    path = start / "audio_codec" / PHONEMES
    if not path.is_file():
        return None
    try:
        phonemes(["word"])
    except UserError:
        return None
    return WordCutter(tokenizer.audio_codec, PhonemeReader.load(path))
