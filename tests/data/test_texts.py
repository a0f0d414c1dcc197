"""Plain texts: cut at ends of sentences, kept apart by what they are, limited by task."""

import json
from pathlib import Path

import pytest

from unisono.core.errors import UserError
from unisono.data.splits import split_of
from unisono.data.texts import CHUNK_CHARACTERS, documents, pieces, read_lines

zstandard = pytest.importorskip("zstandard")


def write_lines(path: Path, records: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zstandard.compress("".join(json.dumps(record) + "\n" for record in records).encode()))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file with forty items whose words name them."""
    folder = tmp_path_factory.mktemp("shared")
    numbers = range(40)
    write_lines(
        folder / "text" / "stories.jsonl.zst",
        [
            {
                "title": f"Story {n}",
                "language": "en" if n % 4 else "fr",
                "pages": [{"text": f"Page one of {n}."}, f"Page two of {n}."],
            }
            for n in numbers
        ],
    )
    write_lines(
        folder / "text" / "schema_guided_dialogue.jsonl.zst",
        [
            {
                "id": f"dialogue {n}",
                "turns": [{"role": "USER", "text": f"Hello {n}"}, {"role": "SYSTEM", "text": "Hi"}],
            }
            for n in numbers
        ],
    )
    write_lines(
        folder / "text" / "childrens_books.jsonl.zst",
        [{"title": f"Book {n}", "text": f"Sentence of book {n}. " * 300} for n in numbers],
    )
    write_lines(
        folder / "text" / "common_voice_sentences.jsonl.zst",
        [{"text": f"Everyday words number {n}.", "language": "en" if n % 4 else "ar"} for n in numbers],
    )
    return folder


def test_pieces_lose_nothing_and_end_with_sentences() -> None:
    text = "\n".join(f"This is line {n}. Is it? Yes! It is." for n in range(200))
    cut = list(pieces(text, 300))
    assert "".join("".join(cut).split()) == "".join(text.split())
    assert (
        all(len(piece) <= 300 and piece[-1] in ".!?" and piece == piece.strip() for piece in cut)
        and len(cut) > 20
    )
    assert list(pieces("")) == list(pieces(" \n ")) == [] and list(pieces("short")) == ["short"]
    assert list(pieces("x" * 5000, 300)) == ["x" * 5000]  # nowhere to cut


def test_all_kinds_are_there(shared: Path) -> None:
    found = list(documents(shared, "train"))
    texts = {task: [text for name, text in found if name == task] for task, _ in found}
    assert list(texts) == ["stories", "dialogues", "books", "sentences"]
    assert "Story 2\nPage one of 2.\nPage two of 2." in texts["stories"]
    assert "A: Hello 1\nB: Hi" in texts["dialogues"]
    assert all(len(text) <= CHUNK_CHARACTERS and text.startswith("Sentence of") for text in texts["books"])
    assert not any(f" {4 * n}\n" in text for n in range(10) for text in texts["stories"])  # French
    assert all(split_of(text) == "train" for text in texts["sentences"])


def test_splits_have_nothing_in_common(shared: Path) -> None:
    found = {split: list(documents(shared, split)) for split in ("train", "val", "test")}
    for task, total in (("stories", 30), ("dialogues", 40), ("sentences", 30)):
        texts = [text for split in found for name, text in found[split] if name == task]
        assert len(texts) == len(set(texts)) == total


def test_limits(shared: Path) -> None:
    found = [task for task, _ in documents(shared, "train", {"stories": 3, "books": 5, "dialogues": 0})]
    assert found.count("stories") == 3 and found.count("books") == 5 and found.count("dialogues") == 0
    assert found.count("sentences") > 20


def test_missing_and_damaged_files_are_explained(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="^[^;]*expected stories.jsonl.zst in .*text; name the shared data folder[^;]*$"
    ):
        list(documents(tmp_path, "train"))
    for damaged in (b"not packed", zstandard.compress(b'{"a": 1}\n{"a"')):
        (tmp_path / "a.jsonl.zst").write_bytes(damaged)
        with pytest.raises(UserError, match="a.jsonl.zst is damaged"):
            list(read_lines(tmp_path / "a.jsonl.zst"))
