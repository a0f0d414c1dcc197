"""What the network is told of the voice that it is to speak with, and which voice that is."""

from collections.abc import Iterator

import pytest
from conftest import Running

from unisono.serve.reply.events import ReplySpec
from unisono.serve.reply.service import Service
from unisono.serve.wire.errors import ApiError
from unisono.tokens.message import Message, Text

SPEECH = ReplySpec(outputs=frozenset({"text", "audio"}), voice="slt")
ASKED = Message("user", [Text("Hello.")])


@pytest.fixture
def service(tiny_server: Running) -> Iterator[Service]:
    tiny_server.service.tokenizer.voices = ["heart", "slt"]
    yield tiny_server.service
    tiny_server.service.tokenizer.voices = []


@pytest.mark.parametrize(
    "before, system", [([], "voice: slt"), ([Message("system", [Text("Be kind.")])], "voice: slt\nBe kind.")]
)
def test_the_voice_is_named_before_everything_else(
    service: Service, before: list[Message], system: str
) -> None:
    expected, _ = service.tokenizer.encode([Message("system", [Text(system)]), ASKED], begin_reply=True)
    assert service.prompt([*before, ASKED], SPEECH) == expected.tolist()
    plain, _ = service.tokenizer.encode([*before, ASKED], begin_reply=True)
    assert service.prompt([*before, ASKED], ReplySpec()) == plain.tolist()


def test_presets_are_spread_over_the_voices_that_there_are(service: Service) -> None:
    assert service.voice("slt") == service.voice({"id": "slt"}) == "slt"
    assert {
        service.voice(name)
        for name in ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse")
    } == {"heart", "slt"}
    assert service.voice("alloy") == service.voice("alloy")
    for name in ("nobody", None, {"id": 3}):
        with pytest.raises(ApiError, match="no voice .*choose from heart, slt, alloy"):
            service.voice(name)
