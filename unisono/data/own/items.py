"""One piece of somebody's data: where it stands, what it is, and where its media lie. Media never lead out of
their folder.

A listing only says what there is; nothing is decoded before a worker takes the item.
"""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unisono.core.errors import UserError
from unisono.media.files import MAX_BYTES


class Unusable(UserError):
    """The data as a whole cannot be learned from."""


KINDS = ("chat", "sound", "picture", "text")
LEADS_OUT = "a path leads out of the folder of the data"
MAX_LEFT_OUT = 0.1  # of the items; more stops
NUM_REASONS = 3  # that are named when it does


@dataclass(frozen=True)
class Slice:
    """Bytes of a file: a line, or a member of an archive."""

    path: Path
    start: int
    size: int


@dataclass(frozen=True)
class Row:
    """A row of a Hugging Face dataset, on disk or by name."""

    dataset: str
    number: int


Source = Slice | Row | Path | Any  # Any: what a task has made already


@dataclass(frozen=True)
class Item:
    """`place` names file and line. Media that `source` names lie under `root`. An item with a `fault` is left
    out.
    """

    place: str
    kind: str
    source: Source = None
    root: Path = Path()
    text: str = ""  # transcript or caption
    speaker: str = ""
    split: str = ""  # train or val where that is settled; else a checksum decides
    fault: str = ""

    @property
    def mark(self) -> str:
        """What tells this item from others, in a few letters: a build goes on only with the same items."""
        known = self.source if isinstance(self.source, Slice | Row | Path) else ""
        return f"{self.place}|{self.kind}|{known}|{self.text}|{self.speaker}|{self.split}|{self.fault}"


@dataclass
class Report:
    """What became of the items."""

    num_items: int = 0
    documents: Counter[str] = field(default_factory=Counter)  # of each task
    left_out: list[tuple[str, str]] = field(default_factory=list)  # place, reason
    notes: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> Counter[str]:
        """Reason -> how often."""
        return Counter(reason for _, reason in self.left_out)

    def check(self) -> None:
        """UserError where more than a tenth of the items is left out."""
        if len(self.left_out) <= MAX_LEFT_OUT * self.num_items:
            return
        first = {reason: place for place, reason in reversed(self.left_out)}
        named = "; ".join(
            f"{count} x {reason} ({first[reason]})" for reason, count in self.reasons.most_common(NUM_REASONS)
        )
        raise Unusable(
            f"{len(self.left_out)} of {self.num_items} items cannot be used, more than a tenth: {named}. "
            f"Nothing was kept; mend the source and run the command again"
        )

    def to_json(self) -> dict[str, Any]:
        """As it is kept beside the shards."""
        return {
            "items": self.num_items,
            "documents": dict(sorted(self.documents.items())),
            "left_out": [{"place": place, "reason": reason} for place, reason in self.left_out],
            "reasons": dict(self.reasons.most_common()),
            "notes": self.notes,
        }


def within(root: Path, name: str) -> Path:
    """The file `name` of the folder `root`. UserError where it leads out of it, also by a link, or is no
    file.
    """
    if "\0" in name or not name.strip():
        raise UserError("the name of a file is empty or damaged")
    base = os.path.realpath(root)
    real = os.path.realpath(os.path.join(base, name))
    if os.path.commonpath([base, real]) != base:
        raise UserError(LEADS_OUT)
    if not os.path.exists(real):
        raise UserError("a file is missing")
    if not os.path.isfile(real):
        raise UserError("a path is no file")
    return Path(real)


def read_bytes(source: Path | Slice) -> bytes:
    """The content of a file, or of a part of it; UserError where it is too large, empty, or may not be
    read.
    """
    try:
        size = source.size if isinstance(source, Slice) else source.stat().st_size
        if size > MAX_BYTES:
            raise UserError(f"a file is larger than {MAX_BYTES // 10**6} MB")
        if not size:
            raise UserError("a file is empty")
        with open(source.path if isinstance(source, Slice) else source, "rb") as file:
            file.seek(source.start if isinstance(source, Slice) else 0)
            content = file.read(size)
    except OSError as error:
        raise UserError(f"a file cannot be read ({error.strerror})") from None
    if len(content) < size:
        raise UserError("a file is cut short")
    return content


def shown(path: Path, root: Path) -> str:
    """A path as reports name it: as seen from the folder of the data."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
