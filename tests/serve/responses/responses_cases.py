"""What the tests of /v1/responses share: a client in strict mode, and requests."""

import base64
import io
import time
from collections.abc import Callable
from typing import Any

from conftest import Running, drawing
from openai import OpenAI

SKY = "What colour is the sky?"
POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer", "minimum": -9, "maximum": 9}, "is_far": {"type": "boolean"}},
    "required": ["x", "is_far"],
    "additionalProperties": False,
}
GO = {"type": "function", "name": "go", "description": "Goes there.", "parameters": POINT, "strict": True}
DRAW = {"type": "image_generation"}


def strict_client(server: Running) -> OpenAI:
    """OpenAI's own client, which checks every answer."""
    return OpenAI(base_url=server.url, api_key="x", max_retries=0, _strict_response_validation=True)


def ask(client: OpenAI, **more: Any) -> Any:
    return client.responses.create(
        **{"model": "gpt-4o", "input": SKY, "max_output_tokens": 16, "temperature": 1, **more}
    )


def png() -> str:
    file = io.BytesIO()
    drawing().save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def short(events: list[Any]) -> list[str]:
    """Types of events, repeated ones once; their numbers count up."""
    assert [event.sequence_number for event in events] == list(range(len(events)))
    names = [event.type.removeprefix("response.") for event in events]
    return [name for number, name in enumerate(names) if number == 0 or names[number - 1] != name]


def forever(server: Running) -> dict[str, Any]:
    """Members of a chat request have a bias; here a schema keeps the network busy until its context is
    full.
    """
    return {
        "text": {
            "format": {
                "type": "json_schema",
                "name": "long",
                "strict": True,
                "schema": {"type": "string", "minLength": 900},
            }
        }
    }
