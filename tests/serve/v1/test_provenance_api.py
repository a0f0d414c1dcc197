"""What leaves the real server says where it came from; the endpoint and the command both tell."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from conftest import Running
from openai import OpenAI

from unisono.cli import main
from unisono.core.home import default_weights
from unisono.provenance.manifest import Signer
from unisono.serve.reply.guards import Guards

pytest.importorskip("c2pa")
TEXT = "Good morning. The sky is blue and the sun is bright. I have a red book and a green cup."


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    """A client of the shipped network with all guards of provenance."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNISONO_HOME", str(tmp_path_factory.mktemp("home")))
        running = Running(default_weights(), Guards(signer=Signer()))
    with OpenAI(base_url=running.url, api_key="x", max_retries=0) as client:
        yield client
    running.stop()


def outcomes(client: OpenAI, name: str, content: bytes) -> dict[str, str]:
    answer = client.content_provenance_checks.create(file=(name, content))
    assert answer.object == "content_provenance_check" and answer.created_at
    return {one.type: one.outcome for one in answer.results}


@pytest.mark.parametrize("speed", [1.0, 1.5])
def test_speech_is_marked(guarded: OpenAI, speed: float, tmp_path: Path, capsys) -> None:
    content = guarded.audio.speech.create(
        model="tts-1", voice="alloy", input=TEXT, response_format="mp3", speed=speed
    ).read()
    assert outcomes(guarded, "speech.mp3", content) == {"c2pa": "not_detected", "synthid": "detected"}
    (tmp_path / "speech.mp3").write_bytes(content)
    assert main(["provenance", str(tmp_path / "speech.mp3"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["watermark"] is True and told["c2pa"] is None


def test_drawings_are_signed_wherever_they_leave(guarded: OpenAI, tmp_path: Path, capsys) -> None:
    drawn = guarded.images.generate(model="gpt-image-1", prompt="a red circle").data[0].b64_json
    chat = guarded.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "Draw a red circle."}],
        extra_body={"modalities": ["text", "image"]},
    )
    url = chat.choices[0].message.model_extra["images"][0]["image_url"]["url"]
    response = guarded.responses.create(
        model="gpt-4o", input="Draw a red circle.", tools=[{"type": "image_generation"}]
    )
    calls = [one.result for one in response.output if one.type == "image_generation_call"]
    for number, b64 in enumerate([drawn, url.partition(",")[2], *calls]):
        content = base64.b64decode(b64)
        assert outcomes(guarded, "drawing.png", content) == {"c2pa": "detected", "synthid": "not_detected"}
        (tmp_path / f"{number}.png").write_bytes(content)
    assert len(calls) == 1
    assert main(["provenance", str(tmp_path / "0.png"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["watermark"] is False and told["c2pa"]["state"] == "valid" and told["c2pa"]["is_generated"]
    assert main(["provenance", str(tmp_path / "0.png")]) == 0
    assert "signed and unchanged" in capsys.readouterr().out


def test_guards_that_are_off_leave_nothing(client: OpenAI, shipped_server: Running) -> None:
    with OpenAI(base_url=shipped_server.url, api_key="x", max_retries=0) as other:
        drawn = other.images.generate(model="gpt-image-1", prompt="a red circle").data[0].b64_json
    assert outcomes(client, "drawing.png", base64.b64decode(drawn)) == {
        "c2pa": "not_detected",
        "synthid": "not_detected",
    }


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\x89PNG\r\n\x1a\nbroken", b"RIFF\x00\x00\x00\x00WAVE"]
)
def test_bad_files_say_so(client: OpenAI, content: bytes, tmp_path: Path, capsys) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.content_provenance_checks.create(file=("file.png", content))
    assert caught.value.body["param"] == "file"
    (tmp_path / "file").write_bytes(content)
    assert main(["provenance", str(tmp_path / "file"), "--json"]) == 2
    told = capsys.readouterr()
    assert not told.out and told.err.count("\n") == 1 and "expected" in told.err


def test_a_file_that_is_not_there(capsys) -> None:
    assert main(["provenance", "nothing.png"]) == 2
    assert "no file nothing.png" in capsys.readouterr().err
