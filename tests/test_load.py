"""Many people at once: nobody gets another's words, those who leave are forgotten, memory and files stay flat."""
import asyncio
import json
import os

import httpx
from conftest import Running

NUM_PEOPLE = 64


def body(number: int, stream: bool) -> dict:
    secret = f"My secret is {number * 7919 % 100_000} and {chr(97 + number % 26) * 3}."
    return {"model": "unisono", "messages": [{"role": "user", "content": secret}], "max_tokens": 24, "temperature": 0, "stream": stream}


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
            together = await asyncio.gather(*(answer(one, tiny_server.url, number, True) for number in range(NUM_PEOPLE)))
        assert together == alone and len(set(alone)) > NUM_PEOPLE // 3

    asyncio.run(main())


def test_who_leaves_in_the_middle_is_forgotten(tiny_server: Running) -> None:
    async def main() -> None:
        async with client() as one:
            for number in range(40):
                async with one.stream("POST", f"{tiny_server.url}/chat/completions",
                                      json={**body(number, True), "max_tokens": 500, "n": 2}) as told:
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
            await asyncio.gather(*(answer(one, tiny_server.url, number, number % 2 == 0) for number in range(32)))

    asyncio.run(round())
    files, slots = len(os.listdir("/proc/self/fd")), len(tiny_server.service.scheduler.engine.slots)
    for _ in range(4):
        asyncio.run(round())
    assert len(os.listdir("/proc/self/fd")) <= files + 4
    assert len(tiny_server.service.scheduler.engine.slots) <= slots + 2
