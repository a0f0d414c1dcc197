"""Clients that others wrote, unmodified, against the weights that ship: what they were answered, what they
heard, what they called.

Each is skipped where it is not installed: `pip install -e .[clients]` brings those in Python, npm is asked
for those in JavaScript.
"""

import asyncio
import base64
import io
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile
import soxr
from conftest import Running
from PIL import Image

from unisono.assess.quality.judge import comparable
from unisono.assess.quality.scenes import read_scene
from unisono.core.home import shipped
from unisono.data.speech.voices import SAMPLE_RATE, speak

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not list(shipped().glob("*/model.safetensors")), reason="no weights in the package"),
]
QUESTION, ANSWER = "What colour is the sky?", "The sky is blue."
SCRIPTS = Path(__file__).resolve().parents[1] / "clients"
WIRE_RATE = 24000


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 80))


def question(rate: int, silence_s: float = 0.0) -> np.ndarray:
    """(N,) the question, spoken by the voice that the network heard most; silence around it."""
    rest = np.zeros(round(silence_s * rate), np.float32)
    return np.concatenate([rest, soxr.resample(speak(QUESTION, "heart"), SAMPLE_RATE, rate), rest])


def pcm16(pcm: np.ndarray) -> bytes:
    """As clients send it."""
    return (np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes()


def assert_speech(pcm: bytes | np.ndarray, seconds: float = 0.5) -> None:
    """At least so long, and no silence."""
    sound = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768 if isinstance(pcm, bytes) else pcm
    assert len(sound) > seconds * WIRE_RATE and np.sqrt(np.square(sound).mean()) > 0.01


def is_about_the_sky(text: str) -> bool:
    """What was heard need not be right to the word."""
    return len(set(comparable(text).split()) & set("what colour is the sky".split())) >= 3


# ---- JavaScript ----


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scripts and the packages that they need."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(SCRIPTS, folder, dirs_exist_ok=True)
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, timeout=400
    )
    if done.returncode:
        pytest.skip(f"npm could not install the packages: {done.stderr.strip().splitlines()[-1:]}")
    return folder


def told(folder: Path, script: str, *arguments: object) -> dict[str, Any]:
    """What a script saw."""
    done = subprocess.run(
        ["node", script, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "told.json").read_text())


@pytest.fixture
def secure_url(shipped_server: Running, tmp_path: Path) -> Iterator[str]:
    """The server behind TLS with a certificate of its own, as a proxy would put it; empty without openssl."""
    if not shutil.which("openssl"):
        yield ""
        return
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-days",
            "2",
            "-keyout",
            tmp_path / "key.pem",
            "-out",
            tmp_path / "cert.pem",
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    async def main(ready: threading.Event, place: list[int], stop: asyncio.Event) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", shipped_server.port)

            async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                while data := await source.read(65536):
                    sink.write(data)
                sink.close()

            await asyncio.gather(
                copy(reader, inner_writer), copy(inner_reader, writer), return_exceptions=True
            )

        front = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        place.append(front.sockets[0].getsockname()[1])
        ready.set()
        await stop.wait()

    loop, ready, place = asyncio.new_event_loop(), threading.Event(), list[int]()
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(main(ready, place, stop),), daemon=True)
    thread.start()
    assert ready.wait(10)
    yield f"https://127.0.0.1:{place[0]}/v1"
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)


def test_openai_in_javascript(node: Path, shipped_server: Running, secure_url: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "question.wav", question(16000), 16000)
    seen = told(node, "openai.mjs", shipped_server.url, tmp_path / "question.wav", secure_url)
    assert (
        seen["text"]
        == seen["streamed"]
        == "".join(seen["pieces"])
        == seen["response"]
        == "".join(seen["response_pieces"])
        == ANSWER
    )
    assert seen["spoken"]["transcript"] == ANSWER
    for wav in (seen["spoken"]["data"], seen["speech"]):
        pcm, rate = soundfile.read(io.BytesIO(base64.b64decode(wav)), dtype="float32")
        assert rate == WIRE_RATE
        assert_speech(pcm)
    assert seen["called"][0]["place"] in ("sea", "sky") and seen["after_call"][:3] == [
        "user",
        "assistant",
        "tool",
    ]
    assert seen["stream_called"]["name"] == "look_at" and json.loads(seen["stream_called"]["arguments"])[
        "place"
    ] in ("sea", "sky")
    assert is_about_the_sky(seen["heard"]) and seen["heard_again"]
    picture = (
        Image.open(io.BytesIO(base64.b64decode(seen["picture"])))
        .convert("RGB")
        .resize((64, 64), Image.Resampling.BOX)
    )
    assert any(thing.colour == "red" for thing in read_scene(np.asarray(picture)))
    assert seen["vector"] > 100 and seen["no_such_model"] == ["NotFoundError", 404]
    if secure_url:
        assert seen["live"] == ANSWER


