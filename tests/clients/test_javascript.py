"""OpenAI's clients in JavaScript, unmodified, against the weights that ship. Skipped where node or npm is
missing or npm reaches no registry.
"""

import asyncio
import base64
import io
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import Running
from other_clients import ANSWER, WIRE_RATE, assert_speech, is_about_the_sky, needs_weights, pcm16, question
from PIL import Image

from unisono.assess.quality.scenes import read_scene

pytestmark = needs_weights

SCRIPTS = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scripts and the packages that they need."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(SCRIPTS, folder, dirs_exist_ok=True)
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, timeout=400
    )
    if done.returncode:
        pytest.skip(f"npm could not install the packages: {done.stderr.strip().splitlines()[-1:]}")
    return folder


def told(folder: Path, script: str, *arguments: object) -> dict[str, Any]:
    """What a script saw."""
    done = subprocess.run(
        ["node", script, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "told.json").read_text())


@pytest.fixture
def secure_url(shipped_server: Running, tmp_path: Path) -> Iterator[str]:
    """The server behind TLS with a certificate of its own, as a proxy would put it; empty without openssl."""
    if not shutil.which("openssl"):
        yield ""
        return
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-days",
            "2",
            "-keyout",
            tmp_path / "key.pem",
            "-out",
            tmp_path / "cert.pem",
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", shipped_server.port)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        try:
            await asyncio.gather(
                copy(reader, inner_writer), copy(inner_reader, writer), return_exceptions=True
            )
        finally:
            for end in (writer, inner_writer):
                end.close()
            await asyncio.gather(writer.wait_closed(), inner_writer.wait_closed(), return_exceptions=True)

    opened: Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Queue()

    async def main() -> None:
        front, stop = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context), asyncio.Event()
        opened.put((asyncio.get_running_loop(), stop, front.sockets[0].getsockname()[1]))
        await stop.wait()
        front.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    loop, stop, port = opened.get(timeout=60)
    yield f"https://127.0.0.1:{port}/v1"
    loop.call_soon_threadsafe(stop.set)
    thread.join(60)


def test_openai_in_javascript(node: Path, shipped_server: Running, secure_url: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "question.wav", question(16000), 16000)
    seen = told(node, "openai.mjs", shipped_server.url, tmp_path / "question.wav", secure_url)
    assert (
        seen["text"]
        == seen["streamed"]
        == "".join(seen["pieces"])
        == seen["response"]
        == "".join(seen["response_pieces"])
        == ANSWER
    )
    assert seen["spoken"]["transcript"] == ANSWER
    for wav in (seen["spoken"]["data"], seen["speech"]):
        pcm, rate = soundfile.read(io.BytesIO(base64.b64decode(wav)), dtype="float32")
        assert rate == WIRE_RATE
        assert_speech(pcm)
    assert seen["called"][0]["place"] in ("sea", "sky") and seen["after_call"][:3] == [
        "user",
        "assistant",
        "tool",
    ]
    assert seen["stream_called"]["name"] == "look_at" and json.loads(seen["stream_called"]["arguments"])[
        "place"
    ] in ("sea", "sky")
    assert is_about_the_sky(seen["heard"]) and seen["heard_again"]
    picture = (
        Image.open(io.BytesIO(base64.b64decode(seen["picture"])))
        .convert("RGB")
        .resize((64, 64), Image.Resampling.BOX)
    )
    assert any(thing.colour == "red" for thing in read_scene(np.asarray(picture)))
    assert seen["vector"] > 100 and seen["no_such_model"] == ["NotFoundError", 404]
    if secure_url:
        assert seen["live"] == ANSWER


def test_agents_realtime_in_javascript(node: Path, shipped_server: Running, tmp_path: Path) -> None:
    (tmp_path / "question.pcm").write_bytes(pcm16(question(WIRE_RATE)))
    address = shipped_server.url.replace("http", "ws") + "/realtime?model=gpt-realtime"
    seen = told(node, "agents.mjs", address, tmp_path / "question.pcm")
    assert seen["errors"] == []
    assert seen["written"]["answer"] == ANSWER
    assert_speech(base64.b64decode(seen["written"]["sound"]))
    assert seen["calls"][0] in ("sea", "sky") and seen["output"] == ANSWER
    heard, answered = seen["spoken"]["history"][:2]
    assert is_about_the_sky(heard) and answered
    assert_speech(base64.b64decode(seen["spoken"]["sound"]))
    assert "audio_interrupted" in seen["interrupted"] and "conversation.item.truncated" in seen["interrupted"]
