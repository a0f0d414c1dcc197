"""Messages -> marked ids and what is learned of them. The only place where the order of a conversation is
written.

    system     <|system|> text <|end|>
    user       <|user|> parts <|end|>
    assistant  <|assistant|> [thought] parts <|end|>      a spoken reply: thought, word, its sound, next word,
    its sound; the words letter by letter
    sound      <|begin_audio|> codes <|end_audio|>
    picture    <|begin_image|> codes <|end_image|>
    call       <|begin_call|> {"name": ..., "arguments": {...}} <|end_call|>      its result: <|tool|> text
    <|end|>
    thought    <|begin_thought|> text <|end_thought|>
    clip       <|begin_video|> <|t:0.0|> picture [sound] <|t:0.5|> picture [sound] ... <|end_video|>

Learned (loss_mask 1): everything the assistant says after its mark, and of the user's sound its end and,
where an rng is given, one code in eight, so that the probability of <|end_audio|> tells when a turn is over.

Shapes: L ids.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.tokens.message import Audio, Call, Codes, Image, Message, Part, Text, Thought, Video
from unisono.tokens.text import TextTokenizer
from unisono.tokens.turns import BEGIN, FILE, REPLY, START, STOP, Pieces, Turns
from unisono.tokens.vocab import MAX_PROMPT, NUM_TIMES, SPECIALS, TIME_STEP_S, Vocabulary

LEARNED_SHARE = 1 / 8


@dataclass
class Marked:
    """Ids under construction, each with its mask bit.

    Marks that are text are encoded together with the words beside them.
    """

    encode: Callable[[str], tuple[list[int], list[int]]]  # text -> ids, and the place of each
    ids: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    run: list[tuple[str, bool, bool]] = field(
        default_factory=list
    )  # text that waits, is it learned, is it a mark

    def add(self, ids: Iterable[int], learn: bool | Sequence[int]) -> None:
        """Appends ids; `learn` is one bit for all or one for each."""
        self._flush()
        ids = [int(id) for id in ids]
        self.ids += ids
        self.mask += [int(learn)] * len(ids) if isinstance(learn, bool) else [int(bit) for bit in learn]

    def text(self, text: str, learn: bool) -> None:
        """Appends words; what follows other words is encoded on its own."""
        if self.run and not self.run[-1][2]:
            self._flush()
        self.run.append((text, learn, False))

    def marks(self, pieces: Pieces, learn: bool = False) -> None:
        """Appends what stands between messages."""
        for piece in pieces:
            if isinstance(piece, str):
                self.run.append((piece, learn, True))
            else:
                self.add([piece], learn)

    def _flush(self) -> None:
        run, self.run = self.run, []
        ids, places = self.encode("".join(text for text, _, _ in run)) if run else ([], [])
        learned = [bit for text, bit, _ in run for bit in [bit] * len(text)]
        self.ids += ids
        self.mask += [int(learned[place]) for place in places]

    def done(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """-> ids (L,), loss_mask (L,)."""
        self._flush()
        return np.array(self.ids, np.int32), np.array(self.mask, np.uint8)


class Template:
    """Writes conversations in the ids of one vocabulary.

    `turns`: what stands between messages, if not our own marks.
    """

    def __init__(self, vocab: Vocabulary, text: TextTokenizer, turns: Turns | None = None) -> None:
        if text.size > vocab.text_size:
            raise UserError(
                f"the tokenizer has {text.size} pieces, the vocabulary room for {vocab.text_size}; "
                "they are not of the same network"
            )
        self.vocab, self.text = vocab, text
        self.turns = turns or Turns.own(vocab)

    @property
    def prompt(self) -> list[int]:
        """The ids with which every conversation begins where prompt tuning learned their rows; else none."""
        first = self.turns.open(START, "user")
        rows = range(self.vocab.prompt_start, self.vocab.prompt_start + MAX_PROMPT)
        return [piece for piece in first if isinstance(piece, int) and piece in rows]

    @classmethod
    def load(cls, folder: str | Path) -> "Template":
        """That of the network in a folder; UserError says what is missing."""
        folder = Path(folder)
        vocab = Vocabulary.load(folder / "vocabulary.json")
        turns = Turns.load(folder / FILE) if (folder / FILE).exists() else None
        return cls(vocab, TextTokenizer.load(folder / "tokenizer.json", vocab.text_size), turns)

    def encode(
        self,
        messages: Sequence[Message],
        *,
        begin_reply: bool = False,
        before: str = START,
        is_whole: bool = True,
        rng: np.random.Generator | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """-> ids (L,), loss_mask (L,).

        `begin_reply` ends with what opens a reply, ready for the network to go on.

        `before`: whose message the last one was that is encoded already. `is_whole`: the conversation ends
        here, unless a reply begins.
        """
        out = Marked(self.text.places)
        for number, message in enumerate(messages):
            own = message.role == "assistant" and message.is_learned
            is_last = is_whole and not begin_reply and number == len(messages) - 1
            out.marks(
                self.turns.open(before, REPLY if is_last and message.role == "assistant" else message.role)
            )
            self._body(out, message, own, rng)
            out.marks(self.turns.close(message.role), own)
            before = message.role
        if begin_reply or is_whole:
            out.marks(self.turns.open(before, BEGIN if begin_reply else STOP))
        return out.done()

    def body(self, message: Message) -> list[int]:
        """The ids of a message without what stands before and after it."""
        out = Marked(self.text.places)
        self._body(out, message, False, None)
        return out.done()[0].tolist()

    def joined(
        self, bodies: Iterable[tuple[str, Sequence[int]]], *, before: str = START, is_open: bool = False
    ) -> list[int]:
        """(role, body) one after the other -> the ids of a conversation so far. `is_open`: the last one goes
        on."""
        out, bodies = Marked(self.text.places), list(bodies)
        for number, (role, body) in enumerate(bodies):
            out.marks(self.turns.open(before, role))
            out.add(body, False)
            if not (is_open and number == len(bodies) - 1):
                out.marks(self.turns.close(role))
            before = role
        return out.done()[0].tolist()

    def begin(self, before: str) -> list[int]:
        """The ids with which a reply begins after a message of the role `before`."""
        out = Marked(self.text.places)
        out.marks(self.turns.open(before, BEGIN))
        return out.done()[0].tolist()

    def known_by(self, role: str) -> list[int]:
        """The ids with which a turn of this role begins, wherever it stands."""
        pieces = self.turns.open("user" if role == "assistant" else "assistant", role)
        first = next((number for number, piece in enumerate(pieces) if not isinstance(piece, str)), 0)
        texts = (
            self.text.encode(piece.rstrip()) if isinstance(piece, str) else [piece]
            for piece in pieces[first:]
        )
        return [id for ids in texts for id in ids]

    def places(self, role: str, ids: NDArray[np.integer]) -> NDArray[np.int64]:
        """(L,) ids -> where in them turns of this role begin, in order."""
        wanted = self.known_by(role)
        if len(ids) < len(wanted):
            return np.zeros(0, np.int64)
        windows = np.lib.stride_tricks.sliding_window_view(ids, len(wanted))
        return np.flatnonzero((windows == wanted).all(axis=1))

    def document(self, text: str) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Plain text to be learned as it is: <|document|> text <|end|>."""
        ids = [self.vocab.id("<|document|>"), *self.text.encode(text), self.vocab.id("<|end|>")]
        return np.array(ids, np.int32), np.array([0] + [1] * (len(ids) - 1), np.uint8)

    def _body(self, out: Marked, message: Message, own: bool, rng: np.random.Generator | None) -> None:
        parts = trimmed(message.parts) if self.turns.is_trimmed else message.parts
        for part, following in zip_longest(parts, parts[1:]):
            if message.role == "assistant" and isinstance(part, Text) and isinstance(following, Audio):
                out.add(self.text.spell(part.text), own)
            else:
                self._part(out, part, own, rng)

    def _part(self, out: Marked, part: Part, own: bool, rng: np.random.Generator | None) -> None:
        if isinstance(part, Text):
            out.text(part.text, own)
        elif isinstance(part, Audio):
            self._sound(out, part.codes, own, rng)
        elif isinstance(part, Image):
            self._enclosed(out, "image", part.codes, own)
        elif isinstance(part, Video):
            self._clip(out, part, own)
        elif isinstance(part, Call | Thought):
            kind = type(part).__name__.lower()
            own = own and getattr(part, "is_learned", True)
            out.add(
                [
                    self.vocab.id(f"<|begin_{kind}|>"),
                    *self.text.encode(part.text),
                    self.vocab.id(f"<|end_{kind}|>"),
                ],
                own,
            )
        else:
            raise ValueError(
                f"expected Text, Audio, Image, Video, Call or Thought, got {type(part).__name__}"
            )

    def _enclosed(self, out: Marked, modality: str, codes: Codes, learn: bool) -> None:
        out.add([self.vocab.id(f"<|begin_{modality}|>")], learn)
        out.add(self.vocab.to_ids(modality, codes), learn)
        out.add([self.vocab.id(f"<|end_{modality}|>")], learn)

    def _sound(self, out: Marked, codes: Codes, own: bool, rng: np.random.Generator | None) -> None:
        out.add([self.vocab.id("<|begin_audio|>")], own)
        ids = self.vocab.to_ids("audio", codes)
        if own or rng is None:
            out.add(ids, own)
        else:
            out.add(ids, [int(bit) for bit in rng.random(len(ids)) < LEARNED_SHARE])
        out.add([self.vocab.id("<|end_audio|>")], True)

    def _clip(self, out: Marked, clip: Video, own: bool) -> None:
        if len(clip.frames) > NUM_TIMES:
            raise UserError(
                f"a clip may last {NUM_TIMES * TIME_STEP_S:.0f} s at two pictures a second, "
                f"got {len(clip.frames)} pictures; cut it or take fewer"
            )
        out.add([self.vocab.id("<|begin_video|>")], own)
        for number, frame in enumerate(clip.frames):
            out.add([self.vocab.id(f"<|t:{number * TIME_STEP_S:.1f}|>")], own)
            self._enclosed(out, "image", frame, own)
            if number < len(clip.audio):
                self._enclosed(out, "audio", clip.audio[number], own)
        out.add([self.vocab.id("<|end_video|>")], own)


def trimmed(parts: list[Part]) -> list[Part]:
    """Without the blanks around all of it, as some bases read messages."""
    parts = list(parts)
    if parts and isinstance(parts[0], Text):
        parts[0] = Text(parts[0].text.lstrip())
    if parts and isinstance(parts[-1], Text):
        parts[-1] = Text(parts[-1].text.rstrip())
    return parts


def chat_template() -> str:
    """The same order as a jinja template for Hugging Face; media stand in the text as their special
    strings.
    """
    assert {"<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|end|>"} <= set(SPECIALS)
    return (
        "{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
        "{% if message['content'] is string %}{{ message['content'] }}"
        "{% else %}{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endif %}{{ "
        "'<|end|>' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
    )
