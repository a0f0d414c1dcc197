"""Proof on the finished shards that what a network is validated by was never taught: nothing that tells two
conversations apart may stand in both (of conversations that are joined, the first). The tests of `bench
quality` are in no shard; like these they are told apart by data/splits.py. Speakers are kept apart where
recordings are read (data/recordings.py).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.core.progress import track
from unisono.data.shards.shard import Shard
from unisono.tokens.template import Template

BY_REPLY = frozenset(
    {"read", "letters", "hear", "speak", "speak_open"}
)  # a word in print, a sentence that is heard or said
BY_QUESTION = frozenset({"talk", "words"})
BY_PICTURE = frozenset({"see"})
WHOLE = frozenset({"stories", "dialogues", "books", "sentences"})
Ids = NDArray[np.int64]


def check_disjoint(train: Shard, other: Shard, template: Template) -> dict[str, int]:
    """-> how many documents of each task were compared; UserError where one of `other` was taught."""
    kept: dict[str, dict[bytes, int]] = {}
    for task, mark in _marks(other, template):
        found = kept.setdefault(task, {})
        found[mark] = found.get(mark, 0) + 1
    for task, mark in _marks(train, template):
        if mark in kept.get(task, ()):
            raise UserError(
                f"a {task} document stands in training and in the "
                f"{other.manifest.get('split', 'other')} split; "
                "delete the shards and run `unisono data network` again, and report this if it stays"
            )
    return {task: sum(found.values()) for task, found in kept.items()}


def _marks(shard: Shard, template: Template) -> Iterator[tuple[str, bytes]]:
    """(task, what tells it from others) of the documents that are compared."""
    for number in track(range(len(shard.ends)), f"{shard.manifest.get('split', '')} compared"):
        task = shard.task_names[shard.tasks[number]]
        if (told := telling(task, shard.document(number)[0], template)) is not None:
            yield task, told.astype("<u4").tobytes()


def telling(task: str, ids: Ids, template: Template) -> Ids | None:
    """The ids of a document that no other split may hold; None where there are none, as in drawings, whose
    requests are worded freely.
    """
    vocab = template.vocab
    text, image = vocab.span("text"), vocab.span("image")
    if task in WHOLE:
        return ids
    if task in BY_PICTURE:
        return ids[(ids >= image.start) & (ids < image.end)]
    if task in BY_QUESTION:
        begin = int(template.places("user", ids)[0])
        return ids[begin : begin + int(np.flatnonzero(ids[begin:] == vocab.id("<|end|>"))[0])]
    if task in BY_REPLY:
        reply = ids[int(template.places("assistant", ids)[-1]) :]
        return reply[(reply >= text.start) & (reply < text.end)]
    return None
