"""Raw conversations and recordings -> token shards: the last stop before the network.

Each task is a small generator of conversations; this file decides how many of each, which are spoken, and by
whom. A conversation belongs to the split of its own words or picture; everything spoken in it comes from
sound of the same split or from training voices saying it, never from a speaker who is kept back.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from unisono.core.progress import progress
from unisono.data.shards.coder import REPLY_VOICES, Coder, turned
from unisono.data.shards.shard import ShardWriter
from unisono.data.speech.codebank import CodeBank
from unisono.data.speech.cutter import WordCutter
from unisono.data.splits import split_of
from unisono.data.world.conversations import MAKERS
from unisono.data.world.pictures import resolution
from unisono.data.world.raw import Raw
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Audio, Message, Text
from unisono.tokens.phrases import MEANING, SAY, SOUND, WRITE_DOWN

BATCH = 128
MAX_JOINED = 4
SOUND_NAMES = {
    "dog_bark": "a dog",
    "rooster": "a rooster",
    "rain": "rain",
    "sea_waves": "waves of the sea",
    "fire_crackling": "a crackling fire",
    "baby_cry": "a crying baby",
    "person_sneeze": "somebody sneezing",
    "clock_tick": "a ticking clock",
    "helicopter": "a helicopter",
    "chainsaw": "a chainsaw",
}


@dataclass(frozen=True)
class Counts:
    """How many conversations of each task of the small world a split gets; recordings and texts are taken
    whole.
    """

    see: int = 44000
    recall: int = 40000
    draw: int = 45000
    see_emoji: int = 10000
    draw_emoji: int = 4000
    read: int = 30000
    letters: int = 40000
    watch: int = 14000
    talk: int = 40000
    scale: float = 1.0

    def of(self, task: str) -> int:
        """The number for one task."""
        return max(1, round(getattr(self, task) * self.scale))


MODES = {
    "talk": [(0, 0), (0, 0), (1, 0), (0, 1), (1, 1), (1, 1)],
    "see": [(0, 0), (0, 0), (1, 0), (1, 1), (1, 1)],
    "watch": [(0, 0), (0, 0), (1, 0), (1, 1)],
    "draw": [(0, 0), (0, 0), (1, 0), (1, 1)],
    "see_emoji": [(0, 0), (1, 0), (1, 1)],
    "draw_emoji": [(0, 0), (1, 0), (1, 1)],
    "read": [(0, 0), (0, 0), (1, 0)],
    "letters": [(0, 0), (0, 0), (1, 0)],
    "recall": [(0, 0)],
    "words": [(0, 0), (0, 0), (1, 0), (0, 1), (1, 1)],
}
WRITTEN = [(0, 0)]  # of tasks that nobody has spoken
Maker = Callable[[random.Random], Raw]


def world_conversations(
    task: str, count: int, split: str, coder: Coder, seed: int, make: Maker | None = None
) -> Iterator[list[Message]]:
    """`count` conversations of one task of the small world, or of another that `make` makes, that belong to
    `split`.
    """
    make = make or MAKERS[task]
    rng = random.Random(f"{seed} {task} {split}")
    while count > 0:
        with resolution(coder.tokenizer.image_codec.image_size):
            raws = [make(rng) for _ in range(BATCH)]
        raws = [raw for raw in raws if split_of(raw.key) == split]
        raws = (_joined(raws, rng) if task == "talk" else raws)[:count]
        coder.see(raws)
        count -= len(raws)
        for raw in raws:
            yield coder.messages(raw, rng.choice(MODES.get(task, WRITTEN)))


def _joined(raws: list[Raw], rng: random.Random) -> list[Raw]:
    """One to four conversations made one, so that who was asked goes on listening, and speaking, with nobody
    telling it again.
    """
    left, joined = list(raws), list[Raw]()
    while left:
        size = rng.randint(1, MAX_JOINED)
        joined.append(replace(left[0], exchanges=[item for raw in left[:size] for item in raw.exchanges]))
        del left[:size]
    return joined


def hear_conversations(bank: CodeBank, split: str, rng: random.Random) -> Iterator[tuple[str, list[Message]]]:
    """Every item of known words: write it down; a foreign word: also what it means; a sound: what it is."""
    for number, item in enumerate(bank.items):
        if item["split"] != split:
            continue
        heard = Audio(bank.codes_of(number, heard=True))
        if item.get("text"):
            task = (
                "hear_words"
                if item["source"] in ("arabic_commands", "wake_words", "fsdd", "digits")
                else "hear"
            )
            yield (
                task,
                [
                    Message("user", turned([heard, Text(rng.choice(WRITE_DOWN))], rng)),
                    Message("assistant", [Text(item["text"])]),
                ],
            )
        if item.get("meaning"):
            yield (
                "hear_words",
                [
                    Message("user", turned([heard, Text(rng.choice(MEANING))], rng)),
                    Message("assistant", [Text(item["meaning"])]),
                ],
            )
        if item.get("label") in SOUND_NAMES:
            answer = f"I hear {SOUND_NAMES[item['label']]}."
            yield (
                "hear_sounds",
                [
                    Message("user", turned([heard, Text(rng.choice(SOUND))], rng)),
                    Message("assistant", [Text(answer)]),
                ],
            )


def speak_conversations(coder: Coder, split: str, rng: random.Random) -> Iterator[tuple[str, list[Message]]]:
    """Every item of a reply voice: asked to say these words, it writes and speaks them. Words of the small
    world, or any.
    """
    for number, item in enumerate(coder.bank.items):
        if item["split"] == split and item["voice"] in REPLY_VOICES and item.get("text"):
            yield (
                "speak" if item.get("role") in ("question", "answer") else "speak_open",
                [
                    Message("system", [Text(f"voice: {item['voice']}")]),
                    Message("user", [Text(rng.choice(SAY).format(item["text"]))]),
                    Message("assistant", coder.spoken(number)),
                ],
            )


def units(tokenizer: OmniTokenizer) -> dict[str, Any]:
    """What the ids of each modality stand for: first id, one past the last, and of what an id is how much."""
    text, audio, image = (tokenizer.vocab.span(name) for name in ("text", "audio", "image"))
    pixels = tokenizer.image_codec.image_size**2 / tokenizer.image_codec.grid_size**2
    return {
        "text": [text.start, text.end, "byte", [len(tokenizer.text.piece(id)) for id in range(text.size)]],
        "audio": [audio.start, audio.end, "s", 1 / tokenizer.audio_codec.frame_rate],
        "image": [image.start, image.end, "pixel", pixels],
    }


def prepare(
    tokenizer: OmniTokenizer,
    bank: CodeBank,
    texts: Callable[[str], Iterator[tuple[str, str]]],
    folder: Path,
    *,
    split: str,
    counts: Counts = Counts(),
    seed: int = 1,
    max_bytes: float = inf,
    cutter: WordCutter | None = None,
    lessons: Iterable[tuple[str, list[Message]]] = (),
    makers: Mapping[str, tuple[Maker, int]] = MappingProxyType({}),
    typed: Callable[[str, str, random.Random], str] | None = None,
    **facts: object,
) -> None:
    """Writes the shard of one split, a part of it by chance where it is to hold `max_bytes`. `texts(split)`
    yields (task, text) of plain documents; with a `cutter` replies are spoken word by word; `lessons` are
    further (task, messages), `makers` of further tasks of pictures, or in place of the usual ones, with their
    counts; `typed` is Coder's; `facts` go into its manifest."""
    writer = ShardWriter(folder, tokenizer.vocab.size)
    rng, mask_rng = random.Random(f"{seed} {split}"), np.random.default_rng(seed)
    coder = Coder(tokenizer, bank, split, seed, cutter, typed)

    def add(task: str, messages: list[Message]) -> None:
        writer.add(*tokenizer.encode(messages, rng=mask_rng), task)

    if cutter:
        cutter.prepare(
            item["text"] for item in bank.items if item["voice"] in REPLY_VOICES and item.get("text")
        )
    with progress() as bar:
        tasks = {task: (make, counts.of(task)) for task, make in MAKERS.items()}
        for task, (make, count) in {**tasks, **makers}.items():
            line = bar.add_task(f"{split} {task}", total=count, note="")
            for messages in world_conversations(task, count, split, coder, seed, make):
                add(task, messages)
                bar.update(line, advance=1)
        for what, conversations in (
            ("to hear", hear_conversations(bank, split, rng)),
            ("to speak", speak_conversations(coder, split, rng)),
            ("lessons", lessons),
        ):
            line = bar.add_task(f"{split} {what}", total=None, note="")
            for task, messages in conversations:
                add(task, messages)
                bar.update(line, advance=1)
        line = bar.add_task(f"{split} texts", total=None, note="")
        for task, text in texts(split):
            writer.add(*tokenizer.template.document(text), task)
            bar.update(line, advance=1)
    writer.thin(max_bytes, seed)
    writer.close(
        split=split, seed=seed, text_end=tokenizer.vocab.span("time").end, units=units(tokenizer), **facts
    )
