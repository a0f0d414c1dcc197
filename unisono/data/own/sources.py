"""What somebody names on the command line -> items: the kind of a source is recognised by itself."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from unisono.core.errors import UserError
from unisono.data.own import folders, hub
from unisono.data.own.items import LEADS_OUT, Item, shown
from unisono.data.own.lines import line_items, table_rows, text_items
from unisono.data.own.mds import is_mds

LINES, TEXTS = {".jsonl", ".ndjson"}, {".txt", ".md"}
NAME_OF_A_DATASET = re.compile(r"(hf:)?[A-Za-z0-9][\w.-]*/[\w.-]+")
EXPECTED = (
    "expected .jsonl with messages or text, .txt, .md, a .tar of pictures or sound, a folder of these, "
    "of sound with transcripts, of pictures with captions or of MosaicML's shards, or the name of a "
    "Hugging Face dataset such as owner/name"
)


def items_of(source: str) -> list[Item]:
    """The items of one source in an order that is always the same. UserError for an unknown or empty one."""
    path = Path(source).expanduser()
    if not path.exists():
        if NAME_OF_A_DATASET.fullmatch(source) and not source.startswith("."):
            return list(hub.row_items(source.removeprefix("hf:")))
        raise UserError(f"nothing at {source}; {EXPECTED}")
    found = list(_folder(path) if path.is_dir() else _file(path, path.parent))
    if not found:
        raise UserError(f"{source} is empty; {EXPECTED}")
    return found


def _file(path: Path, root: Path) -> Iterator[Item]:
    ending = path.suffix.lower()
    if path.name in (*folders.TABLES, *folders.COMMON_VOICE):
        yield from _table(path, root)
    elif ending in LINES:
        yield from line_items(path, root)
    elif ending in TEXTS:
        yield from text_items(path, root)
    elif ending == ".tar":
        yield from folders.webdataset(path, root)
    else:
        raise UserError(f"{path} is of no kind that can be learned from; {EXPECTED}")


def _table(path: Path, root: Path) -> Iterator[Item]:
    """A table beside its media: which kind is told by its columns."""
    if path.name == "metadata.csv" and (path.parent / "wavs").is_dir() and not _has_header(path):
        yield from folders.ljspeech(path, root)
    elif path.suffix == ".tsv" and (path.parent / "clips").is_dir():
        yield from folders.common_voice(path, root)
    else:
        yield from folders.described(path, root)


def _has_header(path: Path) -> bool:
    first = next(table_rows(path), None)
    return (
        first is not None and isinstance(first[1], dict) and any(name in first[1] for name in folders.FILES)
    )


def _folder(root: Path) -> Iterator[Item]:
    """The first kind that a folder is of; hidden files and links to folders are passed over."""
    if is_mds(root) or (root / "state.json").is_file() and (root / "dataset_info.json").is_file():
        yield from hub.row_items(str(root))
        return
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and not _is_hidden(path, root)]
    for path in [path for path in files if not path.resolve().is_relative_to(root.resolve())]:
        yield Item(shown(path, root), "text", fault=LEADS_OUT)
        files.remove(path)
    tables = [path for path in files if path.name in folders.TABLES] or _common_voice(root)
    if tables:
        for table in tables:
            yield from _table(table, root)
    elif any(path.name.endswith(".trans.txt") for path in files):
        yield from folders.librispeech(root)
    elif media := [path for path in files if folders.kind_of_file(path.name)]:
        yield from folders.beside(root, media)
    else:
        readers: list[tuple[set[str], Callable[[Path, Path], Iterator[Item]]]] = [
            ({".tar"}, folders.webdataset),
            (LINES, line_items),
            (TEXTS, text_items),
        ]
        for endings, read in readers:
            for path in files:
                if path.suffix.lower() in endings:
                    yield from read(path, root)


def _common_voice(root: Path) -> list[Path]:
    """The table of all that was found right, else those of the three splits."""
    if not (root / "clips").is_dir():
        return []
    found = [root / name for name in COMMON_VOICE_ORDER if (root / name).is_file()]
    return found[:1] if found and found[0].name == "validated.tsv" else found


COMMON_VOICE_ORDER = folders.COMMON_VOICE


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)
