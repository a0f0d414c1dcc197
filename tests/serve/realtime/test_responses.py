"""Responses: beside the conversation, with functions, with what our own page asks for."""

# ruff: noqa: F401, F811

import base64
import json

from conftest import Running
from live_client import talk
from openai import AsyncOpenAI
from realtime_cases import MANUAL, TOOL, brief, reply, run


def test_responses_beside_the_conversation(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.write("Hello", id="hello")
            wanted = {
                "conversation": "none",
                "output_modalities": ["text"],
                "max_output_tokens": 12,
                "metadata": {"client_event_id": "abc"},
                "input": [
                    {"type": "item_reference", "id": "hello"},
                    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And?"}]},
                ],
            }
            await talking.send("response.create", response=wanted)
            created, done = await talking.until("response.created"), await talking.until("response.done")
            assert (
                created["response"]["metadata"] == done["response"]["metadata"] == {"client_event_id": "abc"}
            )
            assert done["response"]["conversation_id"] is None and done["response"]["output_modalities"] == [
                "text"
            ]
            assert (
                "".join(event["delta"] for event in talking.of("response.output_text.delta"))
                == done["response"]["output"][0]["content"][0]["text"]
            )
            assert len(talking.of("conversation.item.added")) == 1
            await talking.send(
                "response.create",
                response={
                    "conversation": "none",
                    "input": [],
                    "instructions": "",
                    "output_modalities": ["text"],
                    "max_output_tokens": 3,
                },
            )
            assert (await talking.until("response.done"))["response"]["usage"]["input_tokens"] == 1
            for faulty in (
                {"conversation": "other"},
                {"input": [{"type": "item_reference", "id": "none"}]},
                {"output_modalities": ["audio", "text"]},
                {"max_output_tokens": 0},
                {"metadata": {"a": 1}},
                {"tools": [{"type": "mcp", "server_label": "x"}]},
            ):
                await talking.send("response.create", response=faulty, event_id="e")
                assert (await talking.until("error"))["error"]["event_id"] == "e"

    run(main())


def test_functions_are_called(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, tools=[TOOL], tool_choice="required", parallel_tool_calls=False)
            response = await reply(talking, max_output_tokens=200)
            call = response["output"][0]
            assert (
                response["status"] == "completed"
                and call["name"] == "look_up"
                and json.loads(call["arguments"])["word"] in ("sky", "sea")
            )
            types = talking.types()
            start = types.index("response.output_item.added")
            wanted = [
                "response.output_item.added",
                "conversation.item.added",
                "response.function_call_arguments.delta",
                "response.function_call_arguments.done",
                "conversation.item.done",
                "response.output_item.done",
                "response.done",
            ]
            assert (
                list(dict.fromkeys(types[start : start + types[start:].index("response.done") + 1])) == wanted
            )
            assert talking.of("response.output_item.added")[0]["item"]["arguments"] == ""
            assert (
                "".join(event["delta"] for event in talking.of(wanted[2]))
                == call["arguments"]
                == talking.of(wanted[3])[0]["arguments"]
            )
            assert (
                talking.of(wanted[3])[0]["name"] == "look_up"
                and talking.of(wanted[3])[0]["call_id"] == call["call_id"]
            )
            await talking.send(
                "conversation.item.create",
                item={"type": "function_call_output", "call_id": call["call_id"], "output": "blue"},
            )
            await talking.until("conversation.item.done")
            await talking.send("response.create", response={"tool_choice": "none", "max_output_tokens": 40})
            assert all(
                item["type"] == "message"
                for item in (await talking.until("response.done"))["response"]["output"]
            )

    run(main())


def test_what_our_page_asks_for(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, unisono={"ids": True, "images": True})
            response = await reply(talking, max_output_tokens=150)
            rows = [row for event in talking.of("unisono.ids") for row in event["ids"]]
            assert len(rows) == response["usage"]["output_tokens"] and {row[1] for row in rows} >= {
                "text",
                "audio",
                "mark",
            }
            pictures = talking.of("unisono.image")
            assert all(base64.b64decode(event["b64_json"])[1:4] == b"PNG" for event in pictures)

    run(main())


def test_the_sdk_reads_events_as_its_own_types(tiny_server: Running) -> None:
    async def main() -> None:
        async with (
            AsyncOpenAI(base_url=tiny_server.url, api_key="x") as client,
            client.realtime.connect(model="gpt-realtime") as connection,
        ):
            await connection.session.update(
                session={"type": "realtime", "output_modalities": ["text"], "max_output_tokens": 20}
            )
            await connection.conversation.item.create(
                item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
            )
            await connection.response.create()
            async for event in connection:
                if event.type == "response.done":
                    assert event.response.output[0].content[0].text is not None
                    break

    run(main())
