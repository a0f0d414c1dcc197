"""Voices of one's own over the API: refused where the server takes none, else only with a checked consent."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
import torch
from conftest import Connect, Running, tiny_speech_codec
from openai import BadRequestError, OpenAI

from unisono.codecs.phonemes import BLANK, NUMBERS, PHONES, PhonemeReader
from unisono.core.errors import UserError
from unisono.data.speech.voices import phonemes, speak
from unisono.serve.reply.guards import Guards
from unisono.serve.reply.own_voices import OwnVoices
from unisono.speakers.consent import SENTENCE
from unisono.speakers.encoder import SAMPLE_RATE, can_judge_voices
from unisono.speakers.guard import VoiceGuard

needs_voices = pytest.mark.skipif(
    not can_judge_voices() or shutil.which("flite") is None or shutil.which("espeak-ng") is None,
    reason="needs resemblyzer's weights, flite and espeak-ng",
)
LONG = "We walked along the river until the sun went down, and then we walked all the way back again."


class TrainedReader:
    """Stands in for a trained reader, which does not ship: it finds the sentence of consent in every sound
    but the samples, as the test says."""

    def __init__(self) -> None:
        self.said = SENTENCE

    def __call__(self, quantized: torch.Tensor) -> torch.Tensor:
        heard = [NUMBERS[symbol] for symbol in phonemes([self.said])[0]]
        found = torch.full((1, 3 * len(heard), len(PHONES) + 1), 1e-3)
        for place, number in enumerate(heard):
            found[0, 3 * place : 3 * place + 2, number] = found[0, 3 * place + 2, BLANK] = 0.9
        return found.log()


@pytest.fixture(scope="module")
def network(tiny_network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own_voices") / "network"
    shutil.copytree(tiny_network, folder)
    codec = tiny_speech_codec()
    torch.nn.init.normal_(codec.presets)
    codec.save(folder / "audio_codec")
    PhonemeReader(len(codec.config.levels)).save(folder / "audio_codec" / "phonemes.safetensors")
    return folder


@pytest.fixture(scope="module")
def running(network: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    voices = tmp_path_factory.mktemp("own_voices") / "voices"
    server = Running(network, voices=voices, keys=("one", "two"))
    server.service.own_voices.reader = TrainedReader()
    yield server
    server.stop()


def wav(pcm: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, pcm, SAMPLE_RATE, format="WAV")
    return file.getvalue()


def ask(server: Running, method: str, path: str, key: str = "one", **options: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.request(method, f"{server.url}/audio/{path}", headers=headers, timeout=60, **options)


def consent(server: Running, pcm: np.ndarray, key: str = "one", **fields: str) -> httpx.Response:
    data = {"name": "Ann", "language": "en-US", **fields}
    return ask(server, "POST", "voice_consents", key, data=data, files={"recording": ("a.wav", wav(pcm))})


def voice(server: Running, pcm: np.ndarray, consent: str, key: str = "one") -> httpx.Response:
    data, files = {"name": "Ann", "consent": consent}, {"audio_sample": ("a.wav", wav(pcm))}
    return ask(server, "POST", "voices", key, data=data, files=files)


@pytest.mark.parametrize("path", ["voices", "voice_consents", "voices/voice_1"])
def test_refused_where_the_network_has_its_own_voices_alone(client: OpenAI, path: str) -> None:
    for method in ("GET", "POST") if "/" not in path else ("GET", "DELETE"):
        answer = httpx.request(method, f"{str(client.base_url).rstrip('/')}/audio/{path}")
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, "voice_not_supported")
        assert "no consent" in error["message"] and "--voices" not in error["message"]


@needs_voices
def test_a_voice_with_consent_speaks(running: Running, connect: Connect) -> None:
    agreed = consent(running, speak(SENTENCE, "slt")).json()
    assert (agreed["object"], agreed["name"], agreed["language"]) == ("audio.voice_consent", "Ann", "en-US")
    made = voice(running, speak(LONG, "slt"), agreed["id"]).json()
    assert made["object"] == "audio.voice" and made["id"].startswith("voice_")
    client = connect(running, key="one")
    for name in (made["id"], {"id": made["id"]}):
        own, usual = (
            client.audio.speech.create(
                model="tts-1", voice=one, input="Hello.", response_format="pcm"
            ).content
            for one in (name, "marin")
        )
        assert own and usual and own != usual
    kept = running.service.own_voices
    again = OwnVoices(kept.folder, running.service.folder, running.service.tokenizer)  # after a restart
    assert again.voice(made["id"]) == kept.voice(made["id"])
    assert (kept.folder / f"{agreed['id']}.flac").stat().st_size > 10_000


@needs_voices
def test_the_voice_guard_listens_to_it_too(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    slt, rms = speak(LONG, "slt"), speak(LONG, "rms")
    made = voice(running, slt, consent(running, speak(SENTENCE, "slt")).json()["id"]).json()["id"]
    assert running.service.watch(made) is None  # that guard is off
    monkeypatch.setattr(running.service, "guards", Guards(voice=VoiceGuard({})))
    for pcm, is_foreign in ((slt, False), (rms, True)):
        assert running.service.watch(made).push(pcm) == is_foreign


@needs_voices
def test_another_voice_another_key_and_other_words_are_refused(running: Running) -> None:
    sample, sentence = speak(LONG, "slt"), speak(SENTENCE, "slt")
    agreed = consent(running, sentence).json()["id"]
    foreign = voice(running, speak(LONG, "rms"), agreed)
    assert foreign.status_code == 400 and "not spoken by the voice" in foreign.json()["error"]["message"]
    assert voice(running, sample, agreed, key="two").status_code == 404
    assert voice(running, sample, "cons_none").json()["error"]["param"] == "consent"
    assert ask(running, "GET", f"voice_consents/{agreed}", "two").status_code == 404
    assert ask(running, "GET", "voice_consents", "two").json()["data"] == []
    running.service.own_voices.reader.said = LONG
    try:
        other = consent(running, sample)
    finally:
        running.service.own_voices.reader.said = SENTENCE
    assert other.status_code == 400 and SENTENCE in other.json()["error"]["message"]


@needs_voices
def test_recordings_that_are_none(running: Running) -> None:
    slt, rms = speak(LONG, "slt"), speak(LONG, "rms")
    agreed = consent(running, speak(SENTENCE, "slt")).json()["id"]
    for pcm, said in (
        (np.zeros(4 * SAMPLE_RATE, np.float32), "silent"),
        (slt[:SAMPLE_RATE], "Expected 3 to 60 s"),
        (np.concatenate([slt, rms]), "two voices"),
    ):
        for answer in (consent(running, pcm), voice(running, pcm, agreed)):
            assert answer.status_code == 400 and said in answer.json()["error"]["message"]
    broken = ask(
        running,
        "POST",
        "voice_consents",
        data={"name": "Ann", "language": "en"},
        files={"recording": ("a.wav", b"RIFF")},
    )
    assert broken.status_code == 400
    assert consent(running, slt, language="de").json()["error"]["param"] == "language"
    assert consent(running, slt, name="").json()["error"]["param"] == "name"


@needs_voices
def test_listing_renaming_deleting(running: Running, connect: Connect) -> None:
    agreed = consent(running, speak(SENTENCE, "slt"), "two").json()["id"]
    made = [voice(running, speak(LONG, "slt"), agreed, "two").json()["id"] for _ in range(2)]
    first = ask(running, "GET", "voices?limit=1", "two").json()
    assert [one["id"] for one in first["data"]] == made[1:] and first["has_more"]
    rest = ask(running, "GET", f"voices?after={first['last_id']}", "two").json()
    assert [one["id"] for one in rest["data"]] == made[:1] and not rest["has_more"]
    assert ask(running, "GET", "voices?after=voice_x", "two").status_code == 404
    renamed = ask(running, "POST", f"voice_consents/{agreed}", "two", json={"name": "Anna"}).json()
    assert renamed["name"] == "Anna" == ask(running, "GET", f"voice_consents/{agreed}", "two").json()["name"]
    assert ask(running, "DELETE", f"voices/{made[0]}", "two").json()["deleted"]
    assert ask(running, "GET", f"voices/{made[0]}", "two").status_code == 404
    assert ask(running, "DELETE", f"voice_consents/{agreed}", "two").json()["deleted"]
    assert ask(running, "GET", "voices", "two").json()["data"] == []  # they went with it
    assert not list(running.service.own_voices.folder.glob(f"*{agreed}*"))
    with pytest.raises(BadRequestError, match="There is no voice"):
        client = connect(running, key="two")
        client.audio.speech.create(model="tts-1", voice=made[1], input="Hello.")


@needs_voices
def test_what_cannot_keep_voices_says_why(network: Path, tiny_network: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="start without --voices"):
        Running(tiny_network, voices=tmp_path)
    (tmp_path / "voice_1.json").write_text("{")
    with pytest.raises(UserError, match=r"voice_1\.json is damaged"):
        Running(network, voices=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot keep voices in"):
        Running(network, voices=tmp_path / "file" / "voices")
