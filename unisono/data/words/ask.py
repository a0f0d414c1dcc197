"""A base is asked many questions at once, greedily. Its answers go to a file as they come."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unisono.core.progress import progress
from unisono.data.words.questions import Question
from unisono.data.words.speakable import MAX_CHARACTERS, MAX_STORY, has, sentences, speakable
from unisono.tokens.message import Message, Text
from unisono.tokens.template import Template

BATCH = 24
BRIEF = "Answer in one short sentence."


class Answering(Protocol):
    """What of an engine is needed; see engine/engine.py."""

    def open(self) -> int: ...
    def feed(self, feeds: Sequence[tuple[int, Sequence[int]]]) -> NDArray[np.float32]: ...
    def drop(self, handle: int) -> None: ...


@dataclass(frozen=True)
class Manner:
    """How a kind is asked, and what of an answer is kept."""

    system: str
    max_sentences: int
    max_characters: int
    max_ids: int


# Without instructions the base answers wordily, but knows more: "The capital of Peru is Lima", asked to be
# brief "Cusco" (2026-11-30).
PLAIN = Manner("", 2, MAX_CHARACTERS, 64)
SHORT = Manner(BRIEF, 2, MAX_CHARACTERS, 64)
MANNERS = {"fact": PLAIN, "sum": PLAIN, "story": Manner("", 4, MAX_STORY, 120)}


def manner(kind: str) -> Manner:
    """Of a kind of question."""
    return MANNERS.get(kind, SHORT)


@dataclass
class Going:
    """An answer that is being given."""

    question: Question
    handle: int
    next_id: int
    ids: list[int] = field(default_factory=list)


def answers_file(home: Path, base: str) -> Path:
    """Where the answers of a base lie; `base` is its name, as shards have it."""
    return home / "words" / base / "answers.jsonl"


def answered(path: Path) -> dict[str, dict[str, str]]:
    """question -> its line {kind, question, answer}; a last line that was cut short is left out."""
    if not path.exists():
        return {}
    found = {}
    for line in path.read_text(encoding="utf8").split("\n")[:-1]:
        record = json.loads(line)
        found[record["question"]] = record
    return found


def ask_all(engine: Answering, template: Template, asked: Sequence[Question], path: Path) -> None:
    """Appends a line {kind, question, answer} for each question that has none yet. The answer is empty where
    nothing of it can be kept."""
    done = answered(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():  # a line that was cut short would swallow the next one
        whole = path.read_bytes().rpartition(b"\n")
        path.write_bytes(whole[0] + whole[1])
    left = [one for one in asked if one.text not in done]
    with open(path, "a", encoding="utf8") as file, progress() as bar:
        line = bar.add_task("questions", total=len(asked), completed=len(asked) - len(left), note="")
        for question, answer in answers(engine, template, left):
            record = {"kind": question.kind, "question": question.text, "answer": answer}
            file.write(json.dumps(record) + "\n")
            file.flush()
            bar.update(line, advance=1)


def answers(
    engine: Answering, template: Template, asked: Sequence[Question], batch: int = BATCH
) -> Iterator[tuple[Question, str]]:
    """(question, what is kept of the answer), `batch` at a time, each as soon as it is finished."""
    text_size = template.vocab.text_size
    left, going = iter(asked), list[Going]()
    while True:
        while len(going) < batch and (question := next(left, None)) is not None:
            handle, told = engine.open(), manner(question.kind).system
            messages = [Message("system", [Text(told)])] if told else []
            ids = template.encode([*messages, Message("user", [Text(question.text)])], begin_reply=True)[0]
            logits = engine.feed([(handle, ids.tolist())])
            going.append(Going(question, handle, int(logits[0, :text_size].argmax())))
        if not going:
            return
        still = list[Going]()
        for one in going:
            answer = _finished(one, template)
            if answer is None:
                still.append(one)
            else:
                engine.drop(one.handle)
                yield one.question, answer
        going = still
        if going:
            logits = engine.feed([(one.handle, [one.next_id]) for one in going])
            for one, row in zip(going, logits, strict=True):
                one.ids.append(one.next_id)
                one.next_id = int(row[:text_size].argmax())


def _finished(one: Going, template: Template) -> str | None:
    """What is kept of an answer that is finished, or long enough; None where it goes on."""
    how = manner(one.question.kind)
    said = template.text.decode(one.ids)
    is_end = one.next_id == template.vocab.id("<|end|>")
    if not is_end and len(one.ids) < how.max_ids:
        whole = sentences(said + " ")
        is_enough = len(whole) > how.max_sentences or sum(map(len, whole)) > how.max_characters
        if not is_enough:
            return None
    if is_end and said.strip() and said.strip()[-1] not in ".!?\"'":
        said = said.rstrip() + "."
    kept = speakable(said, how.max_sentences, how.max_characters)
    return kept if not one.question.known or has(kept, one.question.known) else ""
