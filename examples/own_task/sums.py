"""A task of one's own in one file: sums of two numbers, asked and answered in words.

pip install -e examples/own_task
unisono data add sums --task sums --count 500 --licence own
unisono train network --data sums --name mine --minutes 10
unisono bench quality --data sums --model ~/.cache/unisono/networks/mine
"""

import random
import re
from zlib import crc32

QUESTIONS = ("Add {} and {}.", "What do you get from {} plus {}?", "Sum up {} and {}.")


class Sums:
    """Numbers up to thirty; a twentieth of the pairs is held out, however they are asked for."""

    name = "sums"

    def make(self, rng: random.Random, split: str) -> list[dict]:
        """One question and its answer."""
        while True:
            first, second = rng.randint(0, 30), rng.randint(0, 30)
            if (crc32(f"{first}+{second}".encode()) % 20 == 0) == (split == "val"):
                break
        question = rng.choice(QUESTIONS).format(first, second)
        return [
            {"role": "user", "content": question},
            {"role": "assistant", "content": f"The sum is {first + second}."},
        ]

    def score(self, reply: str, answer: str) -> float:
        """1 if the last number of the reply is right, whatever stands around it."""
        said, right = re.findall(r"\d+", reply), re.findall(r"\d+", answer)
        return float(said[-1:] == right[-1:])
