"""Raw conversations and recordings -> token shards: the last stop before the network.

Each task is a small generator of conversations; this file decides how many of each, which are spoken, and by
whom.
A conversation belongs to the split of its own words or picture; everything spoken in it comes from sound of
the
same split or from training voices saying it, never from a speaker who is kept back.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pictures

from unisono.core.progress import progress
from unisono.data.shards.shard import ShardWriter
from unisono.data.speech.codebank import CodeBank
from unisono.data.speech.cutter import WordCutter
from unisono.data.splits import split_of
from unisono.data.world.conversations import MAKERS, MAX_ALOUD
from unisono.data.world.instructions import instructions
from unisono.data.world.pictures import resolution
from unisono.data.world.raw import Clip, Exchange, Picture, Raw
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import SAID, Audio, Codes, Image, Message, Part, Text, Thought, Video
from unisono.tokens.phrases import MEANING, SAY, SOUND, WRITE_DOWN

BATCH = 128
MAX_JOINED = 4
REPLY_VOICES = ("heart", "slt")
# of the conversations about a picture; in the others a later reply notes first what is seen, as where a
# client
NOTED_AT_ONCE = 0.7
# sends what was said before without the notes
LATEST_NOTED = 3  # of the answers about a picture
FRAMED = 0.4  # of the pictures that are shown
FRAMED_TASKS = ("see", "see_emoji", "watch")  # small print would be lost
WITH_SOUND = 0.4  # of the clips: somebody speaks meanwhile, and says nothing of what is seen
INSTRUCTED = (
    0.15  # of the conversations begin with what clients like to tell a network; it says nothing of the answer
)
OTHER_WORDS = {
    "What is": ("What's",),
    "a picture": ("an image", "a drawing"),
    "the picture": ("the image", "this image", "this picture"),
    "colour": ("color",),
    "Do you see a": ("Can you see a", "Is there a"),
    "What do you see": ("What can you see",),
    "Draw ": ("Draw me ",),
    "Please draw": ("Can you draw",),
    "Make a": ("Create a", "Generate a"),
    "Tell me": ("Please tell me", "Can you tell me"),
    "the clip": ("the video", "this video"),
    "Count the": ("Please count the",),
    "How much is": ("How much are",),
}
WISHES = ("Draw ", "Please draw", "Can you draw", "Make a", "Create a", "Generate a", "Show me", "Paint")
BESIDES = (
    " on a white background",
    " on white paper",
    " for me",
    ", please",
    " in flat colours",
    ", simple and clear",
    " for my daughter",
)
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


class Coder:
    """Turns raw conversations into messages, with recorded words where there are any."""

    def __init__(
        self,
        tokenizer: OmniTokenizer,
        bank: CodeBank,
        split: str,
        seed: int,
        cutter: WordCutter | None = None,
    ) -> None:
        self.tokenizer, self.bank, self.cutter = tokenizer, bank, cutter
        self.rng = random.Random(seed)
        self.splits = frozenset({"train", split})
        self.voices = [number for number, item in enumerate(bank.items) if item["split"] in self.splits]
        self.coded: dict[int, Codes] = {}  # of the pictures of the present batch, by identity
        self.cut: dict[int, list[Part]] = {}  # recordings word by word, by number

    def see(self, raws: list[Raw]) -> None:
        """Codes all pictures of a batch at once, which is several times faster than one by one."""
        images, seen = list[Pictures.Image](), list[Pictures.Image]()
        for raw, item in ((one, item) for one in raws for item in one.exchanges):
            for one in item.shown:
                whole, seed = one.frames if isinstance(one, Clip) else [one.image], self.rng.random()
                images += whole
                seen += (
                    [framed(image, random.Random(seed)) for image in whole]
                    if raw.task in FRAMED_TASKS
                    else whole
                )
            drawn = [item.drawn.image] if item.drawn else []
            images, seen = images + drawn, seen + drawn
        self.coded = dict(zip(map(id, images), self.tokenizer.picture_codes(seen))) if images else {}

    def messages(self, raw: Raw, mode: tuple[bool, bool]) -> list[Message]:
        """`mode`: (asked aloud, answered aloud). Words without a recording stay written."""
        asks, answers = mode
        is_long = asks and answers or raw.task == "see" and (asks or answers)
        exchanges = raw.exchanges[:MAX_ALOUD] if is_long else raw.exchanges
        voice = self._common_voice(exchanges) if answers else None
        system = [f"voice: {voice}"] if voice else []
        if self.rng.random() < INSTRUCTED:
            system.append(instructions(self.rng))
        messages = [Message("system", [Text("\n".join(system))])] if system else []
        notes = exchanges[0].notes
        noted = (
            0
            if raw.task == "recall" or self.rng.random() < NOTED_AT_ONCE
            else self.rng.randrange(min(LATEST_NOTED, len(exchanges)))
        )
        for number, item in enumerate(exchanges):
            asked = self._asked(item.question.text) if asks else Text(loosely(item.question.text, self.rng))
            parts = turned([*map(self._shown, item.shown), asked], self.rng)
            is_told = raw.task == "recall" and number == noted
            thought = "" if number < noted else item.looked_up or (notes if number == noted else "")
            if voice:
                found = self.bank.find(item.answer.text, self.rng, self.splits, voice)
                assert found is not None
                # Spoken word by word, an answer is forgotten among its sounds (25 % right, 70 % written at
                # once, 2026-11-22).
                thought, said = SAID.join(filter(None, [thought, item.answer.text])), self.spoken(found)
            else:
                said = [*self._written(item.answer.text, raw)]
            reply: list[Part] = [Thought(thought, is_learned=not is_told)] if thought else []
            reply += said
            if item.drawn:
                reply.append(Image(self.coded[id(item.drawn.image)]))
            messages += [
                Message("user", parts),
                Message("assistant", reply, is_learned=not notes or number >= noted),
            ]
        return messages

    def spoken(self, number: int) -> list[Part]:
        """A recording of the bank as a reply: word by word where there is a cutter."""
        if number not in self.cut:
            text, codes = self.bank.items[number]["text"], self.bank.codes_of(number)
            self.cut[number] = self.cutter.cut(text, codes) if self.cutter else [Text(text), Audio(codes)]
        return self.cut[number]

    def _common_voice(self, exchanges: list[Exchange]) -> str | None:
        """A reply voice that can say every answer of the conversation."""
        voices = [
            voice
            for voice in REPLY_VOICES
            if all(
                self.bank.find(item.answer.text, self.rng, self.splits, voice) is not None
                for item in exchanges
            )
        ]
        return self.rng.choice(voices) if voices else None

    @staticmethod
    def _written(text: str, raw: Raw) -> list[Text]:
        """What is read off a picture is spelled, letter by letter: the piece of a whole word that was never
        seen in print says
        nothing of its letters (10 % of unseen words were read right, 2026-11-21)."""
        if raw.task not in ("read", "letters"):
            return [Text(text)]
        before, word, after = text.rpartition(raw.truth["word"])
        return [Text(piece) for piece in (before, *word, after)]

    def _asked(self, text: str) -> Part:
        found = self.bank.find(text, self.rng, self.splits)
        return (
            Text(loosely(text, self.rng)) if found is None else Audio(self.bank.codes_of(found, heard=True))
        )

    def _shown(self, shown: Picture | Clip) -> Part:
        if isinstance(shown, Clip):
            return Video([self.coded[id(frame)] for frame in shown.frames], self._sound_of(len(shown.frames)))
        return Image(self.coded[id(shown.image)])

    def _sound_of(self, num_frames: int) -> list[Codes]:
        """(25,) codes for each half second of a clip, as long as somebody speaks; mostly none."""
        if not self.voices or self.rng.random() >= WITH_SOUND:
            return []
        codes = self.bank.codes_of(self.rng.choice(self.voices), heard=True)[: num_frames * 25]
        return [codes[start : start + 25] for start in range(0, len(codes), 25)]


def framed(image: Pictures.Image, rng: random.Random) -> Pictures.Image:
    """The picture, two times in five as the middle of one that is wider or higher, as photographs are; the
    codec sees it smaller.
    """
    if rng.random() >= FRAMED:
        return image
    longer = round(image.width * rng.uniform(1.05, 1.78))
    page = Pictures.new(
        "RGB", (longer, image.height) if rng.random() < 0.7 else (image.width, longer), image.getpixel((0, 0))
    )
    page.paste(image, ((page.width - image.width) // 2, (page.height - image.height) // 2))
    return page


def loosely(text: str, rng: random.Random) -> str:
    """A question as people type it: in other words of the same meaning, in small letters, without its last
    mark; often as it is.
    """
    for usual, others in OTHER_WORDS.items():
        if usual in text and rng.random() < 0.3:
            text = text.replace(usual, rng.choice(others))
    if text.startswith(WISHES) and text.endswith(".") and rng.random() < 0.2:
        text = text[:-1] + rng.choice(BESIDES) + text[-1]
    if rng.random() < 0.2:
        text = text.lower()
    return text.rstrip(".?!") if rng.random() < 0.2 else text


def turned(parts: list[Part], rng: random.Random) -> list[Part]:
    """What is shown or played and then the question, or half of the time the question first, as API clients
    send it (asked so,
    18 % of the answers about scenes were right, 68 % the other way round, before both were taught,
    2026-11-21).
    """
    return parts if rng.random() < 0.5 else [*parts[-1:], *parts[:-1]]


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
}


def world_conversations(
    task: str, count: int, split: str, coder: Coder, seed: int
) -> Iterator[list[Message]]:
    """`count` conversations of one task of the small world that belong to `split`."""
    rng = random.Random(f"{seed} {task} {split}")
    while count > 0:
        with resolution(coder.tokenizer.image_codec.image_size):
            raws = [MAKERS[task](rng) for _ in range(BATCH)]
        raws = [raw for raw in raws if split_of(raw.key) == split]
        raws = (_joined(raws, rng) if task == "talk" else raws)[:count]
        coder.see(raws)
        count -= len(raws)
        for raw in raws:
            yield coder.messages(raw, rng.choice(MODES[task]))


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
    **facts: object,
) -> None:
    """Writes the shard of one split, a part of it by chance where it is to hold `max_bytes`. `texts(split)`
    yields (task, text) of
    plain documents; with a `cutter` replies are spoken word by word; `facts` go into its manifest."""
    writer = ShardWriter(folder, tokenizer.vocab.size)
    rng, mask_rng = random.Random(f"{seed} {split}"), np.random.default_rng(seed)
    coder = Coder(tokenizer, bank, split, seed, cutter)

    def add(task: str, messages: list[Message]) -> None:
        writer.add(*tokenizer.encode(messages, rng=mask_rng), task)

    if cutter:
        cutter.prepare(
            item["text"] for item in bank.items if item["voice"] in REPLY_VOICES and item.get("text")
        )
    with progress() as bar:
        for task in MAKERS:
            count = counts.of(task)
            line = bar.add_task(f"{split} {task}", total=count, note="")
            for messages in world_conversations(task, count, split, coder, seed):
                add(task, messages)
                bar.update(line, advance=1)
        for what, conversations in (
            ("to hear", hear_conversations(bank, split, rng)),
            ("to speak", speak_conversations(coder, split, rng)),
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
