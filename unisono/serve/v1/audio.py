"""POST /v1/audio/speech, /v1/audio/transcriptions and /v1/audio/translations: what is asked, and the shapes
of the answers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import JSONResponse, PlainTextResponse, Response

from unisono.serve.reply import hear, speak
from unisono.serve.reply.events import Usage, Words
from unisono.serve.reply.in_order import account, add, in_order
from unisono.serve.reply.service import Service, service_of
from unisono.serve.reply.word_times import words_of
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.media_in import sound_of
from unisono.serve.wire.requests import (
    RequestBody,
    encoded,
    form_body,
    json_body,
    read_form,
    read_json,
    unless_left,
)
from unisono.serve.wire.sound import CONTENT_TYPES, encoder
from unisono.serve.wire.sse import EVENT_STREAM, event, streamed

router = APIRouter(prefix="/v1/audio", tags=["audio"])
MAX_SECONDS = 600.0


class SpeechRequest(RequestBody):
    """`instructions` are accepted and change nothing: the network was not taught to follow any while it reads
    aloud.
    """

    model: str
    input: str = Field(min_length=1, max_length=4096)
    voice: Any
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] | None = None
    speed: float | None = Field(None, ge=0.25, le=4)
    stream_format: Literal["audio", "sse"] | None = None
    instructions: str | None = None


class TranscriptionRequest(RequestBody):
    """Of both hearing endpoints. `prompt`, `language` and hints of speakers are accepted; the network was
    taught none of them.
    """

    model: str
    language: str | None = None
    prompt: str | None = None
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"] = "json"
    temperature: float = Field(0, ge=0, le=1)
    timestamp_granularities: list[Literal["word", "segment"]] = []
    include: list[str] = []
    stream: bool = False

    @property
    def wants_words(self) -> bool:
        """Whether each word's time is asked for."""
        return "word" in self.timestamp_granularities


# ---- speech ----


@router.post("/speech", openapi_extra=json_body(SpeechRequest), response_class=Response)
async def speech(request: Request) -> Response:
    """Reads a text aloud, streamed from the first frames on."""
    wanted, service = await read_json(request, SpeechRequest), service_of(request)
    service.check_model(wanted.model)
    service.voice(wanted.voice)
    if not speak.sentences(wanted.input):
        raise ApiError("input holds nothing to say.", 400, "input")
    format = wanted.response_format or "mp3"
    pieces = _spoken(request, service, wanted, format)
    if wanted.stream_format == "sse":
        return await streamed(pieces, EVENT_STREAM)
    return await streamed(pieces, CONTENT_TYPES[format])


async def _spoken(
    request: Request, service: Service, wanted: SpeechRequest, format: str
) -> AsyncIterator[bytes]:
    """The bytes of the answer."""
    usage, made, is_sse = Usage(), encoder(format), wanted.stream_format == "sse"

    def packed(content: bytes) -> bytes:
        return event({"type": "speech.audio.delta", "audio": encoded(content)}) if is_sse else content

    try:
        async with aclosing(
            speak.speak(service, wanted.input, wanted.voice, wanted.speed or 1.0, usage)
        ) as sound:
            async for pcm in sound:
                if content := made.push(pcm):
                    yield packed(content)
        if content := made.flush():
            yield packed(content)
        if is_sse:
            yield event({"type": "speech.audio.done", "usage": totals(usage)})
    finally:
        account(request, usage)


def totals(usage: Usage) -> dict[str, int]:
    """input, output and total tokens."""
    given, made = sum(usage.prompt.values()), sum(usage.reply.values())
    return {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}


# ---- hearing ----


@router.post(
    "/transcriptions", openapi_extra=form_body(TranscriptionRequest, "file"), response_class=Response
)
async def transcriptions(request: Request) -> Response:
    """Writes down what is said in a file of sound."""
    wanted, found, seconds = await _asked(request)
    if wanted.stream:
        return await streamed(_stream(request, wanted, found), EVENT_STREAM)
    usage = await unless_left(request, _hear(request, wanted, found))
    words = await _words(request, wanted, found)
    return _answer(wanted, found, seconds, usage, "transcribe", service_of(request), words)


@router.post("/translations", openapi_extra=form_body(TranscriptionRequest, "file"), response_class=Response)
async def translations(request: Request) -> Response:
    """Says in English what is said in a file of sound."""
    wanted, found, seconds = await _asked(request)
    if wanted.response_format == "diarized_json":
        raise ApiError(
            "response_format of translations is json, text, srt, verbose_json or vtt.", 400, "response_format"
        )
    usage = await unless_left(request, _translate(request, wanted, found))
    words = await _words(request, wanted, found)
    return _answer(wanted, found, seconds, usage, "translate", service_of(request), words)


async def _asked(request: Request) -> tuple[TranscriptionRequest, list[hear.TranscriptSegment], float]:
    """-> what is wanted, the segments to hear and the length of the whole."""
    async with read_form(request) as form:
        wanted = form.wanted(TranscriptionRequest)
        content = await form.file("file").read()
    service_of(request).check_model(wanted.model)
    if wanted.wants_words and (wanted.stream or wanted.response_format not in ("json", "verbose_json")):
        raise ApiError(
            "Times of words come with response_format verbose_json, without stream.",
            400,
            "timestamp_granularities",
        )
    if not content:
        raise ApiError("file is empty.", 400, "file")
    sound = await sound_of(content, "file", MAX_SECONDS)
    found = await asyncio.to_thread(
        hear.segments, sound
    )  # ten minutes would keep the codecs' thread from those who speak
    return wanted, found, round(sound.seconds, 3)


