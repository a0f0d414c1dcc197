"""Encoding of a signal that arrives in pieces: what every audio codec does alike, whatever its encoder.

Shapes: N samples, F frames, C channels of the encoder. pcm is float in [-1, 1].
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class EncoderStream(ABC):
    """Encodes one signal piece by piece; equals the codec's `encode` of the whole."""

    def __init__(self, frame_size: int, lookahead: int) -> None:
        """`frame_size` samples a code; the encoder waits for `lookahead` frames before it commits to one."""
        self.frame_size, self.lookahead = frame_size, lookahead
        self.pending = torch.zeros(0)  # samples short of a whole frame
        self.num_wait = lookahead  # outputs still to be thrown away

    @abstractmethod
    def hidden(self, pcm: Tensor) -> Tensor:
        """(1, N) pcm of whole frames -> (1, F, C); keeps the encoder's state for the next piece."""

    @abstractmethod
    def codes_of(self, hidden: Tensor) -> Tensor:
        """(1, F, C) -> (1, F) codes."""

    @torch.inference_mode()
    def push(self, pcm: Tensor) -> Tensor:
        """(N,) pcm -> (F,) codes that became certain; F may be 0."""
        pcm = torch.cat([self.pending, pcm])
        num_samples = len(pcm) // self.frame_size * self.frame_size
        self.pending = pcm[num_samples:]
        return self._advance(pcm[:num_samples])

    @torch.inference_mode()
    def flush(self) -> Tensor:
        """-> (F,) the codes still owed; ends the signal with silence."""
        late = self.push(torch.zeros(-len(self.pending) % self.frame_size))
        rest = self._advance(torch.zeros(self.lookahead * self.frame_size))
        return torch.cat([late, rest])

    def _advance(self, pcm: Tensor) -> Tensor:
        if not len(pcm):
            return torch.zeros(0, dtype=torch.int64)
        hidden = self.hidden(pcm[None])
        skipped = min(self.num_wait, hidden.shape[1])
        self.num_wait -= skipped
        return self.codes_of(hidden[:, skipped:])[0]
