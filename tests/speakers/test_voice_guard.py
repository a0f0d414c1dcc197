"""The voice guard: what it needs, when it decides, and what the real server does with a foreign voice."""

import shutil
from pathlib import Path

import numpy as np
import openai
import pytest
from conftest import Running
from openai import OpenAI

from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.data.speech.voices import speak
from unisono.serve.reply.guards import Guards
from unisono.speakers.encoder import SAMPLE_RATE, can_judge_voices
from unisono.speakers.guard import THRESHOLD, WINDOW_S, VoiceGuard, mean_embedding, voiced

pytestmark = pytest.mark.skipif(
    not can_judge_voices() or shutil.which("flite") is None, reason="needs resemblyzer's weights and flite"
)
TEXTS = ("We walked along the river until the sun went down.", "He opened the door and looked into the room.")


@pytest.fixture(scope="module")
def voices() -> dict[str, list[np.ndarray]]:
    return {name: [speak(text, name) for text in TEXTS] for name in ("slt", "rms")}


def first_cut(guard: VoiceGuard, voice: str, pcm: np.ndarray) -> float | None:
    """Seconds of speech after which it is cut; None where it is not."""
    watch, size = guard.watch(voice, SAMPLE_RATE), 1283
    for start in range(0, len(pcm), size):
        if watch.push(pcm[start : start + size]):
            return len(voiced(pcm[: start + size])) / SAMPLE_RATE
    return None


def test_a_foreign_voice_is_cut_within_half_a_second_and_its_own_never(voices: dict) -> None:
    guard = VoiceGuard({name: mean_embedding(clips[:1]) for name, clips in voices.items()})
    assert first_cut(guard, "slt", voices["slt"][1]) is None
    assert first_cut(guard, "rms", voices["rms"][1]) is None
    for chosen, heard in (("slt", "rms"), ("rms", "slt")):
        cut = first_cut(guard, chosen, voices[heard][1])
        assert cut is not None and cut < WINDOW_S + 0.1
    assert guard.watch("somebody", SAMPLE_RATE) is None and 0 < THRESHOLD < 1


def test_its_file(tmp_path: Path, voices: dict) -> None:
    with pytest.raises(UserError, match="unisono train speakers"):
        VoiceGuard.load(tmp_path)
    VoiceGuard({"slt": mean_embedding(voices["slt"])}).save(tmp_path)
    read = VoiceGuard.load(tmp_path)
    assert first_cut(read, "slt", voices["slt"][0]) is None
    (tmp_path / "speakers.json").write_text('{"slt": [1, 2]}')
    with pytest.raises(UserError, match="damaged"):
        VoiceGuard.load(tmp_path)
    with pytest.raises(UserError, match="speech"):
        mean_embedding([np.zeros(SAMPLE_RATE, np.float32)])


def test_the_server_cuts_a_voice_that_was_not_chosen(voices: dict) -> None:
    """The network speaks as it always does; the guard is told that its voice is another one."""
    guard = VoiceGuard({"heart": mean_embedding(voices["rms"])})
    running = Running(default_weights(), Guards(voice=guard))
    with OpenAI(base_url=running.url, api_key="x", max_retries=0) as client:
        answer = client.chat.completions.create(
            model="gpt-4o-audio-preview",
            modalities=["text", "audio"],
            audio={"voice": "alloy", "format": "wav"},
            messages=[{"role": "user", "content": "Say: The little dog runs across the wide green field."}],
        )
        with pytest.raises((openai.APIError, openai.APIConnectionError)):
            client.audio.speech.create(
                model="tts-1", voice="alloy", input="The dog runs across the field.", response_format="wav"
            ).read()
    running.stop()
    assert answer.choices[0].finish_reason == "content_filter"
