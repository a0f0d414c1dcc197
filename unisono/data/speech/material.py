"""`unisono data states`: all that the audio teacher learns from, beside what `unisono data speech` made.

Under --home: speech/codec/kokoro, speech/codec/prompts Kokoro's English voices; Asterisk's prompts, where
they are installed speech/codec/*/labels.jsonl what Whisper-base hears in recordings without transcripts
states Whisper's encoder states
"""

from pathlib import Path

from unisono.core.errors import UserError
from unisono.data.speech.kokoro import build_kokoro
from unisono.data.speech.labels import SOURCES, label
from unisono.data.speech.prompts import PLACE, copy_prompts
from unisono.data.speech.states import States, build_states
from unisono.data.speech.waves import sound_folders

KOKORO_H = 6.0
MAX_PARTS = 1000
SPOKEN = ("recordings", "prompts", "hibari", "kokoro", "flite", "espeak", "piper")  # of speech/codec


def build_material(shared_data_folder: Path, home: Path, scale: float = 1.0, place: Path = PLACE) -> None:
    """Kokoro's voices, prompts, labels and states; each step resumes. `scale`: share of the usual amount."""
    speech = home / "speech"
    if not (speech / "codec" / "recordings" / "index.jsonl").exists():
        raise UserError(f"no recordings in {speech}; run `unisono data speech --shared DIR` first")
    build_kokoro(shared_data_folder, speech / "codec" / "kokoro", KOKORO_H * scale)
    if place.exists():
        copy_prompts(speech / "codec" / "prompts", place)
    for name in ("recordings", "prompts"):
        if scale >= 1 and (folder := speech / "codec" / name).exists():  # slow: a tenth of real time
            label(folder, SOURCES)
    folders = [
        folder
        for folder in sound_folders(home)
        if folder.relative_to(speech).parts[:2] in [("codec", name) for name in SPOKEN]
    ]
    build_states(speech, folders, home / "states", max_parts=max(1, round(MAX_PARTS * scale)))


def states(home: Path, split: str) -> States:
    """The states under `home` with their sound."""
    return States(home / "speech", home / "states", split)
