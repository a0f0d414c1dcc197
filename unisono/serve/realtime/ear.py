"""The ear of a realtime session: what arrives is kept, watched for turns, encoded and handed to the network
while it is being said.

Shapes: N samples at 16 kHz, counted since the first one that was ever appended; F codes.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from unisono.serve.realtime.items import CODEC_RATE, item_id
from unisono.serve.realtime.turn_detection import FRAME, Turns
from unisono.serve.reply.service import Service
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.resample import PromptResampler
from unisono.serve.wire.sound import rate_of

CODE = 320  # samples of one code
LEAD, TAIL = (
    1600,
    960,
)  # kept before and after speech; the network learned sentences with 60 ms of silence at both ends
SILENCE = 1e-3  # root mean square: what is quieter at both ends of a manual turn is not heard by the network
LAZY = 3 * FRAME  # samples encoded at once while somebody speaks; in quiet moments every frame is
MIN_MS = 100  # of a buffer that can be committed
MAX_S = 300  # of a turn
KEPT_S = 60  # of a manual one that grew longer
MARGIN = CODEC_RATE  # kept of what was no speech, besides the padding


class Tape:
    """The last part of a stream, by absolute sample."""

    def __init__(self) -> None:
        self.samples, self.origin, self.size = np.zeros(CODEC_RATE, np.float32), 0, 0

    @property
    def end(self) -> int:
        """Samples since the beginning."""
        return self.origin + self.size

    def add(self, pcm: NDArray[np.float32]) -> None:
        """(N,) more."""
        if self.size + len(pcm) > len(self.samples):
            grown = np.zeros(max(2 * len(self.samples), self.size + len(pcm)), np.float32)
            grown[: self.size] = self.samples[: self.size]
            self.samples = grown
        self.samples[self.size : self.size + len(pcm)] = pcm
        self.size += len(pcm)

    def cut(self, start: int, end: int) -> NDArray[np.float32]:
        """A copy of the samples from `start` to `end`, as far as they are kept."""
        return self.samples[max(0, start - self.origin) : max(0, min(end - self.origin, self.size))].copy()

    def forget(self, before: int) -> None:
        """Drops the samples before; copies only where that is worth it."""
        count = min(before - self.origin, self.size)
        if count > 4 * CODEC_RATE or count > 0 and count == self.size:
            self.samples = (
                self.samples[count : self.size].copy()
                if count < self.size
                else np.zeros(CODEC_RATE, np.float32)
            )
            self.origin, self.size = self.origin + count, self.size - count


@dataclass
class SpeechSegment:
    """A turn of the person while it lasts."""

    start: int  # of what the network hears
    encoder: Any
    item_id: str = field(default_factory=item_id)
    encoded: int = 0  # up to where
    codes: list[int] = field(default_factory=list)
    loud_until: int = 0
    is_held: bool = False  # by the context, all but the codes to come

    def __post_init__(self) -> None:
        self.encoded = self.start


class Listener(Protocol):
    """Who is told."""

    service: Service

    async def heard_start(self, segment: SpeechSegment, start: int) -> None:
        """Somebody began to speak."""

    async def heard_codes(self, segment: SpeechSegment, new: list[int], asks: bool) -> float:
        """More of it -> how probable the end of the turn is, where asked."""

    async def heard_end(self, segment: SpeechSegment) -> None:
        """Somebody has finished."""


class Ear:
    """Listens to one stream."""

    def __init__(self, listener: Listener) -> None:
        self.listener, self.service = listener, listener.service
        self.tape = Tape()
        self.segment: SpeechSegment | None = None
        self.turns: Turns | None = None
        self.settings: dict[str, Any] | None = None
        self.format: dict[str, Any] = {}
        self.fixed_rate: int | None = None
        self.framed = self.begin = 0  # what was watched; where the present buffer begins
        self.arrived = time.perf_counter()
        self.resample = PromptResampler(CODEC_RATE, CODEC_RATE)

    def configure(self, audio: dict[str, Any], rate: int | None = None) -> None:
        """Takes audio.input of the session; `rate`: of what arrives, where that is not the format's."""
        if audio["format"] != self.format or rate:
            self.fixed_rate = rate or self.fixed_rate
            self.format, self.resample = (
                audio["format"],
                PromptResampler(self.fixed_rate or rate_of(audio["format"]), CODEC_RATE),
            )
        settings = audio["turn_detection"]
        if settings is None:
            self.turns = None
        elif self.turns is None or self.settings is None or settings["type"] != self.settings["type"]:
            self.turns = Turns(settings, self.framed)
            self.segment = None
        else:
            self.turns.set(settings)
        self.settings = settings

    @property
    def padding(self) -> int:
        """Samples before speech that belong to its item."""
        return (self.settings or {}).get("prefix_padding_ms", 300) * CODEC_RATE // 1000

    def moment(self, sample: int) -> float:
        """When a sample was spoken, on the clock of perf_counter, as far as one can know."""
        return self.arrived - (self.tape.end - sample) / CODEC_RATE

    async def push(self, pcm: NDArray[np.float32]) -> None:
        """(N,) at the rate of the wire."""
        self.arrived = time.perf_counter()
        if self.turns is None and self.tape.end - self.begin > MAX_S * CODEC_RATE:
            self.drop(
                self.tape.end - KEPT_S * CODEC_RATE
            )  # nobody commits: some clients listen for hours and commit what they need
        self.tape.add(self.resample.push(pcm))
        while self.framed + FRAME <= self.tape.end:
            frame = self.tape.cut(self.framed, self.framed + FRAME)
            self.framed += FRAME
            if self.framed % (16 * FRAME) == 0:
                await asyncio.sleep(0)  # a minute may come at once; others are waiting too
            await (self._watch(self.turns, frame) if self.turns else self._collect(frame))

    async def _watch(self, turns: Turns, frame: NDArray[np.float32]) -> None:
        turns.position = self.framed - FRAME
        if turns.push(frame):
            self.segment = self._segment(turns.start - LEAD)
            await self.listener.heard_start(self.segment, max(self.begin, turns.start - self.padding))
        if turns.is_speaking and self.segment:
            await self._listen(self.segment, turns.is_quiet, turns.is_semantic and turns.is_quiet)
            # The listener may have taken the segment meanwhile.
            if self.segment and (turns.is_over() or self.tape.end - self.segment.start > MAX_S * CODEC_RATE):
                await self.listener.heard_end(self.segment)
        elif not turns.is_speaking:
            self.begin = max(self.begin, self.framed - self.padding - MARGIN)
            self.tape.forget(self.begin)

    async def _collect(self, frame: NDArray[np.float32]) -> None:
        """A manual turn: from the first sound on."""
        if float(np.sqrt(np.square(frame).mean())) > SILENCE:
            self.segment = self.segment or self._segment(self.framed - FRAME - LEAD)
            self.segment.loud_until = self.framed
        if self.segment:
            await self._listen(self.segment, False, False)

    def new_segment(self) -> SpeechSegment:
        """A turn that begins where the buffer does."""
        return self._segment(self.begin)

    def _segment(self, start: int) -> SpeechSegment:
        return SpeechSegment(
            max(start, self.begin, self.tape.origin), self.service.tokenizer.audio_codec.encoder_stream()
        )

    async def _listen(self, segment: SpeechSegment, is_now: bool, asks: bool) -> None:
        """Encodes what is there."""
        end = self.framed
        if end - segment.encoded < (FRAME if is_now else LAZY):
            return
        pcm, segment.encoded = self.tape.cut(segment.encoded, end), end
        new = await self.service.codec(_encode, segment.encoder, pcm)
        segment.codes += new
        if new:
            probability = await self.listener.heard_codes(segment, new, asks)
            if asks and self.turns:
                self.turns.expect(probability)

    async def take(self, *, is_whole: bool) -> tuple[SpeechSegment, NDArray[np.float32]]:
        """The buffer as a turn, cut to what is to be heard, and (N,) all of its sound.

        `is_whole`: everything that has arrived, as a client's commit means it; otherwise what was watched so
        far, since
        more may have arrived with it. ApiError where there is too little.
        """
        until = self.tape.end if is_whole else self.framed
        if (until - self.begin) * 1000 < MIN_MS * CODEC_RATE:
            raise ApiError(
                (
                    f"The input audio buffer is too small: it holds "
                    f"{(until - self.begin) * 1000 / CODEC_RATE:.0f} ms, at least {MIN_MS} ms are needed."
                ),
                400,
                None,
                "input_audio_buffer_commit_empty",
            )
        segment = self.segment or self.new_segment()
        end = min(self._end(segment, until), until)
        wanted = max(1, -(-(end - segment.start) // CODE))
        if is_whole:
            pcm, segment.encoded = self.tape.cut(segment.encoded, until), until
            segment.codes += await self.service.codec(_finish, segment.encoder, pcm)
        del segment.codes[wanted:]
        is_speech = self.turns is not None and self.turns.is_speaking
        pcm = self.tape.cut(
            max(self.begin, segment.start + LEAD - self.padding) if is_speech else self.begin, until
        )
        self.drop(until)
        return segment, pcm

    def _end(self, segment: SpeechSegment, until: int) -> int:
        """Where the speech of a turn ends, and a little silence with it."""
        if self.turns and self.turns.is_speaking:
            return self.turns.end + TAIL
        left = self.tape.cut(max(self.framed, segment.start), until)
        is_loud = len(left) > 0 and float(np.sqrt(np.square(left).mean())) > SILENCE
        return until if is_loud or not segment.loud_until else segment.loud_until + TAIL

    def drop(self, until: int | None = None) -> None:
        """Empties the buffer."""
        self.segment, self.begin = None, self.tape.end if until is None else until
        self.tape.forget(self.begin)
        self.framed = max(self.framed, self.tape.origin)
        if self.turns:
            self.turns.stop()


def _encode(encoder: Any, pcm: NDArray[np.float32]) -> list[int]:
    return encoder.push(torch.from_numpy(pcm)).tolist()


def _finish(encoder: Any, pcm: NDArray[np.float32]) -> list[int]:
    return [*_encode(encoder, pcm), *encoder.flush().tolist()]
