"""The sound of one response on its way out: rate, speed and format of the wire, and how much of it can have
been heard.

Shapes: N samples.
"""

import base64
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.serve.realtime.events import Player
from unisono.serve.realtime.items import Item
from unisono.serve.wire.resample import PromptResampler
from unisono.serve.wire.sound import Stretcher, rate_of, to_wire

# The voice was learned with 60 ms of silence before each sentence; nobody has to wait for that before the
# first one.
AUDIBLE, MAX_SKIPPED_S, KEPT_BEFORE_S = 0.005, 0.1, 0.005


class SpokenOutput:
    """Sends a response's sound, message by message."""

    def __init__(
        self,
        output: dict[str, Any],
        codec_rate: int,
        response_id: str,
        player: Player | None,
        send: Callable[[str], None],
    ) -> None:
        """`output`: audio.output of the session. `codec_rate`: of what is pushed. `player` plays it where
        there is one; otherwise `send` gets base64 of each piece.
        """
        self.format, self.speed, self.codec_rate = output["format"], output["speed"], codec_rate
        self.response_id, self.player, self.send = response_id, player, send
        self.rate = player.rate if player else rate_of(self.format)
        self.num_samples, self.began = 0, 0.0
        self.num_skipped, self.is_audible = 0, False
        self.starts: dict[str, int] = {}  # of each message: samples before it
        self.clear()

    def clear(self) -> None:
        """Drops what is still within; another message begins, or none."""
        self.resample = PromptResampler(self.codec_rate, self.rate)
        self.stretch = Stretcher(self.rate, self.speed)

    def push(self, item: Item, pcm: NDArray[np.float32]) -> None:
        """(N,) more of a message, sent at once."""
        if not self.is_audible and len(pcm):
            pcm = self._audible(pcm)
        self._send(item, self.stretch.push(self.resample.push(pcm)))

    def end(self, item: Item) -> None:
        """The message is over: sends what is still within."""
        rest = self.resample.push(np.zeros(0, np.float32), last=True)
        self._send(item, self.stretch.push(rest, last=True))
        self.clear()

    def _send(self, item: Item, made: NDArray[np.float32]) -> None:
        self.starts.setdefault(item.id, self.num_samples)
        if not len(made):
            return
        self.began = self.began or time.perf_counter()
        self.num_samples += len(made)
        if self.player:
            self.player.push(self.response_id, item.id, made)
        else:
            self.send(base64.b64encode(to_wire(made, self.format)).decode())

    def _audible(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """From where the voice begins."""
        loud = np.flatnonzero(np.abs(pcm) > AUDIBLE)
        kept, most = round(KEPT_BEFORE_S * self.codec_rate), round(MAX_SKIPPED_S * self.codec_rate)
        begin = min(max(0, int(loud[0]) - kept) if len(loud) else len(pcm), most - self.num_skipped)
        self.num_skipped += begin
        self.is_audible = begin < len(pcm)
        return pcm[begin:]

    def skipped_ms(self, item: Item) -> float:
        """How much silence at the beginning of a message was not sent: only the first has some."""
        is_first = self.starts.get(item.id, 0) == 0
        return self.num_skipped * 1000 / self.codec_rate if is_first else 0.0

    def heard_ms(self, item: Item) -> float:
        """How much of a message can have been heard by now where it is played as it comes."""
        start = self.starts.get(item.id)
        if not self.began or start is None:
            return 0.0
        end = min((later for later in self.starts.values() if later > start), default=self.num_samples)
        elapsed = time.perf_counter() - self.began - start / self.rate
        return max(0.0, min((end - start) / self.rate, elapsed)) * 1000

    @property
    def left_s(self) -> float:
        """How long it goes on where it is played as it comes."""
        return self.num_samples / self.rate - (time.perf_counter() - self.began) if self.began else 0.0
