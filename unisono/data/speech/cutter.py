"""Where each word of a recording begins, so that a reply can be written and spoken word by word.

A network that wrote a whole sentence first and then spoke it lost its place: 72 % of its spoken answers were
what it had written,
95 % of the same answers in the source's voice (n = 40, 2026-11-22). The words' phonemes are laid along what
the reader finds in
the codes: the likeliest path through the lattice of connectionist temporal classification (Graves et al.
2006).

Shapes: F frames, S states (a blank, a phoneme, a blank, ...), P phonemes.
"""

import re
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from unisono.codecs.load import AnyAudioCodec
from unisono.codecs.phonemes import BLANK, NUMBERS, PhonemeReader
from unisono.data.speech.voices import phonemes
from unisono.tokens.message import Audio, Codes, Part, Text

NEVER = -1e9


class WordCutter:
    """Cuts recordings of known words."""

    def __init__(self, codec: AnyAudioCodec, reader: PhonemeReader) -> None:
        self.quantizer, self.reader = codec.quantizer, reader

    @staticmethod
    def prepare(texts: Iterable[str]) -> None:
        """Looks up the phonemes of all words at once: a process for each text takes a hundred times as
        long.
        """
        phonemes(sorted({word for text in texts for word in text.split()}))

    @torch.inference_mode()
    def cut(self, text: str, codes: Codes) -> list[Part]:
        """A word, its sound, the next word with the blank before it, its sound, ...; the whole text and the
        whole sound where no way is found through the lattice."""
        words = pronounced(text)
        log_probs = self.reader(self.quantizer.from_codes(torch.from_numpy(codes)[None]))[0].numpy()
        starts = word_starts(log_probs, [symbols for _, symbols in words]) if words else None
        if starts is None:
            return [Text(text), Audio(codes)]
        ends = [*starts[1:], len(codes)]
        return [
            part
            for (word, _), start, end in zip(words, [0, *starts[1:]], ends)
            for part in (Text(word), Audio(codes[start:end]))
        ]


def pronounced(text: str) -> list[tuple[str, list[int]]]:
    """The words with the blanks before them, and the numbers of their phonemes; what is not said goes with
    the word before.
    """
    found: list[tuple[str, list[int]]] = []
    pieces = re.findall(r"\s*\S+", text)
    for piece, symbols in zip(pieces, phonemes([piece.strip() for piece in pieces])):
        numbers = [NUMBERS[symbol] for symbol in symbols if symbol in NUMBERS]
        if numbers or not found:
            found.append((piece, numbers))
        else:
            found[-1] = (found[-1][0] + piece, found[-1][1])
    return found if all(numbers for _, numbers in found) else []


def word_starts(log_probs: NDArray[np.float32], words: list[list[int]]) -> list[int] | None:
    """(F, P + 1) log-probabilities, the phonemes of each word -> the first frame of each word; None where
    they do not fit.
    """
    states = np.full(2 * sum(map(len, words)) + 1, BLANK)
    states[1::2] = [number for word in words for number in word]
    may_skip = np.zeros(len(states), bool)  # the blank between two phonemes that differ
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    scores = np.where(np.arange(len(states)) < 2, log_probs[0, states], NEVER)
    came_from = np.zeros((len(log_probs), len(states)), np.int64)  # how many states back
    for frame in range(1, len(log_probs)):
        one, two = np.concatenate([[NEVER], scores[:-1]]), np.concatenate([[NEVER, NEVER], scores[:-2]])
        ways = np.stack([scores, one, np.where(may_skip, two, NEVER)])
        came_from[frame] = ways.argmax(axis=0)
        scores = ways.max(axis=0) + log_probs[frame, states]
    state = len(states) - 1 - int(scores[-2] > scores[-1])
    if scores[state] <= NEVER / 2:
        return None
    path = [state]
    for frame in range(len(log_probs) - 1, 0, -1):
        state -= int(came_from[frame, state])
        path.append(state)
    firsts = np.cumsum([0, *map(len, words[:-1])])
    return [path[::-1].index(2 * int(first) + 1) for first in firsts]
