"""The ear of a realtime session: what arrives is kept, followed by turn detection, encoded and handed to the
network while it is being said.

Shapes: N samples at VAD_RATE, counted since the first one that was ever appended; F codes.
"""

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from unisono.serve.realtime.incoming import Incoming
from unisono.serve.realtime.items import item_id
from unisono.serve.realtime.tape import Tape
from unisono.serve.realtime.turn_detection import FRAME, VAD_RATE, Turns
from unisono.serve.reply.service import Service
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.resample import PromptResampler

# Samples kept before and after speech; the network learned sentences with 60 ms of silence at both ends.
LEAD, TAIL = 1600, 960
SILENCE = 1e-3  # root mean square: what is quieter at both ends of a manual turn is not heard by the network
LAZY = 3 * FRAME  # samples encoded at once while somebody speaks; in quiet moments every frame is
MIN_MS = 100  # of a buffer that can be committed
MAX_S = 300  # of a manual turn
KEPT_S = 60  # of one that grew longer
MARGIN = VAD_RATE  # samples kept of what was no speech, besides the padding
DEFAULT_PADDING_MS = 300


class SpeechEncoder:
    """The codec's encoder of one turn."""

    def __init__(self, codec: Any) -> None:
        self.stream = codec.encoder_stream()
        self.resample = PromptResampler(VAD_RATE, codec.sample_rate)

    def push(self, pcm: NDArray[np.float32], last: bool = False) -> list[int]:
        """(N,) more -> the codes that became certain; with `last` all that are still owed."""
        codes: list[int] = self.stream.push(torch.from_numpy(self.resample.push(pcm, last))).tolist()
        return [*codes, *self.stream.flush().tolist()] if last else codes


@dataclass
class SpeechSegment:
    """A turn of the person while it lasts."""

    start: int  # sample from which the network hears it
    encoder: SpeechEncoder
    item_id: str = field(default_factory=item_id)
    encoded: int = 0  # sample up to which it is encoded
    codes: list[int] = field(default_factory=list)
    loud_until: int = 0  # sample of its last sound, in manual turns

    def __post_init__(self) -> None:
        self.encoded = self.start


class Listener(Protocol):
    """Who is told what the ear hears."""

    service: Service

    async def heard_start(self, segment: SpeechSegment, start_ms: int) -> None:
        """Somebody began to speak."""

    async def heard_codes(self, segment: SpeechSegment, new: list[int], asks: bool) -> float:
        """More of it -> how probable the end of the turn is, where asked."""

    async def heard_end(self, segment: SpeechSegment, end_ms: int, spoken_at: float) -> None:
        """Somebody has finished; their last sound was at `spoken_at`, by perf_counter."""


