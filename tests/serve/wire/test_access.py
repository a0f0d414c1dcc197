"""Who is let in: keys, limits, sizes, request ids; and the server as a process that starts, logs and
stops.
"""

import datetime
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import websockets.sync.client
from conftest import Running, free_port
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from unisono.cli import main
from unisono.serve.wire.access import AccessControl, Settings
from unisono.serve.wire.errors import ApiError
from unisono.tokens.vocab import Vocabulary

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def guarded(tiny_network: Path) -> Iterator[Running]:
    running = Running(tiny_network, keys=("sk-one", "sk-two"), requests_per_minute=5, max_bytes=2000)
    yield running
    running.stop()


def test_only_the_page_itself_is_open_and_limits_end_with_their_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    access = AccessControl(None, Settings(keys=("k",), requests_per_minute=1))
    asked = {"type": "http", "method": "GET", "headers": []}
    assert access._admit({**asked, "path": "/page.js"}) == "open"
    with pytest.raises(ApiError, match="Incorrect"):
        access._admit({**asked, "path": "/v1/files/a.js"})
    access.limits.check("key0")
    with pytest.raises(ApiError):
        access.limits.check("key0")
    later = time.monotonic() + 61
    monkeypatch.setattr("unisono.serve.wire.access.time.monotonic", lambda: later)
    access.limits.check("key0")


def get(server: Running, key: str | None, path: str = "/models") -> httpx.Response:
    return httpx.get(server.url + path, headers={"authorization": f"Bearer {key}"} if key is not None else {})


@pytest.mark.parametrize(
    "client, is_let_in",
    [(("127.0.0.1", 1), True), (("::1", 1), True), (None, True), (("192.0.2.7", 1), False)],
)
def test_without_keys_a_name_alone_lets_nobody_in(client: tuple[str, int] | None, is_let_in: bool) -> None:
    scope = {"type": "http", "path": "/v1/files", "headers": [(b"host", b"localhost")], "client": client}
    access = AccessControl(None, Settings())
    if is_let_in:
        assert access._admit(scope) == "local"
    else:
        with pytest.raises(ApiError, match="only this machine"):
            access._admit(scope)


def test_what_there_is_to_ask_for_is_shown_without_scripts(guarded: Running) -> None:
    page = httpx.get(guarded.url.removesuffix("/v1") + "/docs")
    assert (
        page.status_code == 200
        and "<code>/v1/chat/completions</code>" in page.text
        and "<script" not in page.text
    )
    assert page.headers["content-security-policy"] == "default-src 'none'"


@pytest.mark.parametrize("key", [None, "none", "sk-on", "sk-one2", "sk-\u00f6"])
def test_a_wrong_key_is_refused(guarded: Running, key: str | None) -> None:
    headers = {"authorization": f"Bearer {key}".encode("latin1")} if key is not None else {}
    answer = httpx.get(guarded.url + "/models", headers=headers)
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "invalid_api_key"
    assert answer.headers["x-request-id"].startswith("req_")


def test_limits_are_for_each_key_and_say_when_to_come_back(guarded: Running) -> None:
    answers = [get(guarded, "sk-one") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert (
        0 < int(answers[-1].headers["retry-after"]) <= 60
        and answers[-1].json()["error"]["type"] == "rate_limit_error"
    )
    assert get(guarded, "sk-two").status_code == 200
    assert httpx.get(guarded.url[:-3] + "/health").json()["status"] == "ok"
    assert len({answer.headers["x-request-id"] for answer in answers}) == 7


@pytest.mark.parametrize("said", [True, False])
def test_a_body_that_is_too_large_is_refused(guarded: Running, said: bool) -> None:
    content = b"x" * 5000 if said else iter([b"x" * 1500] * 3)
    answer = httpx.post(
        guarded.url + "/chat/completions",
        content=content,
        headers={"authorization": "Bearer sk-two", "content-type": "application/json"},
    )
    assert answer.status_code == 413 and "larger than" in answer.json()["error"]["message"]


def test_unknown_places_and_methods(tiny_server: Running) -> None:
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("PATCH", "/models", 405),
        ("GET", "/models/none", 404),
    ):
        answer = httpx.request(method, tiny_server.url + path)
        assert answer.status_code == status and set(answer.json()["error"]) == {
            "message",
            "type",
            "param",
            "code",
        }


