"""The voice guard: is what leaves still the voice that was chosen?

Each network has a file with the mean embedding of each of its voices, made by `unisono train speakers`. Half
a second of speech is compared with it at a time.

Shapes: N samples. pcm is float32 mono.
"""

import json
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.speakers.encoder import SAMPLE_RATE, can_judge_voices, window_embedding

Floats = NDArray[np.float32]
FILE = "speakers.json"
INSTALL = "pip install --no-deps resemblyzer"
WINDOW_S, STEP_S = 0.5, 0.25  # of speech that is judged at a time, and how often
LAST = 3  # windows whose mean decides, once there are so many
# Cosine below which a voice is foreign: just under the lowest window of ten clips of the network's own
# speech. How many foreign voices pass: `unisono bench guards --only voice`, docs/guards.md.
THRESHOLD = 0.76
PART = SAMPLE_RATE // 100  # 10 ms
AUDIBLE = 0.01  # root mean square of 10 ms; pauses say nothing of a voice


class VoiceGuard:
    """Holds the embedding (256,) of each voice by name."""

    def __init__(self, voices: dict[str, Floats]) -> None:
        self.voices = voices

    @classmethod
    def load(cls, folder: str | Path) -> "VoiceGuard":
        """Reads what `save` wrote into a network's folder. UserError where it, or the encoder, is missing."""
        if not can_judge_voices():
            raise UserError(f"the voice guard needs the weights in the package resemblyzer; {INSTALL}")
        again = f"run: unisono train speakers --model {folder}"
        try:
            told = json.loads((Path(folder) / FILE).read_text(encoding="utf8"))
            return cls({str(name): np.array(one, np.float32).reshape(256) for name, one in told.items()})
        except FileNotFoundError:
            raise UserError(f"this network has no {FILE}; {again}") from None
        except (ValueError, AttributeError, TypeError) as error:
            raise UserError(f"{FILE} of this network is damaged ({error}); {again}") from None

    def save(self, folder: str | Path) -> Path:
        """Writes the voices into a network's folder -> the file's path."""
        path = Path(folder) / FILE
        told = {name: [round(float(value), 5) for value in one] for name, one in self.voices.items()}
        atomic_write(path, lambda part: part.write_text(json.dumps(told) + "\n", encoding="utf8"))
        return path

    def watch(self, voice: str, rate: int) -> "Watch | None":
        """For one reply in a voice, at `rate`; None for a voice that is not known here."""
        found = self.voices.get(voice)
        return None if found is None else Watch(found, rate)


class Watch:
    """One reply. Its first judgement comes after WINDOW_S of speech."""

    def __init__(self, voice: Floats, rate: int) -> None:
        self.voice = voice
        self.resample = (
            soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32") if rate != SAMPLE_RATE else None
        )
        self.left = np.zeros(0, np.float32)  # less than 10 ms
        self.speech = np.zeros(0, np.float32)  # what was not judged yet, and the window before it
        self.num_new = 0
        self.likeness: list[float] = []

    def push(self, pcm: Floats) -> bool:
        """(M,) more of the reply -> whether it is a foreign voice by now."""
        pcm = self.resample.resample_chunk(pcm) if self.resample else pcm
        pcm = np.concatenate([self.left, pcm])
        whole = len(pcm) // PART * PART
        new, self.left = voiced(pcm[:whole]), pcm[whole:]
        self.speech, self.num_new = np.concatenate([self.speech, new]), self.num_new + len(new)
        size, step = round(WINDOW_S * SAMPLE_RATE), round(STEP_S * SAMPLE_RATE)
        while len(self.speech) >= size and (not self.likeness or self.num_new >= step):
            end = len(self.speech) - max(0, self.num_new - (step if self.likeness else size))
            self.likeness.append(float(window_embedding(self.speech[end - size : end]) @ self.voice))
            self.num_new = len(self.speech) - end
            self.speech = self.speech[max(0, end - size) :]
            if np.mean(self.likeness[-LAST:]) < THRESHOLD:
                return True
        return False


def voiced(pcm: Floats) -> Floats:
    """(N,) at SAMPLE_RATE -> without its pauses, in steps of 10 ms."""
    parts = pcm[: len(pcm) // PART * PART].reshape(-1, PART)
    return parts[np.sqrt((parts**2).mean(1)) > AUDIBLE].ravel()


def mean_embedding(clips: list[Floats]) -> Floats:
    """Clips (N,) of one voice at SAMPLE_RATE -> (256,): the mean of their windows. UserError where they hold
    no speech.
    """
    size = round(WINDOW_S * SAMPLE_RATE)
    found = [
        window_embedding(speech[start : start + size])
        for speech in map(voiced, clips)
        for start in range(0, len(speech) - size + 1, size // 2)
    ]
    if not found:
        raise UserError(f"expected at least {WINDOW_S} s of speech in each voice")
    mean = np.mean(found, axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)
