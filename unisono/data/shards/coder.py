"""Raw conversations -> messages: which words are written or spoken, by whom, and how pictures are shown."""

import random
from collections.abc import Callable

from PIL import Image as Pictures

from unisono.data.speech.codebank import CodeBank
from unisono.data.speech.cutter import WordCutter
from unisono.data.world.conversations import MAX_ALOUD
from unisono.data.world.instructions import instructions
from unisono.data.world.raw import Clip, Exchange, Picture, Raw
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import SAID, Audio, Codes, Image, Message, Part, Text, Thought, Video

REPLY_VOICES = ("heart", "slt")
# of the conversations about a picture; in the others a later reply notes first what is seen, as where a
# client
NOTED_AT_ONCE = 0.7
# sends what was said before without the notes
LATEST_NOTED = 3  # of the answers about a picture
FRAMED = 0.4  # of the pictures that are shown
FRAMED_TASKS = ("see", "see_emoji", "see_named", "watch")  # small print would be lost
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
DRAW_REQUESTS = (
    "Draw ",
    "Please draw",
    "Can you draw",
    "Make a",
    "Create a",
    "Generate a",
    "Show me",
    "Paint",
)
BESIDES = (
    " on a white background",
    " on white paper",
    " for me",
    ", please",
    " in flat colours",
    ", simple and clear",
    " for my daughter",
)


class Coder:
    """Turns raw conversations into messages, with recorded words where there are any."""

    def __init__(
        self,
        tokenizer: OmniTokenizer,
        bank: CodeBank,
        split: str,
        seed: int,
        cutter: WordCutter | None = None,
        typed: Callable[[str, str, random.Random], str] | None = None,
    ) -> None:
        """`typed`: question, task -> the question as people type it."""
        self.typed = typed or (lambda text, task, rng: loosely(text, rng))
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

    def messages(self, raw: Raw, mode: tuple[int, int]) -> list[Message]:
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
            typed = Text(self.typed(item.question.text, raw.task, self.rng)) if not asks else None
            asked = typed or self._asked(item.question.text, raw.task)
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
        seen in print says nothing of its letters (10 % of unseen words were read right, 2026-11-21)."""
        if raw.task not in ("read", "letters"):
            return [Text(text)]
        before, word, after = text.rpartition(raw.truth["word"])
        return [Text(piece) for piece in (before, *word, after)]

    def _asked(self, text: str, task: str) -> Part:
        found = self.bank.find(text, self.rng, self.splits)
        if found is None:
            return Text(self.typed(text, task, self.rng))
        return Audio(self.bank.codes_of(found, heard=True))

    def _shown(self, shown: Picture | Clip) -> Part:
        if isinstance(shown, Clip):
            return Video([self.coded[id(frame)] for frame in shown.frames], self._sound_of(len(shown.frames)))
        return Image(self.coded[id(shown.image)])

    def _sound_of(self, num_frames: int) -> list[Codes]:
        """The codes of each half second of a clip, as long as somebody speaks; mostly none."""
        if not self.voices or self.rng.random() >= WITH_SOUND:
            return []
        codes = self.bank.codes_of(self.rng.choice(self.voices), heard=True)
        return self.tokenizer.by_picture(codes, num_frames)


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
    if text.startswith(DRAW_REQUESTS) and text.endswith(".") and rng.random() < 0.2:
        text = text[:-1] + rng.choice(BESIDES) + text[-1]
    if rng.random() < 0.2:
        text = text.lower()
    return text.rstrip(".?!") if rng.random() < 0.2 else text


def turned(parts: list[Part], rng: random.Random) -> list[Part]:
    """What is shown or played and then the question, or half of the time the question first, as API clients
    send it (asked so, 18 % of the answers about scenes were right, 68 % the other way round, before both were
    taught, 2026-11-21).
    """
    return parts if rng.random() < 0.5 else [*parts[-1:], *parts[:-1]]
