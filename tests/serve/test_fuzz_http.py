"""Requests that nobody should send, to every address of /openapi.json: each is answered with a 4xx in
OpenAI's shape, never a 5xx, and the server still answers afterwards."""

import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest import Running, drawing, tone
from hypothesis import HealthCheck, given, settings, strategies as st

from unisono.serve.wire.sound import encode_whole

WAV = encode_whole(tone(0.3), 16000, "wav")
CHAT = {"model": "unisono", "messages": [{"role": "user", "content": "x"}], "max_completion_tokens": 3}
PNG = io.BytesIO()
drawing().save(PNG, "PNG")
JSON_BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": {"model": "unisono", "input": "x", "max_output_tokens": 16},
    "/v1/audio/speech": {
        "model": "tts-1",
        "input": "x",
        "voice": "alloy",
        "response_format": "pcm",
        "speed": 1.0,
        "stream_format": "audio",
    },
    "/v1/images/generations": {
        "model": "gpt-image-1",
        "prompt": "x",
        "n": 1,
        "size": "64x64",
        "quality": "low",
        "output_format": "png",
        "output_compression": 50,
        "background": "opaque",
        "partial_images": 0,
        "stream": False,
    },
    "/v1/images/edits": {"prompt": "x", "images": [{"image_url": "data:,x"}], "mask": {"file_id": "x"}},
    "/v1/embeddings": {
        "model": "text-embedding-3-small",
        "input": ["x"],
        "dimensions": 8,
        "encoding_format": "float",
    },
    "/v1/moderations": {"input": [{"type": "text", "text": "x"}], "model": "omni-moderation-latest"},
}
FORM_BODIES: dict[str, dict[str, str]] = {
    "/v1/audio/transcriptions": {
        "model": "whisper-1",
        "response_format": "json",
        "temperature": "0",
        "stream": "false",
        "include[]": "logprobs",
        "timestamp_granularities[]": "segment",
        "chunking_strategy[type]": "server_vad",
    },
    "/v1/audio/translations": {"model": "whisper-1", "response_format": "json"},
    "/v1/images/edits": {"prompt": "x", "n": "1", "size": "64x64"},
    "/v1/files": {"purpose": "user_data", "expires_after[seconds]": "3600"},
}
FILES = {
    "/v1/audio/transcriptions": "file",
    "/v1/audio/translations": "file",
    "/v1/images/edits": "image",
    "/v1/files": "file",
}
BROKEN = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"5",
    b'"x"',
    b'{"a":NaN}',
    b'{"a":Infinity}',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b'{"model":"\\ud800","input":"\\ud800","voice":"alloy","messages":[{"role":"user","content":"\\udfff"}],"prompt":"\\ud800"}',
    b'{"n":' + b"9" * 5000 + b"}",
    b'{"model":1e999,"input":-1e999}',
    b"\x00" * 100,
]
UNUSUAL = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        10**30,
        -1e300,
        0.5,
        "",
        " ",
        "\0",
        "x" * 5000,
        "\u202e\U0001f600",
        "NaN",
        [],
        [[]],
        {},
        [None],
        {"": None},
        {"type": "function"},
        {"type": "json_schema"},
        {"id": {}},
        [{"type": "text"}],
        ["auto"],
        "a" * 65,
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FUZZ = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


CLIENT = httpx.Client(verify=False)  # one for all: making one takes longer than most requests


@pytest.fixture(scope="session", autouse=True)  # tests of a file may come in several parts
def _closed() -> Iterator[None]:
    yield
    CLIENT.close()


def schema(server: Running) -> dict[str, Any]:
    return CLIENT.get(server.url[:-3] + "/openapi.json").json()


def send(server: Running, path: str, method: str = "POST", **content: Any) -> httpx.Response:
    """Sends; checks that the answer is one that a client understands."""
    answer = CLIENT.request(method, server.url[:-3] + path, timeout=30, **content)
    if answer.status_code >= 400:
        # 501: this server's network has no classifier. No other fault of the server is an answer.
        assert answer.status_code < 500 or (answer.status_code == 501 and path == "/v1/moderations"), (
            answer.status_code,
            answer.text,
        )
        error = answer.json()["error"]
        assert (
            set(error) >= {"message", "type", "param", "code"}
            and isinstance(error["message"], str)
            and error["message"]
        )
        assert "Traceback" not in answer.text and "site-packages" not in answer.text
    assert answer.headers["x-request-id"].startswith("req_")
    healthy(server)
    return answer


def healthy(server: Running) -> None:
    assert CLIENT.get(server.url[:-3] + "/health").json()["status"] == "ok"


def test_every_address_has_something_to_fuzz(tiny_server: Running) -> None:
    paths = schema(tiny_server)["paths"]
    assert set(JSON_BODIES) | set(FORM_BODIES) <= set(paths) | {"/v1/chat/completions", "/v1/responses"}
    for path in FORM_BODIES:
        assert "multipart/form-data" in paths[path]["post"]["requestBody"]["content"]


