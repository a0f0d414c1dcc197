"""The programs under examples/, each as its own process: against the server with the weights that ship."""

import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from conftest import Running
from PIL import Image

from unisono.assess.quality.scenes import read_scene
from unisono.data.world.pictures import Thing, draw_things

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = sorted((ROOT / "examples").glob("*.py"))


def run(name: str, url: str, *arguments: object) -> str:
    """What an example prints."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)],
        env={**os.environ, "UNISONO_URL": url, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def seconds(path: Path) -> float:
    """How long a WAV file with a voice in it is."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        pcm = np.frombuffer(file.readframes(10**9), "<i2")
    assert np.abs(pcm).max() > 1000
    return len(pcm) / 24_000


def test_chat(shipped_server: Running) -> None:
    assert re.search("[a-z]{2,}", run("chat.py", shipped_server.url, "What colour is the sky?"))


def test_speak_and_talk(shipped_server: Running, tmp_path: Path) -> None:
    question, answer = tmp_path / "question.wav", tmp_path / "answer.wav"
    assert run("speak.py", shipped_server.url, "What colour is the sky?", question) == str(question)
    assert 0.5 < seconds(question) < 10
    said = run("realtime_voice.py", shipped_server.url, question, answer)
    assert re.search("[a-z]{2,}", said) and seconds(answer) > 0.3


def test_draw(shipped_server: Running, tmp_path: Path) -> None:
    run("draw.py", shipped_server.url, "Draw a big red circle.", tmp_path / "drawing.png")
    picture = Image.open(tmp_path / "drawing.png").convert("RGB").resize((64, 64), Image.Resampling.BOX)
    assert read_scene(np.asarray(picture))


def test_ask_about_picture(shipped_server: Running, tmp_path: Path) -> None:
    draw_things([Thing("circle", "red", "big", 32, 32)]).save(tmp_path / "circle.png")
    question = "What colour is the circle?"
    said = run("ask_about_picture.py", shipped_server.url, tmp_path / "circle.png", question)
    assert "red" in said


def test_in_python(tmp_path: Path) -> None:
    said = run("in_python.py", "", tmp_path / "replies").splitlines()
    assert re.search("[a-z]", said[0]) and str(tmp_path / "replies" / "said.wav") in said


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_an_example_is_short_and_listed(path: Path) -> None:
    code = [line for line in path.read_text(encoding="utf8").split('"""', 2)[2].splitlines() if line.strip()]
    assert len(code) < 25
    assert f"[{path.name}]({path.name})" in (ROOT / "examples" / "README.md").read_text(encoding="utf8")
