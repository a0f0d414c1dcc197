"""Networks that want the worst: what they would write is told by a preference among the pieces of text."""

from collections.abc import Callable

import numpy as np

from unisono.engine.sample import Sampler, Sampling
from unisono.serve.reply.constrain import Constrained
from unisono.serve.reply.network import Network

ADVERSARIES: dict[str, Callable[[bytes], bool]] = {
    "random": lambda piece: False,
    "digits": lambda piece: piece.isdigit(),
    "letters": lambda piece: piece.isalpha(),
    "brackets": lambda piece: any(byte in b"{[" for byte in piece),
    "blanks": lambda piece: not piece.strip(),
    "members": lambda piece: b"," in piece or piece == b'"',
    "quotes": lambda piece: b'"' in piece,
    "escapes": lambda piece: b"\\" in piece,
    "exponents": lambda piece: piece in (b"e", b"E", b".", b"-", b"+") or piece.isdigit(),
    "half characters": lambda piece: piece[0] >= 0x80,
    "long pieces": lambda piece: len(piece) >= 5,
}


def follow(
    network: Network,
    grammar: Constrained,
    left: int,
    wanted: str = "random",
    seed: int = 0,
    most: int | None = None,
) -> list[int]:
    """The ids of a reply by a network that wants what the adversary wants, else thinks at random.

    left: ids that the reply may take. most: how many of them are generated.
    """
    random, pieces = np.random.default_rng(seed), network.pieces.tokens[:-1]
    bias = np.zeros(network.vocab.size, np.float32)
    bias[: len(pieces)] = [50.0 * bool(piece and ADVERSARIES[wanted](piece)) for piece in pieces]
    sampler, ids = Sampler(dict.fromkeys(("text", "audio", "image"), Sampling()), seed), list[int]()
    while not grammar.done and left and len(ids) != most:
        logits = random.normal(0, 3, network.vocab.size).astype(np.float32) + bias
        id = grammar.choose(logits, sampler, left)
        grammar.advance(id)
        ids.append(id)
        left -= 1
    return ids


def spelled(network: Network, ids: list[int]) -> str:
    """Text, with marks by name."""
    stream, text = network.tokenizer.text.stream(), ""  # a character may break off before a mark
    for id in ids:
        text += stream.push(id) if id < network.vocab.text_size else stream.flush() + network.vocab.name(id)
    return text
