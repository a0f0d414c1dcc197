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
where
an rng is given, one code in eight, so that the probability of <|end_audio|> tells when a turn is over.

Shapes: L ids.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.tokens.message import Audio, Call, Codes, Image, Message, Part, Text, Thought, Video
from unisono.tokens.text import TextTokenizer
from unisono.tokens.vocab import NUM_TIMES, SPECIALS, TIME_STEP_S, Vocabulary

LEARNED_SHARE = 1 / 8


@dataclass
class Marked:
    """Ids under construction, each with its mask bit."""

    ids: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)

    def add(self, ids: Iterable[int], learn: bool | Sequence[int]) -> None:
        """Appends ids; `learn` is one bit for all or one for each."""
        ids = [int(id) for id in ids]
        self.ids += ids
        self.mask += [int(learn)] * len(ids) if isinstance(learn, bool) else [int(bit) for bit in learn]


class Template:
    """Writes conversations in the ids of one vocabulary."""

    def __init__(self, vocab: Vocabulary, text: TextTokenizer) -> None:
        if text.size > vocab.text_size:
            raise UserError(
                f"the tokenizer has {text.size} pieces, the vocabulary room for {vocab.text_size}; "
                "they are not of the same network"
            )
        self.vocab, self.text = vocab, text

    def encode(
        self,
        messages: Sequence[Message],
        *,
        begin_reply: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """-> ids (L,), loss_mask (L,). `begin_reply` ends with <|assistant|>, ready for the network to go
        on.
        """
        out = Marked()
        for message in messages:
            own = message.role == "assistant" and message.is_learned
            out.add([self.vocab.id(f"<|{message.role}|>")], False)
            for part, following in zip_longest(message.parts, message.parts[1:]):
                if message.role == "assistant" and isinstance(part, Text) and isinstance(following, Audio):
                    out.add(self.text.spell(part.text), own)
                else:
                    self._part(out, part, own, rng)
            out.add([self.vocab.id("<|end|>")], own)
        if begin_reply:
            out.add([self.vocab.id("<|assistant|>")], False)
        return np.array(out.ids, np.int32), np.array(out.mask, np.uint8)

    def document(self, text: str) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Plain text to be learned as it is: <|document|> text <|end|>."""
        ids = [self.vocab.id("<|document|>"), *self.text.encode(text), self.vocab.id("<|end|>")]
        return np.array(ids, np.int32), np.array([0] + [1] * (len(ids) - 1), np.uint8)

    def _part(self, out: Marked, part: Part, own: bool, rng: np.random.Generator | None) -> None:
        if isinstance(part, Text):
            out.add(self.text.encode(part.text), own)
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
