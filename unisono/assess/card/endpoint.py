"""An OpenAI-speaking endpoint as a model of Inspect: text, sound, pictures and clips in, text and sound out.
Its drawings and transcripts come from the paths that OpenAI's API has for them.

Every reply is kept in a file under the folder of the logs, named by a hash of what was asked. So nothing is
asked twice: not after a kill, not where a log is damaged. Sampling differs between the epochs of a sample by
the `seed` that the request carries.

A request that the endpoint answers with 400 or another status of that kind is an answer too: a reply that is
`rejected`. Limits of rate, faults of the server and of the line are tried again, as the server's Retry-After
says; a reply that is no chat completion is a fault of the sample.
"""

import base64
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openai
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    Content,
    ContentAudio,
    ContentImage,
    ContentText,
    ContentVideo,
    GenerateConfig,
    Model,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
    get_model,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from unisono.assess.card.budget import Budget
from unisono.core.errors import UserError
from unisono.core.home import atomic_write

REJECTIONS = (400, 404, 413, 415, 422)  # of this request; sending it again would not help
MAX_RETRIES = 5
MAX_FAULTS = 10  # in a row; then the endpoint is taken for gone


CHAT, DRAW, TRANSCRIBE = "/chat/completions", "/images/generations", "/audio/transcriptions"


class EndpointError(Exception):
    """A reply that is not what this path answers with."""


class Endpoint(ModelAPI):
    """`replies` and `budget` are set by `connect`."""

    replies: Path
    budget: Budget
    timeout_s: float = 300.0
    parallel: int = 4
    faults: int = 0

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008  Inspect's own default
        **model_args: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)

    def max_connections(self) -> int:
        """Requests at the same time."""
        return self.parallel

    def should_retry(self, ex: Exception) -> bool:
        """Never by Inspect: the client has retried what is worth it."""
        return False

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """The reply to a conversation, from the files or from the endpoint. Raises Spent where the budget is,
        EndpointError for nonsense, openai's errors where the line stays dead.
        """
        return read_reply(
            self.model_name, await self.post(CHAT, request_body(self.model_name, input, config))
        )

    async def post(self, path: str, body: dict[str, Any], sound: bytes = b"") -> dict[str, Any]:
        """The answer of one of the paths above, from the files or from the endpoint. `sound`: a WAV file that
        goes with it as a form. {"rejected": ...} where the endpoint does not take the request. Raises as
        `generate` does.
        """
        kept = self.replies / f"{_key(self.base_url, path, body, sound)}.json"
        reply = _read(kept)
        if reply is None:
            self.budget.ask()
            reply = await self._asked(path, body, sound)
            text = json.dumps(reply)
            atomic_write(kept, lambda made: made.write_text(text, encoding="utf8"))
        return reply

    async def _asked(self, path: str, body: dict[str, Any], sound: bytes) -> dict[str, Any]:
        began = time.perf_counter()
        try:
            reply = await self._sent(path, body, sound)
        except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError, EndpointError):
            self.faults += 1
            if self.faults >= MAX_FAULTS:
                self.budget.stopped = f"the endpoint failed {self.faults} times in a row"
            raise
        self.faults = 0
        usage = reply.get("usage") or {}
        self.budget.paid(usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0)
        return {**reply, "elapsed_s": round(time.perf_counter() - began, 3)}

    async def _sent(self, path: str, body: dict[str, Any], sound: bytes) -> dict[str, Any]:
        form: dict[str, Any] = {}
        if sound:
            form = {
                "files": {"file": ("sound.wav", sound, "audio/wav")},
                "options": {"headers": {"Content-Type": "multipart/form-data"}},
            }
        async with openai.AsyncOpenAI(
            base_url=self.base_url,
            api_key=self.api_key or "none",
            timeout=self.timeout_s,
            max_retries=MAX_RETRIES,
        ) as client:
            try:
                answer = await client.post(path, cast_to=httpx.Response, body=body, **form)
            except openai.APIStatusError as error:
                if error.status_code in REJECTIONS:
                    return {"rejected": {"status": error.status_code, "message": error.message[:500]}}
                raise
        return _checked(path, answer)


@modelapi(name="endpoint")
def endpoint() -> type[ModelAPI]:
    """The name by which Inspect knows it."""
    return Endpoint


def _check_chat(reply: dict[str, Any]) -> None:
    message = reply["choices"][0]["message"]
    if not isinstance(message.get("content") or "", str) or not isinstance(message.get("audio") or {}, dict):
        raise TypeError


def _check_drawing(reply: dict[str, Any]) -> None:
    base64.b64decode(reply["data"][0]["b64_json"], validate=True)


def _check_transcript(reply: dict[str, Any]) -> None:
    if not isinstance(reply["text"], str):
        raise TypeError


