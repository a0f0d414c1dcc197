"""Questions aloud: texts spoken in many synthesized voices, and what a line and a room do to them.

The voices are synthesized (data/speech/voices.py): their intonation, accents and noises are not those of
people. Formulas, code and markup are not spoken well; such questions stay in writing. A sound is made once
and kept in a file, so that a question asked again is the same question.
"""

import base64
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, ChatMessageUser, Content, ContentAudio, ContentText

from unisono.core.home import atomic_write
from unisono.data.speech.voices import SAMPLE_RATE, Voice, speak

PRESETS = ("heart", "slt", "joe")
OTHERS = (
    *(f"espeak{number:02d}" for number in range(18)),
    *("rms", "awb", "kal", "rms1", "awb1", "kal1", "rms2", "awb2", "kal2"),
)
SPOKEN_BY = ("espeak00", "rms", "espeak05", "awb", "espeak09", "kal", "espeak13", "slt2", "espeak17", "rms2")
Pcm = np.ndarray  # (N,) float32 at 16 kHz


def noise(pcm: Pcm, snr_db: float) -> Pcm:
    """White noise at this ratio to the speech."""
    drawn = np.random.default_rng(len(pcm)).standard_normal(len(pcm))
    level = np.sqrt(np.mean(np.square(pcm)) / 10 ** (snr_db / 10))
    return (pcm + level * drawn).astype(np.float32)


def echo(pcm: Pcm) -> Pcm:
    """A hard room: five reflections that grow weaker."""
    out = np.concatenate([pcm, np.zeros(SAMPLE_RATE // 2, np.float32)])
    for number in range(1, 6):
        delay = int(0.073 * number * SAMPLE_RATE)
        out[delay : delay + len(pcm)] += pcm * 0.6**number
    return np.asarray(out, np.float32)


def telephone(pcm: Pcm) -> Pcm:
    """8 kHz and eight bits."""
    low = soxr.resample(pcm, SAMPLE_RATE, 8000)
    return np.asarray(soxr.resample(np.round(low * 127) / 127, 8000, SAMPLE_RATE), np.float32)


def babble(pcm: Pcm) -> Pcm:
    """Another speaker behind, at 10 dB."""
    other = speak("and then we went down to the station because the train was late again", "espeak03")
    other = np.resize(other, len(pcm))
    level = np.sqrt(np.mean(np.square(pcm)) / np.mean(np.square(other)) / 10)
    return np.asarray(pcm + level * other, np.float32)


def quiet(pcm: Pcm) -> Pcm:
    """Hardly audible: 40 dB down, in a little noise."""
    return noise(pcm * 0.01, 10.0)


CONDITIONS: dict[str, Callable[[Pcm], Pcm]] = {
    "clean": lambda pcm: pcm,
    "noise 10 dB": lambda pcm: noise(pcm, 10.0),
    "noise 0 dB": lambda pcm: noise(pcm, 0.0),
    "echo": echo,
    "telephone": telephone,
    "another speaker": babble,
    "interrupted": lambda pcm: pcm[: int(len(pcm) * 0.7)],
    "hardly audible": quiet,
}


def spoken(text: str, voice: str, folder: Path, condition: str = "clean") -> ContentAudio:
    """A text in a voice under a condition, as a part of a message. UserError where the voice is not
    installed.
    """
    path = folder / (hashlib.sha256(f"{voice}|{condition}|{text}".encode()).hexdigest()[:32] + ".wav")
    if not path.exists():
        wav = wav_of(np.clip(CONDITIONS[condition](speak(text, voice_of(voice))), -1, 1))
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(path, lambda made: made.write_bytes(wav))
    return sound_part(path.read_bytes())


def voice_of(name: str) -> Voice | str:
    """ "espeak:fr-fr" is espeak-ng's voice of that language; any other name is a voice of the project."""
    engine, _, language = name.partition(":")
    return Voice(name, engine, {"voice": language}) if language else name


def wav_of(pcm: Pcm, rate: int = SAMPLE_RATE) -> bytes:
    """(N,) -> a WAV file."""
    held = io.BytesIO()
    soundfile.write(held, pcm, rate, format="WAV", subtype="PCM_16")
    return held.getvalue()


def sound_part(wav: bytes) -> ContentAudio:
    """A WAV file as a part of a message."""
    coded = base64.b64encode(wav).decode()
    return ContentAudio(audio=f"data:audio/wav;base64,{coded}", format="wav")


def aloud(sample: Sample, folder: Path) -> Sample:
    """The sample with its question spoken: `say`, `voice`, `condition` of its metadata; `ask`, in writing,
    beside it.
    """
    facts = sample.metadata or {}
    parts: list[Content] = [spoken(facts["say"], facts["voice"], folder, facts.get("condition", "clean"))]
    if facts.get("ask"):
        parts.insert(0, ContentText(text=facts["ask"]))
    message: ChatMessage = ChatMessageUser(content=parts)
    return sample.model_copy(update={"input": [message]})
