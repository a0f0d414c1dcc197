"""What all endpoints share: messages in, a stream of words, sound and pictures out, all of it from the one
network.

Shapes: N samples. pcm is float32 mono in [-1, 1] at 16 kHz here; other rates and formats are serve/pcm.py's.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pictures

from unisono.engine.grammar import Grammar, Rules
from unisono.engine.load import load_network
from unisono.engine.sample import SAMPLING, Sampler, probabilities
from unisono.engine.session import Session
from unisono.media import Footage, Sound
from unisono.model.hf import read_config
from unisono.moderation.moderator import Moderator
from unisono.moderation.states import States
from unisono.serve.reply.scheduler import Generation, Scheduler
from unisono.serve.wire.errors import ApiError
from unisono.tokenizer import AudioDelta, CallDelta, ImageDelta, TextDelta
from unisono.tokens.message import Message, Part, Text

Result = TypeVar("Result")
Input = str | Sound | Footage | Pictures.Image
MODEL = "unisono"
# Names that unmodified clients have as defaults; each is answered by the one network.
ALIASES = (
    "unisono-nano",
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-4.1",
    "gpt-5.6-luna",
    "gpt-4o-audio-preview",
    "gpt-audio",
    "gpt-realtime",
    "gpt-realtime-2.1",
    "gpt-4o-realtime-preview",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-transcribe",
    "gpt-live-transcribe",
    "gpt-realtime-whisper",
    "whisper-1",
    "tts-1",
    "tts-1-hd",
    "gpt-4o-mini-tts",
    "gpt-image-1",
    "gpt-image-2.5-flare",
    "dall-e-2",
    "dall-e-3",
    "text-embedding-3-small",
    "text-embedding-3-large",
    "text-embedding-ada-002",
    "omni-moderation-latest",
    "omni-moderation-2024-09-26",
    "text-moderation-latest",
    "text-moderation-stable",
)
PRESETS = (
    "alloy",
    "ash",
    "ballad",
    "coral",
    "echo",
    "fable",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
    "marin",
    "cedar",
)
FIRST_CODES, MAX_CODES = (
    4,
    25,
)  # decoded at once: 80 ms of sound so that a voice begins soon, then whatever is there up to 0.5 s


@dataclass(frozen=True)
class Words:
    """More text. `tokens`: (id, logprob, [(id, logprob), ...]) of each text id since the last event, where
    asked for.
    """

    text: str
    tokens: tuple[tuple[int, float, tuple[tuple[int, float], ...]], ...] = ()


@dataclass(frozen=True)
class Speech:
    """More of the voice; `last`: what was written before is spoken, though some of its sound may still
    come.
    """

    pcm: NDArray[np.float32]
    last: bool = False


@dataclass(frozen=True)
class Drawing:
    """The picture so far."""

    picture: Pictures.Image
    last: bool


@dataclass(frozen=True)
class Trace:
    """An id as it was chosen: what the page's strip shows. Kinds: text, thought, audio, image, mark."""

    id: int
    kind: str
    probability: float
    name: str

    @property
    def row(self) -> list[Any]:
        """As it is sent."""
        return [self.id, self.kind, round(self.probability, 4), self.name]


@dataclass(frozen=True)
class Calling:
    """More of a call's JSON; `last`: it is whole."""

    text: str
    last: bool = False


Event = Words | Speech | Drawing | Calling | Trace


@dataclass(kw_only=True)
class ReplySpec:
    """How a reply is to be made."""

    outputs: frozenset[str] = frozenset({"text"})
    voice: str = "alloy"
    sampler: Sampler | None = None
    max_ids: int | None = None
    grammar: Grammar | None = None  # in place of the usual one
    top_logprobs: int | None = None  # None: no logprobs
    trace: bool = False  # tell every id
    sketches: int | None = None  # pictures shown while one is being drawn; None: after every code


@dataclass
class Usage:
    """Ids by modality."""

    prompt: dict[str, int] = field(default_factory=lambda: {"text": 0, "audio": 0, "image": 0})
    cached: int = 0
    reply: dict[str, int] = field(default_factory=lambda: {"text": 0, "audio": 0, "image": 0})
    reasoning: int = 0  # of the reply's text, what nobody is shown