async def _words(
    request: Request, wanted: TranscriptionRequest, found: list[hear.TranscriptSegment]
) -> dict[str, Any]:
    """Each word's time, where they are asked for."""
    if not wanted.wants_words:
        return {}
    service = service_of(request)
    return {"words": [word for segment in found for word in await words_of(service, segment)]}


async def _hear(request: Request, wanted: TranscriptionRequest, found: list[hear.TranscriptSegment]) -> Usage:
    """Fills in what is said in each segment."""
    usage = Usage()
    await _collect(request, hear.listen(service_of(request), found, wanted.temperature), found, usage)
    return usage


async def _translate(
    request: Request, wanted: TranscriptionRequest, found: list[hear.TranscriptSegment]
) -> Usage:
    """Fills in what is said in each segment; where that is not English, what it means."""
    usage, service = await _hear(request, wanted, found), service_of(request)
    foreign = [segment for segment in found if not hear.is_english(segment.text)]
    await _collect(
        request,
        [partial(hear.meaning, service, segment, wanted.temperature) for segment in foreign],
        foreign,
        usage,
    )
    return usage


async def _collect(request: Request, begins: list, found: list[hear.TranscriptSegment], usage: Usage) -> None:
    async with in_order(begins, hear.HEARD_AT_ONCE) as turns:
        places = iter(found)
        async for turn in turns:
            segment = next(places)
            segment.text, segment.tokens = await hear.written(turn)
            add(usage, turn.usage)
            account(request, turn.usage)


async def _stream(
    request: Request, wanted: TranscriptionRequest, found: list[hear.TranscriptSegment]
) -> AsyncIterator[bytes]:
    """Deltas while the network writes, segment after segment; diarized ones when each is whole."""
    service, usage, whole = service_of(request), Usage(), ""
    async with in_order(hear.listen(service, found, wanted.temperature), hear.HEARD_AT_ONCE) as turns:
        places = iter(enumerate(found))
        async for turn in turns:
            number, segment = next(places)
            async for news in turn:
                if not isinstance(news, Words):
                    continue
                tokens = [(id, logprob) for id, logprob, _ in news.tokens]
                segment.tokens += tokens
                # No blanks at the ends, one between segments: the deltas joined are the text.
                delta = (
                    news.text
                    if segment.text
                    else (" " if whole and news.text.strip() else "") + news.text.lstrip()
                )
                segment.text += delta
                if delta:
                    more = {"logprobs": _logprobs(service, tokens)} if "logprobs" in wanted.include else {}
                    yield event({"type": "transcript.text.delta", "delta": delta, **more})
            whole += segment.text
            segment.text = segment.text.strip()
            add(usage, turn.usage)
            account(request, turn.usage)
            if wanted.response_format == "diarized_json":
                yield event(hear.spoken_by(number, segment))
    more = (
        {"logprobs": _logprobs(service, [token for segment in found for token in segment.tokens])}
        if "logprobs" in wanted.include
        else {}
    )
    yield event({"type": "transcript.text.done", "text": whole, "usage": _tokens(usage), **more})
    yield b"data: [DONE]\n\n"


def _answer(
    wanted: TranscriptionRequest,
    found: list[hear.TranscriptSegment],
    seconds: float,
    usage: Usage,
    task: str,
    service: Service,
    words: dict[str, Any],
) -> Response:
    text, format = " ".join(segment.text for segment in found if segment.text), wanted.response_format
    if format in ("srt", "vtt", "text"):
        return PlainTextResponse(text + "\n" if format == "text" else hear.captions(found, format))
    duration = {"type": "duration", "seconds": seconds}
    if format == "verbose_json":
        language = "english" if task == "translate" else wanted.language or hear.language_of(text)
        shown = [hear.verbose(number, segment, wanted.temperature) for number, segment in enumerate(found)]
        return JSONResponse(
            {
                "task": task,
                "language": language,
                "duration": seconds,
                "text": text,
                "segments": shown,
                **words,
                "usage": duration,
            }
        )
    body: dict[str, Any] = {"text": text, **words, "usage": _tokens(usage)}
    if format == "diarized_json":
        shown = [hear.spoken_by(number, segment) for number, segment in enumerate(found)]
        return JSONResponse({"task": task, "duration": seconds, "segments": shown, **body, "usage": duration})
    if "logprobs" in wanted.include:
        body["logprobs"] = _logprobs(service, [token for segment in found for token in segment.tokens])
    return JSONResponse(body)


def _tokens(usage: Usage) -> dict[str, Any]:
    details = {"audio_tokens": usage.prompt["audio"], "text_tokens": usage.prompt["text"]}
    return {"type": "tokens", **totals(usage), "input_token_details": details}


def _logprobs(service: Service, tokens: list[tuple[int, float]]) -> list[dict[str, Any]]:
    """Each text id: its letters, its bytes and its natural logarithm of probability."""
    pieces = [(service.tokenizer.text.piece(id), logprob) for id, logprob in tokens]
    return [
        {"token": piece.decode("utf8", "replace"), "bytes": list(piece), "logprob": logprob}
        for piece, logprob in pieces
    ]
