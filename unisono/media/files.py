"""What is asked of every file: where it lies, how large it may be, what its name says."""

import logging
import os
from pathlib import Path

from unisono.core.errors import UserError

logging.getLogger("PIL").addHandler(logging.NullHandler())  # its complaints come back as ours
MAX_SECONDS = 60.0  # of sound or clip that is read; more would not fit a conversation
MAX_PIXELS = 100_000_000
MAX_BYTES = 500_000_000  # of a file
AUDIO_ENDINGS = {".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac"}
VIDEO_ENDINGS = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".gif", ".m4v"}
PICTURE_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
READ_AS = {"sound": "WAV, FLAC, MP3, Ogg, Opus, M4A or WebM", "clip": "MP4, MKV, MOV, WebM, AVI or GIF"}


def content_of(source: str | Path | bytes, what: str) -> tuple[bytes, str]:
    """A path or content -> content, name for messages. UserError where nothing can be read."""
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
        raise UserError(f"cannot read {path!r}: {reason(error)}") from None
    if not content:
        raise UserError(f"{path} is empty; expected a {what}")
    if len(content) > MAX_BYTES:
        raise UserError(f"{path} is larger than {MAX_BYTES // 10**6} MB; cut it into pieces")
    return content, path


def too_long(name: str, max_seconds: float) -> UserError:
    """The error for more sound or pictures than are read."""
    return UserError(f"{name} lasts more than {max_seconds:.0f} s; cut it into pieces")


def reason(error: BaseException) -> str:
    """What a library says of a file, where it is short enough for a sentence."""
    text = getattr(error, "strerror", None) or str(error).split("\n")[0].split(" <")[0]
    return text if 0 < len(text) < 120 else type(error).__name__


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
