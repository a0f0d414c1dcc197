"""Files of sound, pictures and clips -> arrays, and back.

All of a file's content comes back, or one sentence says what is wrong with it.
"""

from unisono.media.clips import read_clip, read_footage
from unisono.media.content import Footage, Sound
from unisono.media.decoder import CLIP_SIZE
from unisono.media.files import AUDIO_ENDINGS, MAX_SECONDS, PICTURE_ENDINGS, VIDEO_ENDINGS, kind_of
from unisono.media.pictures import read_picture
from unisono.media.sound import read_sound, write_sound

__all__ = [
    "AUDIO_ENDINGS",
    "CLIP_SIZE",
    "MAX_SECONDS",
    "PICTURE_ENDINGS",
    "VIDEO_ENDINGS",
    "Footage",
    "Sound",
    "kind_of",
    "read_clip",
    "read_footage",
    "read_picture",
    "read_sound",
    "write_sound",
]
