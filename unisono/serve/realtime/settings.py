"""The settings of a realtime session: what clients may ask, how an update is merged, what is shown of it.

Absent or null means unchanged; null clears turn_detection, transcription and noise_reduction. An update that
has one wrong member changes nothing. The beta's spellings are read in beta.py; members that nobody knows are
passed over, as OpenAI's newer clients send some.
"""

import copy
import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from unisono.serve.realtime.beta import from_beta
from unisono.serve.reply.document import Form
from unisono.serve.reply.plan import MAX_IDS, Label, Plan, Value, new_id
from unisono.serve.reply.service import Service
from unisono.serve.reply.tools import Toolbox, read_tools
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.requests import RequestBody

LIFE_S = 3600
DETECTION: dict[str, dict[str, Any]] = {
    "server_vad": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    },
    "semantic_vad": {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    },
}
SKETCHES = 4  # of a picture in the making, where a client asked for pictures
CLEARED = ("turn_detection", "transcription", "noise_reduction")  # by null
Modalities = list[Literal["text", "audio"]]
Text = Annotated[str, Field(max_length=100_000)]


class Format(RequestBody):
    """Of sound on the wire."""

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"] = "audio/pcm"
    rate: Literal[24000] | None = None


class Detection(RequestBody):
    """turn_detection."""

    type: Literal["server_vad", "semantic_vad"]
    threshold: float | None = Field(None, ge=0, le=1)
    prefix_padding_ms: int | None = Field(None, ge=0, le=5000)
    silence_duration_ms: int | None = Field(None, ge=0, le=10_000)
    idle_timeout_ms: int | None = Field(None, ge=1000, le=60_000)
    eagerness: Literal["low", "medium", "high", "auto"] | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None


class Transcription(RequestBody):
    """Of the person's speech; any model's name is taken, the network does it."""

    model: str | None = Field(None, max_length=200)
    language: str | None = Field(None, max_length=40)
    prompt: Text | None = None
    languages: list[str] | None = None
    keywords: list[str] | None = None
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None


class Noise(RequestBody):
    """noise_reduction: accepted and shown; the network hears what is sent."""

    type: Literal["near_field", "far_field"] | None = None
    strength: float | None = None


class Input(RequestBody):
    """audio.input."""

    format: Format | None = None
    transcription: Transcription | None = None
    noise_reduction: Noise | None = None
    turn_detection: Detection | None = None


class Output(RequestBody):
    """audio.output."""

    format: Format | None = None
    voice: Any = None
    speed: float | None = Field(None, ge=0.25, le=1.5)


class AudioSettings(RequestBody):
    """audio."""

    input: Input | None = None
    output: Output | None = None


class Truncation(RequestBody):
    """How much of the conversation is kept when it becomes too long."""

    type: Literal["retention_ratio"]
    retention_ratio: float = Field(ge=0, le=1)
    token_limits: dict[str, Any] | None = None


class Extension(RequestBody):
    """What our own page asks for beyond the API."""

    ids: bool = False
    images: bool = False


class Common(RequestBody):
    """Members of a session and of a single response."""

    instructions: Text | None = None
    output_modalities: Modalities | None = None
    audio: AudioSettings | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=4096)] | Literal["inf"] | None = None
    prompt: Any = None
    reasoning: Any = None
    temperature: float | None = Field(None, ge=0, le=2)  # the beta's; today's API has none

    @model_validator(mode="before")
    @classmethod
    def _from_beta(cls, given: Any) -> Any:
        return from_beta(given)


class SessionRequest(Common):
    """session of session.update and of client secrets."""

    type: Literal["realtime", "transcription"] | None = None
    model: Any = None
    tracing: Any = None
    truncation: Literal["auto", "disabled"] | Truncation | None = None
    include: list[Literal["item.input_audio_transcription.logprobs"]] | None = None
    unisono: Extension | None = None


class ResponseRequest(Common):
    """response of response.create."""

    conversation: str | None = None
    input: list[Any] | None = None
    metadata: dict[Label, Value] | None = Field(None, max_length=16)


SessionSettings = dict[str, Any]


@dataclass
class Locked:
    """What may no longer be changed in a session."""

    model: bool = True  # somebody has named one
    voice: bool = False  # it was heard


SETTABLE = frozenset(SessionRequest.model_fields) - {"type", "model", "audio"}


def default_session(kind: str, model: str) -> SessionSettings:
    """What a session is before anybody asked for anything."""
    audio_in = {
        "format": {"type": "audio/pcm", "rate": 24000},
        "transcription": None,
        "noise_reduction": None,
        "turn_detection": dict(DETECTION["server_vad"]),
    }
    head = {
        "type": kind,
        "object": "realtime.session" if kind == "realtime" else "realtime.transcription_session",
        "id": new_id("sess_"),
        "expires_at": int(time.time()) + LIFE_S,
        "include": None,
    }
    if kind == "transcription":
        audio_in["transcription"] = {"model": model}
        return {**head, "audio": {"input": audio_in}}
    audio_out = {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.0}
    return {
        **head,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "audio": {"input": audio_in, "output": audio_out},
    }