class Ear:
    """Listens to one stream."""

    def __init__(self, listener: Listener) -> None:
        self.listener, self.service = listener, listener.service
        self.codec = self.service.tokenizer.audio_codec
        self.tape = Tape()
        self.segment: SpeechSegment | None = None
        self.turns: Turns | None = None
        self.settings: dict[str, Any] | None = None
        self.incoming: Incoming | None = None
        self.own_rate: int | None = None  # of a call's track, whatever the format says
        self.framed = self.begin = 0  # what was watched; where the present buffer begins
        self.arrived = time.perf_counter()

    # ---- what it is told ----

    def configure(self, audio: dict[str, Any], rate: int | None = None) -> None:
        """Takes audio.input of the session; `rate`: of what arrives, where that is not the format's."""
        self.own_rate = rate or self.own_rate
        if self.incoming is None or audio["format"] != self.incoming.format or rate:
            self.incoming = Incoming(audio["format"], self.own_rate)
        settings = audio["turn_detection"]
        if settings is None:
            self.turns = None
        elif self.turns is None or self.settings is None or settings["type"] != self.settings["type"]:
            self.turns = Turns(settings, self.framed)
            self.segment = None
        else:
            self.turns.set(settings)
        self.settings = settings

    async def append(self, content: bytes) -> None:
        """Bytes of the wire's format, cut anywhere."""
        assert self.incoming
        await self._follow(self.incoming.read(content))

    async def push(self, pcm: NDArray[np.float32], rate: int) -> None:
        """(N,) at `rate`: a piece of a call's track."""
        assert self.incoming
        if rate != self.incoming.rate:  # G.711 and G.722 come as they are
            self.own_rate, self.incoming = rate, Incoming(self.incoming.format, rate)
        await self._follow(self.incoming.push(pcm))

    def clear(self) -> None:
        """Empties the buffer; what is on its way into it goes too."""
        if self.incoming:
            self.incoming.clear()
        self._drop(self.tape.end)

    def new_segment(self) -> SpeechSegment:
        """A turn that begins where the buffer does."""
        return self._segment(self.begin)

    # ---- what it can be asked ----

    @property
    def is_hearing(self) -> bool:
        """Whether a turn of the person lasts."""
        return self.segment is not None

    @property
    def end_ms(self) -> int:
        """How much has arrived since the first sample."""
        return self.tape.end * 1000 // VAD_RATE

    @property
    def buffer_ms(self) -> int:
        """How much of it the present buffer holds."""
        return (self.tape.end - self.begin) * 1000 // VAD_RATE

    async def take(
        self, *, is_whole: bool, is_last: bool = False, segment: SpeechSegment | None = None
    ) -> tuple[SpeechSegment, NDArray[np.float32]]:
        """The buffer as a turn, cut to what is to be heard, and (N,) all of its sound.

        `is_whole`: everything that has arrived; otherwise what was watched so far, since more may have
        arrived with it. `is_last`: the client says that the buffer ends here, and with it what is still on
        its way. `segment`: the turn, where none has begun. ApiError where there is too little.
        """
        until = self._end_of_buffer(is_whole, is_last)
        segment = self.segment or segment or self.new_segment()
        end = min(self._end(segment, until), until)
        wanted = max(1, math.ceil((end - segment.start) * self.codec.frame_rate / VAD_RATE))
        if is_whole:
            pcm, segment.encoded = self.tape.cut(segment.encoded, until), until
            segment.codes += await self.service.codec(segment.encoder.push, pcm, True)
        del segment.codes[wanted:]
        is_speech = self.turns is not None and self.turns.is_speaking
        begin = max(self.begin, segment.start + LEAD - self._padding) if is_speech else self.begin
        pcm = self.tape.cut(begin, until)
        self._drop(until)
        return segment, pcm

    def _end_of_buffer(self, is_whole: bool, is_last: bool) -> int:
        until = self.tape.end if is_whole else self.framed
        held = self.incoming.held if self.incoming and is_last else 0
        length_ms = (until + held - self.begin) * 1000 / VAD_RATE
        if length_ms < MIN_MS:
            raise ApiError(
                f"The input audio buffer is too small: it holds {length_ms:.0f} ms, at least {MIN_MS} ms are "
                "needed.",
                400,
                None,
                "input_audio_buffer_commit_empty",
            )
        if self.incoming and is_last:
            self.tape.add(self.incoming.end())
            until = self.tape.end
        return until

    # ---- listening ----

    @property
    def _padding(self) -> int:
        """Samples before speech that belong to its item."""
        return (self.settings or {}).get("prefix_padding_ms", DEFAULT_PADDING_MS) * VAD_RATE // 1000

    def _moment(self, sample: int) -> float:
        """When a sample was spoken, on the clock of perf_counter, as far as one can know."""
        return self.arrived - (self.tape.end - sample) / VAD_RATE

    async def _follow(self, pcm: NDArray[np.float32]) -> None:
        """(N,) more of the stream; frame by frame, so that nothing depends on where it was cut."""
        self.arrived = time.perf_counter()
        self.tape.add(pcm)
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
            start = max(self.begin, turns.start - self._padding)
            await self.listener.heard_start(self.segment, start * 1000 // VAD_RATE)
        if turns.is_speaking and self.segment:
            await self._listen(self.segment, turns.is_quiet, turns.asks)
            # The listener may have taken the segment meanwhile.
            if self.segment and turns.is_over():
                ended, spoken_at = self.framed * 1000 // VAD_RATE, self._moment(turns.end)
                await self.listener.heard_end(self.segment, ended, spoken_at)
        elif not turns.is_speaking:
            self.begin = max(self.begin, self.framed - self._padding - MARGIN)
            self.tape.forget(self.begin)

    async def _collect(self, frame: NDArray[np.float32]) -> None:
        """A manual turn: from the first sound on."""
        if _is_loud(frame):
            self.segment = self.segment or self._segment(self.framed - FRAME - LEAD)
            self.segment.loud_until = self.framed
        if self.segment:
            await self._listen(self.segment, False, False)
        if self.framed - self.begin > MAX_S * VAD_RATE:
            self._shorten()

    def _shorten(self) -> None:
        """Nobody commits: some clients listen for hours, and commit what they need."""
        loud_until = self.segment.loud_until if self.segment else 0
        self._drop(self.framed - KEPT_S * VAD_RATE)
        if loud_until > self.begin:  # what is kept of the turn is heard again, from where it begins now
            self.segment = self.new_segment()
            self.segment.loud_until = loud_until

    def _segment(self, start: int) -> SpeechSegment:
        return SpeechSegment(max(start, self.begin, self.tape.origin), SpeechEncoder(self.codec))

    async def _listen(self, segment: SpeechSegment, is_now: bool, asks: bool) -> None:
        """Encodes what is there."""
        end = self.framed
        if end - segment.encoded < (FRAME if is_now else LAZY):
            return
        pcm, segment.encoded = self.tape.cut(segment.encoded, end), end
        new = await self.service.codec(segment.encoder.push, pcm)
        segment.codes += new
        if new:
            probability = await self.listener.heard_codes(segment, new, asks)
            if asks and self.turns:
                self.turns.expect(probability)

    def _end(self, segment: SpeechSegment, until: int) -> int:
        """Where the speech of a turn ends, and a little silence with it."""
        if self.turns and self.turns.is_speaking:
            return self.turns.end + TAIL
        left = self.tape.cut(max(self.framed, segment.start), until)
        return until if _is_loud(left) or not segment.loud_until else segment.loud_until + TAIL

    def _drop(self, until: int) -> None:
        """Empties the buffer up to a sample."""
        self.segment, self.begin = None, until
        self.tape.forget(self.begin)
        self.framed = max(self.framed, self.tape.origin)
        if self.turns:
            self.turns.stop()


def _is_loud(pcm: NDArray[np.float32]) -> bool:
    return len(pcm) > 0 and float(np.sqrt(np.square(pcm).mean())) > SILENCE
