"""Streams for people: nothing is lost in the terminal, what is learned is underlined, the SVG is
well-formed.
"""

from xml.etree import ElementTree

import numpy as np
import pytest

from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Audio, Image, Message, Text, Video
from unisono.tokens.show import COLOURS, coloured, counts, label, svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def stream(tokenizer: OmniTokenizer) -> tuple[np.ndarray, np.ndarray]:
    """One of everything."""
    clip = Video([np.arange(15), np.arange(15)], [np.array([1, 2])])
    return tokenizer.encode(
        [
            Message("user", [Text("[bold] <b>&"), clip, Image(np.full(16, 14))]),
            Message("assistant", [Text("It says 42."), Audio(np.array([3, 14]))]),
        ]
    )


def test_labels(tokenizer: OmniTokenizer) -> None:
    vocab = tokenizer.vocab
    assert label(vocab.id("<|user|>"), vocab, tokenizer.text) == "<|user|>"
    assert label(vocab.id("<|t:0.5|>"), vocab, tokenizer.text) == "<|t:0.5|>"
    assert label(vocab.span("audio").start + 7, vocab, tokenizer.text) == "7"
    assert label(vocab.span("image").start, vocab, tokenizer.text) == "0"
    assert label(tokenizer.text.encode("a")[0], vocab, tokenizer.text) == "a"
    assert set(COLOURS) == set(vocab.spans)


def test_the_terminal_shows_every_id(tokenizer: OmniTokenizer, stream: tuple[np.ndarray, np.ndarray]) -> None:
    ids, mask = stream
    shown = coloured(ids, mask, tokenizer.vocab, tokenizer.text)
    assert shown.plain.startswith("<|user|>[bold] <b>&<|begin_video|><|t:0.0|><|begin_image|>0 1 2 ")
    assert shown.plain.endswith("<|assistant|>It says 42.<|begin_audio|>3 14 <|end_audio|><|end|>")
    underlined = "".join(
        shown.plain[span.start : span.end] for span in shown.spans if "underline" in str(span.style)
    )
    assert underlined == "It says 42.<|begin_audio|>314<|end_audio|><|end|>"


def test_counts(tokenizer: OmniTokenizer, stream: tuple[np.ndarray, np.ndarray]) -> None:
    found = counts(stream[0], tokenizer.vocab)
    assert (
        sum(found.values()) == len(stream[0])
        and found["image"] == 46
        and found["audio"] == 4
        and found["time"] == 2
    )
    assert counts([], tokenizer.vocab) == {}


def test_svg_has_a_cell_for_every_id(tokenizer: OmniTokenizer, stream: tuple[np.ndarray, np.ndarray]) -> None:
    ids = stream[0].tolist()
    root = ElementTree.fromstring(svg(ids, tokenizer.vocab, tokenizer.text, per_row=20))
    cells = root.findall(f"{SVG}rect")
    assert [cell.get("fill") for cell in cells] == [COLOURS[tokenizer.vocab.modality(id)] for id in ids]
    assert len({(cell.get("x"), cell.get("y")) for cell in cells}) == len(ids)
    assert all(
        float(cell.get("x")) + 8 <= float(root.get("width"))
        and float(cell.get("y")) + 14 <= float(root.get("height"))
        for cell in cells
    )
    assert "image x 15" in [text.text for text in root.findall(f"{SVG}text")]


@pytest.mark.parametrize(
    "text",
    ["", "<&>\"' plain words", "\0\x1b[31m control \x07\x08 signs \ufffe", "\U0001f600 half \U0001f600"],
)
def test_any_text_makes_well_formed_svg(tokenizer: OmniTokenizer, text: str) -> None:
    ids, _ = tokenizer.encode([Message("user", [Text(text)])])
    for cut in (ids.tolist(), ids.tolist()[:-2], []):
        ElementTree.fromstring(svg(cut, tokenizer.vocab, tokenizer.text))
