"""What `bench quality` asks: sound and conversations of the test splits, none of them twice.

Shapes: N samples.
"""

import random
import zlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np

from unisono.assess.options import BenchOptions
from unisono.data.speech.waves import Waves, sound_folders
from unisono.data.splits import split_of
from unisono.data.world.conversations import MAKERS
from unisono.data.world.pictures import resolution
from unisono.data.world.raw import Clip, Raw
from unisono.omni import Input, Omni, Reply

WORLD = ("question", "answer")  # roles of sentences of the small world; open sentences have none
MAX_DRAWN = 100  # conversations for each that is wanted: one in twenty is a test's, and some kinds are rare
LONGEST = 8 * 16000  # samples of one item; what has no text is cut there


class Bench:
    """A loaded network and the data to judge it with."""

    def __init__(self, omni: Omni, options: BenchOptions) -> None:
        self.omni, self.samples = omni, options.samples
        self.shared, self.home, self.twin = options.shared or Path(), options.home, options.twin

    @cached_property
    def sound(self) -> Waves:
        """The test split of all sound under home/speech."""
        folders = sound_folders(self.home)
        self.heard_voices = {item["voice"] for item in Waves(folders, "train").items}
        return Waves(folders, "test")

    def waves(self, name: str, belongs: Callable[[dict], bool]) -> list[tuple[np.ndarray, dict]]:
        """Up to `samples` (pcm, item) of the test sentences that belong.

        The words of a sentence decide whether it is drawn. So most stay the same when others are added.
        """
        items = self.sound.items
        numbers = [
            n
            for n, item in enumerate(items)
            if belongs(item) and (item["length"] < LONGEST or not item["text"])
        ]
        numbers.sort(
            key=lambda n: (
                zlib.crc32(f"{name} {items[n]['voice']} {items[n]['text']}".encode()),
                items[n]["start"],
            )
        )
        return [(self.sound.pcm(n, 0, LONGEST), self.sound.items[n]) for n in numbers[: self.samples]]

    def open_speech(self, source: str) -> list[tuple[np.ndarray, dict]]:
        """Sentences of open texts, of one source of voices."""
        return self.waves(source, lambda item: item["source"] == source and not item.get("role"))

    def world(self, task: str) -> list[Raw]:
        """Up to `samples` conversations of the small world from its test split, none of them twice."""
        rng, found = random.Random(f"test {task}"), dict[tuple, Raw]()
        with resolution(self.omni.tokenizer.image_codec.image_size):
            for _ in range(MAX_DRAWN * self.samples):
                raw = MAKERS[task](rng)
                if split_of(raw.key) == "test":
                    found.setdefault(asked(raw), raw)
                if len(found) == self.samples:
                    break
        return list(found.values())

    def ask(self, *parts: Input, outputs: tuple[str, ...] = ("text",), voice: str = "") -> Reply:
        """One question in a fresh conversation, always the same seed."""
        return self.omni.reply(*parts, outputs=outputs, voice=voice, seed=0)


def asked(raw: Raw) -> tuple:
    """What the network is told: two of its questions are one where this is the same."""
    first = raw.exchanges[0]
    pictures = [
        picture
        for shown in first.shown
        for picture in (shown.frames if isinstance(shown, Clip) else [shown.image])
    ]
    return first.question.text, *(picture.tobytes() for picture in pictures)
