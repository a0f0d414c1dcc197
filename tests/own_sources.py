"""What the tests of one's own data share: small sources, their build, and what became of them."""

import io
import json
from pathlib import Path

import soundfile
from conftest import drawing, tone

from unisono.data.own import add as module
from unisono.data.own.add import add
from unisono.data.own.sources import items_of
from unisono.data.shards.shard import Shard
from unisono.tokenizer import OmniTokenizer


def chat(question: str, answer: str, **more: object) -> dict:
    return {
        "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
        **more,
    }


def write_lines(path: Path, rows: list[dict | str]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf8")
    return path


def wav(seconds: float = 0.3, rate: int = 16000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tone(seconds, rate), rate, format="WAV")
    return file.getvalue()


def png(size: tuple[int, int] = (48, 32)) -> bytes:
    file = io.BytesIO()
    drawing(size).save(file, "PNG")
    return file.getvalue()


def build(
    home: Path, start: Path, source: Path | str, name: str = "mine", **options: object
) -> module.Report:
    return add(home, name, items_of(str(source)), start, "own", **options)  # type: ignore[arg-type]


def documents(home: Path, name: str = "mine") -> dict[str, list[list[int]]]:
    """Task -> ids of its documents, of both splits."""
    found: dict[str, list[list[int]]] = {}
    for split in ("train", "val"):
        shard = Shard(home / "own" / name / split)
        for number, task in enumerate(shard.tasks):
            found.setdefault(shard.task_names[task], []).append(shard.document(number)[0].tolist())
    return found


def texts(home: Path, tokenizer: OmniTokenizer, name: str = "mine") -> list[str]:
    """The written ids of every document."""
    span = tokenizer.vocab.span("text")
    return [
        tokenizer.text.decode([id - span.start for id in ids if span.start <= id < span.end])
        for its in documents(home, name).values()
        for ids in its
    ]
