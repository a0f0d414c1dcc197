"""Rows of a Hugging Face dataset, by its name or saved on disk, or of MosaicML's shards -> items; columns say
what a row is.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from unisono.core.errors import UserError
from unisono.data.own.folders import NO_WORDS, SPEAKERS, WORDS
from unisono.data.own.items import Item, Row, within
from unisono.data.own.mds import MdsDataset, is_mds

MEDIA = {"audio": "sound", "image": "picture"}
SPLIT = "train"


@lru_cache(maxsize=2)
def dataset_of(name: str) -> Any:
    """The dataset, its media not decoded. UserError where the package, the network or the dataset is
    missing.
    """
    if is_mds(Path(name)):
        return MdsDataset(Path(name))
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            f"{name} is a Hugging Face dataset, which needs the package {error.name}; pip install "
            f"'unisono[hub]'"
        ) from None
    try:
        if Path(name).is_dir():
            found = datasets.load_from_disk(name)
            found = found[SPLIT] if isinstance(found, datasets.DatasetDict) else found
        else:
            found = datasets.load_dataset(name, split=SPLIT)
        for column, feature in found.features.items():
            if isinstance(feature, datasets.Audio | datasets.Image):
                found = found.cast_column(column, type(feature)(decode=False))
    except Exception as error:  # of many kinds: no network, no such dataset, no such split, a gated one
        reason = str(error).split("\n")[0][:160] or type(error).__name__
        raise UserError(f"the Hugging Face dataset {name} cannot be had: {reason}") from None
    return found


def row_items(name: str) -> Iterator[Item]:
    """Every row; it is read when its turn comes. UserError where no column is of a kind that can be
    learned.
    """
    columns = set(dataset_of(name).column_names)
    title = Path(name).name if Path(name).is_dir() else name
    kind = next((kind for column, kind in MEDIA.items() if column in columns), "chat")
    if kind == "chat" and not columns & {"messages", "text"}:
        raise UserError(
            f"the dataset {name} has the columns {', '.join(sorted(columns))}; expected messages, text, or "
            f"audio or image with one of {', '.join(WORDS)}"
        )
    for number in range(len(dataset_of(name))):
        yield Item(f"{title} row {number}", kind, Row(name, number))


def content_of(row: Row, kind: str) -> tuple[bytes, str, str]:
    """-> the bytes of a row's sound or picture, its words, its speaker; UserError where it has none."""
    found = dataset_of(row.dataset)
    fields = found[row.number]
    media = next((fields[column] for column, its in MEDIA.items() if its == kind and column in fields), None)
    words = _words(found, fields)
    if not isinstance(media, dict) or not (media.get("bytes") or media.get("path")):
        raise UserError(f"a row has no {kind}")
    if not words:
        raise UserError(NO_WORDS[kind])
    content = media.get("bytes")
    if content is None:
        content = within(Path(row.dataset), str(media["path"])).read_bytes()
    speaker = next((str(fields[name]) for name in SPEAKERS if fields.get(name) is not None), "")
    return content, words, speaker


def _words(found: Any, fields: dict[str, Any]) -> str:
    for name in WORDS:
        value = fields.get(name)
        names = getattr(found.features.get(name), "names", None)
        if isinstance(value, int) and names:  # a label is the number of a name
            return str(names[value]).replace("_", " ")
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def line_of(row: Row) -> dict[str, Any]:
    """A row of messages or text."""
    return dict(dataset_of(row.dataset)[row.number])