def test_metrics_count_without_content(tiny_server: Running) -> None:
    httpx.get(tiny_server.url + "/models")
    text = httpx.get(tiny_server.url[:-3] + "/metrics").text
    assert 'unisono_requests_total{route="/v1/models",status="200"}' in text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"origin": "http://localhost:3000"}, 200),
        ({"host": "evil.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
    ],
)
def test_without_keys_only_this_machine_is_served(
    tiny_server: Running, headers: dict[str, str], status: int
) -> None:
    assert httpx.get(tiny_server.url + "/models", headers=headers).status_code == status


def test_no_page_from_elsewhere_opens_a_session(tiny_server: Running) -> None:
    address = f"{tiny_server.url.replace('http', 'ws')}/realtime?model=gpt-realtime"
    with (
        pytest.raises(websockets.exceptions.InvalidStatus),
        websockets.sync.client.connect(address, origin="https://evil.example"),
    ):
        pass
    with websockets.sync.client.connect(address, origin="http://localhost:3000") as socket:
        assert json.loads(socket.recv())["type"] == "session.created"


def test_with_keys_pages_from_anywhere_may_ask(guarded: Running) -> None:
    assert (
        httpx.get(
            guarded.url + "/models",
            headers={"authorization": "Bearer sk-two", "origin": "https://somebody.example"},
        ).status_code
        == 200
    )


def test_browsers_may_read_what_their_page_asks_for(guarded: Running, tiny_server: Running) -> None:
    page = "https://somebody.example"
    asked = {
        "origin": page,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type",
    }
    answer = httpx.options(guarded.url + "/realtime/calls", headers=asked)
    assert answer.status_code == 204 and answer.headers["access-control-allow-origin"] == page
    assert (
        answer.headers["access-control-allow-headers"] == "authorization, content-type"
        and "POST" in answer.headers["access-control-allow-methods"]
    )
    answer = httpx.get(guarded.url + "/models", headers={"authorization": "Bearer sk-two", "origin": page})
    assert (
        answer.headers["access-control-allow-origin"] == page
        and "location" in answer.headers["access-control-expose-headers"]
    )
    assert (
        httpx.get(guarded.url + "/models", headers={"origin": page}).headers["access-control-allow-origin"]
        == page
    )  # a 401 can be read
    for headers in (
        {**asked, "origin": "https://evil.example"},
        asked,
    ):  # without keys no page from elsewhere
        assert (
            "access-control-allow-origin"
            not in httpx.options(tiny_server.url + "/realtime/calls", headers=headers).headers
        )
    assert (
        httpx.options(
            tiny_server.url + "/models", headers={**asked, "origin": "http://localhost:3000"}
        ).status_code
        == 204
    )


def test_a_client_secret_opens_sessions_only(guarded: Running) -> None:
    made = httpx.post(
        guarded.url + "/realtime/client_secrets",
        json={"expires_after": {"anchor": None}},
        headers={"authorization": "Bearer sk-two"},
    ).json()
    assert get(guarded, made["value"]).status_code == 403


