"""Whatever a client sends, whenever it leaves, and many at once."""

# ruff: noqa: F401, F811

import asyncio
import json

import websockets
from conftest import Running
from live_client import check, spoken, talk, wire
from realtime_cases import brief, run, slow, wordy

FRAMES = [
    "",
    "null",
    "[]",
    "{",
    "NaN",
    '{"type": 5}',
    '{"type": "none"}',
    "x" * 100_000,
    b"\x00\xff",
    '{"type": "session.update"}',
    "[" * 100_000,
    '{"type": "session.update", "session": 1}',
    '{"type": "input_audio_buffer.append"}',
    '{"type": "input_audio_buffer.append", "audio": "%%%"}',
    '{"type": "input_audio_buffer.append", "audio": 5, "event_id": {}}',
    '{"type": "conversation.item.create"}',
    '{"type": "response.create", "response": []}',
    (
        '{"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": '
        '[{"type": "input_text", "text": "\\ud800"}]}}'
    ),
    '{"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": 5}}',
    '{"type": "conversation.item.truncate", "item_id": []}',
    (
        '{"type": "conversation.item.create", "item": {"type": "function_call", "name": "!", '
        '"arguments": "{"}}'
    ),
    '{"type": "output_audio_buffer.clear"}',
    '{"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [5]}}',
    '{"type": "response.cancel", "response_id": 5}',
    json.dumps(
        {
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "ab " * 50_000}],
            },
        }
    ),
    (
        '{"type": "session.update", "session": {"type": "realtime", "audio": {"input": '
        '{"turn_detection": {"type": "server_vad", "threshold": 1e999}}}}}'
    ),
]


def test_nothing_that_clients_send_ends_a_session(tiny_server: Running) -> None:
    async def main() -> None:
        async with websockets.connect(f"ws{tiny_server.url[4:]}/realtime", max_size=None) as socket:
            for frame in FRAMES:
                await socket.send(frame)
            faults = []
            while len(faults) < len(FRAMES):
                event = check(json.loads(await asyncio.wait_for(socket.recv(), 20)))
                assert event["type"] in ("error", "session.created", "conversation.created"), event
                faults += [event["error"]] if event["type"] == "error" else []
            assert {fault["type"] for fault in faults} == {"invalid_request_error"}
            await socket.send(
                '{"type": "input_audio_buffer.append", "audio": "AAA="}'
            )  # an odd number of bytes
            await socket.send('{"type": "session.update", "session": {"type": "realtime"}, "event_id": null}')
            assert json.loads(await asyncio.wait_for(socket.recv(), 20))["type"] == "session.updated"

    run(main())


def test_who_leaves_leaves_nothing_behind(tiny_server: Running, slow: None) -> None:
    async def main() -> None:
        async with websockets.connect(f"ws{tiny_server.url[4:]}/realtime", max_size=None) as socket:
            await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": wire(spoken())}))
            await socket.send(json.dumps({"type": "response.create"}))
            await socket.send(json.dumps({"type": "response.create", "response": {"conversation": "none"}}))
            while json.loads(await socket.recv())["type"] != "response.output_item.added":
                pass

    run(main())  # and what remains is looked for after every test


def test_ten_people_at_once(tiny_server: Running) -> None:
    async def person(number: int) -> tuple[str, str]:
        async with talk(tiny_server) as talking:
            secret = f"The secret is {number}{number}."
            await talking.update(
                output_modalities=["text"],
                instructions=secret,
                audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 300}}},
                max_output_tokens=40,
            )
            await talking.write(secret, id=f"item{number}")
            await talking.say(spoken(f"{number} plus {number}?"))
            response = (await talking.until("response.done"))["response"]
            items = [event["item"] for event in talking.of("conversation.item.added")]
            assert items[0]["id"] == f"item{number}" and len(items) == 3
            assert {event["response_id"] for event in talking.events if "response_id" in event} == {
                response["id"]
            }
            assert talking.of("session.updated")[0]["session"]["instructions"] == secret
            await talking.send("conversation.item.retrieve", item_id=f"item{number}")
            assert (await talking.until("conversation.item.retrieved"))["item"]["content"][0][
                "text"
            ] == secret
            return response["id"], response["usage"]["input_tokens"]

    async def main() -> None:
        made = await asyncio.gather(*(person(number) for number in range(10)))
        assert len({id for id, _ in made}) == 10

    run(main())
