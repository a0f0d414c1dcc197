"""POST /v1/moderations: what the network's hidden states say about harm. Small network, weak judge: records/
hold how weak.

A picture is judged by what the network says it sees in it.
"""

import asyncio
import uuid
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.engine.grammar import Grammar, Rules
from unisono.moderation.moderator import FLAGGED, NOT_FIT, Moderator, begin, windows
from unisono.moderation.phrases import CATEGORIES
from unisono.serve.reply.events import ReplySpec, Usage, Words
from unisono.serve.reply.in_order import account, add, check_letters, rounded
from unisono.serve.reply.service import Service, service_of
from unisono.serve.reply.states import means_of
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.media_in import picture_of
from unisono.serve.wire.requests import RequestBody, json_body, read_json
from unisono.tokens.message import Message, Text

router = APIRouter(prefix="/v1", tags=["moderations"])
OF_PICTURES = (
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "violence",
    "violence/graphic",
)
MAX_TEXTS, MAX_IDS, MAX_PICTURES = 512, 100_000, 8
LOOK, MAX_WORDS = "What do you see?", 60


class ModerationRequest(RequestBody):
    """`input`: a text, texts (a result for each), or parts of text and pictures (one result)."""

    input: Any
    model: str | None = None


@router.post("/moderations", openapi_extra=json_body(ModerationRequest))
async def moderations(request: Request) -> dict[str, Any]:
    """Flags and scores of 13 categories and, beyond OpenAI's form, whether to rely on them."""
    wanted, service = await read_json(request, ModerationRequest), service_of(request)
    model = "omni-moderation-latest" if wanted.model is None else service.check_model(wanted.model)
    usage = Usage()
    groups = await _groups(service, wanted.input, usage)
    moderator = await _moderator(service)
    check_letters(service, (text for written, _ in groups for text in written), MAX_IDS)
    encode = service.tokenizer.text.encode
    texts = await asyncio.to_thread(
        lambda: [[encode(text) for text in written + seen] for written, seen in groups]
    )
    usage.prompt["text"] += (count := sum(len(ids) for group in texts for ids in group))
    if count > MAX_IDS:
        raise ApiError(f"input may hold {MAX_IDS} ids in all.", 400, "input", "context_length_exceeded")
    pieces = [
        (number, piece) for number, group in enumerate(texts) for ids in group for piece in windows(ids)
    ]
    scores = np.zeros((len(groups), len(CATEGORIES)), np.float32)
    if pieces:
        opening = begin(service.tokenizer.template)
        found = moderator.scores(await means_of(service, opening, [piece for _, piece in pieces]))
        for (number, _), row in zip(pieces, found):
            scores[number] = np.maximum(scores[number], row)
    account(request, usage)
    results = [_result(row, bool(written), bool(seen)) for row, (written, seen) in zip(scores, groups)]
    told = {"fit_to_guard": False, "note": NOT_FIT}
    return {"id": f"modr-{uuid.uuid4().hex[:24]}", "model": model, "results": results, **told}


async def _moderator(service: Service) -> Moderator:
    try:
        return await service.codec(getattr, service, "moderator")  # loaded once, beside the event loop
    except UserError as error:
        raise ApiError(f"The server cannot judge: {error}.", 501) from None


def _result(scores: NDArray[np.float32], has_text: bool, has_picture: bool) -> dict[str, Any]:
    flags = {name: bool(score >= FLAGGED) for name, score in zip(CATEGORIES, scores)}
    text, picture = ["text"] if has_text else [], ["image"] if has_picture else []
    applied = {name: text + (picture if name in OF_PICTURES else []) for name in CATEGORIES}
    flags = {name: flag and bool(applied[name]) for name, flag in flags.items()}
    values = {
        name: rounded(float(score)) if applied[name] else 0.0 for name, score in zip(CATEGORIES, scores)
    }
    return {
        "flagged": any(flags.values()),
        "categories": flags,
        "category_scores": values,
        "category_applied_input_types": applied,
    }


async def _groups(service: Service, given: object, usage: Usage) -> list[tuple[list[str], list[str]]]:
    """What was sent -> for each result: the texts, and what is seen in the pictures."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list) or not given or len(given) > MAX_TEXTS:
        raise ApiError(
            (
                f"input must be a text, a list of up to {MAX_TEXTS} texts, or a list of parts of text and "
                f"image_url."
            ),
            400,
            "input",
        )
    if all(isinstance(one, str) for one in given):
        if not all(given):
            raise ApiError("input holds an empty text.", 400, "input")
        return [([text], []) for text in given]
    texts = [one["text"] for one in given if _is_part(one, "text") and isinstance(one.get("text"), str)]
    urls = [
        one["image_url"].get("url")
        for one in given
        if _is_part(one, "image_url") and isinstance(one.get("image_url"), dict)
    ]
    if len(texts) + len(urls) != len(given) or not all(texts) or len(urls) > MAX_PICTURES:
        raise ApiError(
            f"Each part of input must be {{type: text, text}} or one of at most {MAX_PICTURES} "
            "{type: image_url, image_url: {url}}.",
            400,
            "input",
        )
    return [(texts, [await _seen(service, url, usage) for url in urls])]


def _is_part(one: object, kind: str) -> bool:
    return isinstance(one, dict) and one.get("type") == kind


async def _seen(service: Service, url: object, usage: Usage) -> str:
    """What the network says it sees."""
    picture = await service.code(await picture_of(url, "input.image_url.url"))
    rules = Rules(max_text_ids=MAX_WORDS, thoughts=True)
    turn = await service.reply(
        [Message("user", [picture, Text(LOOK)])], ReplySpec(grammar=Grammar(service.vocab, rules))
    )
    words = "".join([news.text async for news in turn if isinstance(news, Words)]).strip()
    add(usage, turn.usage)
    return words or "?"
