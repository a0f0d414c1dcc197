"""The weights in the package, through the real command, judged by judges that were not trained here.

Bounds lie well below what records/ show, so that they fail for a broken network, not for an unlucky sample.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from unisono.assess.quality.judge import comparable, transcribe, word_error_rate
from unisono.assess.quality.scenes import read_scene
from unisono.core.home import shipped
from unisono.data.speech.microphone import spoilt
from unisono.data.speech.voices import speak
from unisono.data.world.pictures import Thing, draw_things
from unisono.media import Sound
from unisono.omni import Omni

pytestmark = pytest.mark.skipif(
    not list(shipped().glob("*/model.safetensors")), reason="no weights in the package yet"
)


def chat(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "unisono.cli", "chat", "--seed", "1", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def omni() -> Omni:
    return Omni()


def test_weights_are_small_enough() -> None:
    assert sum(path.stat().st_size for path in shipped().rglob("*") if path.is_file()) < 80e6


def test_sees_through_the_command(tmp_path: Path) -> None:
    draw_things([Thing("circle", "red", "big", 32, 32)]).save(tmp_path / "red.png")
    answer = chat("--image", str(tmp_path / "red.png"), "What colour is the circle?")
    assert "red" in answer.lower()


def test_speaks_through_the_command(tmp_path: Path) -> None:
    written = chat("--out", "text,audio", "--save", str(tmp_path), "What is the opposite of hot?").split(
        "\n"
    )[0]
    pcm, rate = soundfile.read(tmp_path / "reply1.wav", dtype="float32")
    assert 0.5 < len(pcm) / rate < 12 and np.abs(pcm).max() > 0.02
    assert word_error_rate([written], [transcribe(pcm, rate)]).rate < 0.8


def test_hears_a_question_and_answers_aloud_about_a_picture_through_the_command(tmp_path: Path) -> None:
    draw_things([Thing("circle", "red", "big", 32, 32)]).save(tmp_path / "red.png")
    asked = speak("What colour is the circle?", "heart")
    soundfile.write(tmp_path / "question.wav", asked, 16000)
    chat(
        "--image",
        str(tmp_path / "red.png"),
        "--audio",
        str(tmp_path / "question.wav"),
        "--out",
        "text,audio",
        "--save",
        str(tmp_path),
    )
    pcm, rate = soundfile.read(tmp_path / "reply1.wav", dtype="float32")
    assert "red" in comparable(transcribe(pcm, rate)).split()


def test_watches_through_the_command(tmp_path: Path) -> None:
    frames = [
        draw_things([Thing("star", "blue", "big", 14 + 12 * step, 32)]).resize((128, 128))
        for step in range(4)
    ]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:], duration=500)
    answer = chat("--video", str(tmp_path / "clip.gif"), "What moves, and which way?")
    assert "blue star" in answer and "to the right" in answer


def test_a_voice_in_pieces_gives_the_codes_and_the_sound_of_the_whole(omni: Omni) -> None:
    codec, pcm = omni.tokenizer.audio_codec, torch.from_numpy(speak("How many stars are there?", "heart"))
    encoder, decoder = codec.encoder_stream(), codec.decoder_stream()
    codes = torch.cat([*(encoder.push(piece) for piece in pcm.split(1600)), encoder.flush()])
    assert torch.equal(codes, codec.encode(pcm[None])[0])
    made = torch.cat([decoder.push(piece) for piece in codes.split(5)])
    torch.testing.assert_close(made, codec.decode(codes[None])[0], atol=1e-5, rtol=0)


def test_draws_through_the_command(tmp_path: Path) -> None:
    chat("--out", "text,image", "--save", str(tmp_path), "Draw a blue square.")
    picture = Image.open(tmp_path / "reply1.png").resize((64, 64), Image.Resampling.BOX)
    seen = read_scene(np.asarray(picture))
    assert any(thing.colour == "blue" for thing in seen)


def test_hears_its_own_voice(omni: Omni) -> None:
    said = omni.reply("Say: How many stars are there?", outputs=("text", "audio"), seed=1)
    heard = omni.reply(Sound(said.pcm, omni.sample_rate), "Write down what you hear.").text
    assert len(set(comparable(heard).split()) & set("how many stars are there".split())) >= 3


def test_hears_in_noise_and_by_telephone(omni: Omni) -> None:
    said = speak("What is the opposite of hot?", "heart")
    rng = np.random.default_rng(2)
    replies = [omni.reply(Sound(spoilt(said, rng), 16000)).text for _ in range(5)]
    assert sum("cold" in reply for reply in replies) >= 3, replies


def test_is_asked_before_it_is_shown(omni: Omni) -> None:
    scene = draw_things([Thing("heart", "red", "big", 32, 32)])
    asked = [
        omni.reply("What colour is the heart?", scene).text,
        omni.reply(scene, "what color is the heart").text,
    ]
    assert all("red" in answer for answer in asked), asked


def test_the_same_seed_gives_the_same_reply(omni: Omni) -> None:
    first, second = (omni.reply("Draw a green star.", outputs=("text", "image"), seed=3) for _ in range(2))
    assert first.text == second.text and np.array_equal(first.pictures[0], second.pictures[0])


def test_a_second_question_is_answered_too(omni: Omni) -> None:
    with omni.conversation(seed=1) as conversation:
        assert "five" in conversation.reply("What is two plus three?").text
        assert "cold" in conversation.reply("What is the opposite of hot?").text


def test_several_turns_stay_whole(omni: Omni) -> None:
    with omni.conversation(outputs=("text", "audio"), seed=1) as conversation:
        for _ in range(3):
            reply = conversation.reply("What is two plus three?")
            assert reply.text and reply.finish_reason in ("stop", "length")
