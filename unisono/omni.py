"""The network with its codecs and its engine, ready to talk to: parts in, parts out, all of them from the
network.

    import unisono
    omni = unisono.load()
    print(omni.reply("What is this?", unisono.picture("cat.png")).text)

Shapes: N samples. pcm is float32 mono in [-1, 1] at `Omni.sample_rate`.
"""

import os
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pictures

from unisono.codecs.audio import DecoderStream
from unisono.codecs.speech import SpeechDecoderStream
from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.engine.grammar import Grammar, Rules
from unisono.engine.load import load_network
from unisono.engine.sample import SAMPLING, Sampler
from unisono.engine.session import ReplyState as Making, Session
from unisono.media import Footage, Sound
from unisono.tokenizer import AudioDelta, ImageDelta, OmniTokenizer, TextDelta
from unisono.tokens.message import Codes, Message, Part, Text
from unisono.tokens.phrases import SAY
from unisono.tokens.turns import START

Input = str | Sound | Footage | Pictures.Image
OUTPUTS = ("text", "audio", "image")


@dataclass(frozen=True)
class SoundDelta:
    """More of the spoken reply."""

    pcm: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PictureDelta:
    """The drawing so far; `last`: it is finished."""

    codes: Codes
    last: bool
    decode: Callable[[Codes], Pictures.Image] = field(repr=False)

    @cached_property
    def picture(self) -> Pictures.Image:
        """Decoded only when it is asked for: decoding a part takes as long as decoding the whole."""
        return self.decode(self.codes)


@dataclass
class Reply:
    """A whole reply. Empty where the network gave nothing of a kind."""

    text: str = ""
    pcm: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    pictures: list[Pictures.Image] = field(default_factory=list)
    finish_reason: str = "stop"


class Omni:
    """A loaded network: `folder` holds it, by default the weights in the package.

    `engine` is auto, onnx, torch or the address of a remote engine; `precision` is of the onnx engine.
    Conversations share the network; one thread at a time may use it. UserError where the folder holds none.
    """

    def __init__(
        self, folder: str | Path | None = None, *, engine: str = "auto", precision: str = "int8"
    ) -> None:
        if not isinstance(folder, str | os.PathLike | None):
            raise UserError(f"expected the folder of a network, got {folder!r}")
        self.folder = Path(folder) if folder else default_weights()
        self.tokenizer, self.engine = load_network(self.folder, engine=engine, precision=precision)
        self.sample_rate = self.tokenizer.audio_codec.sample_rate
        self.forgotten: list[Session] = []  # of conversations that nobody closed

    def conversation(
        self,
        *,
        outputs: Iterable[str] = ("text",),
        voice: str = "",
        instructions: str = "",
        seed: int | None = None,
    ) -> "Conversation":
        """A new conversation.

        Replies are made of `outputs`: some of text, audio, image. `instructions` are the system message, the
        same `seed` gives the same replies. UserError for an unknown output or voice, and for a negative seed.
        """
        while self.forgotten:
            self.forgotten.pop().close()
        return Conversation(self, outputs=outputs, voice=voice, instructions=instructions, seed=seed)

    def reply(
        self, *parts: Input, outputs: Iterable[str] = ("text",), voice: str = "", seed: int | None = None
    ) -> Reply:
        """One question of words, sound, pictures and clips in a fresh conversation -> its whole reply."""
        with self.conversation(outputs=outputs, voice=voice, seed=seed) as conversation:
            return conversation.reply(*parts)

    def say(self, sentence: str, *, voice: str = "", seed: int | None = None) -> Reply:
        """Says the sentence word for word -> a reply whose `pcm` is (N,) float32 at `sample_rate`.

        The network was taught sentences of up to 90 letters. UserError for an empty sentence.
        """
        if not isinstance(sentence, str) or not sentence.strip():
            raise UserError(f"nothing to say; expected a sentence, got {sentence!r}")
        with self.conversation(outputs=("audio",), voice=voice, seed=seed) as conversation:
            return conversation.reply(SAY[0].format(sentence), script=sentence)

    def code(self, part: Input) -> Part:
        """Words, sound, a picture or a clip -> a part of a message."""
        return code(self.tokenizer, part)


