"""Reads the files under records/: the newest numbers of each measure, and the weights they describe."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unisono.core.errors import UserError

Numbers = dict[str, Any]
# The weight files that a measure depends on; all others depend on every file.
WEIGHTS = {
    "audio_codec": "audio_codec/",
    "image_codec": "image_codec/",
    "bench-codec": "audio_codec/",
    "bench-train": "none",
    "bench-page": "none",
}


@dataclass(frozen=True)
class Record:
    """One file: what was run, when, and the numbers."""

    path: Path
    what: str
    date: str  # ISO 8601
    numbers: Numbers
    config: Numbers
    commit: str
    hardware: Numbers

    @property
    def weights(self) -> dict[str, str]:
        """Weight file -> fingerprint; empty where the record does not tell."""
        found = self.config.get("weights")
        return found if isinstance(found, dict) else {}

    @property
    def measures(self) -> dict[str, Numbers]:
        """Measure -> its numbers. Records of `bench quality` and `bench guards` hold several."""
        if self.what == "bench-guards":
            return {f"guard-{name}": numbers for name, numbers in self.numbers.items()}
        if self.what == "bench-moderation" and "flagged" not in self.numbers:
            return {}  # of another question: which regularizer is best
        return self.numbers if self.what == "quality" else {self.what: self.numbers}


def read(path: Path) -> Record:
    """UserError for a file that is no record."""
    try:
        found = json.loads(path.read_text(encoding="utf8"))
    except ValueError:
        found = None
    if not (isinstance(found, dict) and {"what", "date", "numbers"} <= set(found)):
        raise UserError(f"{path} is no record of `unisono bench`; mend it or move it away")
    return Record(
        path,
        found["what"],
        found["date"],
        found["numbers"],
        found.get("config") or {},
        found.get("commit", ""),
        found.get("hardware") or {},
    )


def newest(folder: Path) -> dict[str, tuple[Numbers, Record]]:
    """Measure -> its newest numbers and the record that holds them."""
    records = sorted(map(read, folder.glob("*.json")), key=lambda record: record.date, reverse=True)
    found: dict[str, tuple[Numbers, Record]] = {}
    for record in records:
        for name, numbers in record.measures.items():
            found.setdefault(name, (numbers, record))
            if name == "reads" and "text_only_bpb" in numbers["stories"]:  # the twin is not always at hand
                found.setdefault("reads_twin", (numbers, record))
    return found


def weights_remark(measure: str, record: Record, ships: dict[str, str]) -> str:
    """What a reader must know: the measure is of "other weights" than ship, or of "weights not recorded"."""
    counts = [name for name in ships if name.startswith(WEIGHTS.get(measure, ""))]
    if counts and not record.weights:
        return "weights not recorded"
    return "other weights" if any(record.weights.get(name) != ships[name] for name in counts) else ""
