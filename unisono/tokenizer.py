"""Messages <-> ids with the codecs in between: the only place where text, codecs and vocabulary meet.

A folder of a trained network holds tokenizer.json, vocabulary.json, audio_codec/ and image_codec/ beside the
weights.

Shapes: N samples, F audio frames, L ids. pcm is float32 mono in [-1, 1].
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pictures

from unisono.codecs.audio import DecoderStream
from unisono.codecs.image import ImageCodec
from unisono.codecs.load import AnyAudioCodec, load_audio_codec
from unisono.codecs.speech import SpeechCodec, SpeechDecoderStream
from unisono.core.errors import TooLongError, UserError
from unisono.core.home import atomic_write
from unisono.media import Footage, Sound
from unisono.signals import check_rate, fit, to_mono, trimmed
from unisono.tokens.message import SAID, Audio, Call, Codes, Image, Message, Part, Text, Thought, Video
from unisono.tokens.template import Template
from unisono.tokens.text import TextStream, TextTokenizer, words
from unisono.tokens.turns import FILE as TURNS, START, Turns
from unisono.tokens.vocab import NUM_TIMES, TIME_STEP_S, Vocabulary

BEYOND_S = 0.1  # of a clip's sound past what is kept of it: the codec looks 40 ms ahead, resampling a little


@dataclass(frozen=True)
class TextDelta:
    """Characters that became certain."""

    text: str


@dataclass(frozen=True)
class AudioDelta:
    """A code of sound; `last` marks the end of a stretch and carries no code. One that breaks off has no
    `last`.
    """

    codes: Codes
    last: bool = False


@dataclass(frozen=True)
class ImageDelta:
    """All codes of the picture so far; `last` marks a whole one. One that breaks off has no `last`."""

    codes: Codes
    last: bool = False


@dataclass(frozen=True)
class CallDelta:
    """Characters of a call that became certain; `last` marks its end and carries none. One that breaks off
    has no `last`.
    """

    text: str
    last: bool = False


@dataclass(frozen=True)
class ThoughtDelta:
    """Characters of a thought that became certain; `last` as with calls."""

    text: str
    last: bool = False


@dataclass(frozen=True)
class TurnEnd:
    """The speaker has finished."""


Event = TextDelta | AudioDelta | ImageDelta | CallDelta | ThoughtDelta | TurnEnd
WRITTEN = {"text": TextDelta, "call": CallDelta, "thought": ThoughtDelta}


class OmniTokenizer:
    """Everything between what people send and what the network reads."""

    def __init__(
        self,
        vocab: Vocabulary,
        text: TextTokenizer,
        audio_codec: AnyAudioCodec,
        image_codec: ImageCodec,
        voices: Sequence[str] = (),
        turns: Turns | None = None,
    ) -> None:
        named, made = (
            (vocab.span("audio").size, vocab.span("image").size),
            (audio_codec.codebook_size, image_codec.codebook_size),
        )
        if named != made:
            raise UserError(
                f"the vocabulary has {named[0]} codes of sound and {named[1]} of pictures, the codecs "
                f"{made[0]} and {made[1]}: "
                "they are not of the same training; use a folder as it was trained"
            )
        self.vocab, self.text = vocab, text
        self.voices = list(voices)  # that the network was taught to speak with, the usual one first
        self.audio_codec, self.image_codec = audio_codec, image_codec
        self.template = Template(vocab, text, turns)

    @property
    def speakers(self) -> list[str]:
        """Names of the voices that replies are spoken in, the usual one first: those of the codec where it is
        told the voice, else those that the network was taught."""
        if isinstance(self.audio_codec, SpeechCodec):
            return self.audio_codec.speakers
        return self.voices or ["heart"]

    def taught(self, speaker: str) -> str:
        """The voice that the network is told of to speak as `speaker`: one that it was taught."""
        return (self.voices or ["heart"])[0] if isinstance(self.audio_codec, SpeechCodec) else speaker

    def decoder_stream(self, speaker: str | torch.Tensor) -> DecoderStream | SpeechDecoderStream:
        """Codes of a reply that arrive in pieces -> its sound in a voice, by name or by style."""
        if isinstance(self.audio_codec, SpeechCodec):
            return self.audio_codec.decoder_stream(speaker)
        return self.audio_codec.decoder_stream()

    @classmethod
    def load(cls, folder: str | Path) -> "OmniTokenizer":
        """Reads the folder of a trained network; UserError says what is missing."""
        folder = Path(folder)
        template = Template.load(folder)
        return cls(
            template.vocab,
            template.text,
            load_audio_codec(folder / "audio_codec"),
            ImageCodec.load(folder / "image_codec"),
            _voices(folder),
            template.turns,
        )

    def save(self, folder: str | Path) -> None:
        """Writes everything beside the network's weights."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(folder / "tokenizer.json", self.text.save)
        atomic_write(folder / "vocabulary.json", self.vocab.save)
        if (
            self.vocab.end_id is not None or self.template.prompt
        ):  # the turns are those of a base, or begin so
            atomic_write(folder / TURNS, self.template.turns.save)
        atomic_write(folder / "voices.json", lambda part: part.write_text(json.dumps(self.voices) + "\n"))
        self.audio_codec.save(folder / "audio_codec")
        self.image_codec.save(folder / "image_codec")

    def encode(
        self,
        messages: Sequence[Message],
        *,
        begin_reply: bool = False,
        before: str = START,
        is_whole: bool = True,
        rng: np.random.Generator | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Messages -> ids (L,), loss_mask (L,); see tokens/template.py."""
        return self.template.encode(
            messages, begin_reply=begin_reply, before=before, is_whole=is_whole, rng=rng
        )

    def max_letters(self, num_ids: int) -> int:
        """The number of letters that surely exceeds `num_ids` ids when passed. A cheap first check: encoding
        a very long text only to count its ids costs time and memory.
        """
        return num_ids * self.text.longest

    def check_letters(self, messages: Sequence[Message], num_ids: int) -> None:
        """UserError where a conversation could never fit into the `num_ids` that a network holds."""
        written = (
            part for message in messages for part in message.parts if isinstance(part, Text | Call | Thought)
        )
        if sum(len(part.text) for part in written) > self.max_letters(num_ids):
            raise TooLongError(f"the conversation is too long: the network holds {num_ids} ids; shorten it")

    def words_of(self, thought: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """The ids of a thought -> the ids of each word that will be spoken after it."""
        return self.script(self.text.decode(list(thought)).rpartition(SAID)[2])

    def script(self, text: str) -> tuple[tuple[int, ...], ...]:
        """Text that will be spoken -> the ids of each word, letter by letter, as the network was trained to
        read them before it speaks them.
        """
        return tuple(tuple(self.text.spell(word)) for word in words(text))

    def part(self, given: object) -> Part:
        """Words, sound, a picture or a clip -> a part of a message; UserError for anything else."""
        if isinstance(given, str):
            return Text(given)
        if isinstance(given, Sound):
            return self.audio_part(given.pcm, given.sample_rate)
        if isinstance(given, Footage):
            sound = given.sound
            return self.video_part(given.frames, *((sound.pcm, sound.sample_rate) if sound else ()))
        if isinstance(given, Pictures.Image):
            return self.image_part(given)
        raise UserError(
            f"expected text, or what unisono.sound, unisono.picture or unisono.clip reads, got "
            f"{type(given).__name__}"
        )

    def audio_part(self, pcm: NDArray[np.float32], sample_rate: int) -> Audio:
        """(N,) or (N, channels) pcm at any sample rate -> a part with its (F,) codes."""
        pcm = to_mono(pcm, sample_rate, self.audio_codec.sample_rate)
        return Audio(self.audio_codec.encode(torch.from_numpy(pcm)[None])[0].numpy())

    def image_part(self, picture: Pictures.Image) -> Image:
        """A picture of any size -> its codes, fitted into the codec's square on white; see `trimmed`."""
        return Image(self.picture_codes(trimmed([picture]))[0])

    def video_part(
        self,
        frames: Sequence[Pictures.Image],
        pcm: NDArray[np.float32] | None = None,
        sample_rate: int = 16000,
    ) -> Video:
        """Pictures at two a second, and the pcm of the clip -> a part with the codes of both, for each half
        second. Sound after the last picture's half second is left out. UserError for no picture or too many.
        """
        frames = list(frames)
        if not frames:
            raise UserError("expected a clip of at least one picture")
        if len(frames) > NUM_TIMES:
            raise UserError(
                f"a clip may last {NUM_TIMES * TIME_STEP_S:.0f} s at two pictures a second, got "
                f"{len(frames)} pictures; cut it"
            )
        codes = self.picture_codes(trimmed(frames))
        if pcm is None or not len(pcm):
            return Video(codes)
        check_rate(sample_rate)
        sound = self.audio_part(
            pcm[: round((len(frames) * TIME_STEP_S + BEYOND_S) * sample_rate)], sample_rate
        ).codes
        return Video(codes, self.by_picture(sound, len(frames)))

    def by_picture(self, codes: Codes, num_pictures: int) -> list[Codes]:
        """Sound of a clip -> what is heard during each of its pictures, as far as it goes. Of 25 codes a
        second, every other half second has one more."""
        ends = [math.ceil(n * TIME_STEP_S * self.audio_codec.frame_rate) for n in range(num_pictures + 1)]
        return [piece for piece in (codes[start:end] for start, end in zip(ends, ends[1:])) if len(piece)]

    def picture_codes(self, pictures: Sequence[Pictures.Image]) -> list[Codes]:
        """Pictures of any size -> the (I,) codes of each, all in one batch."""
        size = self.image_codec.image_size
        pixels = np.stack([np.asarray(fit(picture, size), np.float32) / 255 for picture in pictures])
        codes = self.image_codec.encode(torch.from_numpy(pixels).permute(0, 3, 1, 2))
        return list(codes.flatten(1).numpy())

    def to_picture(self, codes: Codes) -> Pictures.Image:
        """Codes of one picture -> the picture; a picture in the making is filled up with its last code's
        colour.
        """
        side = self.image_codec.grid_size
        full = np.full(side * side, codes[-1] if len(codes) else 0, np.int64)
        full[: len(codes)] = codes
        pixels = (
            self.image_codec.decode(torch.from_numpy(full).view(1, side, side))[0].permute(1, 2, 0).numpy()
        )
        return Pictures.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))

    def stream(self) -> "Decoder":
        """A fresh incremental decoder of one reply."""
        return Decoder(self)

    def decode(self, ids: Sequence[int]) -> list[Part]:
        """The ids of one reply -> its parts. What broke off inside is marked as not finished."""
        decoder, parts = self.stream(), list[Part]()
        for event in [event for id in ids for event in decoder.push(int(id))] + list(decoder.flush()):
            _collect(parts, event)
        texts = {number: part.text for number, part in enumerate(parts) if isinstance(part, Text)}
        if texts:
            first, last = min(texts), max(texts)
            texts[first] = texts[first].lstrip(" ")
            texts[last] = texts[last].rstrip(" ")
            parts[first], parts[last] = Text(texts[first]), Text(texts[last])
        return parts


