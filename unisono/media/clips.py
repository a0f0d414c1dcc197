"""Clips -> pictures at two a second, and their sound."""

import math
from pathlib import Path

from unisono.core.errors import UserError
from unisono.media.content import Footage, Sound
from unisono.media.decoder import PICTURES_PER_SECOND, Decoder
from unisono.media.files import MAX_SECONDS, content_of
from unisono.media.members import members

# of sound past the last picture's half second: coders fill up their last block, 128 ms at 16 kHz in AAC
SPARE_S = 0.15


def read_footage(source: str | Path | bytes) -> Footage:
    """An MP4, MKV, MOV, WebM, AVI or GIF file or its content, or several joined -> pictures and sound.
    UserError where a part is missing or cannot be read.
    """
    content, name = content_of(source, "clip")
    return _in_view(_decoded(content, name), name)


def read_clip(source: str | Path | bytes) -> Footage | Sound:
    """The same, or only the sound where there are no pictures: a WebM that a browser recorded may be
    either.
    """
    content, name = content_of(source, "clip")
    found = _decoded(content, name)
    return found.sound if found.sound and not found.frames else _in_view(found, name)


def _decoded(content: bytes, name: str) -> Footage:
    decoder = Decoder(name, "clip", MAX_SECONDS)
    for member in members(content, name):
        decoder.read(member, want_pictures=True)
    return Footage(decoder.frames, decoder.sound())


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