def test_what_fails_inside_is_a_500_with_an_id(
    tiny_server: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(type(tiny_server.service), "check_model", lambda self, name: 1 / 0)
    answer = httpx.post(tiny_server.url + "/embeddings", json={"model": "unisono", "input": "x"})
    assert (
        answer.status_code == 500
        and answer.headers["x-request-id"].startswith("req_")
        and "log names" in answer.json()["error"]["message"]
    )
    assert [entry.fields["id"] for entry in caplog.records if entry.message == "request failed"] == [
        answer.headers["x-request-id"]
    ]


@contextmanager
def serve(
    tiny_network: Path, *arguments: object, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The server as a process of its own, and its port; it is gone afterwards, however the test ends."""
    port = free_port()
    options = ["--model", tiny_network, "--port", port, *arguments]
    with subprocess.Popen(
        [sys.executable, "-m", "unisono.cli", "serve", *map(str, options)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    ) as process:
        try:
            yield process, port
        finally:
            process.kill()


def test_the_program_starts_logs_and_stops(tiny_network: Path) -> None:
    with serve(tiny_network, "--verbose", UNISONO_API_KEYS="sk-a, sk-b") as (process, port):
        assert f"http://127.0.0.1:{port}/v1" in process.stdout.readline()
        for _ in range(200):
            try:
                answer = httpx.get(
                    f"http://127.0.0.1:{port}/v1/models", headers={"authorization": "Bearer sk-b"}
                )
                break
            except httpx.ConnectError:
                time.sleep(0.05)
        assert answer.status_code == 200
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    lines = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    request = next(line for line in lines if line["event"] == "request")
    assert (
        request["status"] == 200
        and request["path"] == "/v1/models"
        and request["id"] == answer.headers["x-request-id"]
    )
    assert process.returncode == 0, errors


def answering(url: str, **options: object) -> httpx.Response:
    """What the address says as soon as somebody is there."""
    for _ in range(2400):
        try:
            return httpx.get(url, **options)
        except httpx.ConnectError as error:
            last = error
            time.sleep(0.05)
    raise last


def test_who_is_being_answered_at_the_end_is_answered_whole(tiny_network: Path) -> None:
    end = Vocabulary.load(tiny_network / "vocabulary.json").id("<|end|>")
    with serve(tiny_network) as (process, port):
        url = f"http://127.0.0.1:{port}/v1"
        answering(f"{url}/models")
        body = {
            "model": "unisono",
            "messages": [{"role": "user", "content": "hi"}],
            "max_tokens": 700,
            "stream": True,
            "logit_bias": {str(end): -100},
        }
        with httpx.stream("POST", f"{url}/chat/completions", json=body, timeout=60) as stream:
            lines = stream.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            while (late := httpx.get(f"{url}/models")).status_code == 200:  # the signal is not read yet
                pass
            told = [line for line in lines if line]
        _, errors = process.communicate(timeout=30)
    assert told[-1] == "data: [DONE]" and late.status_code == 503 and "error" in late.json()
    assert process.returncode == 0, errors


def test_it_speaks_tls(tiny_network: Path, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    certified = (
        "--host",
        "localhost",
        "--tls-cert",
        tmp_path / "cert.pem",
        "--tls-key",
        tmp_path / "key.pem",
    )
    with serve(tiny_network, *certified) as (_, port):
        assert answering(f"https://localhost:{port}/v1/models", verify=context).json()["data"]
        with websockets.sync.client.connect(
            f"wss://localhost:{port}/v1/realtime?model=gpt-realtime", ssl=context
        ) as socket:
            assert json.loads(socket.recv())["type"] == "session.created"
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://localhost:{port}/v1/models")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "keys"),
        (["--keys", "/nowhere"], "/nowhere"),
        (["--tls-cert", "/nowhere.pem"], "/nowhere.pem"),
        (["--tls-cert", __file__], "expected a certificate and its key in PEM"),
        (["--tls-key", __file__], "--tls-key needs --tls-cert"),
    ],
)
def test_what_an_operator_gets_wrong(
    tiny_network: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--model", str(tiny_network), "--port", "0", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_port_in_use_is_said(tiny_network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["serve", "--model", str(tiny_network), "--port", port]) == 2
    assert "in use" in capsys.readouterr().err
