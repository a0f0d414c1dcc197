"""The network's tokenizer and codecs on a thread of their own: media -> parts of messages, codes -> media.

Shapes: N samples. pcm is float32 mono in [-1, 1] at 16 kHz here; other rates and formats are wire/sound.py's.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pictures

from unisono.codecs.audio import DecoderStream
from unisono.codecs.speech import SpeechDecoderStream
from unisono.engine.sample import probabilities
from unisono.media import Footage, Sound
from unisono.serve.reply.events import Trace
from unisono.serve.reply.guards import Guards
from unisono.serve.reply.own_voices import OwnVoices
from unisono.serve.reply.pieces import Pieces
from unisono.serve.wire.errors import ApiError
from unisono.speakers.guard import Watch
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Part, Text

Result = TypeVar("Result")
Input = str | Sound | Footage | Pictures.Image


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


class Network:
    """The tokenizer of the network in `folder`, the thread on which its codecs compute, and the guards of
    what it says and draws.
    """

    def __init__(
        self, folder: Path, tokenizer: OmniTokenizer, guards: Guards, voices: Path | None = None
    ) -> None:
        """voices: folder of people's own voices, for a network that can have any."""
        self.guards = guards
        self.own_voices = OwnVoices(voices, folder, tokenizer) if voices else None
        self.folder, self.tokenizer, self.vocab = folder, tokenizer, tokenizer.vocab
        self.codecs = ThreadPoolExecutor(1, "codecs", initializer=torch.set_num_threads, initargs=(1,))
        self.sample_rate = tokenizer.audio_codec.sample_rate
        self._modalities = np.array(
            [
                name if (name := self.vocab.modality(id)) in ("audio", "image") else "text"
                for id in range(self.vocab.size)
            ]
        )

    def voice(self, name: object) -> str:
        """A voice of the network for a name of its own, for the id of somebody's own, or for one of OpenAI's
        presets, given as a string or {"id": ...}.
        """
        if isinstance(name, dict):
            name = name.get("id")
        own = self.tokenizer.speakers
        if name in own:
            return str(name)
        if self.own_voices and isinstance(name, str) and (theirs := self.own_voices.voice(name)):
            self.own_voices.style(theirs)  # an error now, not in the middle of a reply
            return name
        if name in PRESETS:
            return own[PRESETS.index(name) % len(own)]
        raise ApiError(
            f"There is no voice {name!r}; choose from {', '.join((*own, *PRESETS))}.", 400, "voice"
        )

    def decoder_stream(self, voice: str) -> DecoderStream | SpeechDecoderStream:
        """Codes of a reply that arrive in pieces -> its sound in a voice that `voice` gave."""
        own = self.own_voices.voice(voice) if self.own_voices else None
        if self.own_voices and own:
            return self.tokenizer.decoder_stream(self.own_voices.style(own))
        return self.tokenizer.decoder_stream(voice)

    def watch(self, voice: str) -> Watch | None:
        """Listens to one reply in a voice that `voice` gave; None where that guard is off."""
        own = self.own_voices.voice(voice) if self.own_voices else None
        if own is None:
            return self.guards.watch(voice, self.sample_rate)
        return Watch(np.array(own.embedding, np.float32), self.sample_rate) if self.guards.voice else None

    @cached_property
    def pieces(self) -> Pieces:
        """The text ids in the form in which grammars are compiled for them."""
        return Pieces(self.tokenizer)

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
        is_word = self.vocab.modality(id) == "text"
        name = self.tokenizer.text.piece(id).decode("utf8", "replace") if is_word else self.vocab.name(id)
        kind = kind if kind != "text" else "mark" if not is_word else "thought" if is_thought else "text"
        return Trace(id, kind, float(probabilities(logits)[id]), name)