class Conversation:
    """Turns of one conversation. Earlier turns stay in the engine's memory and are not computed again.

    Use it in a `with` block, or call `close`.
    """

    def __init__(
        self, omni: Omni, *, outputs: Iterable[str], voice: str, instructions: str, seed: int | None
    ) -> None:
        self.omni = omni
        self.outputs = outputs_of(outputs)
        if not isinstance(instructions, str):
            raise UserError(f"instructions are text, got {type(instructions).__name__}")
        if seed is not None and (not isinstance(seed, int | np.integer) or seed < 0):
            raise UserError(f"a seed is a whole number from 0 on, got {seed!r}")
        known = omni.tokenizer.speakers
        self.voice = voice or known[0]
        if "audio" in self.outputs and self.voice not in known:
            raise UserError(f"no voice {voice!r}; this network speaks as {', '.join(known)}")
        self.seed = seed
        self.finish_reason: str | None = None
        self.making: Making | None = None  # the latest reply, until `_end`
        self.session = Session(omni.engine)
        self.before = START  # whose message the last one is
        # Closed with the next conversation: now the engine may be at work, and in another thread.
        weakref.finalize(self, omni.forgotten.append, self.session)
        system = [f"voice: {omni.tokenizer.taught(self.voice)}"] if "audio" in self.outputs else []
        system += [instructions] if instructions else []
        try:
            if system:
                self._append(Message("system", [Text("\n".join(system))]))
        except UserError:
            self.session.close()
            raise

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Interrupts a running reply and frees the engine's memory; nothing can be added afterwards."""
        self._end()
        self.session.close()

    def _end(self) -> None:
        """Closes the latest reply in the history as far as it was made; the second call does nothing."""
        making, self.making = self.making, None
        if not making:
            return
        if not making.done:
            making.interrupt()
        elif making.finish_reason == "length":
            making.close()
        self.before, self.finish_reason = "assistant", making.finish_reason

    def _append(self, message: Message, begin_reply: bool = False) -> None:
        self.omni.tokenizer.check_letters([message], self.omni.engine.max_length)
        ids, _ = self.omni.tokenizer.encode(
            [message], begin_reply=begin_reply, before=self.before, is_whole=False
        )
        self.session.append(ids.tolist())
        self.before = message.role

    def reply(self, *parts: Input, script: str = "") -> Reply:
        """Sends one turn and waits for the whole reply. With a `script` the reply has exactly these words.

        UserError where the conversation is closed or too long, or a part is of another kind.
        """
        reply = Reply()
        sounds = []
        for event in self.stream(*parts, script=script):
            if isinstance(event, TextDelta):
                reply.text += event.text
            elif isinstance(event, SoundDelta):
                sounds.append(event.pcm)
            elif event.last:
                reply.pictures.append(event.picture)
        reply.text = reply.text.strip()
        reply.pcm = np.concatenate(sounds) if sounds else reply.pcm
        reply.finish_reason = self.finish_reason or reply.finish_reason
        return reply

    def stream(self, *parts: Input, script: str = "") -> Iterator[TextDelta | SoundDelta | PictureDelta]:
        """Sends one turn and yields the reply as it is made: text, (N,) sound, the picture so far.

        Closing the iterator interrupts the reply, and so does the next turn.
        """
        if not self.session.is_open:
            raise UserError("this conversation is closed; begin a new one")
        self._end()
        if all(isinstance(part, str) and not part.strip() for part in parts):
            raise UserError("nothing was said; expected words, sound, a picture or a clip")
        start, before = self.session.length, self.before
        try:
            self._append(Message("user", [self.omni.code(part) for part in parts]), begin_reply=True)
            making = self.making = self.session.begin(self._grammar(script), Sampler(SAMPLING, self.seed))
        except UserError:
            self.session.rewind(start)
            self.before = before
            raise
        events = self.omni.tokenizer.stream()
        sound = self.omni.tokenizer.decoder_stream(self.voice)
        try:
            for id in making:
                for event in events.push(id):
                    yield from self._event(event, sound)
        finally:
            if self.making is making:
                self._end()

    def _grammar(self, script: str) -> Grammar:
        tokenizer = self.omni.tokenizer
        frame_rate = tokenizer.audio_codec.frame_rate
        if script:
            return Grammar(tokenizer.vocab, Rules.spoken(tokenizer.script(script), frame_rate))
        size = tokenizer.image_codec.grid_size**2
        usual = Rules.usual(self.outputs, size, frame_rate, max_text_ids=300, words_of=tokenizer.words_of)
        return Grammar(tokenizer.vocab, usual)

    def _event(
        self, event: object, sound: DecoderStream | SpeechDecoderStream
    ) -> Iterator[TextDelta | SoundDelta | PictureDelta]:
        if isinstance(event, TextDelta):
            yield event
        elif isinstance(event, AudioDelta) and len(event.codes):
            yield SoundDelta(sound.push(torch.from_numpy(event.codes)).numpy())
        elif isinstance(event, ImageDelta):
            yield PictureDelta(event.codes, event.last, self.omni.tokenizer.to_picture)


def outputs_of(names: Iterable[str]) -> frozenset[str]:
    """What replies are made of; UserError for anything but some of OUTPUTS, one alone or several."""
    given = [names] if isinstance(names, str) else list(names) if isinstance(names, Iterable) else [names]
    if not given or not all(isinstance(name, str) and name in OUTPUTS for name in given):
        raise UserError(
            f"outputs are made of {', '.join(OUTPUTS)}; got {', '.join(map(str, given)) or 'none'}"
        )
    return frozenset(given)


def code(tokenizer: OmniTokenizer, part: Input) -> Part:
    """Words, sound, a picture or a clip -> a part of a message; UserError for anything else."""
    return tokenizer.part(part)