@pytest.mark.parametrize("path", sorted({*JSON_BODIES, *FORM_BODIES}))
def test_bodies_that_are_none(tiny_server: Running, path: str) -> None:
    kinds = (
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "multipart/form-data",
        "\u00e9",
    )
    for number, content in enumerate(BROKEN):
        for kind in {"application/json", kinds[number % len(kinds)]}:
            answer = send(tiny_server, path, content=content, headers={"content-type": kind.encode("latin1")})
            assert 400 <= answer.status_code < 500
    healthy(tiny_server)


@pytest.mark.parametrize("path", sorted(JSON_BODIES))
@given(data=st.data())
@FUZZ
def test_members_that_are_wrong(tiny_server: Running, path: str, data: st.DataObject) -> None:
    body = dict(JSON_BODIES[path])
    for name in data.draw(st.lists(st.sampled_from(sorted(body)), min_size=1, max_size=2, unique=True)):
        if data.draw(st.booleans()):
            body[name] = data.draw(UNUSUAL | VALUES)
        else:
            body.pop(name)
    if data.draw(st.booleans()):
        body[data.draw(st.text(max_size=8))] = data.draw(VALUES)
    try:
        content = json.dumps(body).encode()
    except ValueError:
        return
    send(tiny_server, path, content=content, headers={"content-type": "application/json"})


@pytest.mark.parametrize("path", sorted(FORM_BODIES))
@given(data=st.data())
@FUZZ
def test_forms_that_are_wrong(tiny_server: Running, path: str, data: st.DataObject) -> None:
    fields: dict[str, Any] = dict(FORM_BODIES[path])
    for name in data.draw(st.lists(st.sampled_from(sorted(fields)), max_size=2, unique=True)):
        fields[name] = data.draw(
            st.text(max_size=12)
            | st.sampled_from(["nan", "1e999", "-1", "true", "x" * 4000])
            | st.lists(st.text(max_size=4), max_size=3)
        )
    if data.draw(st.booleans()):
        fields[
            data.draw(
                st.text(
                    st.characters(exclude_characters='"\r\n', exclude_categories=["Cs", "Cc"]),
                    min_size=1,
                    max_size=9,
                )
            )
        ] = "x"
    content = data.draw(
        st.sampled_from(
            [
                WAV,
                PNG.getvalue(),
                WAV[:60],
                WAV[:-1000],
                b"",
                b"RIFF",
                b"\x89PNG\r\n\x1a\n",
                b"OggS",
                b"GIF89a",
            ]
        )
        | st.binary(max_size=80)
    )
    files = data.draw(
        st.sampled_from(
            [
                {FILES[path]: ("a.wav", content)},
                {"other": content},
                {FILES[path] + "[]": (chr(233) + ".mp3", content)},
            ]
        )
    )
    send(tiny_server, path, data=fields, files=files)


@given(name=st.text(min_size=1, max_size=20), query=st.text(max_size=10))
@FUZZ
def test_names_in_addresses(tiny_server: Running, name: str, query: str) -> None:
    quoted = (
        httpx.QueryParams({"x": name.encode("utf8", "replace").decode()}).__str__()[2:].replace("+", "%20")
    )
    for path, method in (
        (f"/v1/models/{quoted}", "GET"),
        (f"/v1/files/{quoted}", "GET"),
        (f"/v1/files/{quoted}/content", "GET"),
        (f"/v1/files/{quoted}", "DELETE"),
        (f"/v1/{quoted}", "PUT"),
    ):
        if name.strip("./"):
            assert 400 <= send(tiny_server, path, method).status_code < 500
    send(
        tiny_server,
        "/v1/files",
        "GET",
        params={"limit": query, "order": query, "after": query, "purpose": query},
    )


@pytest.mark.parametrize(
    "header",
    ["authorization", "content-length", "range", "transfer-encoding", "x-request-id", "accept", "expect"],
)
def test_odd_headers(tiny_server: Running, header: str) -> None:
    for value in (b"", b"\xff\xfe", b"-1", b"Bearer", b"x" * 5000):
        try:
            answer = CLIENT.post(
                tiny_server.url + "/embeddings",
                content=b"{}",
                headers={header: value, "content-type": "application/json"},
                timeout=10,
            )
        except httpx.HTTPError:
            continue  # the connection was refused before there was a request
        assert answer.status_code < 500
    healthy(tiny_server)


@pytest.mark.slow
def test_schemathesis_finds_no_fault_of_the_server(tiny_server: Running) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    loaded = schemathesis.openapi.from_url(tiny_server.url[:-3] + "/openapi.json")
    for operation in loaded.get_all_operations():

        @given(case=operation.ok().as_strategy())
        @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        def check(case: Any) -> None:
            answer = case.call(base_url=tiny_server.url[:-3], timeout=60)
            assert answer.status_code < 500 or answer.status_code == 501, (
                case.path,
                answer.status_code,
                answer.text,
            )

        check()
    healthy(tiny_server)
