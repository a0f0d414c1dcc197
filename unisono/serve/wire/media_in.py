"""What a request carries as sound, picture or clip: data URLs, base64, remote addresses -> arrays. What may
be fetched, and how much of it, is decided in core/address.py.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from PIL import Image as Pictures

from unisono.core import address
from unisono.core.errors import UserError
from unisono.media import (
    CLIP_SIZE,
    MAX_SECONDS as MAX_SECONDS_OF_SOUND,
    Footage,
    Sound,
    read_clip,
    read_picture,
    read_sound,
)
from unisono.serve.wire.errors import ApiError

Result = TypeVar("Result")
MAX_PICTURES = 120  # of a clip that comes as pictures: a minute at two a second


def from_base64(text: object, param: str) -> bytes:
    """Base64, padded or not, url-safe or not, in lines or not -> bytes."""
    try:
        return address.from_base64(text, param)
    except UserError as error:
        raise ApiError(f"{error}.", 400, param) from None


async def content_of(url: object, param: str) -> bytes:
    """A data: or http(s): address -> what it holds."""
    try:
        return await address.content_of(url, param)
    except UserError as error:
        raise ApiError(f"{error}.", 400, param) from None


async def picture_of(url: object, param: str) -> Pictures.Image:
    """The picture at an address."""
    return await picture_from(await content_of(url, param), param)


async def picture_from(content: bytes, param: str, most: tuple[int, int] | None = None) -> Pictures.Image:
    """The picture in a file's content, made smaller where it is larger than `most`, as many in one request
    must be.
    """

    def read(content: bytes) -> Pictures.Image:
        picture = read_picture(content)
        if most:
            picture.thumbnail(most)
        return picture

    return await _read(read, content, param)


async def sound_of(content: bytes, param: str, max_seconds: float = MAX_SECONDS_OF_SOUND) -> Sound:
    """The sound in a file's content."""
    return await _read(partial(read_sound, max_seconds=max_seconds), content, param)


async def clip_of(url: object, param: str) -> Footage | Sound:
    """The clip at an address. data:video/jpeg;base64,A,B,C is vLLM's way to send pictures one by one."""
    if isinstance(url, str) and url[:16].lower().replace(" ", "").startswith("data:video/jpeg"):
        head, _, data = url.partition(",")
        pictures = data.split(",")
        if not head.lower().endswith(";base64") or not 1 <= len(pictures) <= MAX_PICTURES:
            raise ApiError(
                f"{param} must be data:video/jpeg;base64, and 1 to {MAX_PICTURES} pictures between commas.",
                400,
                param,
            )
        found = [await picture_from(from_base64(one, param), param, CLIP_SIZE) for one in pictures]
        return Footage(found, None)
    return await clip_from(await content_of(url, param), param)


async def clip_from(content: bytes, param: str) -> Footage | Sound:
    """The clip in a file's content, or the sound where it holds no pictures."""
    return await _read(read_clip, content, param)


async def _read(read: Callable[[bytes], Result], content: bytes, param: str) -> Result:
    """Decodes beside the event loop: a large file must not stop everybody else."""
    try:
        return await asyncio.to_thread(read, content)
    except UserError as error:
        raise ApiError(f"{param}: {error}.", 400, param) from None
