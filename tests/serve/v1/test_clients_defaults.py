"""What clients send without being asked: older spellings, other line ends, other methods. Each is honoured or
refused in words, none is passed over in silence.
"""

import base64
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from chat_client import GO, SKY, ask, png, url
from coded import wav
from conftest import Running, drawing, tone
from openai import OpenAI
from PIL import Image

from unisono.serve.wire.sse import event

FUNCTION = GO["function"]


def post(server: Running, path: str, **body: Any) -> httpx.Response:
    return httpx.post(server.url + path, json=body, timeout=60)


# ---- functions, as calls were written before there were tools ----


def test_functions_are_called_as_they_were(client: OpenAI, silent: dict[str, int]) -> None:
    made = ask(
        client, functions=[FUNCTION], function_call={"name": "go"}, logit_bias=silent, max_tokens=200
    ).choices[0]
    assert made.finish_reason == "function_call" and made.message.tool_calls is None
    assert made.message.function_call.name == "go"
    assert set(json.loads(made.message.function_call.arguments)) == {"x", "is_far"}


def test_functions_are_streamed_as_they_were(client: OpenAI, silent: dict[str, int]) -> None:
    stream = ask(
        client,
        functions=[FUNCTION],
        function_call={"name": "go"},
        logit_bias=silent,
        max_tokens=200,
        stream=True,
    )
    name, arguments, reason = "", "", None
    for chunk in stream:
        delta = chunk.choices[0].delta
        assert delta.tool_calls is None
        if delta.function_call:
            name += delta.function_call.name or ""
            arguments += delta.function_call.arguments or ""
        reason = chunk.choices[0].finish_reason or reason
    assert name == "go" and reason == "function_call" and set(json.loads(arguments)) == {"x", "is_far"}


def test_results_of_functions_are_read(client: OpenAI, tiny_server: Running) -> None:
    history = [
        *SKY,
        {"role": "assistant", "content": None, "function_call": {"name": "go", "arguments": '{"x": 1}'}},
        {"role": "function", "name": "go", "content": "gone"},
    ]
    without = ask(
        client, messages=[*SKY, {"role": "assistant", "content": ""}, history[2]]
    ).usage.prompt_tokens
    assert ask(client, messages=history).usage.prompt_tokens > without
    said = ask(client, functions=[FUNCTION], function_call="none")
    assert said.choices[0].message.function_call is None


@pytest.mark.parametrize(
    "more",
    [
        {"functions": [FUNCTION], "tools": [GO]},
        {"functions": [FUNCTION], "function_call": "always"},
        {"functions": [FUNCTION], "function_call": {"name": "other"}},
        {"functions": [{"description": "nameless"}]},
        {"function_call": {}},
    ],
)
def test_wrong_functions_are_refused(tiny_server: Running, more: dict[str, Any]) -> None:
    answer = post(tiny_server, "/chat/completions", model="gpt-4", messages=SKY, max_tokens=4, **more)
    assert answer.status_code == 400 and answer.json()["error"]["message"]


# ---- ids of another vocabulary ----


@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2], [3]], [[100257, 5]], [1, "x"], ["x", [1]]])
def test_ids_of_another_vocabulary_are_refused_with_the_remedy(tiny_server: Running, given: Any) -> None:
    answer = post(tiny_server, "/embeddings", model="text-embedding-ada-002", input=given)
    assert answer.status_code == 400
    assert "check_embedding_ctx_length=False" in answer.json()["error"]["message"]


def test_ids_of_the_networks_own_vocabulary_are_its_words(tiny_server: Running) -> None:
    ids = tiny_server.service.tokenizer.text.encode("The sky is blue.")
    by_ids = post(tiny_server, "/embeddings", model="unisono", input=[ids]).json()
    by_text = post(tiny_server, "/embeddings", model="unisono", input="The sky is blue.").json()
    assert by_ids["data"][0]["embedding"] == pytest.approx(by_text["data"][0]["embedding"], abs=1e-5)


# ---- pictures by their address ----