def _voices(folder: Path) -> list[str]:
    """Names of voices beside a network; none where the file is missing, as with networks that were never
    taught to speak.
    """
    try:
        found = json.loads((folder / "voices.json").read_text())
    except FileNotFoundError:
        return []
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise UserError(f"{folder / 'voices.json'} is damaged: expected a list of names") from None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise UserError(f"{folder / 'voices.json'} is damaged: expected a list of names")
    return found


class Decoder:
    """Ids of a reply one by one -> events. Ids that have no meaning where they stand are passed over."""

    def __init__(self, tokenizer: OmniTokenizer) -> None:
        self.vocab = tokenizer.vocab
        self.text: TextStream = tokenizer.text.stream()
        self.picture_size = tokenizer.image_codec.grid_size**2
        self.mode = "text"
        self.picture: list[int] = []

    def push(self, id: int) -> Iterator[Event]:
        """Yields what this id makes certain."""
        modality = self.vocab.modality(id)
        if modality == "special":
            yield from self._special(self.vocab.name(id))
        elif modality == "text" and self.mode in WRITTEN:
            yield from self._said(self.text.push(id))
        elif modality == "audio" and self.mode == "audio":
            yield AudioDelta(self.vocab.to_codes("audio", [id]))
        elif modality == "image" and self.mode == "image" and len(self.picture) < self.picture_size:
            self.picture.append(int(self.vocab.to_codes("image", [id])[0]))
            yield ImageDelta(np.array(self.picture))

    def flush(self) -> Iterator[Event]:
        """What is still held back when ids stop coming."""
        yield from self._said(self.text.flush())

    def _said(self, text: str) -> Iterator[Event]:
        if text:
            yield WRITTEN[self.mode](text)

    def _special(self, name: str) -> Iterator[Event]:
        yield from self.flush()
        if name in ("<|begin_audio|>", "<|begin_image|>", "<|begin_call|>", "<|begin_thought|>"):
            self.mode, self.picture = name[8:-2], []
        elif name == f"<|end_{self.mode}|>":
            if self.mode == "audio":
                yield AudioDelta(np.zeros(0, np.int64), last=True)
            elif self.mode in ("call", "thought"):
                yield WRITTEN[self.mode]("", last=True)
            elif len(self.picture) == self.picture_size:
                yield ImageDelta(np.array(self.picture, np.int64), last=True)
            self.mode = "text"
        elif name == "<|end|>":
            yield TurnEnd()


def _collect(parts: list[Part], event: Event) -> None:
    """Adds an event to the parts of a reply."""
    open_part = parts[-1] if parts else None
    if isinstance(event, TextDelta):
        if isinstance(open_part, Text):
            parts[-1] = Text(open_part.text + event.text)
        else:
            parts.append(Text(event.text))
    elif isinstance(event, CallDelta | ThoughtDelta):
        kind = Call if isinstance(event, CallDelta) else Thought
        if isinstance(open_part, kind) and not open_part.finished:
            parts[-1] = kind(open_part.text + event.text, finished=event.last)
        else:
            parts.append(kind(event.text, finished=event.last))
    elif isinstance(event, AudioDelta):
        if isinstance(open_part, Audio) and not open_part.finished:
            parts[-1] = Audio(np.concatenate([open_part.codes, event.codes]), finished=event.last)
        elif len(event.codes):
            parts.append(Audio(event.codes, finished=False))
    elif isinstance(event, ImageDelta):
        if isinstance(open_part, Image) and not open_part.finished:
            parts[-1] = Image(event.codes, finished=event.last)
        else:
            parts.append(Image(event.codes, finished=event.last))
