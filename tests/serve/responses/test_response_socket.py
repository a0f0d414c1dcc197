"""Responses over a WebSocket with OpenAI's own client: turns that go on, several at once, what is wrong, who
leaves.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from conftest import Running
from openai import AsyncOpenAI
from responses_cases import forever, wait_until

SKY = "What colour is the sky?"
REQUEST = {
    "type": "response.create",
    "model": "gpt-4o",
    "input": SKY,
    "max_output_tokens": 16,
    "temperature": 0,
}


@asynccontextmanager
async def connected(server: Running) -> AsyncIterator[Any]:
    async with (
        AsyncOpenAI(base_url=server.url, api_key="x", max_retries=0) as client,
        client.responses.connect() as connection,
    ):
        yield connection


async def finished(connection: Any) -> list[Any]:
    """Events up to the end of a response."""
    events = []
    while not events or events[-1].type not in (
        "response.completed",
        "response.incomplete",
        "response.failed",
        "error",
    ):
        events.append(await asyncio.wait_for(connection.recv(), 30))
    return events


def test_turns_that_go_on(tiny_server: Running) -> None:
    async def main() -> None:
        async with connected(tiny_server) as connection:
            await connection.send(REQUEST)
            events = await finished(connection)
            assert [event.sequence_number for event in events] == list(range(len(events))) and events[
                0
            ].type == "response.created"
            whole = events[-1].response
            assert (
                "".join(event.delta for event in events if event.type == "response.output_text.delta")
                == whole.output_text
            )
            await connection.send({**REQUEST, "previous_response_id": whole.id})
            after = (await finished(connection))[-1].response
            await connection.send(
                {**REQUEST, "input": [], "previous_response_id": whole.id}
            )  # LiveKit goes on without new words
            assert (await finished(connection))[-1].response.usage.input_tokens > whole.usage.input_tokens
            assert (
                after.previous_response_id == whole.id and after.usage.input_tokens > whole.usage.input_tokens
            )

    asyncio.run(main())


def test_several_at_once_keep_apart(tiny_server: Running) -> None:
    async def main() -> None:
        async with connected(tiny_server) as connection:
            for name in ("a", "b"):
                await connection.send({**REQUEST, "stream_id": name})
            told: dict[str, list[Any]] = {"a": [], "b": []}
            while any(
                not events or events[-1].type not in ("response.completed", "response.incomplete")
                for events in told.values()
            ):
                event = await asyncio.wait_for(connection.recv(), 30)
                told[event.stream_id].append(event)
            one, other = (events[-1].response for events in told.values())
            assert one.id != other.id and one.output_text == other.output_text

    asyncio.run(main())


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ("no json", "not valid JSON"),
        ("[]", "JSON object"),
        ("{}", "response.create"),
        ('{"type": "response.steer"}', "response.create"),
        (json.dumps({**REQUEST, "input": None}), "input"),
        (json.dumps({**REQUEST, "stream_id": 5}), "stream_id"),
        (json.dumps({**REQUEST, "model": "nobody"}), "nobody"),
        (json.dumps({**REQUEST, "previous_response_id": "resp_x"}), "resp_x"),
        (b"\xff\xfe", "not valid JSON"),
    ],
)
def test_what_is_wrong_is_told_and_the_line_stays_open(
    tiny_server: Running, sent: str | bytes, words: str
) -> None:
    async def main() -> None:
        async with websockets.connect(f"{tiny_server.url.replace('http', 'ws')}/responses") as line:
            await line.send(sent)
            told = json.loads(await asyncio.wait_for(line.recv(), 30))
            assert (
                told["type"] == "error" and 400 <= told["status"] < 500 and words in told["error"]["message"]
            )
            await line.send(json.dumps(REQUEST))
            assert json.loads(await asyncio.wait_for(line.recv(), 30))["type"] == "response.created"

    asyncio.run(main())


def test_a_lane_makes_one_at_a_time_and_who_leaves_stops_them(tiny_server: Running) -> None:
    async def main() -> None:
        async with connected(tiny_server) as connection:
            long = {**REQUEST, **forever(tiny_server), "max_output_tokens": None}
            await connection.send(long)
            await connection.send(long)
            told = None
            while told is None or told.type != "error":
                told = await asyncio.wait_for(connection.recv(), 30)
            assert told.error.code == "concurrent_response"

    asyncio.run(main())
    assert wait_until(lambda: not tiny_server.service.scheduler.running)
