"""Many people at once: nobody gets another's words, those who leave are forgotten, memory and files stay
flat; and an engine that fails.
"""

import asyncio
import json
import os
import socket
import time

import httpx
import pytest
import websockets
from conftest import Running

NUM_PEOPLE = 64


def body(number: int, stream: bool) -> dict:
    secret = f"My secret is {number * 7919 % 100_000} and {chr(97 + number % 26) * 3}."
    return {
        "model": "unisono",
        "messages": [{"role": "user", "content": secret}],
        "max_tokens": 24,
        "temperature": 0,
        "stream": stream,
    }


async def answer(client: httpx.AsyncClient, url: str, number: int, stream: bool) -> str:
    if not stream:
        told = await client.post(f"{url}/chat/completions", json=body(number, False))
        assert told.status_code == 200, told.text
        return told.json()["choices"][0]["message"]["content"]
    text = ""
    async with client.stream("POST", f"{url}/chat/completions", json=body(number, True)) as told:
        assert told.status_code == 200
        async for line in told.aiter_lines():
            if line.startswith("data: {"):
                choices = json.loads(line[6:])["choices"]
                text += (choices[0]["delta"].get("content") or "") if choices else ""
    return text


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=200))


def test_nobody_gets_anothers_words(tiny_server: Running) -> None:
    async def main() -> None:
        async with client() as one:
            alone = [await answer(one, tiny_server.url, number, False) for number in range(NUM_PEOPLE)]
            together = await asyncio.gather(
                *(answer(one, tiny_server.url, number, True) for number in range(NUM_PEOPLE))
            )
        assert together == alone and len(set(alone)) > NUM_PEOPLE // 3

    asyncio.run(main())


async def converse(url: str, number: int) -> str:
    """A written turn over a realtime session of its own."""
    async with websockets.connect(
        f"{url.replace('http', 'ws')}/realtime?model=gpt-realtime", max_size=None, open_timeout=60
    ) as line:
        secret = body(number, False)["messages"][0]["content"]
        await line.send(
            json.dumps(
                {
                    "type": "session.update",
                    "session": {
                        "type": "realtime",
                        "output_modalities": ["text"],
                        "max_output_tokens": 24,
                        "instructions": secret,
                    },
                }
            )
        )
        await line.send(
            json.dumps(
                {
                    "type": "conversation.item.create",
                    "item": {
                        "type": "message",
                        "role": "user",
                        "content": [{"type": "input_text", "text": "Say it."}],
                    },
                }
            )
        )
        await line.send(json.dumps({"type": "response.create"}))
        text = ""
        while (event := json.loads(await line.recv()))["type"] != "response.done":
            assert event["type"] != "error", event
            text += event["delta"] if event["type"] == "response.output_text.delta" else ""
        return text


def test_sessions_and_chats_at_once(tiny_server: Running) -> None:
    async def main() -> None:
        url, people = tiny_server.url, range(NUM_PEOPLE)
        async with client() as one:
            alone = [await converse(url, number) for number in people] + [
                await answer(one, url, number, False) for number in people
            ]
            together = await asyncio.gather(
                *(converse(url, number) for number in people),
                *(answer(one, url, number, True) for number in people),
            )
        assert together == alone and len(set(alone[:NUM_PEOPLE])) > NUM_PEOPLE // 3

    asyncio.run(main())


def test_who_never_reads_keeps_nobody_waiting(tiny_server: Running) -> None:
    """Twenty of them, each with a long spoken reply that nobody takes."""
    host, port = tiny_server.url.split("/")[2].split(":")
    request = json.dumps(
        {
            **body(1, True),
            "max_tokens": 900,
            "modalities": ["text", "audio"],
            "audio": {"voice": "alloy", "format": "pcm16"},
        }
    )
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: "
        f"application/json\r\ncontent-length: {len(request)}\r\n\r\n{request}"
    )
    deaf = [socket.create_connection((host, int(port))) for _ in range(20)]

    async def main() -> None:
        async with client() as one:
            for number in range(5):
                assert await asyncio.wait_for(answer(one, tiny_server.url, number, True), 30)

    try:
        for one in deaf:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.sendall(request.encode())
        asyncio.run(main())
    finally:
        for one in deaf:
            one.close()
    assert wait_until_idle(tiny_server)


def wait_until_idle(server: Running) -> bool:
    async def main() -> bool:
        for _ in range(400):
            if not server.service.scheduler.running:
                return True
            await asyncio.sleep(0.05)
        return False

    return asyncio.run(main())


@pytest.mark.parametrize("stream", [False, True])
def test_an_engine_that_fails_is_said_and_goes_on(
    tiny_server: Running, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    def broken(feeds: list) -> None:
        raise MemoryError("no room for the cache")

    with monkeypatch.context() as patch:
        patch.setattr(tiny_server.service.scheduler.engine, "feed", broken)
        told = httpx.post(f"{tiny_server.url}/chat/completions", json=body(3, stream), timeout=30)
    # a stream has begun when it fails: its last event is the error
    said = json.loads(told.text.strip().split("\n")[-1].removeprefix("data: ")) if stream else told.json()
    assert (
        told.status_code == (200 if stream else 500)
        and said["error"]["type"] == "server_error"
        and "cache" not in told.text
    )
    assert (
        httpx.post(f"{tiny_server.url}/chat/completions", json=body(3, False), timeout=30).status_code == 200
    )


def test_who_leaves_in_the_middle_is_forgotten(tiny_server: Running) -> None:
    async def main() -> None:
        async with client() as one:
            for number in range(40):
                async with one.stream(
                    "POST",
                    f"{tiny_server.url}/chat/completions",
                    json={**body(number, True), "max_tokens": 500, "n": 2},
                ) as told:
                    async for line in told.aiter_lines():
                        if line.startswith("data: {"):
                            break
        for _ in range(200):
            if not tiny_server.service.scheduler.running:
                break
            await asyncio.sleep(0.05)
        assert not tiny_server.service.scheduler.running

    asyncio.run(main())
    assert len(tiny_server.service.scheduler.engine.slots) <= 16


def test_files_and_conversations_stay_flat(tiny_server: Running) -> None:
    async def round() -> None:
        async with client() as one:
            await asyncio.gather(
                *(answer(one, tiny_server.url, number, number % 2 == 0) for number in range(32))
            )

    asyncio.run(round())
    files, slots = len(os.listdir("/proc/self/fd")), len(tiny_server.service.scheduler.engine.slots)
    for _ in range(4):
        asyncio.run(round())
    end = time.monotonic() + 10  # what was closed is gone a little later
    while (left := len(os.listdir("/proc/self/fd"))) > files + 4 and time.monotonic() < end:
        time.sleep(0.1)
    assert left <= files + 4
    assert len(tiny_server.service.scheduler.engine.slots) <= slots + 2
