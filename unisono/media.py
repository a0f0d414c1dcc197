"""Files of sound, pictures and clips -> arrays, and back. Whatever is wrong with a file is said in one
sentence.

Shapes: N samples. pcm is float32 in [-1, 1].
"""

import contextlib
import io
import logging
import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image as Pictures, ImageOps

from unisono.core.errors import UserError
from unisono.core.home import atomic_write

logging.getLogger("PIL").addHandler(logging.NullHandler())  # its complaints come back as ours
MAX_SECONDS = 60.0  # of sound or clip that is read; more would not fit a conversation
MAX_PIXELS = 100_000_000
MAX_SAMPLES = 60_000_000  # of one channel, whatever its rate: ten minutes at 96 kHz
BLOCK = 65536  # samples read at once
MAX_BYTES = 500_000_000  # of a file
MAX_BOXES = 10_000  # of a file that are counted
SPARE_BYTES = 64  # at a file's end that may be missing: some writers count wrongly
PICTURE_SIZE = (2048, 2048)  # pictures are kept no larger: a file of kilobytes may hold gigabytes of pixels
CLIP_SIZE = (512, 512)  # pictures of a clip are kept no larger
PICTURES_PER_SECOND = 2
# of sound past the last picture's half second: coders fill up their last block, 128 ms at 16 kHz in AAC
SPARE_S = 0.15
AUDIO_ENDINGS = {".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac"}
VIDEO_ENDINGS = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".gif", ".m4v"}
READ_AS = {"sound": "WAV, FLAC, MP3, Ogg, Opus, M4A or WebM", "clip": "MP4, MKV, MOV, WebM, AVI or GIF"}
PICTURE_FORMATS = (
    "PNG",
    "JPEG",
    "WEBP",
    "GIF",
    "BMP",
    "TIFF",
)  # Pillow runs other programs for some of the rest
PICTURE_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


@dataclass(frozen=True)
class Sound:
    """(N,) or (N, channels) samples at `sample_rate`."""

    pcm: NDArray[np.float32]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.pcm) / self.sample_rate


@dataclass(frozen=True)
class Footage:
    """Pictures at two a second and the sound of a clip, if it has any."""

    frames: list[Pictures.Image]
    sound: Sound | None


def _bytes(source: str | Path | bytes, what: str) -> tuple[bytes, str]:
    """-> content, name for messages."""
    if isinstance(source, bytes):
        return source, f"the {what}"
    if not isinstance(source, str | os.PathLike) or not str(source):
        raise UserError(f"expected the path of a {what}, got {source!r}")
    path = os.path.expanduser(source)
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UserError(f"no file {path}; check the path") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; expected a file with {what}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path!r}: {_reason(error)}") from None
    if not content:
        raise UserError(f"{path} is empty; expected a {what}")
    if len(content) > MAX_BYTES:
        raise UserError(f"{path} is larger than {MAX_BYTES // 10**6} MB; cut it into pieces")
    return content, path


