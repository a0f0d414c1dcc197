"""What the page asks for beyond OpenAI's API: drawings in a chat, and the ids themselves; nobody else ever
sees them.
"""

import base64
import io
import json

import httpx
import pytest
from conftest import Connect, Running
from PIL import Image

from unisono.tokenizer import OmniTokenizer

ASKED = [{"role": "user", "content": "Draw a red circle."}]


def chunks(server: Running, **members: object) -> list[dict]:
    body = {"model": "unisono", "messages": ASKED, "stream": True, "max_tokens": 120, **members}
    with httpx.stream("POST", f"{server.url}/chat/completions", json=body, timeout=60) as answer:
        assert answer.status_code == 200
        return [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {")]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_id_is_told_in_order(tiny_server: Running, tiny_network, seed: int) -> None:
    told = chunks(
        tiny_server,
        unisono={"ids": True},
        modalities=["text", "image"],
        temperature=1,
        seed=seed,
        stream_options={"include_usage": True},
    )
    ids = [
        row
        for chunk in told
        for choice in chunk["choices"]
        for row in choice.get("unisono", {}).get("ids", [])
    ]
    assert len(ids) == told[-1]["usage"]["completion_tokens"] > 0
    tokenizer = OmniTokenizer.load(tiny_network)
    text = "".join(choice["delta"].get("content") or "" for chunk in told for choice in chunk["choices"])
    said = tokenizer.text.decode([id for id, kind, _, _ in ids if kind == "text"])
    assert said.strip("\ufffd ") == text.strip("\ufffd ")
    assert all(
        kind in ("text", "image", "mark") and 0 <= probability <= 1 and name
        for _, kind, probability, name in ids
    )


def test_others_see_nothing_of_it(tiny_server: Running) -> None:
    told = chunks(tiny_server, temperature=1, seed=1)
    assert not any(
        "unisono" in choice or "images" in choice["delta"] for chunk in told for choice in chunk["choices"]
    )


def test_drawings_come_in_a_chat(tiny_server: Running, connect: Connect) -> None:
    client = connect(tiny_server)
    for seed in range(20):
        answer = client.chat.completions.create(
            model="unisono",
            messages=ASKED,
            temperature=1,
            seed=seed,
            max_tokens=200,
            extra_body={"modalities": ["text", "image"]},
        )
        images = getattr(answer.choices[0].message, "images", None)
        if images:
            break
    picture = Image.open(io.BytesIO(base64.b64decode(images[0]["image_url"]["url"].split(",")[1])))
    assert picture.size == (32, 32)
    streamed = chunks(tiny_server, modalities=["text", "image"], temperature=1, seed=seed, max_tokens=200)
    shown = [
        image
        for chunk in streamed
        for choice in chunk["choices"]
        for image in choice["delta"].get("images", [])
    ]
    assert [image["partial"] for image in shown][-1] is False and shown[-1]["image_url"] == images[-1][
        "image_url"
    ]
