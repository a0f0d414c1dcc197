"""Sound on the wire: rates, formats, base64. Everything streams: what is pushed comes out as soon as its
format allows.

Shapes: N samples. pcm is float32 mono in [-1, 1].
"""

import io
from fractions import Fraction
from typing import Any, Protocol

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from unisono.core.errors import UserError

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
CONTENT_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
CONTAINERS = {
    "mp3": ("mp3", "libmp3lame"),
    "opus": ("ogg", "libopus"),
    "aac": ("adts", "aac"),
    "flac": ("flac", "flac"),
}
API_RATE = 24000
MULAW_BIAS = 0x84


class Encoder(Protocol):
    """pcm at API_RATE -> bytes of a format."""

    def push(self, pcm: NDArray[np.float32]) -> bytes:
        """What became ready, maybe nothing."""

    def flush(self) -> bytes:
        """The rest."""


class Resampler:
    """A stream from one rate to another; nothing to do where they are the same."""

    def __init__(self, rate_in: int, rate_out: int) -> None:
        self.inner = (
            None
            if rate_in == rate_out
            else soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality="MQ")
        )

    def push(self, pcm: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """-> the samples that became certain."""
        pcm = np.ascontiguousarray(pcm, np.float32)
        return pcm if self.inner is None else self.inner.resample_chunk(pcm, last=last)


class Stretcher:
    """A stream at another speed and the same pitch (FFmpeg's atempo); nothing to do at speed 1."""

    def __init__(self, rate: int, speed: float) -> None:
        self.rate, self.speed, self.num_in, self.num_out, self.graph = rate, speed, 0, 0, None
        if speed == 1:
            return
        self.graph = av.filter.Graph()
        steps = [
            self.graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=Fraction(1, rate))
        ]
        slow = [0.5] if speed < 0.5 else []  # one filter slows down by half at most
        steps += [self.graph.add("atempo", f"{step:.6f}") for step in (*slow, speed / 0.5 if slow else speed)]
        steps.append(self.graph.add("abuffersink"))
        self.graph.link_nodes(*steps).configure()

    def push(self, pcm: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """-> the samples that became certain."""
        if self.graph is None:
            return pcm
        self.num_in += len(pcm)
        if last:  # the filter keeps a part of its last window: let that be silence, and cut it off
            pcm = np.concatenate([pcm, np.zeros(self.rate, np.float32)])
        if len(pcm):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(pcm, np.float32)[None], format="flt", layout="mono"
            )
            frame.sample_rate, frame.time_base = self.rate, Fraction(1, self.rate)
            frame.pts = self.num_in - len(pcm) + self.rate * last
            self.graph.push(frame)
        made = self._made(self.graph, last)[
            : max(0, round(self.num_in / self.speed) - self.num_out) if last else None
        ]
        self.num_out += len(made)
        return made

    @staticmethod
    def _made(graph: Any, last: bool) -> NDArray[np.float32]:
        if last:
            graph.push(None)
        pieces = [np.zeros(0, np.float32)]
        while True:
            try:
                pieces.append(graph.pull().to_ndarray()[0])
            except (BlockingIOError, EOFError):
                return np.concatenate(pieces)


