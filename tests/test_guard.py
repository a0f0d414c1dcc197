"""Who is let in: keys, limits, sizes, request ids; and the server as a process that starts, logs and stops."""
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import Running

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def guarded(tiny_network: Path) -> Iterator[Running]:
    running = Running(tiny_network, keys=("sk-one", "sk-two"), requests_per_minute=5, most_bytes=2000)
    yield running
    running.stop()


def get(server: Running, key: str | None, path: str = "/models") -> httpx.Response:
    return httpx.get(server.url + path, headers={"authorization": f"Bearer {key}"} if key is not None else {})


@pytest.mark.parametrize("key", [None, "none", "sk-on", "sk-one2", "sk-\u00f6"])
def test_a_wrong_key_is_refused(guarded: Running, key: str | None) -> None:
    headers = {"authorization": f"Bearer {key}".encode("latin1")} if key is not None else {}
    answer = httpx.get(guarded.url + "/models", headers=headers)
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "invalid_api_key"
    assert answer.headers["x-request-id"].startswith("req_")


def test_limits_are_for_each_key_and_say_when_to_come_back(guarded: Running) -> None:
    answers = [get(guarded, "sk-one") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60 and answers[-1].json()["error"]["type"] == "rate_limit_error"
    assert get(guarded, "sk-two").status_code == 200
    assert httpx.get(guarded.url[:-3] + "/health").json()["status"] == "ok"
    assert len({answer.headers["x-request-id"] for answer in answers}) == 7


@pytest.mark.parametrize("said", [True, False])
def test_a_body_that_is_too_large_is_refused(guarded: Running, said: bool) -> None:
    content = b"x" * 5000 if said else iter([b"x" * 1500] * 3)
    answer = httpx.post(guarded.url + "/chat/completions", content=content, headers={"authorization": "Bearer sk-two",
                                                                                    "content-type": "application/json"})
    assert answer.status_code == 413 and "larger than" in answer.json()["error"]["message"]


def test_unknown_places_and_methods(tiny_server: Running) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("PATCH", "/models", 405), ("GET", "/models/none", 404)):
        answer = httpx.request(method, tiny_server.url + path)
        assert answer.status_code == status and set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_metrics_count_without_content(tiny_server: Running) -> None:
    httpx.get(tiny_server.url + "/models")
    text = httpx.get(tiny_server.url[:-3] + "/metrics").text
    assert 'unisono_requests_total{route="/v1/models",status="200"}' in text


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def serve(tiny_network: Path, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "unisono.cli", "serve", "--model", tiny_network, *map(str, arguments)], cwd=ROOT,
                            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment})


def test_the_program_starts_logs_and_stops(tiny_network: Path) -> None:
    port = free_port()
    process = serve(tiny_network, "--port", port, "--verbose", UNISONO_API_KEYS="sk-a, sk-b")
    try:
        assert f"http://127.0.0.1:{port}/v1" in process.stdout.readline()
        for _ in range(200):
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/v1/models", headers={"authorization": "Bearer sk-b"})
                break
            except httpx.ConnectError:
                time.sleep(0.05)
        assert answer.status_code == 200
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    lines = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    request = next(line for line in lines if line["event"] == "request")
    assert request["status"] == 200 and request["path"] == "/v1/models" and request["id"] == answer.headers["x-request-id"]
    assert process.returncode == 0, errors


@pytest.mark.parametrize(("arguments", "words"), [
    (["--host", "0.0.0.0"], "keys"), (["--keys", "/nowhere"], "/nowhere"), (["--tls-cert", "/nowhere.pem"], "/nowhere.pem")])
def test_what_an_operator_gets_wrong(tiny_network: Path, arguments: list[str], words: str) -> None:
    process = serve(tiny_network, *arguments)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2 and words in errors and "Traceback" not in errors


def test_a_port_in_use_is_said(tiny_network: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = serve(tiny_network, "--port", taken.getsockname()[1])
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2 and "in use" in errors and "Traceback" not in errors
