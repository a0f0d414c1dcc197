"""Bits per byte: bits are bits, each belongs to one line, and lines that were taught are left out where they
are said to be.
"""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from unisono.assess.quality import reads
from unisono.assess.quality.reads import Line, lines_of, lines_of_both
from unisono.omni import Omni

ONE_BIT = SimpleNamespace(loss_per_id=lambda ids, labels: torch.full(labels.shape, math.log(2)))


@pytest.fixture(scope="module")
def omni(tiny_network: Path) -> Omni:
    return Omni(tiny_network)


def test_bits_are_bits_and_each_belongs_to_one_line(omni: Omni) -> None:
    text = "A: It says 42.\n\nB: Does it?\nÄ ü, no end\n"
    lines = lines_of(omni, ONE_BIT, text)
    assert "".join(line.text for line in lines) == text and [line.text for line in lines][1] == "\n"
    assert np.isclose(sum(line.bits for line in lines), len(omni.tokenizer.template.document(text)[0]) - 1)
    alone = [len(omni.tokenizer.text.encode(line.text)) for line in lines]
    assert lines[0].bits == alone[0] and lines[-1].bits == alone[-1] + 1  # that the text ends
    assert lines_of(omni, ONE_BIT, "no line end")[0].text == "no line end"


def test_what_is_too_long_is_read_as_far_as_it_goes(omni: Omni) -> None:
    text = "word \u00e4 after word\n" * 2000
    lines = lines_of(omni, ONE_BIT, text)
    assert text.startswith("".join(line.text for line in lines)) and 0 < len(lines) < 2000
    assert np.isclose(sum(line.bits for line in lines), omni.engine.max_length - 1)


def test_lines_that_were_taught_are_left_out(omni: Omni, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        ("test", "dialogues"): [
            "A: Where shall the table be?\nB: By the window, at noon.",
            "A: Where shall the table be?",
        ],
        ("train", "dialogues"): ["X\nA: Where shall the table be?"],
        ("test", "stories"): ["Once upon a time."],
        ("train", "stories"): ["Then."],
    }
    monkeypatch.setattr(reads, "_texts", lambda bench, split, task, most: said[split, task])
    monkeypatch.setattr(reads, "load_pretrained", lambda folder: ONE_BIT)
    found = reads.reads(SimpleNamespace(omni=omni, twin=None, samples=2))
    new, line = found["dialogues"]["new_lines"], "B: By the window, at noon."
    assert (
        new["n"] == 1
        and new["bytes"] == len(line)
        and found["dialogues"]["n"] == 2
        and found["dialogues"]["lines_taught_too"] == 2 / 3
    )
    assert np.isclose(new["bpb"] * len(line), lines_of(omni, ONE_BIT, said["test", "dialogues"][0])[1].bits)
    assert (
        found["stories"]["lines_taught_too"] == 0
        and found["stories"]["new_lines"]["bpb"] == found["stories"]["bpb"]
    )


def test_short_lines_are_everybodys() -> None:
    long, other = "A: I would like a table for two.", "B: And where shall the table be?"
    assert (
        lines_of_both([f"{long}\nshort\n{other}"], {long, "short"}) == 0.5
        and lines_of_both(["short"], {"short"}) == 0.0
    )


def test_bytes_are_those_of_utf8() -> None:
    assert Line("Ä\n", 1.0).num_bytes == 3
