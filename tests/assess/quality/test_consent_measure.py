"""The measure of consent: shares of what passes."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import tiny_speech_codec

from unisono.assess.options import BenchOptions
from unisono.assess.quality.consent import measure_consent, people
from unisono.assess.report.guards import consent
from unisono.codecs.phonemes import PhonemeReader
from unisono.core.errors import UserError
from unisono.data.speech.voices import speak
from unisono.speakers.encoder import SAMPLE_RATE, can_judge_voices

pytestmark = pytest.mark.skipif(
    not can_judge_voices() or shutil.which("flite") is None, reason="needs resemblyzer's weights and flite"
)
LONG = "We walked along the river until the sun went down, and then we walked all the way back again."


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    """Ten seconds of two voices."""
    return [np.tile(speak(LONG, name), 3)[: 10 * SAMPLE_RATE] for name in ("slt", "rms")]


def test_two_voices_are_told_apart(clips: list[np.ndarray]) -> None:
    found = people(clips)
    shares = {name: value["mean"] for name, value in found.items()}
    assert shares == {"same_voice": 1, "other_voice": 0, "one_person": 1, "two_people": 0}
    assert found["other_voice"]["n"] == 2


def test_the_whole_measure(clips: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unisono.assess.quality.consent.VOICES", ("slt",))
    monkeypatch.setattr("unisono.assess.quality.consent.NEVER_HEARD", ())
    rows = []
    with tarfile.open(tmp_path / "librispeech_train251.tar", "w") as tar:

        def add(name: str, content: bytes) -> None:
            info = tarfile.TarInfo(f"librispeech_train251/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

        for number, pcm in enumerate(clips):
            file = io.BytesIO()
            soundfile.write(file, pcm, SAMPLE_RATE, format="FLAC")
            add(f"clips/{number}.flac", file.getvalue())
            rows.append({"file": f"clips/{number}.flac", "speaker": str(number), "sex": "F"})
        add("index.jsonl", "\n".join(map(json.dumps, rows)).encode())
    codec = tmp_path / "codec"
    tiny_speech_codec().save(codec)
    PhonemeReader(2).save(tmp_path / "phonemes.safetensors")  # training leaves it beside the codec
    found = measure_consent(BenchOptions(what="guards", shared=tmp_path, codec=str(codec)))
    assert found["same_voice"]["mean"] == 1
    for kind in ("sentence_known", "contrary_known", "others_known"):  # an untrained reader finds nothing
        assert found["sentences"][kind]["passed"]["mean"] == 0
    assert ("consent, by another person: passes", "0 % ± 0 (n = 2)", "100 %", "") in consent(found)
    with pytest.raises(UserError, match="needs --shared"):
        measure_consent(BenchOptions(what="guards"))
