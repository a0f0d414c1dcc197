"""How well the network predicts test stories and dialogues, in bits per byte, beside xz and gzip.

Dialogues share lines with the training texts. So the lines that no training text has are also measured alone.

Shapes: T ids of a text.
"""

import lzma
import re
import zlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch

from unisono.assess.quality.held_out import Bench
from unisono.assess.quality.marks import Numbers
from unisono.core.progress import track
from unisono.core.record import mean_stderr
from unisono.data.texts import documents
from unisono.model.hf import load_pretrained
from unisono.model.transformer import Qwen3
from unisono.omni import Omni

LONG_LINE = 25  # letters; "Yes, please." is everybody's


class Line(NamedTuple):
    """One line of a text, its end included, and what the network needs to say it."""

    text: str
    bits: float

    @property
    def num_bytes(self) -> int:
        """Of the text, in UTF-8."""
        return len(self.text.encode())


def reads(bench: Bench) -> Numbers:
    """Bits per byte of each kind of text: all lines, and those that no training text has; xz and gzip beside.

    If --twin names a network of the same size that was trained on texts alone, it reads all lines too.
    """
    numbers: Numbers = {}
    network = load_pretrained(bench.omni.folder)
    twin = load_pretrained(bench.twin) if bench.twin else None
    for task in ("stories", "dialogues"):
        texts = _texts(bench, "test", task, bench.samples)
        read = [lines_of(bench.omni, network, text) for text in track(texts, f"reads {task}")]
        taught = {line for text in _texts(bench, "train", task, None) for line in text.split("\n")}
        new = [[line for line in lines if line.text.rstrip("\n") not in taught] for lines in read]
        found = numbers[task] = {
            **_beside_compressors(read),
            "lines_taught_too": lines_of_both(texts, taught),
        }
        if any(new):
            found["new_lines"] = _beside_compressors([lines for lines in new if lines])
        if twin:
            found["text_only_bpb"] = _bpb([lines_of(bench.omni, twin, text) for text in texts])
    return numbers


def _bpb(texts: Iterable[list[Line]]) -> float:
    lines = [line for text in texts for line in text]
    return sum(line.bits for line in lines) / sum(line.num_bytes for line in lines)


def _beside_compressors(texts: list[list[Line]]) -> Numbers:
    whole = "\n".join("".join(line.text for line in lines) for lines in texts).encode()
    return {
        "bpb": _bpb(texts),
        "n": len(texts),
        "bytes": len(whole),
        "stderr": mean_stderr([_bpb([lines]) for lines in texts])["stderr"],
        "xz_bpb": 8 * len(lzma.compress(whole, preset=9)) / len(whole),
        "gzip_bpb": 8 * len(zlib.compress(whole, 9)) / len(whole),
    }


def _texts(bench: Bench, split: str, task: str, most: int | None) -> list[str]:
    limits: dict[str, int | None] = dict.fromkeys(("stories", "dialogues", "books", "sentences"), 0)
    return [text for _, text in documents(bench.shared, split, limits | {task: most})]


def lines_of_both(texts: list[str], taught: set[str]) -> float:
    """Share of the long lines of `texts` that are among the lines `taught`, word for word."""
    lines = [line for text in texts for line in text.split("\n") if len(line) >= LONG_LINE]
    return float(np.mean([line in taught for line in lines])) if lines else 0.0


def lines_of(omni: Omni, network: Qwen3, text: str) -> list[Line]:
    """The lines of a text with the bits of each. What the network cannot hold is left out.

    That the text ends is part of its last line.
    """
    document, _ = omni.tokenizer.template.document(text)
    ids = torch.from_numpy(document.astype(np.int64))[None, : omni.engine.max_length]
    with torch.inference_mode():
        bits = (network.loss_per_id(ids[:, :-1], ids[:, 1:]).flatten() / np.log(2)).numpy()  # (T - 1,)
    text_ids = [id for id in ids[0, 1:].tolist() if omni.tokenizer.vocab.modality(id) == "text"]
    begins = np.cumsum(
        [0, *(len(omni.tokenizer.text.piece(id)) for id in text_ids)]
    )  # in bytes; the last is the end
    lines = [
        line for line in re.split("(?<=\n)", text.encode()[: begins[-1]].decode(errors="ignore")) if line
    ]
    ends = np.cumsum([len(line.encode()) for line in lines])
    owners = np.searchsorted(ends, begins[: len(bits)], side="right").clip(max=len(lines) - 1)
    return [Line(line, float(bits[owners == number].sum())) for number, line in enumerate(lines)]
