"""What messages are made of: content parts in the spellings of both APIs, and those of other servers -> parts
for the network.
"""

import mimetypes
from collections.abc import Awaitable, Callable
from typing import Any

from PIL import Image as Pictures

from unisono.core.errors import UserError
from unisono.media import CLIP_SIZE, Footage, Sound
from unisono.serve.reply.service import Service
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.file_store import content_of_file
from unisono.serve.wire.media_in import clip_from, clip_of, content_of, from_base64, picture_from, sound_of
from unisono.tokens.message import Part, Text

Given = dict[str, Any]
MAX_MEDIA = 64  # of one request; each has to be coded
MAX_FRAMES = 64  # of a clip that comes as pictures


class PartReader:
    """Reads the parts of one request. `media` counts what has to be coded."""

    def __init__(self, request: Any, service: Service) -> None:
        self.request, self.service, self.num_media, self.num_letters = request, service, 0, 0
        self.max_letters = service.max_letters  # of all texts together
        self.readers: dict[str, Callable[[Given, str], Awaitable[Any]]] = {
            "image_url": self._picture,
            "input_image": self._picture,
            "image": self._picture,
            "input_audio": self._sound,
            "audio_url": self._sound_at,
            "video_url": self._clip,
            "input_video": self._clip,
            "video": self._clip,
            "file": self._file,
            "input_file": self._file,
        }

    async def content(self, content: object, param: str, *, with_media: bool) -> list[Part]:
        """A message's content: a string, or a list of parts."""
        if content is None:
            return []
        if isinstance(content, str):
            return [self.text(content, param)]
        if not isinstance(content, list):
            raise ApiError(f"{param} must be a string or a list of parts.", 400, param)
        return [await self.part(part, f"{param}.{number}", with_media) for number, part in enumerate(content)]

    async def part(self, given: object, param: str, with_media: bool) -> Part:
        """One part."""
        if isinstance(given, str):
            return self.text(given, param)
        if not isinstance(given, dict) or not isinstance(given.get("type"), str):
            raise ApiError(f"{param} must be an object with a type.", 400, param)
        kind = given["type"]
        if kind in ("text", "input_text", "output_text", "refusal"):
            return self.text(given.get("refusal" if kind == "refusal" else "text"), f"{param}.text")
        if kind not in self.readers:
            raise ApiError(
                (
                    f"{param}: there is no part of type {kind[:40]!r}; choose from text, "
                    f"{', '.join(self.readers)}."
                ),
                400,
                param,
            )
        if not with_media:
            raise ApiError(f"{param}: only users show and play things; this role takes text.", 400, param)
        self.count(param)
        return await self.coded(await self.readers[kind](given, param), param)

    def count(self, param: str) -> None:
        """Counts a picture, sound or clip; ApiError where there are too many."""
        self.num_media += 1
        if self.num_media > MAX_MEDIA:
            raise ApiError(f"At most {MAX_MEDIA} pictures, sounds and clips in a request.", 400, param)

    def text(self, text: object, param: str) -> Text:
        """Words; no more than could ever fit, since even counting them takes time."""
        if not isinstance(text, str):
            raise ApiError(f"{param} must be a string.", 400, param)
        self.num_letters += len(text)
        if self.num_letters > self.max_letters:
            raise ApiError(
                f"{param} is too long: the network holds {self.service.scheduler.engine.max_length} ids.",
                400,
                param,
                "context_length_exceeded",
            )
        return Text(text)

    async def coded(self, read: Any, param: str) -> Part:
        """What was read, as the network sees it."""
        if isinstance(read, str):
            return self.text(read, param)
        try:
            return await self.service.code(read)
        except (UserError, ValueError) as error:
            raise ApiError(f"{param}: {error}.", 400, param) from None

    async def _picture(self, given: Given, param: str) -> Pictures.Image:
        if given.get("file_id") is not None:
            return await picture_from(content_of_file(self.request, given["file_id"])[0], param)
        return await picture_from(await content_of(_url(given, param, "image_url", "image"), param), param)

    async def _sound(self, given: Given, param: str) -> Sound:
        sound = given.get("input_audio")
        if not isinstance(sound, dict):
            raise ApiError(
                f"{param}.input_audio must be an object with data and format.", 400, f"{param}.input_audio"
            )
        data = sound.get("data")
        if isinstance(data, str) and data[:5].lower() == "data:":
            return await sound_of(await content_of(data, param), param)
        return await sound_of(from_base64(data, f"{param}.input_audio.data"), f"{param}.input_audio.data")

    async def _sound_at(self, given: Given, param: str) -> Sound:
        return await sound_of(await content_of(_url(given, param, "audio_url"), param), param)

    async def _clip(self, given: Given, param: str) -> Footage | Sound:
        frames = given.get("video")
        if not isinstance(frames, list):
            return await clip_of(_url(given, param, "video_url", "video"), param)
        if not 1 <= len(frames) <= MAX_FRAMES:
            raise ApiError(f"{param}.video must hold 1 to {MAX_FRAMES} pictures.", 400, param)
        return Footage(
            [await picture_from(await content_of(frame, param), param, CLIP_SIZE) for frame in frames], None
        )

    async def _file(self, given: Given, param: str) -> Any:
        """A file whose content says what it is."""
        inner = given.get("file", given)
        if not isinstance(inner, dict):
            raise ApiError(f"{param}.file must be an object with file_data or file_id.", 400, param)
        name, data = inner.get("filename"), inner.get("file_data")
        if inner.get("file_id") is not None:
            content, name = content_of_file(self.request, inner["file_id"])
        elif data is None and inner.get("file_url") is not None:
            content = await content_of(inner["file_url"], param)
        elif isinstance(data, str) and data[:5].lower() == "data:":
            content, name = (
                await content_of(data, param),
                name or f"x{mimetypes.guess_extension(data[5:].partition(';')[0]) or ''}",
            )
        else:
            content = from_base64(data, f"{param}.file_data")
        return await self._read_file(content, str(name or ""), param)

    async def _read_file(self, content: bytes, name: str, param: str) -> Any:
        kind = (mimetypes.guess_type(name)[0] or "").partition("/")[0]
        if b"\0" not in content[:4096] and kind not in ("image", "audio", "video"):
            try:
                return content.decode("utf8")
            except UnicodeDecodeError:
                pass
        readers: dict[str, Callable[[bytes, str], Awaitable[Any]]] = {
            "image": picture_from,
            "video": clip_from,
            "audio": sound_of,
        }
        if kind in readers:  # what is wrong with it is said by its own reader
            return await readers[kind](content, param)
        for read in readers.values():
            try:
                return await read(content, param)
            except ApiError:
                pass
        raise ApiError(
            f"{param}: this file is no text, picture, sound or clip that can be read here.", 400, param
        )


def _url(given: Given, param: str, *names: str) -> object:
    """An address: a string, or {"url": ...}, under one of the names."""
    for name in names:
        found = given.get(name)
        if found is not None:
            return found.get("url") if isinstance(found, dict) else found
    raise ApiError(f"{param}.{names[0]} is missing.", 400, f"{param}.{names[0]}")
