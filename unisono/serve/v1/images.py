"""POST /v1/images/generations and /v1/images/edits: the network draws; the picture is enlarged to the size
that was asked for.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Request
from PIL import Image as Pictures
from pydantic import Field
from starlette.responses import JSONResponse, Response

from unisono.engine.grammar import Grammar, Rules
from unisono.serve.reply.events import Drawing, ReplySpec, Usage, Words
from unisono.serve.reply.guards import Guards
from unisono.serve.reply.in_order import account, add, in_order
from unisono.serve.reply.service import Service, service_of
from unisono.serve.reply.turn import Turn
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.file_store import content_of_file
from unisono.serve.wire.media_in import picture_from, picture_of
from unisono.serve.wire.requests import (
    RequestBody,
    encoded,
    form_body,
    json_body,
    read_form,
    read_json,
    unless_left,
)
from unisono.serve.wire.shown import show
from unisono.serve.wire.sse import EVENT_STREAM, event, streamed
from unisono.signals import plain
from unisono.tokens.message import Message, Part, Text

router = APIRouter(prefix="/v1/images", tags=["images"])
MAX_PIXELS = 3840 * 2160
MAX_WORDS = 40  # text ids before the picture: "Here is a red circle."
MAX_PICTURES = 16  # that an edit starts from
ENLARGED = 4  # size "auto"
WITH_ALPHA = ("RGBA", "LA", "PA")
ASKS = re.compile(r"(please\s+)?(draw|paint|make|show|create|sketch|generate)\b", re.IGNORECASE)


class ImageRequest(RequestBody):
    """Of both endpoints. `quality` and `style` change nothing: the network has one. Whole pictures come as
    base64, or, by default for the models dall-e, at an address of this server that lasts an hour.
    """

    prompt: str = Field(min_length=1, max_length=32000)
    model: str | None = None
    n: int | None = Field(None, ge=1, le=10)
    size: str | None = None
    quality: Literal["auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"] | None = None
    output_format: Literal["png", "webp", "jpeg"] | None = None
    output_compression: int | None = Field(None, ge=0, le=100)
    background: Literal["auto", "opaque", "transparent"] | None = None
    partial_images: int | None = Field(None, ge=0, le=3)
    stream: bool | None = None
    response_format: Literal["url", "b64_json"] | None = None

    @property
    def wants_url(self) -> bool:
        return (self.response_format or ("url" if (self.model or "").startswith("dall-e") else "")) == "url"


class EditRequest(ImageRequest):
    """A JSON edit names its pictures: images [{"image_url": ...} or {"file_id": ...}], mask likewise."""

    images: list[dict[str, Any]] | None = None
    mask: dict[str, Any] | None = None


class Canvas:
    """What a drawing becomes before it is sent: its size, its format, and what an edit leaves as it was."""

    def __init__(
        self,
        guards: Guards,
        wanted: ImageRequest,
        own_size: int,
        kept: Pictures.Image | None = None,
        mask: Pictures.Image | None = None,
    ) -> None:
        self.guards = guards
        self.size = _size(wanted.size, own_size)
        self.format, self.compression = wanted.output_format or "png", wanted.output_compression
        self.kept = (
            plain(kept).resize(self.size, Pictures.Resampling.LANCZOS)
            if mask is not None and kept is not None
            else None
        )
        self.mask = mask.getchannel("A").resize(self.size) if mask is not None else None
        if wanted.background == "transparent":
            raise ApiError("This network draws on an opaque background.", 400, "background")

    def encode(self, picture: Pictures.Image) -> bytes:
        """-> the file."""
        picture = picture.convert("RGB").resize(self.size, Pictures.Resampling.LANCZOS)
        if self.kept is not None and self.mask is not None:  # it changes where the mask is clear
            picture = Pictures.composite(self.kept, picture, self.mask)
        quality = (
            {}
            if self.format == "png"
            else {"quality": 100 if self.compression is None else max(1, self.compression)}
        )
        is_composite = self.kept is not None
        return self.guards.file_of(picture, self.format, is_composite=is_composite, **quality)

    def shown(self) -> dict[str, str]:
        """How a picture was made. `quality` is the one that there is."""
        return {
            "background": "opaque",
            "output_format": self.format,
            "quality": "low",
            "size": f"{self.size[0]}x{self.size[1]}",
        }


def _size(text: str | None, own_size: int) -> tuple[int, int]:
    if text in (None, "auto"):
        return ENLARGED * own_size, ENLARGED * own_size
    found = re.fullmatch(r"([0-9]{2,4})x([0-9]{2,4})", text or "")
    wide, high = map(int, found.groups()) if found else (0, 0)
    if (
        not wide
        or not high
        or wide % 16
        or high % 16
        or not 1 / 3 <= wide / high <= 3
        or wide * high > MAX_PIXELS
    ):
        raise ApiError(
            "size must be auto or WIDTHxHEIGHT, both multiples of 16, of an aspect from 1:3 to 3:1 and "
            "at most "
            "3840x2160 pixels in all.",
            400,
            "size",
        )
    return wide, high


def phrased(prompt: str) -> str:
    """A prompt in the form that the network was taught: "a red circle" -> "Draw a red circle." """
    prompt = prompt.strip()
    if not ASKS.match(prompt):
        first = prompt.split(" ", 1)[0]
        prompt = (
            f"Draw {prompt[:1].lower() + prompt[1:] if first[1:].islower() or len(first) == 1 else prompt}"
        )
    return prompt if prompt.endswith((".", "!", "?")) else prompt + "."


async def begin(service: Service, parts: list[Part], sketches: int) -> Turn:
    """Begins to draw: a few words, then the picture, which must come."""
    num_codes = service.tokenizer.image_codec.grid_size**2
    rules = Rules(
        outputs=frozenset({"text", "image"}),
        force_image=True,
        max_text_ids=MAX_WORDS,
        ids_per_image=num_codes,
        thoughts=True,
    )
    turn = await service.reply(
        [Message("user", parts)],
        ReplySpec(outputs=frozenset({"image"}), grammar=Grammar(service.vocab, rules), sketches=sketches),
    )
    if turn.session.engine.max_length - turn.start < MAX_WORDS + num_codes + 4:
        await turn.end()
        raise ApiError(
            "The prompt is too long: no room is left for a picture.", 400, "prompt", "context_length_exceeded"
        )
    return turn


@router.post("/generations", openapi_extra=json_body(ImageRequest), response_class=Response)
async def generations(request: Request) -> Response:
    """Draws what a text asks for."""
    wanted, service = await read_json(request, ImageRequest), service_of(request)
    _check(service, wanted)
    return await _draw(
        request,
        wanted,
        [Text(phrased(wanted.prompt))],
        Canvas(service.guards, wanted, service.tokenizer.image_codec.image_size),
        "image_generation",
    )


@router.post("/edits", openapi_extra=form_body(ImageRequest, "image"), response_class=Response)
async def edits(request: Request) -> Response:
    """Draws what a text asks for while looking at pictures."""
    service = service_of(request)
    wanted, pictures, mask = await (_json_edit(request) if _is_json(request) else _form_edit(request))
    _check(service, wanted)
    if not 1 <= len(pictures) <= MAX_PICTURES:
        raise ApiError(f"Expected 1 to {MAX_PICTURES} pictures in image.", 400, "image")
    if mask is not None and "transparency" in mask.info:
        mask = mask.convert("RGBA")
    if mask is not None and mask.mode not in WITH_ALPHA:  # the A of LAB is a colour
        raise ApiError("mask must have transparent places, which are those that change.", 400, "mask")
    parts: list[Part] = [
        *[await service.code(picture) for picture in pictures],
        Text(wanted.prompt.strip() or "?"),
    ]
    canvas = Canvas(service.guards, wanted, service.tokenizer.image_codec.image_size, pictures[0], mask)
    return await _draw(request, wanted, parts, canvas, "image_edit")


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("application/json")


async def _form_edit(request: Request) -> tuple[ImageRequest, list[Pictures.Image], Pictures.Image | None]:
    async with read_form(request) as form:
        wanted = form.wanted(ImageRequest)
        form.file("image")
        if len(form.files["image"]) > MAX_PICTURES:
            raise ApiError(f"At most {MAX_PICTURES} pictures.", 400, "image")
        pictures = [await picture_from(await file.read(), "image") for file in form.files["image"]]
        mask = await picture_from(await form.file("mask").read(), "mask") if "mask" in form.files else None
    return wanted, pictures, mask


async def _json_edit(request: Request) -> tuple[ImageRequest, list[Pictures.Image], Pictures.Image | None]:
    wanted = await read_json(request, EditRequest)
    named = (wanted.images or [])[: MAX_PICTURES + 1]
    return (
        wanted,
        [await _named(request, one, "images") for one in named],
        await _named(request, wanted.mask, "mask") if wanted.mask else None,
    )


async def _named(request: Request, one: dict[str, Any], param: str) -> Pictures.Image:
    if one.get("file_id") is not None:
        return await picture_from(content_of_file(request, one["file_id"])[0], param)
    url = one.get("image_url")
    return await picture_of(url.get("url") if isinstance(url, dict) else url, param)


def _check(service: Service, wanted: ImageRequest) -> None:
    if wanted.model is not None:
        service.check_model(wanted.model)
    if not wanted.prompt.strip():
        raise ApiError("prompt is empty.", 400, "prompt")


async def _draw(
    request: Request, wanted: ImageRequest, parts: list[Part], canvas: Canvas, kind: str
) -> Response:
    """`n` pictures, streamed or whole."""
    service, count = service_of(request), wanted.n or 1
    sketches = (wanted.partial_images or 0) if wanted.stream else 0
    begins = [partial(begin, service, parts, sketches)] * count
    if wanted.stream:
        return await streamed(_stream(request, begins, canvas, kind), EVENT_STREAM)
    return JSONResponse(await unless_left(request, _whole(request, wanted, begins, canvas)))


async def _whole(request: Request, wanted: ImageRequest, begins: list, canvas: Canvas) -> dict[str, Any]:
    usage, data = Usage(), []
    async with in_order(begins, len(begins)) as turns:
        async for turn in turns:
            words, picture = await _drawn(turn)
            add(usage, turn.usage)
            account(request, turn.usage)
            content = await asyncio.to_thread(canvas.encode, picture)
            shown = {"b64_json": encoded(content)}
            if wanted.wants_url:
                shown = {"url": show(request, content, canvas.format)}
            data.append({**shown, **({"revised_prompt": words} if words else {})})
    return {"created": int(time.time()), "data": data, **canvas.shown(), "usage": _usage(usage, len(begins))}


async def _drawn(turn: Turn) -> tuple[str, Pictures.Image]:
    """-> what the network says it drew, and the drawing."""
    words, picture = "", None
    async for news in turn:
        if isinstance(news, Words):
            words += news.text
        elif isinstance(news, Drawing) and news.last:
            picture = news.picture
    if picture is None:
        raise ApiError("No picture came; try again.", 503, retry_after_s=1)
    return words.strip(), picture


async def _stream(request: Request, begins: list, canvas: Canvas, kind: str) -> AsyncIterator[bytes]:
    """Sketches of each picture, then the picture."""
    async with in_order(begins, 1) as turns:
        async for turn in turns:
            number = 0
            async for news in turn:
                if not isinstance(news, Drawing):
                    continue
                name = f"{kind}.{'completed' if news.last else 'partial_image'}"
                more = {"usage": _usage(turn.usage, 1)} if news.last else {"partial_image_index": number}
                content = await asyncio.to_thread(canvas.encode, news.picture)
                yield event(
                    {
                        "type": name,
                        "b64_json": encoded(content),
                        "created_at": int(time.time()),
                        **canvas.shown(),
                        **more,
                    },
                    name,
                )
                number += 1
            account(request, turn.usage)


def _usage(usage: Usage, count: int) -> dict[str, Any]:
    """The prompt counts once, however many pictures were drawn from it."""
    given = {kind: number // count for kind, number in usage.prompt.items()}
    made = {"text_tokens": usage.reply["text"], "image_tokens": usage.reply["image"]}
    total_in, total_out = sum(given.values()), sum(usage.reply.values())
    return {
        "input_tokens": total_in,
        "input_tokens_details": {"text_tokens": given["text"], "image_tokens": given["image"]},
        "output_tokens": total_out,
        "output_tokens_details": made,
        "total_tokens": total_in + total_out,
    }
