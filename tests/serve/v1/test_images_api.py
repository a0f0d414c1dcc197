"""/v1/images with OpenAI's own client: sizes, formats, several pictures, pictures in the making, edits with a
mask.
"""

import base64
import io
from collections.abc import Iterator

import httpx
import numpy as np
import openai
import pytest
from conftest import Connect, Running, drawing
from openai import OpenAI
from PIL import Image

from unisono.assess.quality.scenes import read_scene
from unisono.core.home import shipped
from unisono.serve.v1.images import phrased


@pytest.fixture(scope="module")
def client(tiny_server: Running) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=tiny_server.url, api_key="x", max_retries=0, _strict_response_validation=True
    ) as made:
        yield made


def opened(b64: str | None) -> Image.Image:
    picture = Image.open(io.BytesIO(base64.b64decode(b64 or "", validate=True)))
    picture.load()
    return picture


def png(picture: Image.Image) -> io.BytesIO:
    file = io.BytesIO()
    picture.save(file, "PNG")
    file.seek(0)
    file.name = "picture.png"
    return file


def test_a_picture(client: OpenAI) -> None:
    answer = client.images.generate(
        model="gpt-image-1", prompt="a red circle", quality="auto", background="auto", moderation="low"
    )
    picture = opened(answer.data[0].b64_json)
    assert (
        picture.format == "PNG" and picture.size == (128, 128) and answer.size == "128x128"
    )  # four times the tiny network's own
    usage = answer.usage
    assert (
        usage.output_tokens_details.image_tokens == 16
        and usage.total_tokens == usage.input_tokens + usage.output_tokens
    )
    assert (
        usage.input_tokens_details.image_tokens == 0
        and usage.input_tokens == usage.input_tokens_details.text_tokens
    )


@pytest.mark.parametrize(
    "format, size, wanted",
    [("png", "64x192", (64, 192)), ("webp", "256x256", (256, 256)), ("jpeg", "48x16", (48, 16))],
)
def test_sizes_and_formats(client: OpenAI, format: str, size: str, wanted: tuple[int, int]) -> None:
    answer = client.images.generate(
        model="dall-e-3",
        prompt="x",
        size=size,
        output_format=format,
        output_compression=40,
        style="vivid",
        response_format="b64_json",
        quality="hd",
    )
    picture = opened(answer.data[0].b64_json)
    assert picture.format == format.upper() and picture.size == wanted and answer.output_format == format


def test_several_pictures_differ(client: OpenAI, lively: None) -> None:
    answer = client.images.generate(model="dall-e-2", prompt="a red circle", n=5, response_format="b64_json")
    assert len(answer.data) == 5 and len({one.b64_json for one in answer.data}) > 1
    assert answer.usage.output_tokens_details.image_tokens == 80


@pytest.mark.parametrize("count", [0, 1, 3])
def test_pictures_in_the_making(client: OpenAI, count: int) -> None:
    events = list(
        client.images.generate(model="gpt-image-1", prompt="a red circle", stream=True, partial_images=count)
    )
    assert [event.type for event in events] == ["image_generation.partial_image"] * count + [
        "image_generation.completed"
    ]
    assert [event.partial_image_index for event in events[:-1]] == list(range(count))
    assert (
        all(opened(event.b64_json).size == (128, 128) for event in events)
        and events[-1].usage.output_tokens > 16
    )


@pytest.mark.parametrize("many", [False, True])
def test_edits(client: OpenAI, many: bool) -> None:
    pictures = [png(drawing()), png(drawing((20, 40), "RGBA"))] if many else png(drawing())
    answer = client.images.edit(model="gpt-image-1", image=pictures, prompt="What is this?", n=2, size="auto")
    assert len(answer.data) == 2 and answer.usage.input_tokens_details.image_tokens == (32 if many else 16)
    events = list(
        client.images.edit(
            model="gpt-image-1", image=png(drawing()), prompt="x", stream=True, partial_images=2
        )
    )
    assert [event.type for event in events] == ["image_edit.partial_image"] * 2 + ["image_edit.completed"]


