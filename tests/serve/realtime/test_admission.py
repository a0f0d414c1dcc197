"""Who may open a session: client secrets, limits, browsers."""

# ruff: noqa: F401, F811

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import websockets
from conftest import Connect, Running
from live_client import talk
from openai import OpenAI
from realtime_cases import brief, run


@pytest.fixture(scope="module")
def guarded(tiny_network: Path) -> Iterator[Running]:
    running = Running(tiny_network, keys=("sk-one", "sk-two"), sessions=3)
    yield running
    running.stop()


def test_client_secrets(guarded: Running, connect: Connect) -> None:
    client = connect(guarded, "sk-one")
    secret = client.realtime.client_secrets.create(
        expires_after={"anchor": "created_at", "seconds": 60},
        session={"type": "realtime", "instructions": "Be kind.", "audio": {"output": {"voice": "coral"}}},
    )
    assert (
        secret.value.startswith("ek_")
        and 55 <= secret.expires_at - time.time() <= 60
        and secret.session.instructions == "Be kind."
    )
    with pytest.raises(Exception, match="403|client secret"):
        connect(guarded, secret.value).realtime.client_secrets.create()
    for faulty in (
        {"expires_after": {"seconds": 5}},
        {"session": {"type": "realtime", "audio": {"output": {"voice": "nobody"}}}},
        {"session": 3},
    ):
        assert (
            httpx.post(
                f"{guarded.url}/realtime/client_secrets",
                json=faulty,
                headers={"authorization": "Bearer sk-one"},
            ).status_code
            == 400
        )

    async def main() -> None:
        for _ in range(2):  # until it expires, as often as wanted
            async with talk(guarded, secret.value) as talking:
                session = talking.events[0]["session"]
                assert (
                    session["instructions"] == "Be kind." and session["audio"]["output"]["voice"] == "coral"
                )
        guarded.settings.client_keys[secret.value] = "key0", time.time() - 1
        with pytest.raises(Exception, match="401"):
            async with talk(guarded, secret.value):
                pass

    run(main())


def test_refused_at_the_handshake(guarded: Running) -> None:
    async def status(key: str, query: str = "model=gpt-realtime") -> int:
        try:
            async with websockets.connect(
                f"ws{guarded.url[4:]}/realtime?{query}", additional_headers={"authorization": f"Bearer {key}"}
            ):
                return 101
        except websockets.InvalidStatus as error:
            assert set(json.loads(error.response.body)["error"]) == {"message", "type", "param", "code"}
            return error.response.status_code

    async def main() -> None:
        assert await status("sk-no") == 401 and await status("sk-one", "model=nobody") == 404
        assert await status("sk-one", "call_id=rtc_none") == 404 and await status("sk-one", "x=y") == 101
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(talk(guarded, "sk-one"))
            assert await status("sk-one") == 429 and await status("sk-two") == 101
        for _ in range(50):
            if (last := await status("sk-one")) == 101:
                break
            await asyncio.sleep(0.05)
        assert last == 101

    run(main())


def test_browsers(guarded: Running) -> None:
    async def main() -> None:
        address = f"ws{guarded.url[4:]}/realtime?model=gpt-realtime"
        protocols = ["realtime", "openai-insecure-api-key.sk-one", "openai-agents-sdk.1.0"]
        async with websockets.connect(address, subprotocols=protocols) as socket:
            assert (
                socket.subprotocol == "realtime"
                and json.loads(await socket.recv())["type"] == "session.created"
            )

    run(main())
