"""LiveKit's OpenAI plugin, unmodified, against the weights that ship. Skipped where it is not installed:
`pip install -e .[clients]`.
"""

import asyncio
import json
from typing import Any, Literal

import pytest
from conftest import Running
from other_clients import (
    ANSWER,
    QUESTION,
    WIRE_RATE,
    assert_speech,
    is_about_the_sky,
    needs_weights,
    pcm16,
    question,
    run,
)

pytestmark = needs_weights


def _livekit() -> Any:
    for module in ("livekit.agents", "livekit.plugins.openai"):
        pytest.importorskip(module, reason="livekit-agents or livekit-plugins-openai is not installed")
    from livekit.plugins import openai

    return openai


def _frames(pcm: bytes, rate: int = WIRE_RATE) -> list[Any]:
    """Pieces of 100 ms."""
    from livekit import rtc

    size = rate // 5
    return [
        rtc.AudioFrame(pcm[start : start + size], rate, 1, len(pcm[start : start + size]) // 2)
        for start in range(0, len(pcm), size)
    ]


def test_livekit_services(shipped_server: Running) -> None:
    openai = _livekit()
    from livekit.agents import llm, stt, utils

    at = {"base_url": shipped_server.url, "api_key": "x"}
    seen = list[str]()

    @llm.function_tool
    async def look_at(place: Literal["sea", "sky"]) -> str:
        """Looks there."""
        return ANSWER

    async def main() -> None:
        asked = llm.ChatContext.empty()
        asked.add_message(role="user", content=QUESTION)
        socket = {
            **at,
            "base_url": f"{shipped_server.url}/responses",
        }  # this client wants the socket's own address
        for model in (
            openai.LLM(temperature=0, **at),
            openai.responses.LLM(temperature=0, use_websocket=False, **at),
            openai.responses.LLM(temperature=0, **socket),
        ):
            async with model:
                pieces = [
                    chunk.delta.content
                    async for chunk in model.chat(chat_ctx=asked)
                    if chunk.delta and chunk.delta.content
                ]
                assert "".join(pieces) == ANSWER
                made = await model.chat(chat_ctx=asked, tools=[look_at], tool_choice="required").collect()
            assert made.tool_calls[0].name == "look_at"
            seen.append(json.loads(made.tool_calls[0].arguments)["place"])
        assert set(seen) <= {"sea", "sky"}
        for model in ("tts-1", "gpt-4o-mini-tts"):  # the one as a body of sound, the other as events
            async with (
                openai.TTS(model=model, voice="alloy", **at) as voice,
                voice.synthesize(ANSWER) as stream,
            ):
                assert_speech((await stream.collect()).data.tobytes())
        async with openai.STT(model="gpt-4o-mini-transcribe", use_realtime=False, **at) as listener:
            whole = await listener.recognize(_frames(pcm16(question(WIRE_RATE))))
        assert whole.type == stt.SpeechEventType.FINAL_TRANSCRIPT and is_about_the_sky(
            whole.alternatives[0].text
        )
        live = openai.STT(model="gpt-4o-mini-transcribe", use_realtime=True, **at)
        async with live, live.stream() as hearing:
            for frame in _frames(pcm16(question(WIRE_RATE, 1.0))):
                hearing.push_frame(frame)
            async for event in hearing:
                if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
                    assert is_about_the_sky(event.alternatives[0].text)
                    break

    async def inside() -> None:
        async with utils.http_context.open():
            await main()

    run(inside())


async def _generation(event: Any) -> tuple[str, bytes, list[Any]]:
    """Words, sound and calls of one of LiveKit's generations."""
    text, sound, calls = "", b"", list[Any]()
    async for message in event.message_stream:
        async for piece in message.text_stream:
            text += piece
        async for frame in message.audio_stream:
            sound += bytes(frame.data)
    async for call in event.function_stream:
        calls.append(call)
    return text, sound, calls


def test_livekit_realtime(shipped_server: Running) -> None:
    openai = _livekit()
    from livekit.agents import llm, utils
    from openai.types.realtime import AudioTranscription
    from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad

    @llm.function_tool
    async def look_at(place: Literal["sea", "sky"]) -> str:
        """Looks there."""
        return ANSWER

    async def main() -> None:
        model = openai.realtime.RealtimeModel(
            base_url=shipped_server.url,
            api_key="x",
            turn_detection=ServerVad(type="server_vad"),
            input_audio_transcription=AudioTranscription(model="whisper-1"),
        )
        session = model.session()
        heard, made, errors = asyncio.Queue[Any](), asyncio.Queue[Any](), list[Any]()
        session.on(
            "input_audio_transcription_completed",
            lambda event: heard.put_nowait(event) if event.is_final else None,
        )
        session.on(
            "generation_created", lambda event: None if event.user_initiated else made.put_nowait(event)
        )
        session.on("error", errors.append)
        types = list[str]()
        session.on("openai_server_event_received", lambda event: types.append(event["type"]))
        asked = llm.ChatContext.empty()
        asked.add_message(role="user", content=QUESTION)
        await session.update_chat_ctx(asked)
        text, sound, _ = await _generation(await session.generate_reply())
        assert text == ANSWER
        assert_speech(sound)
        for frame in _frames(pcm16(question(WIRE_RATE, 1.0))):
            session.push_audio(frame)
        text, sound, _ = await _generation(await made.get())
        assert text and is_about_the_sky((await heard.get()).transcript)
        assert_speech(sound)
        story = await session.generate_reply(instructions="Tell me a story about a dog.")
        async for message in story.message_stream:
            await anext(aiter(message.audio_stream))
            session.interrupt()
            session.truncate(message_id=message.message_id, modalities=["audio"], audio_end_ms=20)
        await session.update_tools([look_at])
        _, _, calls = await _generation(await session.generate_reply(tool_choice="required"))
        assert calls[0].name == "look_at" and json.loads(calls[0].arguments)["place"] in ("sea", "sky")
        assert not errors and "conversation.item.truncated" in types
        await session.aclose()
        await model.aclose()

    async def inside() -> None:
        async with utils.http_context.open():
            await main()

    run(inside())
