"""Names that clients ask for: those of other servers are answered unless the operator is strict."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import Running

from unisono.serve.wire.model_names import LISTED, OWN, is_answered

DEFAULTS = """
gpt-3.5-turbo gpt-3.5-turbo-0125 gpt-3.5-turbo-16k gpt-4 gpt-4-0613 gpt-4-turbo gpt-4-1106-preview
gpt-4-vision-preview gpt-4o-2024-08-06 gpt-4o-mini-2024-07-18 chatgpt-4o-latest gpt-4.1-mini gpt-4.1-nano
gpt-4.1-2025-04-14 gpt-4.5-preview gpt-5 gpt-5-mini gpt-5-nano gpt-5-chat-latest gpt-5.1-codex-max
gpt-5.2-pro o1 o1-mini o1-preview o3-mini o3-pro o3-mini-2025-01-31 o4-mini o3-deep-research gpt-realtime
gpt-realtime-mini gpt-realtime-2 gpt-realtime-2025-08-28 gpt-4o-realtime-preview-2024-12-17
gpt-4o-mini-realtime-preview gpt-audio gpt-audio-mini gpt-audio-1.5 gpt-4o-audio-preview-2025-06-03
gpt-4o-transcribe gpt-4o-transcribe-diarize gpt-4o-mini-transcribe-2025-12-15 whisper-1 tts-1 tts-1-hd
tts-1-hd-1106 gpt-4o-mini-tts gpt-4o-mini-tts-2025-03-20 dall-e-2 dall-e-3 gpt-image-1 gpt-image-1-mini
gpt-image-1.5 chatgpt-image-latest text-embedding-3-small text-embedding-3-large text-embedding-ada-002
omni-moderation-latest omni-moderation-2024-09-26 text-moderation-007 text-moderation-stable
gpt-4o-search-preview computer-use-preview codex-mini-latest
""".split()
STRANGERS = [
    "nonsense",
    "gpt",
    "gpt-x",
    "gpt-4o-nonsense",
    "gpt-99",
    "o10",
    "llama-3",
    "gpt-4o-",
    "gpt-4o\n",
    "",
    None,
]


@pytest.mark.parametrize("name", [*DEFAULTS, *LISTED])
def test_what_clients_have_as_default_is_answered(name: str) -> None:
    assert is_answered(name, strict=False) and not is_answered(name, strict=True)


@pytest.mark.parametrize("name", [*STRANGERS, "whisper-2", "dall-e-4", "GPT-4O", "unisono-x", 5])
def test_what_nobody_has_is_not(name: object) -> None:
    assert not is_answered(name, strict=False)


@pytest.fixture(scope="module")
def strict_server(tiny_network: Path) -> Iterator[Running]:
    running = Running(tiny_network)
    running.service.strict_models = True
    yield running
    running.stop()


def test_a_strict_server_answers_to_its_own_names(strict_server: Running, tiny_server: Running) -> None:
    body = {"model": "gpt-3.5-turbo", "input": "x"}
    refused = httpx.post(strict_server.url + "/embeddings", json=body, timeout=60)
    assert refused.status_code == 404 and refused.json()["error"]["code"] == "model_not_found"
    assert httpx.post(tiny_server.url + "/embeddings", json=body, timeout=60).status_code == 200
    own = {**body, "model": "unisono"}
    assert httpx.post(strict_server.url + "/embeddings", json=own, timeout=60).status_code == 200
    names = [model["id"] for model in httpx.get(strict_server.url + "/models").json()["data"]]
    assert names == list(OWN) and httpx.get(strict_server.url + "/models/o3-mini").status_code == 404
    assert httpx.get(tiny_server.url + "/models/o3-mini").json()["id"] == "o3-mini"
