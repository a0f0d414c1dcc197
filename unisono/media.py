"""Files of sound, pictures and clips -> arrays, and back. Whatever is wrong with a file is said in one sentence.

Shapes: N samples. pcm is float32 in [-1, 1].
"""
import io
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image as Pictures

from unisono.core.errors import UserError

MOST_SECONDS = 60.0             # of sound or clip that is read; more would not fit a conversation
MOST_PIXELS = 100_000_000
PICTURES_PER_SECOND = 2
AUDIO_ENDINGS = {".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".webm"}
VIDEO_ENDINGS = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".gif", ".m4v"}
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
    path = Path(source).expanduser()
    if path.is_dir():
        raise UserError(f"{path} is a folder; expected a file with {what}")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"no file {path}; check the path") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    return content, str(path)


def read_picture(source: str | Path | bytes) -> Pictures.Image:
    """A PNG, JPEG, WebP, GIF, BMP or TIFF file or its content -> the picture, turned as its camera says."""
    content, name = _bytes(source, "picture")
    try:
        picture = Pictures.open(io.BytesIO(content))
        if picture.width * picture.height > MOST_PIXELS:
            raise UserError(f"{name} has {picture.width} x {picture.height} pixels; expected at most {MOST_PIXELS // 10**6} million")
        picture.draft("RGB", (1024, 1024))      # JPEG: decode no more than is looked at
        picture.load()
    except UserError:
        raise
    except Exception as error:    # Pillow raises many kinds, some of them bare, for damaged files
        raise UserError(f"{name} is not a picture that can be read ({_reason(error)}); "
                        "expected PNG, JPEG, WebP, GIF, BMP or TIFF") from None
    return picture


def read_sound(source: str | Path | bytes) -> Sound:
    """A WAV, FLAC, MP3, Ogg, Opus, M4A or WebM file or its content -> its first channel mix, at its own rate."""
    content, name = _bytes(source, "sound")
    try:
        pcm, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
        sound = Sound(pcm.mean(axis=1), rate)
    except (soundfile.LibsndfileError, RuntimeError):
        found = _decode(content, name, "sound", want_pictures=False).sound
        if found is None:
            raise UserError(f"{name} holds no sound; expected WAV, FLAC, MP3, Ogg, Opus, M4A or WebM") from None
        sound = found
    if not len(sound.pcm):
        raise UserError(f"{name} holds no samples; expected at least a moment of sound")
    if sound.seconds > MOST_SECONDS:
        raise UserError(f"{name} lasts {sound.seconds:.0f} s; expected at most {MOST_SECONDS:.0f} s. Cut it into pieces")
    return sound


def read_footage(source: str | Path | bytes) -> Footage:
    """An MP4, MKV, MOV, WebM, AVI or GIF file or its content -> pictures and sound."""
    content, name = _bytes(source, "clip")
    footage = _decode(content, name, "clip", want_pictures=True)
    if not footage.frames:
        raise UserError(f"{name} holds no pictures; expected a clip such as MP4, MKV, MOV, WebM or GIF")
    return footage


def _decode(content: bytes, name: str, what: str, *, want_pictures: bool) -> Footage:
    """Reads a container until MOST_SECONDS; a file damaged in its middle gives what came before."""
    frames: list[Pictures.Image] = []
    samples: list[NDArray[np.float32]] = []
    rate, broken = 0, ""
    try:
        with av.open(io.BytesIO(content)) as container:
            streams = ([container.streams.video[0]] if want_pictures and container.streams.video else []) + \
                      ([container.streams.audio[0]] if container.streams.audio else [])
            if not streams:
                raise UserError(f"{name} holds no {what}")
            for frame in container.decode(*streams):
                seconds = float(frame.time or 0)
                if seconds >= MOST_SECONDS:
                    raise UserError(f"{name} lasts more than {MOST_SECONDS:.0f} s; cut it into pieces")
                if isinstance(frame, av.VideoFrame):
                    if seconds * PICTURES_PER_SECOND >= len(frames) - 1e-6:
                        frames.append(frame.to_image())
                else:
                    rate = frame.sample_rate
                    samples.append(_floats(frame))
    except UserError:
        raise
    except (av.FFmpegError, ValueError, OverflowError, MemoryError) as error:
        broken = _reason(error)
    if broken and not frames and not samples:
        raise UserError(f"{name} is not a {what} that can be read ({broken})")
    return Footage(frames, Sound(np.concatenate(samples), rate) if samples else None)


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
    text = str(error).split("\n")[0] or type(error).__name__
    return text if len(text) < 120 else type(error).__name__


def write_sound(path: str | Path, pcm: NDArray[np.float32], sample_rate: int) -> None:
    """Writes (N,) pcm as WAV, FLAC, Ogg or MP3, by the ending of `path`."""
    try:
        soundfile.write(str(path), pcm, sample_rate)
    except (soundfile.LibsndfileError, TypeError, ValueError, OSError) as error:
        raise UserError(f"could not write {path} ({_reason(error)}); expected a writable place and an ending such as .wav") from None


def kind_of(path: str | Path) -> str:
    """audio, video or image, by the ending of a path; UserError for any other ending."""
    ending = Path(path).suffix.lower()
    for kind, endings in (("image", PICTURE_ENDINGS), ("audio", AUDIO_ENDINGS), ("video", VIDEO_ENDINGS)):
        if ending in endings:
            return kind
    raise UserError(f"{path}: cannot tell from {ending or 'a name without ending'} what it is; "
                    "say so with --image, --audio or --video")
