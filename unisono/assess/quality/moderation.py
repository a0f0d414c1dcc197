"""How much of what is harmful, and of what is harmless, the moderator flags in XSTest and HarmBench.

Nobody trained on these texts. A text that stands word for word among the training phrases is left out.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from unisono.assess.options import BenchOptions
from unisono.core.errors import UserError
from unisono.core.record import can_keep, mean_stderr, weights_of, write_record
from unisono.data.texts import read_lines
from unisono.moderation.moderator import FLAGGED, Moderator
from unisono.moderation.phrases import phrases
from unisono.train.moderation import Reader, area, train


def measure(folder: str | Path, shared: Path) -> dict[str, Any]:
    """Flagged shares on the public sets."""
    reader, moderator = Reader(folder), Moderator.load(folder)
    known = {_words(phrase.text) for phrase in phrases()}
    kinds: dict[str, list[str]] = {}
    left_out = 0
    for kind, text in public_texts(shared):
        if _words(text) in known:
            left_out += 1
        else:
            kinds.setdefault(kind, []).append(text)
    scores = {kind: moderator.scores(reader.means(texts)).max(1) for kind, texts in kinds.items()}
    numbers: dict[str, Any] = {
        kind: mean_stderr((found >= FLAGGED).astype(float).tolist()) for kind, found in scores.items()
    }
    safe, unsafe = scores["xstest safe"], scores["xstest unsafe"]
    is_harm = np.arange(len(safe) + len(unsafe)) >= len(safe)
    return {
        "flagged": numbers,
        "xstest_area": area(np.concatenate([safe, unsafe]), is_harm),
        "left_out": left_out,
    }


def public_texts(shared: Path) -> list[tuple[str, str]]:
    """(kind, text) of XSTest and HarmBench."""
    folder = shared / "eval_public"
    xstest = [(f"xstest {row['label']}", row["prompt"]) for row in read_lines(folder / "xstest.jsonl.zst")]
    harmbench = [
        (f"harmbench {row['functional']}", row["behavior"])
        for row in read_lines(folder / "harmbench_text.jsonl.zst")
    ]
    return xstest + harmbench


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z]+", text.lower()))


def run(options: BenchOptions) -> int:
    """Entry of `unisono bench moderation`."""
    folder = options.network
    if not options.shared:
        raise UserError("bench moderation needs --shared DIR, the folder that holds eval_public/")
    can_keep(options.records)
    numbers = {**measure(folder, options.shared), "held_out_phrases": train(folder)[1]}
    config = {
        "model": options.model or "",
        "weights": weights_of(folder),
        "phrases": len(phrases()),
        "threshold": FLAGGED,
    }
    record = write_record("bench-moderation", numbers, config=config, folder=options.records)
    for kind, share in numbers["flagged"].items():
        print(
            f"{kind:24} flagged {100 * share['mean']:5.1f} % +- {100 * share['stderr']:.1f} (n = "
            f"{share['n']})"
        )
    print(f"record: {record}")
    print(json.dumps({"what": "bench-moderation", "record": str(record), **numbers}))
    return 0
