"""Settings of a session: merged or refused whole."""

# ruff: noqa: F401, F811

import json

import websockets
from conftest import Running
from live_client import talk
from realtime_cases import MANUAL, TOOL, brief, reply, run

FAULTY = (
    {"audio": {"output": {"voice": "nobody"}}},
    {"output_modalities": ["text", "audio"]},
    {"tool_choice": "required"},
    {"audio": {"input": {"turn_detection": {"type": "magic"}}}},
    {"max_output_tokens": 5000},
    {"model": "gpt-4o"},
    {"audio": {"output": {"speed": 3}}},
    {"audio": {"input": {"format": {"type": "audio/mp3"}}}},
    {"tools": [{"type": "function"}]},
    {"instructions": 7},
    {"prompt": {"id": "pmpt_1", "version": "2"}},
)


def test_updates_are_merged(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            created = talking.events[0]["session"]
            assert (
                created["id"].startswith("sess_")
                and created["object"] == "realtime.session"
                and created["model"] == "gpt-realtime"
            )
            session = await talking.update(
                instructions="Be kind.",
                tools=[TOOL],
                audio={
                    "input": {
                        "transcription": {"model": "whisper-1", "language": "en"},
                        "noise_reduction": {"type": "near_field"},
                        "turn_detection": {"type": "server_vad", "threshold": 0.7},
                    }
                },
            )
            assert (
                session["audio"]["input"]["turn_detection"]["threshold"] == 0.7
                and session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 500
            )
            session = await talking.update(
                tracing="auto",
                audio={
                    "input": {
                        "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
                        "noise_reduction": None,
                    }
                },
            )
            assert (
                session["instructions"] == "Be kind."
                and session["audio"]["input"]["turn_detection"]["threshold"] == 0.7
            )
            assert (
                session["audio"]["input"]["noise_reduction"] is None
                and session["audio"]["input"]["transcription"]["model"] == "whisper-1"
            )
            session = await talking.update(
                instructions="",
                tools=[],
                max_output_tokens=None,
                audio={"output": {"voice": "marin", "speed": 1.2}},
            )
            assert (
                session["instructions"] == ""
                and session["tools"] == []
                and session["audio"]["output"]["speed"] == 1.2
                and session["max_output_tokens"] == "inf"
            )

    run(main())


def test_faulty_updates_are_refused_whole(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(instructions="")
            for faulty in FAULTY:
                await talking.send(
                    "session.update",
                    session={"type": "realtime", "instructions": "changed", **faulty},
                    event_id="bad",
                )
                fault = (await talking.until("error"))["error"]
                assert (
                    fault["event_id"] == "bad" and fault["type"] == "invalid_request_error" and fault["param"]
                )
            assert (await talking.update())["instructions"] == ""
            await reply(talking)
            await talking.send(
                "session.update", session={"type": "realtime", "audio": {"output": {"voice": "ash"}}}
            )
            assert (await talking.until("error"))["error"]["code"] == "cannot_update_voice"

    run(main())


def test_instructions_and_tools_that_are_too_long_are_told(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, instructions="Be kind. " * 11_000)
            await talking.write("Hello.")
            await talking.send("response.create")
            assert "too long" in (await talking.until("error"))["error"]["message"]

    run(main())


def test_a_model_may_be_named_late_but_once(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server, model="") as talking:
            assert (await talking.update(model="gpt-realtime-2.1", instructions="Be kind."))[
                "model"
            ] == "gpt-realtime-2.1"
            await talking.send("session.update", session={"type": "realtime", "model": "gpt-realtime"})
            assert "cannot be changed" in (await talking.until("error"))["error"]["message"]

    run(main())


def test_numbers_larger_than_any_are_refused(tiny_server: Running) -> None:
    async def main() -> None:
        async with websockets.connect(
            f"{tiny_server.url.replace('http', 'ws')}/realtime?model=gpt-realtime"
        ) as socket:
            await socket.send('{"type": "session.update", "session": {"type": "realtime", "tracing": 1e999}}')
            while (event := json.loads(await socket.recv()))["type"] != "error":
                pass
            assert event["error"]["code"] == "invalid_json"

    run(main())
