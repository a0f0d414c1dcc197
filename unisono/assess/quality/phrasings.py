"""The small world's questions in phrasings that were never taught: is the answer still right to the word?"""

import random

from unisono.assess.quality.held_out import Bench
from unisono.assess.quality.marks import Numbers, is_same, shown_first
from unisono.core.progress import track
from unisono.core.record import mean_stderr
from unisono.data.phrasings.rephrase import rephrased

TASKS = ("see", "see_emoji", "read", "watch", "talk")


def phrasings(bench: Bench) -> Numbers:
    """Each task in held-out phrasings, beside the same questions as the world asks them."""
    numbers: Numbers = {}
    for task in TASKS:
        rng, usual, other = random.Random(f"phrasings {task}"), list[float](), list[float]()
        for raw in track(bench.world(task), f"{task} in other words"):
            item = raw.exchanges[0]
            question = rephrased(item.question.text, task, rng, "test")
            if question == item.question.text:  # of a kind that has no other phrasings
                continue
            shown, right = shown_first(raw), item.answer.text
            usual.append(is_same(bench.ask(*shown, item.question.text).text, right))
            other.append(is_same(bench.ask(*shown, question).text, right))
        if other:
            numbers |= {task: mean_stderr(other), f"{task}_as_taught": mean_stderr(usual)}
    return numbers
