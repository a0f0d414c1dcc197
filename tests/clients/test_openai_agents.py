"""openai-agents, unmodified, against the weights that ship. Skipped where it is not installed:
`pip install -e .[clients]`.
"""

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


def _look_at(seen: list[str]) -> Any:
    from agents import function_tool

    @function_tool
    def look_at(place: Literal["sea", "sky"]) -> str:
        """Looks there."""
        seen.append(place)
        return ANSWER

    return look_at


@pytest.mark.parametrize("shape", ["chat", "responses"])
def test_openai_agents(shipped_server: Running, shape: str) -> None:
    agents = pytest.importorskip("agents", reason="openai-agents is not installed")
    from openai import AsyncOpenAI

    agents.set_tracing_disabled(True)

    async def main(client: AsyncOpenAI) -> None:
        kind = agents.OpenAIChatCompletionsModel if shape == "chat" else agents.OpenAIResponsesModel
        model = kind(model="gpt-4o", openai_client=client)
        settings = agents.ModelSettings(temperature=0, max_tokens=60)
        guide = agents.Agent(name="Guide", model=model, model_settings=settings)
        assert (await agents.Runner.run(guide, QUESTION)).final_output == ANSWER
        streamed, pieces = agents.Runner.run_streamed(guide, QUESTION), list[str]()
        async for event in streamed.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                pieces.append(event.data.delta)
        assert "".join(pieces) == streamed.final_output == ANSWER
        seen = list[str]()
        forced = agents.ModelSettings(temperature=0, max_tokens=60, tool_choice="required")
        looker = agents.Agent(name="Looker", model=model, model_settings=forced, tools=[_look_at(seen)])
        done = await agents.Runner.run(looker, QUESTION, max_turns=3)
        assert seen[0] in ("sea", "sky") and isinstance(done.final_output, str) and done.final_output
        kinds = [item.type for item in done.new_items]
        assert kinds[:2] == ["tool_call_item", "tool_call_output_item"] and kinds[-1] == "message_output_item"
        assert done.new_items[1].output == ANSWER

    async def with_client() -> None:
        async with AsyncOpenAI(base_url=shipped_server.url, api_key="x", max_retries=0) as client:
            await main(client)

    run(with_client())


def test_openai_agents_realtime(shipped_server: Running) -> None:
    pytest.importorskip("agents", reason="openai-agents is not installed")
    from agents.realtime import RealtimeAgent, RealtimeRunner

    settings = {
        "model_name": "gpt-realtime",
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": {"type": "server_vad", "interrupt_response": True},
    }
    config = {
        "url": shipped_server.url.replace("http", "ws") + "/realtime?model=gpt-realtime",
        "api_key": "x",
    }

    async def turn(session: Any) -> tuple[bytes, list[Any]]:
        """Until the agent has ended -> its sound and the session's history."""
        sound, history = bytearray(), list[Any]()
        async for event in session:
            assert event.type != "error", event.error
            if event.type == "audio":
                sound += event.audio.data
            elif event.type == "history_updated":
                history = event.history
            elif event.type == "agent_end":
                return bytes(sound), history
        raise AssertionError("the session ended")

    async def main() -> None:
        seen = list[str]()
        async with await RealtimeRunner(RealtimeAgent(name="Guide"), config={"model_settings": settings}).run(
            model_config=config
        ) as session:
            await session.send_message(QUESTION)
            sound, history = await turn(session)
            assert_speech(sound)
            assert history[-1].content[0].transcript == ANSWER
            await session.send_audio(pcm16(question(WIRE_RATE, 1.0)))
            sound, history = await turn(session)
            assert_speech(sound)
            heard, answered = history[-2:]
            assert (
                heard.role == "user"
                and is_about_the_sky(heard.content[0].transcript)
                and answered.content[0].transcript
            )
            await session.send_message("Tell me a story about a dog.")
            await _interrupt_at_first_sound(session)
        forced = {"model_settings": {**settings, "tool_choice": "required"}}
        async with await RealtimeRunner(
            RealtimeAgent(name="Looker", tools=[_look_at(seen)]), config=forced
        ).run(model_config=config) as session:
            await session.send_message(QUESTION)
            async for event in session:
                assert event.type != "error", event.error
                if event.type == "tool_end":
                    assert event.output == ANSWER and seen[0] in ("sea", "sky")
                    break

    run(main())


async def _interrupt_at_first_sound(session: Any) -> None:
    """Interrupts, and sees the response end as cancelled (or just completed: it is made faster than it is
    played) and its item cut.
    """
    types, is_cut = list[str](), False
    async for event in session:
        assert event.type != "error", event.error
        types.append(event.type)
        if event.type == "audio" and not is_cut:
            is_cut = True
            await session.interrupt()
        raw = (
            event.data.data
            if event.type == "raw_model_event" and event.data.type == "raw_server_event"
            else {}
        )
        if raw.get("type") == "conversation.item.truncated":
            break
    assert "audio_interrupted" in types
