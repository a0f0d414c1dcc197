"""Whisper's encoder states of sound folders, averaged to 25 a second and kept on disk: what the audio teacher
learns from.

A folder of states mirrors a sound folder: parts 0000, 0001, ... of up to PART_SIZE items, each a file of
half-precision rows (`0000.f16`) and an index (`0000.jsonl`, written last: {"item": number in the sound
folder, "start", "length" in frames, "lead"}). A finished part is never made again, and its items are drawn at
random from the whole folder, so that any number of parts is a fair sample. Every item is heard with silence
before and after it, whose states are kept: silence needs codes, too.

Shapes: N samples at 16 kHz, F frames of 40 ms, D = 512 numbers a state.
"""

import functools
import json
import random
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.core.progress import track
from unisono.data.speech.labels import read_labels, whisper_folder
from unisono.data.speech.waves import Waves

FRAME_SIZE = 640  # samples at 16 kHz: 25 states a second
NUM_DIMS = 512
LEAD_FRAMES, TAIL_FRAMES = 10, 15
PART_SIZE = 256
MAX_ITEM_S = 20.0  # of longer ones the beginning
# Hours at most of what there is much of, or what says little that is new.
MAX_HOURS = {"arabic_commands": 0.5, "wake_words": 0.6, "fsdd": 0.2, "barista": 1.0}


@functools.lru_cache(maxsize=1)
def _whisper():  # -> (ctranslate2.models.Whisper, the feature extractor of faster_whisper)
    try:
        import ctranslate2
        from faster_whisper.feature_extractor import FeatureExtractor
    except ImportError as error:
        raise UserError(f"states need the package {error.name}; pip install 'unisono[eval]'") from error
    model = ctranslate2.models.Whisper(
        str(whisper_folder()), device="cpu", compute_type="int8", intra_threads=1, inter_threads=1
    )
    return model, FeatureExtractor()


def states_of(pcm: NDArray[np.float32]) -> NDArray[np.float16]:
    """(N,) float at 16 kHz -> (F, 512) float16, F = ceil(N / 640). The clip keeps its own length: it is not
    padded to 30 s."""
    import ctranslate2

    model, features = _whisper()
    padded = np.pad(pcm, (0, -len(pcm) % FRAME_SIZE)).astype(np.float32)
    mels = np.ascontiguousarray(features(padded, padding=0)[None, :, : len(padded) // 160], dtype=np.float32)
    states = np.array(model.encode(ctranslate2.StorageView.from_array(mels)))[0]
    return states.reshape(-1, 2, NUM_DIMS).mean(axis=1).astype(np.float16)


def chosen_items(waves: Waves, name: str) -> list[int]:
    """The numbers of the items that states are made of, in a random order that depends on the folder's `name`
    alone."""
    numbers = list(range(len(waves)))
    random.Random(name).shuffle(numbers)
    seconds: dict[str, float] = {}
    chosen = []
    for number in numbers:
        item = waves.items[number]
        source, length_s = item.get("source") or "", min(MAX_ITEM_S, item["length"] / 16000)
        if seconds.get(source, 0.0) < 3600 * MAX_HOURS.get(source, 1e9):
            seconds[source] = seconds.get(source, 0.0) + length_s
            chosen.append(number)
    return chosen


def build_states(speech: Path, folders: list[Path], target: Path, max_parts: int = 10**6) -> None:
    """States of sound folders under `speech` into the same places under `target`, part by part in turn, at
    most `max_parts` of each. Parts that are there already are left alone."""
    jobs = []
    for folder in folders:
        waves, place = Waves([folder], None), folder.relative_to(speech)
        numbers = chosen_items(waves, str(place))
        parts = [numbers[start : start + PART_SIZE] for start in range(0, len(numbers), PART_SIZE)][
            :max_parts
        ]
        jobs += [(index / len(parts), waves, target / place, index, part) for index, part in enumerate(parts)]
    jobs.sort(key=lambda job: job[0])  # every source has its share of what is there at any time
    for _, waves, place, index, part in track(jobs, "states"):
        if not (place / f"{index:04d}.jsonl").exists():
            _build_part(waves, place, index, part)


def _build_part(waves: Waves, place: Path, index: int, numbers: list[int]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    rows, lines, start = [], [], 0
    for number in numbers:
        pcm = waves.pcm(number, 0, int(MAX_ITEM_S * 16000))
        states = states_of(np.pad(pcm, (LEAD_FRAMES * FRAME_SIZE, TAIL_FRAMES * FRAME_SIZE)))
        rows.append(states)
        lines.append(
            json.dumps({"item": number, "start": start, "length": len(states), "lead": LEAD_FRAMES}) + "\n"
        )
        start += len(states)
    atomic_write(place / f"{index:04d}.f16", lambda path: np.concatenate(rows).tofile(path))
    atomic_write(place / f"{index:04d}.jsonl", lambda path: path.write_text("".join(lines), encoding="utf8"))


class States:
    """All items of a split that have states: the sound, its index line, and its states."""

    def __init__(self, speech: Path, target: Path, split: str) -> None:
        """`speech`, `target`: as `build_states` was told. Items without a text have the one of labels.jsonl,
        where there is one. UserError where no item of the split has states."""
        self.waves: list[Waves] = []
        self.files: list[NDArray[np.float16]] = []
        self.items: list[dict] = []
        for place in sorted({index.parent for index in target.rglob("[0-9][0-9][0-9][0-9].jsonl")}):
            folder = speech / place.relative_to(target)
            waves, labels = Waves([folder], None), read_labels(folder)
            self.waves.append(waves)
            for index in sorted(place.glob("[0-9][0-9][0-9][0-9].jsonl")):
                rows = np.memmap(index.with_suffix(".f16"), dtype="<f2", mode="r").reshape(-1, NUM_DIMS)
                self.files.append(rows)
                for line in index.read_text(encoding="utf8").splitlines():
                    found = json.loads(line)
                    item = waves.items[found["item"]]
                    if item["split"] == split:
                        self.items.append(
                            {
                                **item,
                                **labels.get(found["item"], {}),
                                **{f"state_{key}": value for key, value in found.items()},
                                "waves": len(self.waves) - 1,
                                "states": len(self.files) - 1,
                            }
                        )
        if not self.items:
            raise UserError(f"no states of split {split!r} in {target}; make them with `unisono data states`")

    def __len__(self) -> int:
        return len(self.items)

    def length(self, number: int) -> int:
        """Frames of an item, the silence around it included."""
        return self.items[number]["state_length"]

    def states(self, number: int, start: int, length: int) -> NDArray[np.float16]:
        """(<= length, 512) of an item from frame `start`, counted from the beginning of the silence before
        it."""
        item = self.items[number]
        first = item["state_start"] + start
        return self.files[item["states"]][
            first : min(first + length, item["state_start"] + item["state_length"])
        ]

    def pcm(self, number: int, start: int, length: int) -> NDArray[np.float32]:
        """(length * 640,) the sound of the same frames, silence around it included."""
        item = self.items[number]
        begin = (start - item["state_lead"]) * FRAME_SIZE
        made = np.zeros(length * FRAME_SIZE, np.float32)
        piece = self.waves[item["waves"]].pcm(
            item["state_item"], max(0, begin), max(0, begin + len(made)) - max(0, begin)
        )
        made[max(0, -begin) : max(0, -begin) + len(piece)] = piece
        return made