@pytest.mark.parametrize(
    "more, is_url",
    [
        ({"model": "dall-e-2"}, True),
        ({"model": "dall-e-3"}, True),
        ({"model": "dall-e-3", "response_format": "b64_json"}, False),
        ({"model": "gpt-image-1"}, False),
        ({"model": "unisono", "response_format": "url"}, True),
    ],
)
def test_a_picture_comes_as_it_was_asked_for(
    tiny_server: Running, more: dict[str, str], is_url: bool
) -> None:
    made = post(tiny_server, "/images/generations", prompt="a red circle", size="64x64", **more).json()[
        "data"
    ][0]
    assert ("url" in made, "b64_json" in made) == (is_url, not is_url)
    if is_url:
        shown = httpx.get(made["url"])
        assert shown.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(shown.content)).size == (64, 64)
        assert httpx.get(made["url"].replace("shown/", "shown/0")).status_code == 404


def test_a_pictures_address_needs_no_key(tiny_network: Path) -> None:
    running = Running(tiny_network, keys=("sk-one",))
    try:
        body = {"model": "dall-e-2", "prompt": "a red circle", "size": "64x64"}
        headers = {"authorization": "Bearer sk-one"}
        made = httpx.post(running.url + "/images/generations", json=body, headers=headers, timeout=60).json()
        assert httpx.get(made["data"][0]["url"]).status_code == 200
        assert httpx.get(running.url + "/files").status_code == 401
    finally:
        running.stop()


@pytest.mark.parametrize("mode, format", [("LAB", "TIFF"), ("CMYK", "TIFF"), ("L", "PNG"), ("RGB", "PNG")])
def test_a_mask_without_transparent_places_is_refused(tiny_server: Running, mode: str, format: str) -> None:
    mask, picture = io.BytesIO(), io.BytesIO()
    Image.new(mode, (48, 32)).save(mask, format)
    drawing().save(picture, "PNG")
    files = {"image": ("a.png", picture.getvalue()), "mask": ("m", mask.getvalue())}
    answer = httpx.post(tiny_server.url + "/images/edits", data={"prompt": "x"}, files=files)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "mask"


# ---- how it is sent ----


@pytest.mark.parametrize("path", ["/models", "/models/gpt-4o", "/files"])
def test_head_is_get_without_content(tiny_server: Running, path: str) -> None:
    got, head = httpx.get(tiny_server.url + path), httpx.head(tiny_server.url + path)
    assert head.status_code == 200 and head.content == b"" and got.content
    for name in ("content-type", "content-length"):
        assert head.headers[name] == got.headers[name]


def test_head_of_everything_else(tiny_server: Running) -> None:
    root = tiny_server.url.removesuffix("/v1")
    for path in ("/", "/health", "/metrics", "/docs", "/openapi.json"):
        assert httpx.head(root + path).status_code == 200, path
    assert httpx.head(tiny_server.url + "/nothing").status_code == 404
    assert httpx.head(tiny_server.url + "/embeddings").status_code == 405


def in_lines(content: bytes, end: str) -> str:
    text = base64.b64encode(content).decode()
    return end.join(text[start : start + 76] for start in range(0, len(text), 76)) + end


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\n ", "\t"])
def test_base64_in_lines_is_read(client: OpenAI, end: str) -> None:
    sound = wav(tone(0.3)).getvalue()
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{in_lines(png(), end)}"}},
        {"type": "input_audio", "input_audio": {"data": in_lines(sound, end), "format": "wav"}},
        {"type": "file", "file": {"filename": "a.png", "file_data": in_lines(png(), end)}},
    ]
    for part in parts:
        made = ask(client, messages=[{"role": "user", "content": [part]}], max_tokens=2)
        assert made.usage.prompt_tokens > 10


def test_pictures_between_commas_are_a_clip(client: OpenAI) -> None:
    file = io.BytesIO()
    drawing().save(file, "JPEG")
    one = base64.b64encode(file.getvalue()).decode()

    def count(num: int) -> int:
        clip = {"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{','.join([one] * num)}"}}
        return ask(client, messages=[{"role": "user", "content": [clip]}], max_tokens=2).usage.prompt_tokens

    assert count(3) - count(2) == count(2) - count(1) > 10


def test_one_picture_between_commas_is_broken(tiny_server: Running) -> None:
    clip = {"type": "video_url", "video_url": {"url": url(png(), "video/jpeg") + ",,nothing"}}
    answer = post(
        tiny_server, "/chat/completions", model="gpt-4o", messages=[{"role": "user", "content": [clip]}]
    )
    assert answer.status_code == 400


def test_no_event_breaks_a_reader_of_lines() -> None:
    words = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei\r\nj"
    sent = event({"text": words}, "x").decode()
    assert (
        len(sent.splitlines()) == 3
        and json.loads(sent.splitlines()[1].removeprefix("data: "))["text"] == words
    )
