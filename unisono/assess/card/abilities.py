"""What an endpoint can do, found by asking it once for each: sound, pictures and clips in, speech and
drawings out, transcripts.
"""

import base64
import io
import math
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx
import numpy as np
import openai
import soundfile
from inspect_ai.model import Content, ContentAudio, Model
from PIL import Image

from unisono.assess.card.budget import Spent
from unisono.assess.card.endpoint import CHAT, DRAW, TRANSCRIBE, Endpoint, EndpointError, request_part
from unisono.assess.card.pictures import clip_part, picture_part
from unisono.core.errors import UserError

FAULTS = (openai.APIError, httpx.HTTPError, EndpointError)
Asked = Callable[[], Awaitable[dict[str, Any]]]


def probe(model: Model, needs: set[str], voice: str) -> dict[str, str]:
    """-> for each need that the endpoint does not meet, why. UserError where it does not answer at all."""
    api = model.api
    assert isinstance(api, Endpoint)
    reply = _answered(api, {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 16})
    if rejected := reply.get("rejected"):
        raise UserError(f"the endpoint refuses a plain question ({rejected['message'][:200]}); check --model")
    probes: dict[str, tuple[str, Asked]] = {
        "audio in": ("sound in a question", _shown(api, ContentAudio(audio=_uri(_tone()), format="wav"))),
        "audio out": ("a request for a spoken reply", _spoken(api, voice)),
        "pictures": ("a picture in a question", _shown(api, picture_part(_dot()))),
        "clips": ("a clip in a question", _shown(api, clip_part([_dot()] * 2))),
        "drawings": ("a request for a drawing", lambda: api.post(DRAW, draw_body(api, "Draw a red circle."))),
        "transcripts": (
            "sound to transcribe",
            lambda: api.post(TRANSCRIBE, {"model": api.model_name}, _tone()),
        ),
    }
    return {name: _lack(what, asked) for name, (what, asked) in probes.items() if name in needs}


def draw_body(api: Endpoint, prompt: str) -> dict[str, Any]:
    """A request for a drawing, in base64 whatever the model (OpenAI's newer ones know no other form)."""
    form = {} if api.model_name.startswith("gpt-image") else {"response_format": "b64_json"}
    return {"model": api.model_name, "prompt": prompt, **form}


def _lack(what: str, asked: Asked) -> str:
    """Why the endpoint does not do this, or nothing."""
    try:
        reply = anyio.run(asked)
    except FAULTS as error:
        return f"the endpoint fails at {what}: {str(error)[:200]}"
    except Spent as spent:
        raise UserError(f"{spent} before anything was asked; raise --budget") from None
    rejected = reply.get("rejected")
    return (
        reply.get("lacks", "")
        if not rejected
        else f"the endpoint does not take {what}: {rejected['message'][:200]}"
    )


def _answered(api: Endpoint, body: dict[str, Any]) -> dict[str, Any]:
    try:
        return anyio.run(api.post, CHAT, {"model": api.model_name, **body})
    except openai.AuthenticationError:
        raise UserError("the endpoint does not take this key; give another with --api-key") from None
    except FAULTS as error:
        raise UserError(
            f"the endpoint does not answer ({error}); check --base-url and that it runs"
        ) from None
    except Spent as spent:
        raise UserError(f"{spent} before anything was asked; raise --budget") from None


def _shown(api: Endpoint, part: Content) -> Asked:
    content = [{"type": "text", "text": "What is this?"}, request_part(part)]
    body = {"messages": [{"role": "user", "content": content}], "max_tokens": 16}
    return lambda: api.post(CHAT, {"model": api.model_name, **body})


def _spoken(api: Endpoint, voice: str) -> Asked:
    async def asked() -> dict[str, Any]:
        body = {
            "messages": [{"role": "user", "content": "Hello!"}],
            "max_tokens": 64,
            "model": api.model_name,
        }
        sound = {"modalities": ["text", "audio"], "audio": {"voice": voice, "format": "wav"}}
        reply = await api.post(CHAT, {**body, **sound})
        if "rejected" not in reply and not (reply["choices"][0]["message"].get("audio") or {}).get("data"):
            return {"lacks": "the endpoint answered without sound where a spoken reply was asked for"}
        return reply

    return asked


def _dot() -> Image.Image:
    picture = Image.new("RGB", (64, 64), "white")
    picture.paste((220, 40, 40), (20, 20, 44, 44))
    return picture


def _tone(seconds: float = 1.0, rate: int = 16000) -> bytes:
    """A tone as a WAV file."""
    time = np.arange(int(seconds * rate)) / rate
    held = io.BytesIO()
    soundfile.write(held, 0.3 * np.sin(2 * math.pi * 440 * time), rate, format="WAV")
    return held.getvalue()


def _uri(wav: bytes) -> str:
    return "data:audio/wav;base64," + base64.b64encode(wav).decode()
