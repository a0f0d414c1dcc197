"""When somebody speaks and when their turn is over: the only place where that is decided.

A stream is followed in frames of 32 ms, in each of which silero says how probable a voice is. server_vad
waits for a length of silence. semantic_vad asks the network, in quiet moments only, how probable it holds
<|end_audio|> after the codes so far; eagerness says how sure it must be, and how long is waited for it at
most. No turn is longer than MAX_TURN_S.

Shapes: frames are (512,) float32 at 16 kHz. Times are in samples since the stream began.
"""

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from unisono.core.errors import UserError

VAD_RATE, FRAME = 16000, 512
MAX_TURN_S = 300
CONTEXT = 64  # samples before each frame that silero wants to see
HYSTERESIS = 0.15  # who speaks already is believed at a lower probability
CERTAIN = 0.9  # one such frame is a voice; below, two in a row are
# of the speech's level (-26 dB): silero lags two frames behind the end of a voice, loudness does not
FALLEN = 0.05
DECAY = 0.97  # of that level per frame: half in 0.7 s
MIN_QUIET = 2  # frames; within words there are shorter gaps, of closed lips
# At the end of 40 sentences the network said more than .97 in 19 of 20, in hiss 25 dB below the voice more
# than .45 in nine of ten; inside of nine in ten of them never more than .31, in hiss .19 (dev/LOG.md
# 2026-11-22). The longer it is quiet, the less is asked for: without that, some turns waited for 4 s.
HALVINGS = 16  # of the probability, until nothing is asked for any more
EAGERNESS = {
    "low": (0.8, 8.0),
    "medium": (0.4, 4.0),
    "auto": (0.4, 4.0),
    "high": (0.1, 2.0),
}  # probability, longest wait in s


@lru_cache(maxsize=1)
def silero() -> onnxruntime.InferenceSession:
    """The detector, shared by all streams. Found beside the package: importing that would start torch's hub
    and more.
    """
    found = importlib.util.find_spec("silero_vad")
    path = (
        Path(found.submodule_search_locations[0], "data", "silero_vad_16k_op15.onnx")
        if found and found.submodule_search_locations
        else None
    )
    if path is None or not path.is_file():
        raise UserError('turn detection needs silero; install it with: pip install "unisono[serve]"')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class VoiceActivity:
    """How probable a voice is in each frame of one stream."""

    rate = np.array(VAD_RATE, np.int64)

    def __init__(self) -> None:
        self.state = np.zeros((2, 1, 128), np.float32)
        self.context = np.zeros(CONTEXT, np.float32)

    def push(self, frame: NDArray[np.float32]) -> float:
        """(512,) -> probability."""
        heard = np.concatenate([self.context, frame])[None]
        self.context = frame[-CONTEXT:]
        probability, self.state = silero().run(None, {"input": heard, "state": self.state, "sr": self.rate})
        return float(probability[0, 0])


class Turns:
    """Follows one stream under a `turn_detection` of the API."""

    def __init__(self, settings: dict[str, Any], position: int = 0) -> None:
        self.voice, self.position = VoiceActivity(), position  # the end of the last frame
        self.is_speaking = False
        self.start = self.end = position  # of the speech, the latter so far
        self.num_voiced = self.num_quiet = 0
        self.level = 0.0  # of the speech: the largest root mean square, slowly forgotten
        self.expectation = 0.0  # highest probability of the end in this quiet moment
        self.set(settings)

    def set(self, settings: dict[str, Any]) -> None:
        """Other settings, in the middle of a stream."""
        self.is_semantic = settings["type"] == "semantic_vad"
        self.threshold = 0.5 if self.is_semantic else settings["threshold"]
        if self.is_semantic:
            self.sure, seconds = EAGERNESS[settings["eagerness"]]
            self.longest = round(seconds * VAD_RATE)
        else:
            self.longest = settings["silence_duration_ms"] * VAD_RATE // 1000

    def push(self, frame: NDArray[np.float32]) -> bool:
        """Takes the next frame -> whether somebody begins to speak with it."""
        probability = self.voice.push(frame)
        loudness = float(np.sqrt(np.square(frame).mean()))
        self.position += len(frame)
        self.level = (
            max(loudness, self.level * DECAY) if probability >= self.threshold else self.level * DECAY
        )
        if not self.is_speaking:
            return self._is_beginning(probability)
        if probability >= max(0.05, self.threshold - HYSTERESIS) and loudness > FALLEN * self.level:
            self.end, self.num_quiet, self.expectation = self.position, 0, 0.0
        else:
            self.num_quiet += 1
        return False

    def _is_beginning(self, probability: float) -> bool:
        self.num_voiced = self.num_voiced + 1 if probability >= self.threshold else 0
        if self.num_voiced < 2 and probability < max(CERTAIN, self.threshold):
            return False
        self.is_speaking = True
        # silero needs a frame or two to be sure of what it hears
        self.start, self.end = self.position - (self.num_voiced + 1) * FRAME, self.position
        self.num_voiced = self.num_quiet = 0
        self.expectation = 0.0
        return True

    @property
    def is_quiet(self) -> bool:
        """Whether the speaker pauses: the moment to ask the network."""
        return self.is_speaking and self.num_quiet > 0

    @property
    def asks(self) -> bool:
        """Whether the network is to be asked now how probable the end of the turn is."""
        return self.is_semantic and self.is_quiet

    def expect(self, probability: float) -> None:
        """Takes what the network holds of the end of the turn, after one more code."""
        if self.is_quiet:
            self.expectation = max(self.expectation, probability)

    def is_over(self) -> bool:
        """Whether the turn has ended."""
        if not self.is_speaking:
            return False
        if self.position - self.start > MAX_TURN_S * VAD_RATE:
            return True
        if not self.num_quiet:
            return False
        if self.position - self.end >= self.longest:
            return True
        halvings = (self.position - self.end) * HALVINGS / self.longest
        return (
            self.is_semantic and self.num_quiet >= MIN_QUIET and self.expectation >= self.sure * 0.5**halvings
        )

    def stop(self) -> None:
        """The turn was taken, or thrown away; what follows is another."""
        self.is_speaking, self.num_voiced, self.num_quiet = False, 0, 0
