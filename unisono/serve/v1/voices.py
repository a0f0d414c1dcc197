"""/v1/audio/voices and /v1/audio/voice_consents: voices of one's own, each with its consent.

Where the server takes none, every request says so: nobody's recording is taken, and no consent is kept.
"""

import asyncio
from typing import Any

import numpy as np
import soxr
from fastapi import APIRouter, Query, Request
from numpy.typing import NDArray
from pydantic import Field

from unisono.codecs.speech import SpeechCodec
from unisono.serve.reply.own_voices import Kind, OwnVoice, OwnVoices, VoiceConsent, owner_of
from unisono.serve.reply.service import service_of
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.media_in import sound_of
from unisono.serve.wire.requests import Form, RequestBody, form_body, read_form, read_json, unless_left
from unisono.speakers.consent import MAX_S, RecordingError
from unisono.speakers.encoder import SAMPLE_RATE

router = APIRouter(prefix="/v1/audio", tags=["audio"])
NAME = Field(min_length=1, max_length=256)
ENGLISH = "en"


class ConsentRequest(RequestBody):
    """`language` is a BCP 47 tag; the sentence of consent is in English."""

    name: str = NAME
    language: str = Field(min_length=1, max_length=64)


class VoiceRequest(RequestBody):
    """`consent` is the id of a consent."""

    name: str = NAME
    consent: str


class NewName(RequestBody):
    """All that can change."""

    name: str = NAME


@router.post("/voice_consents", openapi_extra=form_body(ConsentRequest, "recording"))
async def create_consent(request: Request) -> dict[str, object]:
    """Keeps a consent: somebody reads the sentence that an error names."""
    kept = _voices(request)
    async with read_form(request) as form:
        wanted = form.wanted(ConsentRequest)
        pcm = await _recording(form, "recording")
    if wanted.language.lower().split("-")[0] != ENGLISH:
        raise ApiError("The sentence of consent is known in English only; language is en.", 400, "language")
    work = asyncio.to_thread(kept.add_consent, _owner(request), wanted.name, wanted.language, pcm)
    return (await _checked(request, work, "recording")).shown()


@router.post("/voices", openapi_extra=form_body(VoiceRequest, "audio_sample"))
async def create_voice(request: Request) -> dict[str, object]:
    """Keeps a voice; `voice` of any spoken reply takes its id."""
    kept = _voices(request)
    async with read_form(request) as form:
        wanted = form.wanted(VoiceRequest)
        consent = _find(request, VoiceConsent, wanted.consent, "consent")
        pcm = await _recording(form, "audio_sample")
    work = asyncio.to_thread(kept.add_voice, _owner(request), wanted.name, consent, pcm)
    return (await _checked(request, work, "audio_sample")).shown()


@router.get("/voice_consents")
async def list_consents(
    request: Request, limit: int = Query(20, ge=1, le=100), after: str | None = None
) -> dict[str, Any]:
    """The consents of a key, the newest first."""
    return _page(request, VoiceConsent, limit, after)


@router.get("/voices")
async def list_voices(
    request: Request, limit: int = Query(20, ge=1, le=100), after: str | None = None
) -> dict[str, Any]:
    """The voices of a key, the newest first."""
    return _page(request, OwnVoice, limit, after)


@router.get("/voice_consents/{id}")
async def find_consent(request: Request, id: str) -> dict[str, object]:
    """What is known of a consent."""
    return _find(request, VoiceConsent, id).shown()


@router.get("/voices/{id}")
async def find_voice(request: Request, id: str) -> dict[str, object]:
    """What is known of a voice."""
    return _find(request, OwnVoice, id).shown()


@router.post("/voice_consents/{id}")
async def rename_consent(request: Request, id: str) -> dict[str, object]:
    """Gives a consent another name."""
    found = _find(request, VoiceConsent, id)
    return _voices(request).rename(found, (await read_json(request, NewName)).name).shown()


@router.delete("/voice_consents/{id}")
async def delete_consent(request: Request, id: str) -> dict[str, object]:
    """Forgets a consent and the voices that rest on it."""
    _voices(request).delete(_find(request, VoiceConsent, id))
    return {"id": id, "object": "audio.voice_consent", "deleted": True}


@router.delete("/voices/{id}")
async def delete_voice(request: Request, id: str) -> dict[str, object]:
    """Forgets a voice."""
    _voices(request).delete(_find(request, OwnVoice, id))
    return {"id": id, "object": "audio.voice", "deleted": True}


def _voices(request: Request) -> OwnVoices:
    service = service_of(request)
    if service.own_voices is not None:
        return service.own_voices
    own = ", ".join(service.tokenizer.speakers)
    can = isinstance(service.tokenizer.audio_codec, SpeechCodec)
    how = "; `unisono serve --voices DIR` lets people bring their own" if can else ""
    raise ApiError(
        f"This server speaks in its own voices only ({own}); it takes no recording and no consent{how}.",
        400,
        "voice",
        "voice_not_supported",
    )


def _owner(request: Request) -> str:
    return owner_of(request.state.key)


def _find(request: Request, kind: type[Kind], id: str, param: str = "id") -> Kind:
    found = _voices(request).find(_owner(request), kind, id)
    if found is None:
        raise ApiError(f"No {_what(kind)} {id!r} of this key.", 404, param)
    return found


def _what(kind: type[Kind]) -> str:
    return "consent" if kind is VoiceConsent else "voice"


def _page(request: Request, kind: type[Kind], limit: int, after: str | None) -> dict[str, Any]:
    found = _voices(request).of(_owner(request), kind)[::-1]
    if after is not None:
        last = _find(request, kind, after, "after")
        found = found[found.index(last) + 1 :]
    shown = [one.shown() for one in found[:limit]]
    ends = {"first_id": found[0].id, "last_id": found[:limit][-1].id} if found else {}
    return {"object": "list", "data": shown, "has_more": len(found) > limit, **ends}


async def _recording(form: Form, param: str) -> NDArray[np.float32]:
    """(N,) at SAMPLE_RATE."""
    content = await form.file(param).read()
    if not content:
        raise ApiError(f"{param} is empty.", 400, param)
    sound = await sound_of(content, param, MAX_S + 1)
    pcm = sound.pcm if sound.pcm.ndim == 1 else sound.pcm.mean(axis=1)
    return await asyncio.to_thread(soxr.resample, pcm, sound.sample_rate, SAMPLE_RATE)


async def _checked(request: Request, work: Any, param: str) -> Any:
    try:
        return await unless_left(request, work)
    except RecordingError as error:
        message = str(error)
        raise ApiError(f"{message[:1].upper()}{message[1:]}.", 400, param) from None