class Turn:
    """A reply in the making: iterate it for events; then `finish_reason` (stop, length, interrupted),
    `usage`, `ids`.
    """

    def __init__(
        self,
        service: "Service",
        session: Session,
        generation: Generation,
        spec: ReplySpec,
        cached: int,
        owns: bool,
    ) -> None:
        self.service, self.session, self.generation, self.spec, self.owns = (
            service,
            session,
            generation,
            spec,
            owns,
        )
        self.start = generation.reply.start  # ids before the reply
        self.usage = Usage(service.count(session.ids[: self.start]), cached)
        self.ids: list[int] = []
        self.first_audio = 0.0  # when the first code of sound came, by perf_counter

    @property
    def finish_reason(self) -> str | None:
        return self.generation.reply.finish_reason

    async def __aiter__(self) -> AsyncIterator[Event]:
        service, text, tokens = self.service, "", []
        events, sound = service.tokenizer.stream(), _Sound(service, self.generation)
        try:
            async for id, logits in self.generation:
                self.ids.append(id)
                modality = service.modality(id)
                self.usage.reply[modality] += 1
                is_thought = events.mode == "thought"
                self.usage.reasoning += is_thought
                if modality == "audio" and not self.first_audio:
                    self.first_audio = time.perf_counter()
                if (
                    self.spec.top_logprobs is not None
                    and logits is not None
                    and modality == "text"
                    and not is_thought
                    and id < service.tokenizer.vocab.text_size
                ):
                    tokens.append(_logprobs(logits, id, self.spec.top_logprobs or 0))
                if self.spec.trace and logits is not None:
                    yield service.trace(id, logits, is_thought)
                for event in events.push(id):
                    if isinstance(event, TextDelta):
                        text += event.text
                        continue
                    if text:
                        yield Words(text, tuple(tokens))
                        text, tokens = "", []
                    if isinstance(event, CallDelta):
                        async for speech in sound.flush():  # what was said before the call is told before it
                            yield speech
                        yield Calling(event.text, event.last)
                        tokens = []
                    elif isinstance(event, AudioDelta):
                        async for speech in sound.push(event):
                            yield speech
                    elif isinstance(event, ImageDelta) and (event.last or self._is_shown(len(event.codes))):
                        yield Drawing(
                            await service.codec(service.tokenizer.to_picture, event.codes), event.last
                        )
                if text and self.generation.queue.empty():  # words that came together are told together
                    yield Words(text, tuple(tokens))
                    text, tokens = "", []
            if text:
                yield Words(text, tuple(tokens))
            async for speech in sound.flush():
                yield speech
        finally:
            await asyncio.shield(self.end())

    def _is_shown(self, num_codes: int) -> bool:
        """Whether the drawing is worth decoding now: each costs as much as the finished one."""
        size, sketches = self.service.tokenizer.image_codec.grid_size**2, self.spec.sketches
        return (
            sketches is None
            or (num_codes - 1) * (sketches + 1) // size < num_codes * (sketches + 1) // size < sketches + 1
        )

    async def end(self) -> None:
        """Stops what still runs. Gives the conversation back if it is nobody's."""
        await self.generation.stop()
        if self.owns:
            self.owns = False
            await self.service.scheduler.release(self.session)


class _Sound:
    """The sound of one reply: decodes the codes that are there, many at a time where they come faster than
    they can be decoded.
    """

    def __init__(self, service: "Service", generation: Generation) -> None:
        self.service, self.generation = service, generation
        self.stream = service.tokenizer.audio_codec.decoder_stream()
        self.codes: list[NDArray[np.int64]] = []
        self.is_first = True

    async def push(self, event: AudioDelta) -> AsyncIterator[Speech]:
        """Takes a code, or the end of a stretch."""
        if event.last:
            yield Speech(np.zeros(0, np.float32), last=True)
            return
        self.codes.append(event.codes)
        count = len(self.codes)
        if count >= MAX_CODES or count >= FIRST_CODES and (self.is_first or self.generation.queue.empty()):
            yield await self._decoded()

    async def flush(self) -> AsyncIterator[Speech]:
        """What is left."""
        if self.codes:
            yield await self._decoded()

    async def _decoded(self) -> Speech:
        codes, self.codes, self.is_first = np.concatenate(self.codes), [], False
        return Speech(await self.service.codec(_decode, self.stream, codes))


