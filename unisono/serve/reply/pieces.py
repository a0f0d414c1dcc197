"""The text ids of a network as llguidance takes them, to compile grammars for them."""

from collections.abc import Callable

from llguidance import LLTokenizer, TokenizerWrapper

from unisono.tokenizer import OmniTokenizer


class Pieces:
    """The bytes of each text id. One more id, behind them, stands for the end of the text."""

    def __init__(self, tokenizer: OmniTokenizer) -> None:
        text, size = tokenizer.text, tokenizer.vocab.text_size
        self.encode: Callable[[str], list[int]] = text.encode
        self.tokens = [text.piece(id) if id < text.size else b"" for id in range(size)] + [b"<end>"]
        self.eos_token_id, self.bos_token_id, self.special_token_ids = size, None, [size]
        # The tokenizer is byte-level: each byte has an id of its own, so that every text can be spelled.
        self.single = {piece[0]: id for id, piece in enumerate(self.tokens) if len(piece) == 1}
        self.llguidance = LLTokenizer(TokenizerWrapper(self))

    def __call__(self, text: bytes | str) -> list[int]:
        return self.encode(text.decode("utf8", "replace") if isinstance(text, bytes) else text)
