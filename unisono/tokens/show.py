"""A stream of ids for people: each id coloured by its modality, what is learned underlined; in a terminal or
as SVG.
"""

import re
from collections.abc import Sequence
from html import escape
from itertools import groupby

from rich.text import Text as Coloured

from unisono.tokens.text import TextTokenizer
from unisono.tokens.vocab import Vocabulary

COLOURS = {
    "text": "#1f77b4",
    "special": "#7f7f7f",
    "time": "#8c564b",
    "audio": "#d62728",
    "image": "#2ca02c",
    "padding": "#c0c0c0",
}

UNSEEN = {
    code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"
}  # pictures of control characters
UNSEEN |= {0x7F: chr(0x2421)} | dict.fromkeys(range(0x80, 0xA0), chr(0xFFFD))  # a terminal would obey them
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def label(id: int, vocab: Vocabulary, text: TextTokenizer) -> str:
    """What an id says: its piece of text, its code, or its name."""
    modality = vocab.modality(id)
    if modality == "text":
        return text.decode([id])
    if modality in ("audio", "image"):
        return str(id - vocab.span(modality).start)
    return vocab.name(id)


def coloured(
    ids: Sequence[int], loss_mask: Sequence[int], vocab: Vocabulary, text: TextTokenizer
) -> Coloured:
    """The stream for a terminal; learned ids are underlined. A character of several ids stands at its last
    one.
    """
    out, words = Coloured(), text.stream()
    for id, learn in zip(ids, loss_mask):
        id, style = int(id), " underline" if learn else ""
        modality = vocab.modality(id)
        if modality == "text":
            shown = words.push(id)
        else:
            out.append(words.flush(), style=COLOURS["text"])
            shown = label(id, vocab, text)
        out.append(shown.translate(UNSEEN), style=COLOURS[modality] + style)
        if modality in ("audio", "image"):
            out.append(" ")
    return out.append(words.flush(), style=COLOURS["text"])


def counts(ids: Sequence[int], vocab: Vocabulary) -> dict[str, int]:
    """How many ids of each modality."""
    found: dict[str, int] = {}
    for id in ids:
        modality = vocab.modality(int(id))
        found[modality] = found.get(modality, 0) + 1
    return found


def svg(
    ids: Sequence[int], vocab: Vocabulary, text: TextTokenizer, *, cell: int = 9, per_row: int = 96
) -> str:
    """The stream as rows of coloured cells, with words written above the runs of each modality."""
    height, cells, notes = 30, [], []
    place = 0
    for modality, group in groupby((int(id) for id in ids), key=vocab.modality):
        run = list(group)
        words = text.decode(run) if modality == "text" else f"{modality} x {len(run)}"
        x, y = place % per_row * cell, place // per_row * height
        if modality in ("text", "audio", "image") and len(run) * cell > 24:
            shown = escape(NOT_XML.sub(chr(0xFFFD), words[: len(run) * cell // 4]))
            notes.append(f'<text x="{x}" y="{y + 8}" fill="{COLOURS[modality]}">{shown}</text>')
        for _ in run:
            x, y = place % per_row * cell, place // per_row * height
            cells.append(
                f'<rect x="{x}" y="{y + 11}" width="{cell - 1}" height="14" fill="{COLOURS[modality]}"/>'
            )
            place += 1
    rows = -(-place // per_row)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{min(place, per_row) * cell}" '
        f'height="{rows * height}" '
        f'font-family="sans-serif" font-size="8">' + "".join(cells + notes) + "</svg>\n"
    )