def merged(
    session: SessionSettings, wanted: Common, service: Service, *, has_spoken: bool = False
) -> SessionSettings:
    """The session after an update; ApiError, and nothing changed, where something is wrong."""
    new, given = copy.deepcopy(session), wanted.model_dump(exclude_unset=True)
    audio = given.pop("audio", None) or {}
    if session["type"] == "transcription":
        given = {name: given[name] for name in ("include", "unisono") if name in given}
    _check(new, given, service)
    new |= {name: value for name, value in given.items() if value is not None and name in SETTABLE}
    _merge_input(new["audio"]["input"], audio.get("input") or {})
    if session["type"] == "realtime":
        _merge_output(new["audio"]["output"], audio.get("output") or {}, service, has_spoken)
        if session["tools"] or new["tools"] or "tool_choice" in given:
            toolbox_of(new)
    return new


def _check(session: SessionSettings, given: dict[str, Any], service: Service) -> None:
    if given.get("output_modalities") is not None and sorted(set(given["output_modalities"])) not in (
        ["audio"],
        ["text"],
    ):
        raise ApiError(
            'session.output_modalities must be ["audio"] or ["text"]; sound always comes with its text.',
            400,
            "session.output_modalities",
            "invalid_value",
        )
    if given.get("prompt") is not None:
        raise ApiError(
            "session.prompt names a prompt stored elsewhere, which is not known here; send its text as "
            "session.instructions.",
            400,
            "session.prompt",
            "invalid_value",
        )
    if given.get("model") is not None and service.check_model(given["model"]) != session["model"]:
        raise ApiError(
            "session.model cannot be changed; open another session.", 400, "session.model", "invalid_value"
        )


def _merge_input(audio: dict[str, Any], given: dict[str, Any]) -> None:
    for name, value in given.items():
        if value is None:
            if name in CLEARED:
                audio[name] = None
        elif name == "format":
            audio[name] = _format(value)
        elif name == "turn_detection":
            audio[name] = _detection(audio[name], value)
        else:
            audio[name] = {key: new for key, new in value.items() if new is not None}


def _detection(old: dict[str, Any] | None, given: dict[str, Any]) -> dict[str, Any]:
    """turn_detection after an update; of another type it begins with that type's defaults."""
    kind = given["type"]
    old = old if old and old["type"] == kind else DETECTION[kind]
    for name, value in given.items():
        if name not in old and value is not None:
            place = f"session.audio.input.turn_detection.{name}"
            raise ApiError(f"{place} is no member of {kind}.", 400, place, "unknown_parameter")
    changed = {
        name: value
        for name, value in given.items()
        if name in old and (value is not None or name == "idle_timeout_ms")
    }
    return {**old, **changed}


def _merge_output(audio: dict[str, Any], given: dict[str, Any], service: Service, has_spoken: bool) -> None:
    if given.get("format") is not None:
        audio["format"] = _format(given["format"])
    if given.get("speed") is not None:
        audio["speed"] = given["speed"]
    if (voice := given.get("voice")) is not None:
        service.voice(voice)
        voice = voice["id"] if isinstance(voice, dict) else voice
        if has_spoken and voice != audio["voice"]:
            raise ApiError(
                "The voice cannot be changed once it was heard; open another session.",
                400,
                "session.audio.output.voice",
                "cannot_update_voice",
            )
        audio["voice"] = voice


def _format(given: dict[str, Any]) -> dict[str, Any]:
    kind = given.get("type", "audio/pcm")
    return {"type": kind, "rate": 24000} if kind == "audio/pcm" else {"type": kind}


def toolbox_of(session: SessionSettings) -> Toolbox:
    """Its tools, checked."""
    tools = session["tools"]
    for number, tool in enumerate(tools):
        if tool.get("type", "function") != "function":
            raise ApiError(
                f"session.tools.{number}: only functions can be called here.",
                400,
                f"session.tools.{number}.type",
            )
    return read_tools(
        [(tool, f"session.tools.{number}") for number, tool in enumerate(tools)],
        session["tool_choice"],
        session.get("parallel_tool_calls"),
    )


@dataclass
class Prepared:
    """A session's settings in the form in which replies are made of them."""

    session: SessionSettings
    toolbox: Toolbox
    call_form: Form | None

    @property
    def is_transcribing(self) -> bool:
        """Whether the session only writes down what is said."""
        return bool(self.session["type"] == "transcription")

    @property
    def is_spoken(self) -> bool:
        """Whether replies have a voice."""
        return self.session["output_modalities"] == ["audio"]

    def plan(self) -> Plan:
        """For one reply."""
        session, extension = self.session, self.session.get("unisono") or {}
        outputs = (
            {"text"}
            | ({"audio"} if self.is_spoken else set())
            | ({"image"} if extension.get("images") else set())
        )
        most = session["max_output_tokens"]
        return Plan(
            [],
            frozenset(outputs),
            self.toolbox,
            self.call_form,
            temperature=session.get("temperature"),
            max_ids=MAX_IDS if most == "inf" else most,
            max_ids_param="max_output_tokens",
            voice=session["audio"]["output"]["voice"],
            speed=session["audio"]["output"]["speed"],
            trace=bool(extension.get("ids")),
            sketches=SKETCHES,
        )


async def prepared(service: Service, session: SessionSettings) -> Prepared:
    """Compiles what has a form; ApiError where that is not possible."""
    toolbox = toolbox_of(session) if session["type"] == "realtime" else Toolbox()
    return Prepared(session, toolbox, await toolbox.form(service))
