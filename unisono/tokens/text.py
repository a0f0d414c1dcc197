"""Text <-> ids: byte-level byte-pair encoding. Every string has an encoding; special ids have none in text.

Words are split roughly as GPT-4 does, digits one by one. "<|user|>" typed by somebody stays those characters:
this tokenizer does not know special ids.
"""

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from unisono.core.errors import UserError

SPLIT = r"'(?:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?!\S)|\s+"

PLAIN = (*range(33, 127), *range(161, 173), *range(174, 256))
# The visible letter that stands for each byte in a byte-level vocabulary (GPT-2's table) -> the byte.
BYTES = {chr(byte): byte for byte in PLAIN} | {
    chr(256 + number): byte for number, byte in enumerate(sorted(set(range(256)) - set(PLAIN)))
}
# Of these every byte-level vocabulary has pieces. Some have none for bytes that they never met: SmolLM2 lacks
# six control characters and the bytes that begin letters of empty planes; it reads texts as if those were not
# there.
NEEDED = [letter for letter, byte in BYTES.items() if byte == 10 or 32 <= byte < 127 or 128 <= byte < 192]


class TextTokenizer:
    """Wraps a `tokenizers` Tokenizer so that only plain text passes.

    `specials`: the special tokens that it has itself, as the tokenizer of a base does, and their ids. What
    looks like one in a text stays text. Added tokens that are not special are text.
    """

    def __init__(self, inner: Tokenizer) -> None:
        self.inner = inner
        self.size = inner.get_vocab_size()
        added = inner.get_added_tokens_decoder()
        self.specials = {token.content: id for id, token in added.items() if token.special}
        self._added = {id: b"" if token.special else token.content.encode() for id, token in added.items()}
        inner.encode_special_tokens = True  # as text

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> "TextTokenizer":
        """Learns `size` pieces (at least the 256 bytes) from texts."""
        if size < 256:
            raise UserError(f"a byte-level vocabulary needs at least 256 ids, got {size}")
        inner = Tokenizer(models.BPE())
        inner.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(SPLIT), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        inner.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
        inner.train_from_iterator(texts, trainer)
        return cls(inner)

    def encode(self, text: str) -> list[int]:
        """Text -> ids. Lone surrogates, which have no UTF-8 form, become question marks."""
        return self.places(text)[0]

    def places(self, text: str) -> tuple[list[int], list[int]]:
        """Text -> ids, and for each the place of its first letter in the text."""
        found = self.inner.encode(text.encode("utf8", "replace").decode("utf8"), add_special_tokens=False)
        return found.ids, [start for start, _ in found.offsets]

    def spell(self, text: str) -> list[int]:
        """Text -> ids, letter by letter. The piece of a whole word says nothing of its letters, and so of its
        sound.
        """
        return [id for letter in text for id in self.encode(letter)]

    def decode(self, ids: list[int]) -> str:
        """Ids -> text; bytes that are not UTF-8 become the replacement character."""
        return self.inner.decode(ids, skip_special_tokens=False)

    @cached_property
    def longest(self) -> int:
        """Bytes of the longest piece."""
        return max(len(self.piece(id)) for id in range(self.size))

    def piece(self, id: int) -> bytes:
        """What an id stands for; nothing for an id that has no piece, and for specials.

        Whole characters it need not be.
        """
        if id in self._added:
            return self._added[id]
        return bytes(BYTES[letter] for letter in self.inner.id_to_token(id) or "")

    def stream(self) -> "TextStream":
        """A fresh incremental decoder."""
        return TextStream(self)

    def save(self, path: str | Path) -> None:
        """Writes tokenizer.json."""
        Path(path).write_text(self.inner.to_str(pretty=True), encoding="utf8")

    @classmethod
    def load(cls, path: str | Path, size: int | None = None) -> "TextTokenizer":
        """Reads a tokenizer.json.

        `size`: without the added tokens from there on, those of an exported network.
        """
        if not Path(path).exists():
            raise UserError(f"no tokenizer at {path}; expected the folder of a trained network")
        try:
            stored = json.loads(Path(path).read_text(encoding="utf8"))
            if size is not None:
                stored["added_tokens"] = [
                    token for token in stored.get("added_tokens") or [] if token["id"] < size
                ]
            inner = Tokenizer.from_str(json.dumps(stored))
        except Exception as error:  # the library raises bare Exception for any damaged file
            raise UserError(f"{path} is not a tokenizer.json: {error}") from None
        inner.no_truncation()
        inner.no_padding()
        if missing := [letter for letter in NEEDED if inner.token_to_id(letter) is None]:
            raise UserError(
                f"{path} is no byte-level tokenizer (it has no piece {missing[0]!r}), as Llama 3, Qwen and "
                f"SmolLM have; choose another base"
            )
        return cls(inner)


class TextStream:
    """Ids one by one -> text that is never cut within a character."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self.tokenizer = tokenizer
        self.decoder = getincrementaldecoder("utf8")("replace")

    def push(self, id: int) -> str:
        """-> the characters that became complete, often none."""
        return self.decoder.decode(self.tokenizer.piece(id))

    def flush(self) -> str:
        """-> what is still held back."""
        return self.decoder.decode(b"", True)


def words(text: str) -> list[str]:
    """Each with the blanks before it; marks that stand alone go with the word before, for they have no
    sound.
    """
    found: list[str] = []
    for piece in re.findall(
        r"\s*\S+", text.rstrip()
    ):  # from each blank at the end it would look at all those behind it
        if found and not any(letter.isalnum() for letter in piece):
            found[-1] += piece
        else:
            found.append(piece)
    return found
