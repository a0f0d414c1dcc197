"""Batches for the audio teacher and its students: rows of some seconds, filled with items of one voice, sound
beside Whisper's states.

A batch is a pure function of (seed, step). An item that is shorter than a row is followed by further ones of
the same voice, as long as they fit whole; a longer one is cut. Phonemes are known for rows whose items are
all whole and transcribed.

Shapes: B rows, F frames of 40 ms, N = F * 640 samples, D = 512 numbers a state.
"""

from collections import Counter

import numpy as np
import torch
from torch import Tensor

from unisono.codecs.phonemes import NUMBERS
from unisono.core.errors import UserError
from unisono.data.speech.states import FRAME_SIZE, NUM_DIMS, States

# Shares of what is drawn, by source. A source that is not named has the least share.
SHARES = {
    "hibari": 0.2,
    "kokoro": 0.14,
    "neural_speech": 0.12,
    "librispeech_train251": 0.14,
    "piper": 0.09,
    "flite": 0.07,
    "espeak": 0.07,
    "barista": 0.05,
    "prompts": 0.05,
    "wake_words": 0.03,
    "arabic_commands": 0.02,
    "fsdd": 0.01,
    "esc10": 0.01,
}
CROWDS = ("wake_words", "barista", "esc10")  # many speakers under one name: an item is a voice of its own
REFERENCE_FRAMES = 75  # 3 s of the voice
LONGEST = 250  # frames that an item counts with when items are drawn by length


class HeardRows:
    """Draws rows of `num_frames` frames."""

    def __init__(self, states: States, num_frames: int, shares: dict[str, float]) -> None:
        self.data, self.num_frames = states, num_frames
        sources = [item.get("source") or "" for item in states.items]
        if unknown := set(shares) - set(sources) - set(SHARES):
            raise UserError(
                f"no source {min(unknown)!r} in the states; choose from {', '.join(sorted(set(sources)))}"
            )
        lengths = [min(LONGEST, states.length(number)) for number in range(len(states))]
        totals = Counter[str]()
        for source, length in zip(sources, lengths):
            totals[source] += length
        weights = np.array(
            [
                length / totals[source] * shares.get(source, min(shares.values()))
                for source, length in zip(sources, lengths)
            ]
        )
        self.cumulative = np.cumsum(weights / weights.sum())
        self.by_voice: dict[tuple[str, bool], list[int]] = {}
        for number in range(len(states)):
            self.by_voice.setdefault(self._voice(number), []).append(number)

    def _voice(self, number: int) -> tuple[str, bool]:
        item = self.data.items[number]
        name = f"{item['source']} {number}" if item.get("source") in CROWDS else item["voice"]
        return name, bool(item.get("phonemes"))

    def draw(self, rng: np.random.Generator, num_rows: int) -> list[int]:
        """The first items of so many rows."""
        return list(np.searchsorted(self.cumulative, rng.random(num_rows)).clip(0, len(self.data) - 1))

    def collate(self, firsts: list[int], rng: np.random.Generator) -> dict[str, Tensor]:
        """`pcm` (B, N), `states` (B, F, D) half precision, `mask` (B, F) of the frames that are there,
        `reference` (B, 75 * 640) sound of the same voice with its `reference_mask` (B, 75), `targets` and
        `target_lengths` of the phonemes (0 where they are unknown)."""
        num_rows, num_frames = len(firsts), self.num_frames
        pcm = np.zeros((num_rows, num_frames * FRAME_SIZE), np.float32)
        states = np.zeros((num_rows, num_frames, NUM_DIMS), np.float16)
        mask, texts = np.zeros((num_rows, num_frames), bool), []
        reference = np.zeros((num_rows, REFERENCE_FRAMES * FRAME_SIZE), np.float32)
        reference_mask = np.zeros((num_rows, REFERENCE_FRAMES), bool)
        for row, first in enumerate(firsts):
            end, symbols, known = 0, [], True
            for number, start, length in self._fill(int(first), rng):
                states[row, end : end + length] = self.data.states(number, start, length)
                pcm[row, end * FRAME_SIZE : (end + length) * FRAME_SIZE] = self.data.pcm(
                    number, start, length
                )
                item, end = self.data.items[number], end + length
                symbols += [NUMBERS[symbol] for symbol in item.get("phonemes") or () if symbol in NUMBERS]
                known = known and bool(item.get("phonemes")) and length == self.data.length(number)
            mask[row, :end] = True
            texts.append(symbols if known else [])
            other = int(rng.choice(self.by_voice[self._voice(int(first))]))
            length = min(REFERENCE_FRAMES, self.data.length(other))
            reference[row, : length * FRAME_SIZE] = self.data.pcm(
                other, int(rng.integers(self.data.length(other) - length + 1)), length
            )
            reference_mask[row, :length] = True
        targets = np.zeros((num_rows, max(1, max(map(len, texts)))), np.int64)
        for row, text in enumerate(texts):
            targets[row, : len(text)] = text
        arrays = {
            "pcm": pcm.clip(-1, 1),
            "states": states,
            "mask": mask,
            "reference": reference.clip(-1, 1),
            "reference_mask": reference_mask,
            "targets": targets,
            "target_lengths": np.array([len(text) for text in texts]),
        }
        return {name: torch.from_numpy(value) for name, value in arrays.items()}

    def _fill(self, first: int, rng: np.random.Generator) -> list[tuple[int, int, int]]:
        """(item, its first frame, frames) of one row."""
        length = self.data.length(first)
        if length >= self.num_frames:
            return [(first, int(rng.integers(length - self.num_frames + 1)), self.num_frames)]
        pieces, end, same = [(first, 0, length)], length, self.by_voice[self._voice(first)]
        for _ in range(8):
            number = int(rng.choice(same))
            length = self.data.length(number)
            if end + length <= self.num_frames:
                pieces.append((number, 0, length))
                end += length
        return pieces
