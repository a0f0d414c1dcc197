"""Plain texts beyond the small world's templates: stories, dialogues, books, sentences.

Whole stories and dialogues are kept apart by split, books by parts of fifty pieces: there are too few of
them. Long ones are cut into pieces of a few hundred words.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from unisono.core.errors import UserError
from unisono.data.splits import split_of
from unisono.data.zst import unpack

CHUNK_CHARACTERS = 1500  # characters, at a line's or sentence's end


def read_lines(path: Path) -> Iterator[dict]:
    """The records of a .jsonl.zst file."""
    try:
        yield from (json.loads(line) for line in unpack(path).decode("utf8").split("\n") if line)
    except UserError:  # is a ValueError, and says what it is
        raise
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); fetch it again") from None


def _story(record: dict) -> str:
    pages = "\n".join(page["text"] if isinstance(page, dict) else str(page) for page in record["pages"])
    return f"{record['title']}\n{pages}"


def _dialogue(record: dict) -> str:
    return "\n".join(
        f"{'A' if turn['role'] in ('user', 'USER') else 'B'}: {turn['text']}" for turn in record["turns"]
    )


def pieces(text: str, length: int = CHUNK_CHARACTERS) -> Iterator[str]:
    """Cuts a text at ends of sentences or lines into pieces of about `length` characters."""
    piece = ""
    for part in re.split(r"(?<=[.!?\n])(?=\s|\n|[A-Z])", text):
        if piece and len(piece) + len(part) > length:
            yield piece.strip()
            piece = ""
        piece += part
    if piece.strip():
        yield piece.strip()


def documents(
    shared_data: Path, split: str, limits: Mapping[str, int | None] | None = None
) -> Iterator[tuple[str, str]]:
    """(task, text) of the split: English stories, dialogues, children's books, everyday sentences; `limits` =
    pieces a task.
    """
    folder = Path(shared_data) / "text"
    limits = limits or {}
    sources = {
        "stories": (
            (r["title"], _story(r)) for r in read_lines(folder / "stories.jsonl.zst") if r["language"] == "en"
        ),
        "dialogues": (
            (r["id"], _dialogue(r)) for r in read_lines(folder / "schema_guided_dialogue.jsonl.zst")
        ),
        "books": (
            (f"{r['title']} {n // 50}", piece)
            for r in read_lines(folder / "childrens_books.jsonl.zst")
            for n, piece in enumerate(pieces(r["text"]))
        ),
        "sentences": (
            (r["text"], r["text"])
            for r in read_lines(folder / "common_voice_sentences.jsonl.zst")
            if r["language"] == "en"
        ),
    }
    for task, records in sources.items():
        texts = (
            piece
            for key, text in records
            if split_of(key) == split
            for piece in pieces(text)
            if len(piece) < 4 * CHUNK_CHARACTERS
        )
        for text in islice(texts, limits.get(task)):
            yield task, text
