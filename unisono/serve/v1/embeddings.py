"""POST /v1/embeddings: the mean of the network's own last hidden states over a text, of length 1."""

import asyncio
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from numpy.typing import NDArray

from unisono.serve.reply.events import Usage
from unisono.serve.reply.in_order import account, check_letters, text_ids
from unisono.serve.reply.service import Service, service_of
from unisono.serve.reply.states import means_of, states_of
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.model_names import MODEL, OWN
from unisono.serve.wire.requests import RequestBody, encoded, json_body, read_json

router = APIRouter(prefix="/v1", tags=["embeddings"])
MAX_TEXTS, MAX_IDS = 2048, 300_000
BEGIN = "<|document|>"


class EmbeddingRequest(RequestBody):
    """`input`: a text or texts; with the network's own name as model also ids of its vocabulary."""

    model: str
    input: Any
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] | None = None


@router.post("/embeddings", openapi_extra=json_body(EmbeddingRequest))
async def embeddings(request: Request) -> dict[str, Any]:
    """A vector for each text."""
    wanted, service = await read_json(request, EmbeddingRequest), service_of(request)
    model = service.check_model(wanted.model)
    _check_ids(wanted)
    texts = await asyncio.to_thread(_texts, service, wanted.input)  # seconds, where there are many
    states = await service.codec(states_of, service)
    if wanted.dimensions is not None and not 1 <= wanted.dimensions <= states.size:
        raise ApiError(f"dimensions must lie between 1 and {states.size}.", 400, "dimensions")
    means = await means_of(service, [service.vocab.id(BEGIN)], texts)
    vectors = unit(means[:, -1, : wanted.dimensions])
    count = sum(map(len, texts))
    account(request, Usage(prompt={"text": count, "audio": 0, "image": 0}))
    data = [
        {"object": "embedding", "index": place, "embedding": _written(vector, wanted.encoding_format)}
        for place, vector in enumerate(vectors)
    ]
    return {
        "object": "list",
        "model": model,
        "data": data,
        "usage": {"prompt_tokens": count, "total_tokens": count},
    }


def _check_ids(wanted: EmbeddingRequest) -> None:
    """Clients that count ids send those of the vocabulary that goes with the model's name; only who names
    this network can mean its own.
    """
    given = wanted.input if isinstance(wanted.input, list) else []
    if wanted.model not in OWN and any(_is_id(one) or isinstance(one, list) for one in given):
        raise ApiError(
            f"input holds token ids of another vocabulary than this network's; send texts "
            f"(LangChain: check_embedding_ctx_length=False), or ids of its own with model {MODEL!r}.",
            400,
            "input",
        )


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B, C) -> each of length 1."""
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)).astype(np.float32)


def _written(vector: NDArray[np.float32], format: str | None) -> str | list[float]:
    return encoded(vector.astype("<f4").tobytes()) if format == "base64" else vector.tolist()


def _texts(service: Service, given: object) -> list[list[int]]:
    """What was sent -> the ids of each text."""
    if isinstance(given, str) or (isinstance(given, list) and given and all(_is_id(one) for one in given)):
        given = [given]
    if not isinstance(given, list) or not given:
        raise ApiError(
            (
                "input must be a text, a list of texts, a list of token ids or a list of such lists, none "
                "of them empty."
            ),
            400,
            "input",
        )
    if len(given) > MAX_TEXTS:
        raise ApiError(f"input may hold {MAX_TEXTS} texts, got {len(given)}.", 400, "input")
    if len({isinstance(one, str) for one in given}) > 1:
        raise ApiError("input mixes texts and token ids.", 400, "input")
    check_letters(service, (one for one in given if isinstance(one, str)), MAX_IDS)
    texts = [_ids(service, one) for one in given]
    if sum(map(len, texts)) > MAX_IDS:
        raise ApiError(f"input may hold {MAX_IDS} ids in all.", 400, "input", "context_length_exceeded")
    return texts


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _ids(service: Service, one: object) -> list[int]:
    if isinstance(one, str):
        ids = text_ids(service, one, "input")
    elif isinstance(one, list) and all(_is_id(id) and 0 <= id < service.tokenizer.text.size for id in one):
        ids = one
    else:
        raise ApiError(
            f"Token ids must be whole numbers from 0 to {service.tokenizer.text.size - 1}.", 400, "input"
        )
    if not ids:
        raise ApiError("input holds an empty text.", 400, "input")
    if len(ids) >= service.scheduler.engine.max_length:
        raise ApiError(
            f"A text of input is too long: {len(ids)} ids.", 400, "input", "context_length_exceeded"
        )
    return ids
