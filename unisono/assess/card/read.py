"""Reads answers: a letter of a choice, a number, a program. Where there is none, the answer is unreadable."""

import hashlib
import random
import re
from collections.abc import Sequence

from unisono.assess.card.tasks import Reply, Verdict

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BLOCK = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)
NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?")


def unreadable(reply: Reply, *measures: str) -> Verdict:
    """The verdict of an answer that says nothing which could be scored: zero in each of these measures."""
    outcome = "rejected" if reply.rejected else "unreadable"
    return Verdict(outcome=outcome, measures=dict.fromkeys(measures, 0.0), note=reply.rejected)


def lettered(question: str, options: Sequence[str]) -> str:
    """A question of choice in the usual form."""
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, options)]
    return "\n".join([question, *lines, "Answer with the letter of the right answer alone."])


def shuffled(options: Sequence[str], key: str) -> list[str]:
    """The options in an order that only the key decides."""
    order = list(options)
    random.Random(hashlib.sha256(key.encode()).hexdigest()).shuffle(order)
    return order


def read_choice(text: str, options: Sequence[str]) -> int | None:
    """The option that an answer names, by its letter or in its words; None where it names none or several."""
    letters = LETTERS[: len(options)]
    text = text.strip()
    patterns = (
        rf"^\W*([{letters}{letters.lower()}])(?:[.):,\s*]|$)(?!\w+\s\w)",
        rf"(?i:answer|option|choice)(?i:\s+is)?\W*\b([{letters}])\b",
        rf"(?:^|[\s(*])([{letters}])\)",
    )
    for pattern in patterns:
        found = {letter.upper() for letter in re.findall(pattern, text)}
        if len(found) == 1:
            return letters.index(found.pop())
    plain = _plain(text)
    named = [index for index, option in enumerate(options) if f" {_plain(option).strip()} " in plain]
    return named[0] if len(named) == 1 else None


def _plain(text: str) -> str:
    return " " + " ".join(re.sub(r"[^\w\s]", " ", text.lower()).split()) + " "


def read_number(text: str) -> float | None:
    """The number after "####" or "answer is", else the last one of the text; None where there is none."""
    marked = re.search(rf"(?:####|answer is:?)\s*\$?({NUMBER.pattern})", text, re.IGNORECASE)
    found = [marked[1]] if marked else NUMBER.findall(text)
    if not found:
        return None
    try:
        return float(found[-1].replace(",", "").replace("$", ""))
    except ValueError:
        return None


def read_code(text: str) -> str | None:
    """The program in an answer: its fenced blocks, or all of it where it looks like Python; else None."""
    blocks = BLOCK.findall(text)
    if blocks:
        return "\n".join(blocks)
    return text if re.search(r"^\s*(def|return|import|from|class)\b", text, re.MULTILINE) else None