def test_agents_realtime_in_javascript(node: Path, shipped_server: Running, tmp_path: Path) -> None:
    (tmp_path / "question.pcm").write_bytes(pcm16(question(WIRE_RATE)))
    address = shipped_server.url.replace("http", "ws") + "/realtime?model=gpt-realtime"
    seen = told(node, "agents.mjs", address, tmp_path / "question.pcm")
    assert seen["errors"] == []
    assert seen["written"]["answer"] == ANSWER
    assert_speech(base64.b64decode(seen["written"]["sound"]))
    assert seen["calls"][0] in ("sea", "sky") and seen["output"] == ANSWER
    heard, answered = seen["spoken"]["history"][:2]
    assert is_about_the_sky(heard) and answered
    assert_speech(base64.b64decode(seen["spoken"]["sound"]))
    assert "audio_interrupted" in seen["interrupted"] and "conversation.item.truncated" in seen["interrupted"]


# ---- openai-agents ----


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

    async def main() -> None:
        client = AsyncOpenAI(base_url=shipped_server.url, api_key="x", max_retries=0)
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

    run(main())


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


# ---- LiveKit ----


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
            async with openai.TTS(model=model, voice="alloy", **at).synthesize(ANSWER) as stream:
                assert_speech((await stream.collect()).data.tobytes())
        whole = await openai.STT(model="gpt-4o-mini-transcribe", use_realtime=False, **at).recognize(
            _frames(pcm16(question(WIRE_RATE)))
        )
        assert whole.type == stt.SpeechEventType.FINAL_TRANSCRIPT and is_about_the_sky(
            whole.alternatives[0].text
        )
        async with openai.STT(model="gpt-4o-mini-transcribe", use_realtime=True, **at).stream() as hearing:
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


# ---- Pipecat ----


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


def test_pipecat_services(shipped_server: Running) -> None:
    pytest.importorskip("pipecat", reason="pipecat-ai is not installed")
    from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
    from pipecat.frames.frames import (
        LLMContextFrame,
        TTSSpeakFrame,
        VADUserStartedSpeakingFrame,
        VADUserStoppedSpeakingFrame,
    )
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.services.openai.llm import OpenAILLMService
    from pipecat.services.openai.stt import OpenAIRealtimeSTTService, OpenAISTTService
    from pipecat.services.openai.tts import OpenAITTSService
    from pipecat.tests.utils import SleepFrame

    at, seen = {"base_url": shipped_server.url, "api_key": "x"}, list[dict[str, str]]()
    asked = [{"role": "user", "content": QUESTION}]

    async def look_at(call: Any) -> None:
        seen.append(call.arguments)
        await call.result_callback(ANSWER)

    async def main() -> None:
        def model() -> OpenAILLMService:
            return OpenAILLMService(settings=OpenAILLMService.Settings(temperature=0), **at)

        down, _ = await _through(model(), LLMContextFrame(LLMContext(asked)), SleepFrame(1.5))
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
            looker, LLMContextFrame(LLMContext(asked, tools=[tool], tool_choice="required")), SleepFrame(2.0)
        )
        assert (
            seen[0]["place"] in ("sea", "sky") and _kind(down, "FunctionCallResultFrame")[0].result == ANSWER
        )
        voice = OpenAITTSService(settings=OpenAITTSService.Settings(voice="alloy"), **at)
        down, _ = await _through(voice, TTSSpeakFrame(ANSWER), SleepFrame(2.0))
        assert_speech(b"".join(frame.audio for frame in _kind(down, "TTSAudioRawFrame")))
        spoken = [
            VADUserStartedSpeakingFrame(),
            *_microphone(0.1),
            SleepFrame(0.3),
            VADUserStoppedSpeakingFrame(),
            SleepFrame(2.0),
        ]
        down, _ = await _through(OpenAISTTService(**at), *spoken)
        assert is_about_the_sky(_kind(down, "TranscriptionFrame")[0].text)
        live = OpenAIRealtimeSTTService(
            api_key="x",
            base_url=shipped_server.url.replace("http", "ws") + "/realtime",
            turn_detection={"type": "server_vad"},
        )
        down, _ = await _through(live, SleepFrame(0.5), *_microphone(1.0), SleepFrame(3.0))
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
            service, LLMContextFrame(asked), SleepFrame(4.0), *_microphone(1.0), SleepFrame(5.0)
        )
        ends = [number for number, frame in enumerate(down) if type(frame).__name__ == "TTSStoppedFrame"]
        assert len(ends) == 2
        for part in (down[: ends[0]], down[ends[0] : ends[1]]):
            assert_speech(b"".join(frame.audio for frame in _kind(part, "TTSAudioRawFrame")))
        assert "".join(frame.text for frame in _kind(down[: ends[0]], "TTSTextFrame")) == ANSWER
        assert is_about_the_sky(_kind(up, "TranscriptionFrame")[0].text)

    run(main())
