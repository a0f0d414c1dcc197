"""Files of sound -> samples, and back.

Shapes: N samples. pcm is float32 in [-1, 1].
"""

import io
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.core.pcm import Mixer
from unisono.media.content import Sound
from unisono.media.decoder import MAX_SAMPLES, Decoder
from unisono.media.files import MAX_SECONDS, READ_AS, content_of, reason, too_long
from unisono.media.members import members

BLOCK = 65536  # samples read at once


def read_sound(source: str | Path | bytes, max_seconds: float = MAX_SECONDS) -> Sound:
    """A WAV, FLAC, MP3, Ogg, Opus, M4A or WebM file or its content, or several of them joined -> one
    channel, at the (first) file's own rate. UserError where a part is missing or cannot be read.
    """
    content, name = content_of(source, "sound")
    decoder = Decoder(name, "sound", max_seconds)
    for member in members(content, name):
        if (plain := _wav(member.content, max_seconds)) is not None:
            decoder.add_sound(plain)
        else:
            decoder.read(member, want_pictures=False)
    sound = decoder.sound()
    if sound is None or not len(sound.pcm):
        raise UserError(f"{name} holds no sound; expected at least a moment in {READ_AS['sound']}")
    if sound.seconds > max_seconds:
        raise too_long(name, max_seconds)
    return sound


def _wav(content: bytes, max_seconds: float) -> Sound | None:
    """A WAV read no further than a second past what is allowed, whatever the header promises."""
    if not content.startswith((b"RIFF", b"RIFX")) or content[8:12] != b"WAVE":
        return None
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            wanted = min(int((max_seconds + 1) * file.samplerate), MAX_SAMPLES)
            mixer, mixed, num_read = Mixer(), [np.zeros(0, np.float32)], 0
            # Mixed before the next is read. Not file.blocks(), which fills up with whatever lay in memory
            # where a file ends early.
            while num_read < wanted and len(
                block := file.read(min(BLOCK, wanted - num_read), dtype="float32", always_2d=True)
            ):
                mixed.append(mixer.push(block))
                num_read += len(block)
            pcm = np.concatenate(mixed)
            return Sound(pcm, file.samplerate) if len(pcm) else None
    except (RuntimeError, MemoryError):
        return None


def write_sound(path: str | Path, pcm: NDArray[np.float32], sample_rate: int) -> None:
    """Writes (N,) pcm as WAV, FLAC, Ogg or MP3, by the ending of `path`."""
    try:
        kind = Path(path).suffix[1:].upper()
        atomic_write(path, lambda part: soundfile.write(str(part), pcm, sample_rate, format=kind))
    except (soundfile.LibsndfileError, TypeError, ValueError, OSError) as error:
        raise UserError(
            f"could not write {path} ({reason(error)}); expected a writable place and an ending such as .wav"
        ) from None