def read_picture(source: str | Path | bytes) -> Pictures.Image:
    """A PNG, JPEG, WebP, GIF, BMP or TIFF file or its content -> the picture, turned as its camera says, no
    larger than PICTURE_SIZE.
    """
    content, name = _bytes(source, "picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, on sizes and oddities that are judged here
            picture = Pictures.open(io.BytesIO(content), formats=PICTURE_FORMATS)
            if picture.width * picture.height > MAX_PIXELS:
                raise UserError(
                    f"{name} has {picture.width} x {picture.height} pixels; expected at most "
                    f"{MAX_PIXELS // 10**6} million"
                )
            picture.draft("RGB", (1024, 1024))  # JPEG: decode no more than is looked at
            picture.load()
            picture.thumbnail(PICTURE_SIZE)
            with contextlib.suppress(Exception):  # damaged notes of the camera do not spoil the picture
                ImageOps.exif_transpose(picture, in_place=True)
    except UserError:
        raise
    except Exception as error:  # Pillow raises many kinds, some of them bare, for damaged files
        raise UserError(
            f"{name} is not a picture that can be read ({_reason(error)}); "
            "expected PNG, JPEG, WebP, GIF, BMP or TIFF"
        ) from None
    return picture


def _refuse_cut(content: bytes, name: str) -> None:
    """UserError for WAV, MP4 and M4A of which the end is missing by their own account. Writers into pipes
    announce far too much, which means nothing.
    """
    is_wav = content[:4] == b"RIFF" and content[8:12] == b"WAVE"
    if not is_wav and content[4:8] != b"ftyp":
        return
    place, end = 12 if is_wav else 0, 0
    for _ in range(MAX_BOXES):
        if place + 8 > len(content):
            break
        size = (
            8 + (int.from_bytes(content[place + 4 : place + 8], "little") + 1) // 2 * 2
            if is_wav
            else _box_size(content, place)
        )
        place, end = place + max(size, 8), place + size
    if SPARE_BYTES < end - len(content) and end < MAX_BYTES:
        raise UserError(
            f"{name} is cut off after {len(content):,} bytes; expected at least {end:,}: copy or send "
            f"all of it"
        )


def _box_size(content: bytes, place: int) -> int:
    """Of an MP4's part: 0 stands for all that follows, 1 for a long number behind the name."""
    size = int.from_bytes(content[place : place + 4], "big")
    return (
        int.from_bytes(content[place + 8 : place + 16], "big") if size == 1 else size or len(content) - place
    )


def read_sound(source: str | Path | bytes, max_seconds: float = MAX_SECONDS) -> Sound:
    """A WAV, FLAC, MP3, Ogg, Opus, M4A or WebM file or its content -> the mean of its channels, at its own
    rate.
    """
    content, name = _bytes(source, "sound")
    _refuse_cut(content, name)
    sound = (
        _plain(content, max_seconds)
        or _decode(content, name, "sound", max_seconds, want_pictures=False).sound
    )
    if sound is None or not len(sound.pcm):
        raise UserError(f"{name} holds no sound; expected at least a moment in {READ_AS['sound']}")
    if sound.seconds > max_seconds:
        raise _too_long(name, max_seconds)
    return sound


def _too_long(name: str, max_seconds: float) -> UserError:
    return UserError(f"{name} lasts more than {max_seconds:.0f} s; cut it into pieces")


def _plain(content: bytes, max_seconds: float) -> Sound | None:
    """WAV, FLAC and Ogg, read no further than a second past what is allowed, whatever the header promises."""
    if not content.startswith((b"RIFF", b"fLaC", b"OggS")):
        return None
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            wanted = min(int((max_seconds + 1) * file.samplerate), MAX_SAMPLES)
            mixed, num_read = [np.zeros(0, np.float32)], 0
            # Mixed before the next is read. Not file.blocks(), which fills up with whatever lay in memory
            # where a file ends early.
            while num_read < wanted and len(
                block := file.read(min(BLOCK, wanted - num_read), dtype="float32", always_2d=True)
            ):
                mixed.append(block.mean(axis=1))
                num_read += len(block)
            pcm = np.concatenate(mixed)
            return Sound(pcm, file.samplerate) if len(pcm) else None
    except (RuntimeError, MemoryError):
        return None


def read_footage(source: str | Path | bytes) -> Footage:
    """An MP4, MKV, MOV, WebM, AVI or GIF file or its content -> pictures and sound."""
    content, name = _bytes(source, "clip")
    _refuse_cut(content, name)
    return _in_view(_decode(content, name, "clip", want_pictures=True), name)


def read_clip(source: str | Path | bytes) -> Footage | Sound:
    """The same, or only the sound where there are no pictures: a WebM that a browser recorded may be
    either.
    """
    content, name = _bytes(source, "clip")
    _refuse_cut(content, name)
    found = _decode(content, name, "clip", want_pictures=True)
    return found.sound if found.sound and not found.frames else _in_view(found, name)


def _in_view(footage: Footage, name: str) -> Footage:
    """Footage whose last picture stays while sound goes on, for sound is kept only beside a picture;
    UserError where there is none.
    """
    if not footage.frames:
        raise UserError(f"{name} holds no pictures; expected a clip such as MP4, MKV, MOV, WebM or GIF")
    if footage.sound:
        missing = math.ceil((footage.sound.seconds - SPARE_S) * PICTURES_PER_SECOND) - len(footage.frames)
        footage.frames.extend([footage.frames[-1]] * missing)
    return footage


def _decode(
    content: bytes, name: str, what: str, max_seconds: float = MAX_SECONDS, *, want_pictures: bool
) -> Footage:
    """Reads a container until `max_seconds`; a file damaged in its middle gives what came before."""
    frames: list[Pictures.Image] = []
    samples: list[NDArray[np.float32]] = []
    rate, num_samples, broken = 0, 0, ""
    try:
        with av.open(io.BytesIO(content)) as container:
            known = [stream for stream in container.streams if stream.codec_context]
            streams = [
                *[s for s in known if s.type == "video" and want_pictures][:1],
                *[s for s in known if s.type == "audio"][:1],
            ]
            if not streams:
                raise UserError(f"{name} holds no {what}; expected {READ_AS[what]}")
            for stream in streams:
                stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            start = (container.start_time or 0) / av.time_base
            for frame in container.decode(*streams):
                seconds = max(0.0, float(start if frame.time is None else frame.time) - start)
                if seconds >= max_seconds or num_samples > min(
                    (max_seconds + 1) * rate, MAX_SAMPLES
                ):  # whatever time the file tells
                    raise _too_long(name, max_seconds)
                if isinstance(frame, av.VideoFrame):
                    _take(frames, frame, seconds)
                else:
                    rate = frame.sample_rate
                    samples.append(_floats(frame))
                    num_samples += frame.samples
    except UserError:
        raise
    except (av.FFmpegError, ValueError, OverflowError, MemoryError) as error:
        broken = _reason(error)
    if broken and not frames and not samples:
        raise UserError(f"{name} is not a {what} that can be read ({broken}); expected {READ_AS[what]}")
    return Footage(frames, Sound(np.concatenate(samples), rate) if samples else None)


def _take(frames: list[Pictures.Image], frame: av.VideoFrame, seconds: float) -> None:
    """Adds a picture if it is time for one; a slow clip shows the last one again until then."""
    due = seconds * PICTURES_PER_SECOND + 1e-6
    while frames and due >= len(frames) + 1:
        frames.append(frames[-1])
    if due >= len(frames):
        picture = frame.to_image()
        picture.thumbnail(CLIP_SIZE)
        frames.append(_upright(picture, frame))


def _upright(picture: Pictures.Image, frame: av.VideoFrame) -> Pictures.Image:
    """Turned and mirrored as the camera says, to the nearest quarter: phones film lying on their side. It
    says x' = ax + cy, y' = bx + dy.
    """
    said = frame.side_data.get("DISPLAYMATRIX")
    if said is None or len(said := bytes(said)) != 36:
        return picture
    a, b, _, c, d = np.frombuffer(said, np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture, a, d = picture.transpose(Pictures.Transpose.TRANSPOSE), c, b
    if a < 0:
        picture = picture.transpose(Pictures.Transpose.FLIP_LEFT_RIGHT)
    return picture.transpose(Pictures.Transpose.FLIP_TOP_BOTTOM) if d < 0 else picture


def _floats(frame: av.AudioFrame) -> NDArray[np.float32]:
    """An audio frame of any format -> (N,) mono in [-1, 1]."""
    values = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    if values.dtype.kind == "i":
        values = values / float(np.iinfo(values.dtype).max)
    elif values.dtype.kind == "u":
        values = (values.astype(np.float32) - 128) / 128
    return values.astype(np.float32).mean(axis=0)


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error).split("\n")[0].split(" <")[0]
    return text if 0 < len(text) < 120 else type(error).__name__


def write_sound(path: str | Path, pcm: NDArray[np.float32], sample_rate: int) -> None:
    """Writes (N,) pcm as WAV, FLAC, Ogg or MP3, by the ending of `path`."""
    try:
        kind = Path(path).suffix[1:].upper()
        atomic_write(path, lambda part: soundfile.write(str(part), pcm, sample_rate, format=kind))
    except (soundfile.LibsndfileError, TypeError, ValueError, OSError) as error:
        raise UserError(
            f"could not write {path} ({_reason(error)}); expected a writable place and an ending such as .wav"
        ) from None


def kind_of(path: str | Path) -> str:
    """audio, video or image, by the ending of a path; UserError for any other ending."""
    ending = Path(path).suffix.lower()
    for kind, endings in (("image", PICTURE_ENDINGS), ("audio", AUDIO_ENDINGS), ("video", VIDEO_ENDINGS)):
        if ending in endings:
            return kind
    raise UserError(
        f"{path}: cannot tell from {ending or 'a name without ending'} what it is; "
        "say so with --image, --audio or --video, in the chat with /image, /audio or /video"
    )