def test_a_mask_keeps_what_it_covers(client: OpenAI) -> None:
    given, mask = Image.new("RGB", (64, 64), (10, 200, 30)), Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 32, 64))
    answer = client.images.edit(
        model="gpt-image-1", image=png(given), mask=png(mask), prompt="x", size="64x64"
    )
    pixels = np.asarray(opened(answer.data[0].b64_json))
    assert (pixels[:, 33:] == (10, 200, 30)).all() and not (pixels[:, :31] == (10, 200, 30)).all()
    with pytest.raises(openai.BadRequestError, match="transparent"):
        client.images.edit(model="gpt-image-1", image=png(given), mask=png(given), prompt="x")


def test_edits_as_json_with_a_file(tiny_server: Running, client: OpenAI) -> None:
    kept = client.files.create(file=png(drawing()), purpose="vision")
    url = "data:image/png;base64," + base64.b64encode(png(drawing()).getvalue()).decode()
    answer = httpx.post(
        tiny_server.url + "/images/edits",
        json={"prompt": "x", "images": [{"file_id": kept.id}, {"image_url": url}]},
    )
    assert answer.status_code == 200 and answer.json()["usage"]["input_tokens_details"]["image_tokens"] == 32
    for images in ([], [{"file_id": "file-none"}], [{"image_url": "http://127.0.0.1/x.png"}], [{}], "x"):
        assert httpx.post(
            tiny_server.url + "/images/edits", json={"prompt": "x", "images": images}
        ).status_code in (400, 404)


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": ""},
        {"prompt": "  "},
        {"prompt": "word " * 2000},
        {"n": 0},
        {"n": 11},
        {"size": "15x16"},
        {"size": "16x64"},
        {"size": "9984x9984"},
        {"size": "big"},
        {"output_format": "gif"},
        {"output_compression": 101},
        {"background": "transparent"},
        {"quality": "best"},
        {"partial_images": 4},
    ],
)
def test_wrong_requests(client: OpenAI, change: dict) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(**({"model": "gpt-image-1", "prompt": "x"} | change))
    assert caught.value.param in (*change, None) and (
        caught.value.param or caught.value.code == "context_length_exceeded"
    )


def test_an_edit_needs_a_picture(tiny_server: Running, client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="not a picture"):
        client.images.edit(model="gpt-image-1", image=("a.png", b"no picture"), prompt="x")
    assert (
        httpx.post(tiny_server.url + "/images/edits", data={"prompt": "x"}, files={"other": b"x"}).json()[
            "error"
        ]["param"]
        == "image"
    )


@pytest.mark.parametrize(
    "prompt, wanted",
    [
        ("a red circle", "Draw a red circle."),
        ("A red circle", "Draw a red circle."),
        ("Two cats", "Draw two cats."),
        ("USA map", "Draw USA map."),
        ("Draw a red circle", "Draw a red circle."),
        ("please paint a cat.", "please paint a cat."),
        ("drawing of a cat", "Draw drawing of a cat."),
    ],
)
def test_prompts_take_the_form_that_was_taught(prompt: str, wanted: str) -> None:
    assert phrased(prompt) == wanted


@pytest.mark.skipif(not list(shipped().glob("*/model.safetensors")), reason="no weights in the package")
def test_the_network_draws_what_is_asked_for(shipped_server: Running, connect: Connect) -> None:
    client = connect(shipped_server)
    answer = client.images.generate(model="gpt-image-1", prompt="a blue square", n=3, size="256x256")
    seen = [
        read_scene(np.asarray(opened(one.b64_json).resize((64, 64), Image.Resampling.BOX)))
        for one in answer.data
    ]
    assert (
        any(thing.colour == "blue" for things in seen for thing in things) and answer.data[0].revised_prompt
    )
