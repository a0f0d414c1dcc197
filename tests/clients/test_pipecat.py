"""Pipecat's OpenAI services, unmodified, against the weights that ship. Skipped where it is not installed:
`pip install -e .[clients]`.
"""

from typing import Any

import pytest
from conftest import Running
from other_clients import (
    ANSWER,
    QUESTION,
    assert_speech,
    is_about_the_sky,
    needs_weights,
    pcm16,
    question,
    run,
)

pytestmark = needs_weights


async def _through(service: Any, *frames: Any) -> tuple[list[Any], list[Any]]:
    """Sends frames through a pipeline of one service -> what it passed on, and what it sent back."""
    from pipecat.pipeline.worker import PipelineParams
    from pipecat.tests.utils import run_test

    down, up = await run_test(
        service,
        frames_to_send=frames,
        start_timeout=10,
        pipeline_params=PipelineParams(audio_in_sample_rate=16000),
    )
    client = getattr(service, "_client", None)
    if client is not None:
        await client.close()  # Pipecat leaves the connections of its OpenAI client open
    errors = [frame for frame in (*down, *up) if type(frame).__name__ == "ErrorFrame"]
    assert not errors, errors
    return list(down), list(up)


def _kind(frames: list[Any], name: str) -> list[Any]:
    return [frame for frame in frames if type(frame).__name__ == name]


def _microphone(silence_s: float) -> list[Any]:
    from pipecat.frames.frames import InputAudioRawFrame

    pcm = pcm16(question(16000, silence_s))
    return [
        InputAudioRawFrame(audio=pcm[start : start + 640], sample_rate=16000, num_channels=1)
        for start in range(0, len(pcm), 640)
    ]


def test_pipecat_writes_and_calls(shipped_server: Running) -> None:
    pytest.importorskip("pipecat", reason="pipecat-ai is not installed")
    from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
    from pipecat.frames.frames import LLMContextFrame
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.services.openai.llm import OpenAILLMService
    from pipecat.tests.utils import SleepFrame

    at, seen = {"base_url": shipped_server.url, "api_key": "x"}, list[dict[str, str]]()
    asked = [{"role": "user", "content": QUESTION}]

    async def look_at(call: Any) -> None:
        seen.append(call.arguments)
        await call.result_callback(ANSWER)

    async def main() -> None:
        def model() -> OpenAILLMService:
            return OpenAILLMService(settings=OpenAILLMService.Settings(temperature=0), **at)

        down, _ = await _through(model(), LLMContextFrame(LLMContext(asked)), SleepFrame(5.0))
        assert "".join(frame.text for frame in _kind(down, "LLMTextFrame")) == ANSWER
        looker = model()
        looker.register_function("look_at", look_at)
        tool = FunctionSchema(
            name="look_at",
            description="Looks there.",
            required=["place"],
            properties={"place": {"type": "string", "enum": ["sea", "sky"]}},
        )
        down, _ = await _through(
            looker, LLMContextFrame(LLMContext(asked, tools=[tool], tool_choice="required")), SleepFrame(5.0)
        )
        assert (
            seen[0]["place"] in ("sea", "sky") and _kind(down, "FunctionCallResultFrame")[0].result == ANSWER
        )

    run(main())


def test_pipecat_speaks_and_hears(shipped_server: Running) -> None:
    pytest.importorskip("pipecat", reason="pipecat-ai is not installed")
    from pipecat.frames.frames import (
        TTSSpeakFrame,
        VADUserStartedSpeakingFrame,
        VADUserStoppedSpeakingFrame,
    )
    from pipecat.services.openai.stt import OpenAIRealtimeSTTService, OpenAISTTService
    from pipecat.services.openai.tts import OpenAITTSService
    from pipecat.tests.utils import SleepFrame

    at = {"base_url": shipped_server.url, "api_key": "x"}

    async def main() -> None:
        voice = OpenAITTSService(settings=OpenAITTSService.Settings(voice="alloy"), **at)
        down, _ = await _through(voice, TTSSpeakFrame(ANSWER), SleepFrame(5.0))
        assert_speech(b"".join(frame.audio for frame in _kind(down, "TTSAudioRawFrame")))
        spoken = [
            VADUserStartedSpeakingFrame(),
            *_microphone(0.1),
            SleepFrame(0.3),
            VADUserStoppedSpeakingFrame(),
            SleepFrame(5.0),
        ]
        down, _ = await _through(OpenAISTTService(**at), *spoken)
        assert is_about_the_sky(_kind(down, "TranscriptionFrame")[0].text)
        live = OpenAIRealtimeSTTService(
            api_key="x",
            base_url=shipped_server.url.replace("http", "ws") + "/realtime",
            turn_detection={"type": "server_vad"},
        )
        down, _ = await _through(live, SleepFrame(0.5), *_microphone(1.0), SleepFrame(8.0))
        assert is_about_the_sky(_kind(down, "TranscriptionFrame")[0].text)

    run(main())


def test_pipecat_realtime(shipped_server: Running) -> None:
    pytest.importorskip("pipecat", reason="pipecat-ai is not installed")
    from pipecat.frames.frames import LLMContextFrame
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.services.openai.realtime import events
    from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
    from pipecat.tests.utils import SleepFrame

    heard = events.AudioInput(
        turn_detection=events.TurnDetection(), transcription=events.InputAudioTranscription(model="whisper-1")
    )
    audio = events.AudioConfiguration(input=heard)
    settings = OpenAIRealtimeLLMService.Settings(session_properties=events.SessionProperties(audio=audio))

    async def main() -> None:
        service = OpenAIRealtimeLLMService(
            api_key="x", base_url=shipped_server.url.replace("http", "ws") + "/realtime", settings=settings
        )
        asked = LLMContext([{"role": "user", "content": QUESTION}])
        down, up = await _through(
            service, LLMContextFrame(asked), SleepFrame(10.0), *_microphone(1.0), SleepFrame(15.0)
        )
        ends = [number for number, frame in enumerate(down) if type(frame).__name__ == "TTSStoppedFrame"]
        assert len(ends) == 2
        for part in (down[: ends[0]], down[ends[0] : ends[1]]):
            assert_speech(b"".join(frame.audio for frame in _kind(part, "TTSAudioRawFrame")))
        assert "".join(frame.text for frame in _kind(down[: ends[0]], "TTSTextFrame")) == ANSWER
        assert is_about_the_sky(_kind(up, "TranscriptionFrame")[0].text)

    run(main())
