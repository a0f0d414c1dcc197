"""Words that stand for values of arguments: names, places, things. One list for each kind, from words.txt."""

import re
from pathlib import Path

FILE = Path(__file__).with_name("words.txt")


def _read(text: str) -> dict[str, tuple[str, ...]]:
    """Lists as they stand in the file: a name with a colon, then lines that begin with two blanks."""
    found = re.findall(r"^(\w+):\n((?:  .*\n)+)", text, re.M)
    return {name: tuple(lines.replace("\n", "").replace("  ", "").split("|")) for name, lines in found}


WORDS = _read(FILE.read_text(encoding="utf8"))
