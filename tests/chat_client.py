"""What the tests of chat completions share: requests, tools, and content to send."""

import base64
import io
import time
from collections.abc import Callable
from typing import Any

import soundfile
from conftest import drawing, tone
from openai import OpenAI

SKY = [{"role": "user", "content": "What colour is the sky?"}]


POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer", "minimum": -9, "maximum": 9}, "is_far": {"type": "boolean"}},
    "required": ["x", "is_far"],
    "additionalProperties": False,
}


GO = {
    "type": "function",
    "function": {"name": "go", "description": "Goes\nthere.", "parameters": POINT, "strict": True},
}


STOP = {"type": "function", "function": {"name": "stop"}}


SPOKEN = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}


def ask(client: OpenAI, **more: Any) -> Any:
    return client.chat.completions.create(
        **{"model": "gpt-4o", "messages": SKY, "max_tokens": 12, "temperature": 1, "seed": 1, **more}
    )


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def png() -> bytes:
    file = io.BytesIO()
    drawing().save(file, "PNG")
    return file.getvalue()


def wav(seconds: float = 0.3) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tone(seconds), 16000, format="WAV")
    return file.getvalue()


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()