class Service:
    """A loaded network and the two threads that compute: the engine's and the codecs'."""

    def __init__(self, folder: str | Path, *, engine: str = "auto", precision: str = "int8") -> None:
        self.folder = Path(folder)
        self.tokenizer, loaded = load_network(self.folder, engine=engine, precision=precision)
        self.scheduler = Scheduler(loaded)
        self.trained_length = int(
            read_config(self.folder).get("trained_length") or self.scheduler.engine.max_length
        )
        self.max_letters = self.tokenizer.max_letters(loaded.max_length)
        self.vocab, self.created = self.tokenizer.vocab, int(time.time())
        self.codecs = ThreadPoolExecutor(1, "codecs", initializer=torch.set_num_threads, initargs=(1,))
        self.sample_rate = self.tokenizer.audio_codec.sample_rate
        self._modalities = np.array(
            [
                name if (name := self.vocab.modality(id)) in ("audio", "image") else "text"
                for id in range(self.vocab.size)
            ]
        )

    @cached_property
    def states(self) -> States:
        """The network's hidden states; loaded when first asked for, on the codecs' thread."""
        return States(self.folder)

    @cached_property
    def moderator(self) -> Moderator:
        """The classifier of harm, loaded like `states`; UserError where the network has none."""
        return Moderator.load(self.folder)

    def start(self) -> None:
        """Starts computing. The engine's thread must get the interpreter back soon after each step, not 5 ms
        later.
        """
        sys.setswitchinterval(2e-3)
        self.scheduler.start()

    def close(self) -> None:
        """Ends the threads."""
        self.scheduler.close()
        self.codecs.shutdown(cancel_futures=True)

    def modality(self, id: int) -> str:
        """text, audio or image; marks count as text."""
        return str(self._modalities[id])

    def count(self, ids: Sequence[int]) -> dict[str, int]:
        """Ids by modality."""
        names, counts = np.unique(self._modalities[np.asarray(ids, np.int64)], return_counts=True)
        return {"text": 0, "audio": 0, "image": 0, **dict(zip(names.tolist(), counts.tolist()))}

    async def codec(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Runs something of the codecs on their thread."""
        return await asyncio.get_running_loop().run_in_executor(self.codecs, function, *arguments)

    async def code(self, part: Input) -> Part:
        """Words, sound, a picture or a clip -> a part of a message."""
        if isinstance(part, str):
            return Text(part)
        if isinstance(part, Sound):
            return await self.codec(self.tokenizer.audio_part, part.pcm, part.sample_rate)
        if isinstance(part, Footage):
            sound = (part.sound.pcm, part.sound.sample_rate) if part.sound else ()
            return await self.codec(self.tokenizer.video_part, part.frames, *sound)
        return await self.codec(self.tokenizer.image_part, part)

    def trace(self, id: int, logits: NDArray[np.float32], is_thought: bool = False) -> Trace:
        """What there is to tell of an id."""
        kind = self.modality(id)
        is_word = id < self.vocab.text_size
        name = self.tokenizer.text.piece(id).decode("utf8", "replace") if is_word else self.vocab.name(id)
        kind = kind if kind != "text" else "mark" if not is_word else "thought" if is_thought else "text"
        return Trace(id, kind, float(probabilities(logits)[id]), name)

    def check_model(self, name: object) -> str:
        """The name of a model that exists here, as it was given."""
        if not isinstance(name, str) or name not in (MODEL, *ALIASES):
            raise ApiError(
                f"The model {name!r} does not exist; GET /v1/models lists those that do.",
                404,
                "model",
                "model_not_found",
            )
        return name

    def voice(self, name: object) -> str:
        """A voice of the network for a name of its own or of OpenAI's presets, given as a string or {"id":
        ...}.
        """
        if isinstance(name, dict):
            name = name.get("id")
        own = self.tokenizer.voices or ["heart"]
        if name in own:
            return str(name)
        if name in PRESETS:
            return own[PRESETS.index(name) % len(own)]
        raise ApiError(
            f"There is no voice {name!r}; choose from {', '.join((*own, *PRESETS))}.", 400, "voice"
        )

    def usual_grammar(self, outputs: frozenset[str]) -> Grammar:
        """What a reply made of `outputs` may contain."""
        return Grammar(
            self.vocab,
            Rules.usual(
                outputs,
                self.tokenizer.image_codec.grid_size**2,
                self.tokenizer.audio_codec.frame_rate,
                words_of=self.tokenizer.words_of,
            ),
        )

    def prompt(self, messages: Sequence[Message], spec: ReplySpec) -> list[int]:
        """The ids of a conversation up to where the reply begins. UserError where it could never fit."""
        self.tokenizer.check_letters(messages, self.scheduler.engine.max_length)
        if "audio" in spec.outputs:
            voice = f"voice: {self.voice(spec.voice)}"
            first = messages[0] if messages and messages[0].role == "system" else None
            said = f"{voice}\n{first.text}" if first and first.text else voice
            messages = [Message("system", [Text(said)]), *messages[1 if first else 0 :]]
        ids, _ = self.tokenizer.encode(messages, begin_reply=True)
        return ids.tolist()

    async def reply(self, messages: Sequence[Message], spec: ReplySpec) -> Turn:
        """Begins a reply to a conversation. Who is cancelled meanwhile, because the client left, leaves no
        conversation behind.
        """
        session, cached = await self.scheduler.open(self.prompt(messages, spec))
        return await self.reply_in(session, spec, cached, owns=True)

    async def reply_in(self, session: Session, spec: ReplySpec, cached: int = 0, owns: bool = False) -> Turn:
        """Begins a reply in a conversation that ends with <|assistant|>."""
        grammar = spec.grammar or self.usual_grammar(spec.outputs)
        try:
            generation = await self.scheduler.generate(
                session,
                grammar,
                spec.sampler or Sampler(SAMPLING),
                spec.max_ids,
                spec.trace or spec.top_logprobs is not None,
            )
        except BaseException:
            if owns:
                await self.scheduler.release(session)
            raise
        return Turn(self, session, generation, spec, cached, owns)


def _decode(stream: Any, codes: NDArray[np.int64]) -> NDArray[np.float32]:
    return stream.push(torch.from_numpy(codes)).numpy()


def _logprobs(
    logits: NDArray[np.float32], id: int, count: int
) -> tuple[int, float, tuple[tuple[int, float], ...]]:
    """Natural logarithms of the probability of the id and of the `count` likeliest."""
    logs = np.log(np.maximum(probabilities(logits), 1e-45))
    best = np.argsort(-logs, kind="stable")[:count]
    return id, float(logs[id]), tuple((int(other), float(logs[other])) for other in best)


def service_of(request: Any) -> Service:
    """The service of a request or a socket."""
    found: Service = request.app.state.server.service
    return found
