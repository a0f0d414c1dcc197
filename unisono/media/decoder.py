"""Containers -> pictures and sound, packet by packet: packets that do not decode are skipped and counted, and
what is missing at the end is compared with what the container tells.

Shapes: N samples, C channels. pcm is float32 in [-1, 1].
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import NDArray
from PIL import Image as Pictures

from unisono.core.errors import UserError
from unisono.core.pcm import Mixer, at_full_scale
from unisono.media.content import Sound
from unisono.media.files import MAX_PIXELS, READ_AS, reason, too_long
from unisono.media.members import Member

MAX_SAMPLES = 60_000_000  # of one channel, whatever its rate: ten minutes at 96 kHz
CLIP_SIZE = (512, 512)  # pictures of a clip are kept no larger
PICTURES_PER_SECOND = 2
MAX_LOST, SPARE_S = 0.1, 0.15  # of a file that may be missing; coders round up to blocks
MAX_FAULTS = 50  # of the demuxer, one after the other
FALL_BACK_S = 0.2  # pictures whose times jump back so far begin anew
REORDER_S = 1.0  # packets come in another order than their pictures
GAP_S = 0.06  # between packets: less is rounding
USUAL_FPS = 25.0
# Formats whose headers tell the length of their sound.
TELLS_LENGTH = {"mov", "aiff", "caf", "w64", "au", "wav", "avi"}
TELL_ALL = {"matroska,webm", "flv", "ivf", "asf", "avi"}  # the same, of the whole


@dataclass
class Track:
    """What has been seen of one stream of a container."""

    num_packets: int = 0
    num_lost: int = 0
    lost_s: float = 0.0  # of packets that did not decode, and of gaps between packets
    first_s: float | None = None
    end_s: float = 0.0
    size: int = 0  # bytes of all packets
    lost_size: int = 0  # bytes of packets that did not decode
    hole: int = 0  # bytes between packets

    @property
    def bytes_a_second(self) -> float:
        """So far."""
        return self.size / max(self.end_s - (self.first_s or 0.0), 0.01)

    def see(self, packet: av.Packet, is_gap_lost: bool, hole: int) -> None:
        """Takes the place of a packet in file and time; `hole`: bytes between it and the one before."""
        base = float(packet.time_base or 0)
        length = float(packet.duration or 0) * base
        if packet.pts is not None and base:
            start = packet.pts * base
            gap = start - self.end_s
            if self.first_s is None:
                self.first_s = start
            elif gap > GAP_S and (is_gap_lost or hole > gap * self.bytes_a_second / 2):
                self.lost_s += gap
            self.end_s = max(self.end_s, start + length) if gap > -REORDER_S else start + length
        if self.num_packets:
            self.hole += hole
        self.size += packet.size
        self.num_packets += 1

    def lose(self, packet: av.Packet) -> None:
        """Counts a packet that did not decode."""
        self.num_lost += 1
        self.lost_size += packet.size
        self.lost_s += float(packet.duration or 0) * float(packet.time_base or 0)


@dataclass
class Decoder:
    """The content of one file, or of several in their order."""

    name: str
    what: str  # sound or clip
    max_seconds: float
    frames: list[Pictures.Image] = field(default_factory=list)
    pieces: list[tuple[int, list[NDArray[np.float32]]]] = field(default_factory=list)  # (rate, [(N,), ...])
    seconds: float = 0.0  # of sound
    start_s: float = 0.0  # where the member that is being read begins
    mixer: Mixer = field(default_factory=Mixer)

    def sound(self) -> Sound | None:
        """All of it, at the rate of the first piece."""
        if not self.pieces:
            return None
        rate = self.pieces[0][0]
        joined = [(own, at_full_scale(np.concatenate(pcm), is_strict=True)) for own, pcm in self.pieces]
        whole = [pcm if own == rate or not len(pcm) else soxr.resample(pcm, own, rate) for own, pcm in joined]
        return Sound(np.concatenate(whole).astype(np.float32), rate)

    def add_sound(self, sound: Sound) -> None:
        """Sound that was read by other means; it begins where the last one ended."""
        self._push(sound.pcm, sound.sample_rate)
        self.start_s = self.seconds

    def read(self, member: Member, *, want_pictures: bool) -> None:
        """Decodes one file. UserError where nothing of it, or less than nine tenths, can be read."""
        seconds, num_frames, fault = self.seconds, len(self.frames), ""
        if self.start_s > seconds and self.pieces:  # sound that is shorter than its pictures: keep step
            rate = self.pieces[-1][0]
            self._push(np.zeros(round((self.start_s - seconds) * rate), np.float32), rate)
        before_s = self.seconds
        try:
            with av.open(io.BytesIO(member.content)) as container:
                fault = self._read(container, member, want_pictures, before_s)
        except (av.FFmpegError, ValueError, OverflowError, MemoryError) as error:
            if isinstance(error, UserError):
                raise
            fault = reason(error)
        if fault and len(self.frames) == num_frames and self.seconds == before_s:
            raise UserError(
                f"{self.name} is not a {self.what} that can be read ({fault}); expected {READ_AS[self.what]}"
            )
        self.start_s = max(self.seconds, len(self.frames) / PICTURES_PER_SECOND if self.frames else 0.0)

    def _read(self, container: Any, member: Member, want_pictures: bool, before_s: float) -> str:
        """-> the last fault that was met, if any."""
        streams, num_frames = self._streams(container, want_pictures), len(self.frames)
        tracks = {stream.index: Track() for stream in container.streams}
        fps = next((stream.average_rate for stream in container.streams.video), None)
        clock = _Clock((container.start_time or 0) / av.time_base, float(fps or USUAL_FPS))
        is_gap_lost = container.format.name != "matroska,webm"  # where silence may be left out
        fault, end_byte = "", 0
        for packet in _packets(container):
            if isinstance(packet, str):
                fault = packet
                continue
            track = tracks[packet.stream.index]
            if packet.size:
                at = end_byte if packet.pos is None or packet.pos < 0 else packet.pos
                track.see(packet, is_gap_lost, max(0, at - end_byte))
                end_byte = at + packet.size
            if packet.stream.index not in streams:
                continue
            try:
                for frame in packet.decode():
                    self._take(frame, clock)
            except (av.FFmpegError, OverflowError) as error:
                fault = reason(error)
                track.lose(packet)
        if len(self.frames) == num_frames and self.seconds == before_s:
            return fault
        heard = [tracks[index] for index, kind in streams.items() if kind == "audio"]
        for track in heard:
            self._check(track, _told_s(container, member), self.seconds - before_s, container.format.name)
        self._check_whole(container, tracks, streams)
        return fault

    def _streams(self, container: Any, want_pictures: bool) -> dict[int, str]:
        """The first stream of pictures and of sound: index -> type."""
        known = [stream for stream in container.streams if stream.codec_context]
        chosen = [
            *[stream for stream in known if stream.type == "video" and want_pictures][:1],
            *[stream for stream in known if stream.type == "audio"][:1],
        ]
        if not chosen:
            raise UserError(f"{self.name} holds no {self.what}; expected {READ_AS[self.what]}")
        for stream in chosen:
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        return {stream.index: stream.type for stream in chosen}

    def _take(self, frame: Any, clock: "_Clock") -> None:
        if isinstance(frame, av.VideoFrame):
            seconds = self.start_s + clock.seconds(frame)
            if seconds >= self.max_seconds:
                raise too_long(self.name, self.max_seconds)
            self._show(frame, seconds)
        else:
            self._push(self.mixer.push(_floats(frame)), frame.sample_rate)

    def _push(self, pcm: NDArray[np.float32], rate: int) -> None:
        if not self.pieces or self.pieces[-1][0] != rate:
            self.pieces.append((rate, []))
        self.pieces[-1][1].append(pcm)
        self.seconds += len(pcm) / rate
        if self.seconds > min(self.max_seconds + 1, MAX_SAMPLES / rate):  # whatever time the file tells
            raise too_long(self.name, self.max_seconds)

    def _show(self, frame: av.VideoFrame, seconds: float) -> None:
        """Adds a picture if it is time for one; a slow clip shows the last one again until then."""
        due = seconds * PICTURES_PER_SECOND + 1e-6
        while self.frames and due >= len(self.frames) + 1:
            self.frames.append(self.frames[-1])
        if due >= len(self.frames):
            picture = frame.to_image()
            picture.thumbnail(CLIP_SIZE)
            self.frames.append(_upright(picture, frame))

    def _check(self, track: Track, told_s: float | None, read_s: float, format: str) -> None:
        """UserError where more than a tenth of the sound is missing."""
        lost = [track.lost_s, (told_s or 0) - read_s]
        if track.num_packets:
            lost.append(read_s * track.num_lost / max(1, track.num_packets - track.num_lost))
        if 0 < track.lost_size < track.size:  # a damaged packet may hold many frames
            lost.append(read_s * track.lost_size / (track.size - track.lost_size))
        if format == "mp3" and track.size:
            lost.append(read_s * track.hole / track.size)
        whole_s = max(read_s + max(lost), told_s or 0)
        if max(lost) > max(MAX_LOST * whole_s, SPARE_S):
            raise self._damaged(f"{read_s:.1f} of its {whole_s:.1f} s of sound")

    def _check_whole(self, container: Any, tracks: dict[int, Track], streams: dict[int, str]) -> None:
        """UserError where more than a tenth of the pictures does not decode, or the file ends too early."""
        for track in (tracks[index] for index, kind in streams.items() if kind == "video"):
            if track.num_lost > MAX_LOST * track.num_packets:
                raise self._damaged(
                    f"{track.num_packets - track.num_lost} of its {track.num_packets} pictures"
                )
        if container.format.name in TELL_ALL and container.duration:
            told_s = container.duration / av.time_base
            ends = [track.end_s for track in tracks.values() if track.num_packets]
            if told_s - max(ends, default=0.0) > max(MAX_LOST * told_s, SPARE_S):
                raise self._damaged(f"{max(ends, default=0.0):.1f} of its {told_s:.1f} s")

    def _damaged(self, part: str) -> UserError:
        return UserError(
            f"{self.name} is cut off or damaged: only {part} can be read; send all of it once more"
        )


@dataclass
class _Clock:
    """The time of pictures since the beginning, where it is told and where not."""

    start_s: float
    fps: float
    count: int = 0
    last_s: float = 0.0
    offset_s: float = 0.0

    def seconds(self, frame: av.VideoFrame) -> float:
        found = self.start_s + self.count / self.fps if frame.time is None else float(frame.time)
        found = max(0.0, found - self.start_s) + self.offset_s
        if found < self.last_s - FALL_BACK_S:  # another recording behind the first, as in MPEG streams
            self.offset_s += self.last_s + 1 / self.fps - found
            found = self.last_s + 1 / self.fps
        self.count, self.last_s = self.count + 1, max(self.last_s, found)
        return found


def _packets(container: Any) -> Iterator[Any]:
    """The packets of all streams; a fault of the demuxer as its sentence, after which it is asked again."""
    faults = 0
    while faults < MAX_FAULTS:
        try:
            for packet in container.demux():
                faults = 0
                yield packet
            return
        except av.EOFError:
            return
        except av.FFmpegError as error:
            faults += 1
            yield reason(error)


def _told_s(container: Any, member: Member) -> float | None:
    """How long the sound is by the file's own account."""
    if member.told_s is not None:
        return member.told_s
    sounds = [stream for stream in container.streams if stream.type == "audio"]
    if not TELLS_LENGTH & set(container.format.name.split(",")) or not sounds or not sounds[0].duration:
        return None
    return float(sounds[0].duration * sounds[0].time_base)


def _upright(picture: Pictures.Image, frame: av.VideoFrame) -> Pictures.Image:
    """Turned and mirrored as the camera says, to the nearest quarter: phones film lying on their side. It
    says x' = ax + cy, y' = bx + dy.
    """
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None or len(said := bytes(matrix)) != 36:
        return picture
    a, b, _, c, d = np.frombuffer(said, np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture, a, d = picture.transpose(Pictures.Transpose.TRANSPOSE), c, b
    if a < 0:
        picture = picture.transpose(Pictures.Transpose.FLIP_LEFT_RIGHT)
    return picture.transpose(Pictures.Transpose.FLIP_TOP_BOTTOM) if d < 0 else picture


def _floats(frame: av.AudioFrame) -> NDArray[np.float32]:
    """An audio frame of any format -> (N, C) in [-1, 1]."""
    values: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    if values.dtype.kind == "i":
        values = values / float(np.iinfo(values.dtype).max)
    elif values.dtype.kind == "u":
        values = (values.astype(np.float32) - 128) / 128
    return values.astype(np.float32).T