ANSWERS: dict[str, tuple[str, Callable[[dict[str, Any]], None]]] = {
    CHAT: ("a chat completion", _check_chat),
    DRAW: ("a picture in base64", _check_drawing),
    TRANSCRIBE: ("a transcript", _check_transcript),
}


def _checked(path: str, answer: httpx.Response) -> dict[str, Any]:
    what, check = ANSWERS[path]
    try:
        reply = answer.json()
        check(reply)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise EndpointError(f"expected {what}, got {answer.text[:200]!r}") from None
    return dict(reply)


def connect(
    base_url: str,
    model: str,
    api_key: str | None,
    *,
    replies: Path,
    budget: Budget,
    parallel: int = 4,
    timeout_s: float = 300.0,
) -> Model:
    """-> the endpoint as Inspect's model; its replies are kept in the folder `replies`."""
    made = get_model(f"endpoint/{model}", base_url=base_url, api_key=api_key, memoize=False)
    api = made.api
    assert isinstance(api, Endpoint)
    replies.mkdir(parents=True, exist_ok=True)
    api.replies, api.budget, api.parallel, api.timeout_s = replies, budget, parallel, timeout_s
    return made


def first_model(base_url: str, api_key: str | None) -> str:
    """The first model that the endpoint lists. UserError where it cannot be reached or lists none."""
    try:
        with openai.OpenAI(base_url=base_url, api_key=api_key or "none", timeout=30, max_retries=2) as client:
            models = client.models.list().data
    except openai.AuthenticationError:
        raise UserError(f"{base_url} does not take this key; give another with --api-key") from None
    except (openai.OpenAIError, ValueError) as error:
        raise UserError(f"{base_url} lists no models ({error}); check --base-url or name a model") from None
    if not models:
        raise UserError(f"{base_url} lists no models; name one with --model")
    return str(models[0].id)


# ---- what is sent and what comes back ----


def request_body(model: str, messages: list[ChatMessage], config: GenerateConfig) -> dict[str, Any]:
    """The body of a chat completion."""
    body: dict[str, Any] = {"model": model, "messages": [_message(message) for message in messages]}
    for name in ("max_tokens", "temperature", "top_p", "seed"):
        if getattr(config, name) is not None:
            body[name] = getattr(config, name)
    return {**body, **(config.extra_body or {})}


def _message(message: ChatMessage) -> dict[str, Any]:
    if isinstance(message.content, str) or isinstance(message, ChatMessageAssistant):
        return {"role": message.role, "content": message.text}
    return {"role": message.role, "content": [request_part(part) for part in message.content]}


def request_part(part: Content) -> dict[str, Any]:
    """A part of a message as the API has it. ValueError for a part of another kind."""
    if isinstance(part, ContentText):
        return {"type": "text", "text": part.text}
    if isinstance(part, ContentAudio):
        return {
            "type": "input_audio",
            "input_audio": {"data": part.audio.partition(",")[2], "format": part.format},
        }
    if isinstance(part, ContentImage):
        return {"type": "image_url", "image_url": {"url": part.image}}
    if isinstance(part, ContentVideo):
        return {"type": "video_url", "video_url": {"url": part.video}}
    raise ValueError(f"expected text, sound, a picture or a clip, got {part.type}")


def rejected_output(model: str, reply: dict[str, Any]) -> ModelOutput:
    """An empty output that says why the endpoint did not take the request."""
    output = ModelOutput.from_content(model, "")
    output.metadata = {"rejected": reply["rejected"]}
    return output


def read_reply(model: str, reply: dict[str, Any]) -> ModelOutput:
    """A kept reply -> Inspect's output: the words, or the transcript, and the sound beside it."""
    if "rejected" in reply:
        return rejected_output(model, reply)
    message = reply["choices"][0]["message"]
    audio = message.get("audio") or {}
    text = message.get("content") or audio.get("transcript") or ""
    content: str | list[Content] = text
    if audio.get("data"):
        sound = ContentAudio(audio=f"data:audio/wav;base64,{audio['data']}", format="wav")
        content = [ContentText(text=text), sound]
    usage = reply.get("usage") or {}
    tokens_in, tokens_out = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    stop: StopReason = "max_tokens" if reply["choices"][0].get("finish_reason") == "length" else "stop"
    return ModelOutput(
        model=model,
        choices=[
            ChatCompletionChoice(message=ChatMessageAssistant(content=content, model=model), stop_reason=stop)
        ],
        usage=ModelUsage(
            input_tokens=tokens_in, output_tokens=tokens_out, total_tokens=tokens_in + tokens_out
        ),
        time=reply.get("elapsed_s"),
    )


def _key(base_url: str | None, path: str, body: dict[str, Any], sound: bytes) -> str:
    asked = [base_url, path, body, hashlib.sha256(sound).hexdigest()]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:40]


def _read(path: Path) -> dict[str, Any] | None:
    """A reply that was kept; None where there is none that can be read."""
    try:
        reply = json.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError):
        return None
    return reply if isinstance(reply, dict) and reply else None