def to_s16(pcm: NDArray[np.float32]) -> bytes:
    """-> little-endian 16 bit."""
    return (np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes()


def from_s16(content: bytes) -> NDArray[np.float32]:
    """Little-endian 16 bit -> pcm; an odd byte at the end is left out."""
    samples = np.frombuffer(content[: len(content) // 2 * 2], "<i2")
    return (samples / np.float32(32768)).astype(np.float32)


def wav_header(num_bytes: int | None, rate: int = API_RATE) -> bytes:
    """Of 16 bit mono; None: of unknown length, as streamed."""
    size = 0xFFFFFFFF if num_bytes is None else num_bytes
    head = io.BytesIO()
    head.write(
        b"RIFF" + min(size + 36, 0xFFFFFFFF).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    )
    head.write((1).to_bytes(2, "little") + (1).to_bytes(2, "little") + rate.to_bytes(4, "little"))
    head.write((2 * rate).to_bytes(4, "little") + (2).to_bytes(2, "little") + (16).to_bytes(2, "little"))
    return head.getvalue() + b"data" + size.to_bytes(4, "little")


class Plain:
    """pcm, and wav whose length nobody knows yet."""

    def __init__(self, header: bytes = b"") -> None:
        self.header = header

    def push(self, pcm: NDArray[np.float32]) -> bytes:
        header, self.header = self.header, b""
        return header + to_s16(pcm)

    def flush(self) -> bytes:
        return self.push(np.zeros(0, np.float32))


class Packed:
    """mp3, opus, aac and flac by FFmpeg."""

    def __init__(self, format: str) -> None:
        container, codec = CONTAINERS[format]
        self.file, self.read = io.BytesIO(), 0
        options = {"page_duration": "20000"} if container == "ogg" else {}  # Ogg would hold back a second
        self.container = av.open(self.file, "w", format=container, options=options)
        rate = 48000 if format == "opus" else API_RATE
        self.stream: Any = self.container.add_stream(codec, rate=rate, layout="mono")
        self.resample = Resampler(API_RATE, rate)
        self.rate, self.num_samples = rate, 0

    def push(self, pcm: NDArray[np.float32], last: bool = False) -> bytes:
        pcm = np.clip(self.resample.push(pcm, last), -1, 1)
        if len(pcm):
            frame = av.AudioFrame.from_ndarray(
                (pcm * 32767).astype(np.int16)[None], format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = self.rate, self.num_samples
            self.num_samples += len(pcm)
            self.container.mux(self.stream.encode(frame))
        return self._news()

    def flush(self) -> bytes:
        content = self.push(np.zeros(0, np.float32), last=True)
        self.container.mux(self.stream.encode(None))
        self.container.close()
        return content + self._news()

    def _news(self) -> bytes:
        self.file.seek(self.read)  # and read to the end, which is where the next bytes are written
        content = self.file.read()
        self.read += len(content)
        return content


def encoder(format: str) -> Encoder:
    """The encoder of a format of the API."""
    if format in ("pcm", "pcm16"):
        return Plain()
    if format == "wav":
        return Plain(wav_header(None))
    if format not in CONTAINERS:
        raise UserError(f"no sound format {format!r}; choose from {', '.join(FORMATS)}")
    return Packed(format)


def encode_whole(pcm: NDArray[np.float32], rate: int, format: str) -> bytes:
    """(N,) at `rate` -> a file of the format; a WAV with its true length."""
    pcm = Resampler(rate, API_RATE).push(pcm, last=True)
    if format == "wav":
        return wav_header(2 * len(pcm)) + to_s16(pcm)
    made = encoder(format)
    content = made.push(pcm) + made.flush()
    # FFmpeg goes back to the head and writes the length there, without which readers of FLAC fail.
    return made.file.getvalue() if isinstance(made, Packed) and format == "flac" else content


# ---- G.711 (ITU-T), 8 kHz telephone sound ----


def _mulaw_table() -> NDArray[np.float32]:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    size = (((code & 0x0F) << 3) + MULAW_BIAS << ((code & 0x70) >> 4)) - MULAW_BIAS
    found: NDArray[np.float32] = np.where(code & 0x80, -size, size).astype(np.float32)
    return (found / 32768).astype(np.float32)


def _alaw_table() -> NDArray[np.float32]:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, size = (code & 0x70) >> 4, ((code & 0x0F) << 4) + 8
    size = np.where(exponent == 0, size, (size + 0x100) << np.maximum(exponent - 1, 0))
    return (np.where(code & 0x80, size, -size) / 32768).astype(np.float32)


TABLES = {"audio/pcmu": _mulaw_table(), "audio/pcma": _alaw_table()}


def from_g711(content: bytes, format: str) -> NDArray[np.float32]:
    """audio/pcmu or audio/pcma -> pcm at 8 kHz."""
    return TABLES[format][np.frombuffer(content, np.uint8)]


def to_g711(pcm: NDArray[np.float32], format: str) -> bytes:
    """pcm at 8 kHz -> the nearest of the 256 values of the law."""
    table = TABLES[format]
    order = np.argsort(table, kind="stable")
    values = table[order]
    right = np.clip(np.searchsorted(values, pcm), 1, 255)
    nearest = np.where(pcm - values[right - 1] <= values[right] - pcm, right - 1, right)
    return order[nearest].astype(np.uint8).tobytes()


def from_wire(content: bytes, format: dict[str, Any]) -> NDArray[np.float32]:
    """Bytes of a format -> (N,) at its own rate."""
    return from_s16(content) if format["type"] == "audio/pcm" else from_g711(content, format["type"])


def to_wire(pcm: NDArray[np.float32], format: dict[str, Any]) -> bytes:
    """(N,) at the format's rate -> bytes."""
    return to_s16(pcm) if format["type"] == "audio/pcm" else to_g711(pcm, format["type"])


def rate_of(format: dict[str, Any]) -> int:
    """Samples a second on the wire."""
    return 24000 if format["type"] == "audio/pcm" else 8000
