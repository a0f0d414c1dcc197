"""What things are used for, in the words of WordNet's definitions."""

import re
from pathlib import Path

from unisono.data.words.sets import WORDNET

USED = re.compile(r"\b(used (?:to|for|as|in|by) [a-z][a-z ,'-]{8,90}?)(?=[;(.\"]|$)")


def nouns(home: Path) -> frozenset[str]:
    """All nouns of WordNet, also of several words."""
    (_, content), *_ = WORDNET.members(home, "package/dict/index.noun".__eq__)
    lines = content.decode("ascii").splitlines()
    return frozenset(line.split(" ", 1)[0].replace("_", " ") for line in lines if not line.startswith(" "))


def uses(home: Path) -> dict[str, str]:
    """hammer -> used to deliver an impulsive force by striking; of nouns in their first sense alone."""
    wanted = {"package/dict/index.noun", "package/dict/data.noun"}
    files = dict(WORDNET.members(home, wanted.__contains__))
    told = {}
    for line in files["package/dict/data.noun"].decode("ascii").splitlines():
        head, _, gloss = line.partition(" | ")
        if use := USED.search(gloss):
            told[head.split(" ", 1)[0]] = use[1].strip(" ,")
    found = {}
    for line in files["package/dict/index.noun"].decode("ascii").splitlines():
        parts = line.split()
        if line.startswith(" ") or len(parts) < 7:
            continue
        first = parts[6 + int(parts[3])]  # the offsets stand behind the pointers and two counts
        if first in told:
            found[parts[0].replace("_", " ")] = told[first]
    return found
