"""What of a base's answer is kept: its first sentences, where they can be spoken."""

import re

END_OF_SENTENCE = re.compile(
    r"(?<![A-Z])(?<!\b(?:Mr|Dr|St|vs|No))(?<!\b(?:Mrs|e\.g|i\.e|etc))[.!?][\"']?(?=\s|$)"
)
MARKUP = re.compile(r"[*#_`|<>\[\]{}\\=]|https?:|\d\. |\n *[-\d]")
ABOUT_OTHERS = re.compile(
    r"\b(SmolLM|Hugging ?Face|OpenAI|ChatGPT|language model|AI assistant|as an AI|I'm an? AI)\b"
    r"|creative writing",
    re.I,
)
MAX_CHARACTERS = 240
MAX_STORY = 420


def sentences(text: str) -> list[str]:
    """The whole sentences of a text that may go on; what is behind the last end is left out."""
    found, start = [], 0
    for end in END_OF_SENTENCE.finditer(text):
        found.append(text[start : end.end()].strip())
        start = end.end()
    return found


def speakable(text: str, max_sentences: int, max_characters: int = MAX_CHARACTERS) -> str:
    """The first sentences; nothing where they are cut, lists or markup, about another program, or repeat."""
    kept: list[str] = []
    for one in sentences(text)[:max_sentences]:
        if sum(map(len, kept)) + len(one) + len(kept) > max_characters:
            break
        kept.append(one)
    said = " ".join(kept)
    bad = not said or not said.isascii() or MARKUP.search(said) or ABOUT_OTHERS.search(said) or repeats(said)
    return "" if bad else said


def repeats(text: str) -> bool:
    """Whether four words in a row stand twice in it."""
    words = re.findall(r"[a-z0-9']+", text.lower())
    runs = [tuple(words[at : at + 4]) for at in range(len(words) - 3)]
    return len(set(runs)) < len(runs)


def has(answer: str, known: str) -> bool:
    """Whether what is known stands in an answer, as whole words. `known`: spellings with | between them."""
    told = re.sub(r"(?<=\d),(?=\d)", "", answer.lower())
    spellings = "|".join(re.escape(spelling) for spelling in known.lower().split("|"))
    return bool(re.search(rf"(?<![\w.])(?:{spellings})(?!\w|\.\d)", told))
