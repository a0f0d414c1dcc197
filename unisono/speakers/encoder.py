"""Who speaks: embeddings of voices by the network whose weights the package resemblyzer ships.

Shapes: N samples, F frames, B parts. Sound is float32 mono.
"""

import functools
import importlib.util
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor, nn

from unisono.core.errors import UserError
from unisono.core.mel import slaney_bands

SAMPLE_RATE = 16000  # of the network
NUM_MELS = 40
MEL_WINDOW, MEL_HOP = 400, 160  # samples: 25 ms and 10 ms
PART_FRAMES, PART_STEP = 160, 77  # the network judges 1.6 s at a time, 1.3 parts a second
MIN_LOUDNESS = 10 ** (-30 / 20)  # root mean square; quieter sound is raised to it


def can_judge_voices() -> bool:
    """Whether the package is installed whose weights are the judge."""
    return importlib.util.find_spec("resemblyzer") is not None


def voice_similarity(a: np.ndarray, b: np.ndarray, rate: int = SAMPLE_RATE) -> float:
    """Cosine of the speaker embeddings of two sounds (N,) and (M,): 1 for the same voice, about 0.5 for
    strangers.
    """
    return float(speaker_embedding(a, rate) @ speaker_embedding(b, rate))


def speaker_embedding(pcm: np.ndarray, rate: int = SAMPLE_RATE) -> np.ndarray:
    """(N,) float mono -> (256,) unit vector of Resemblyzer's speaker encoder."""
    pcm = _at_16_khz(pcm, rate)
    loudness = float(np.sqrt(np.mean(np.square(pcm)) + 1e-12))
    mels = _mel_frames(torch.from_numpy(pcm * max(1.0, MIN_LOUDNESS / loudness)))
    starts = range(
        0, max(1, len(mels) - PART_FRAMES // 4), PART_STEP
    )  # a last part less than a quarter full is dropped
    padded = nn.functional.pad(mels, (0, 0, 0, PART_FRAMES))
    parts = torch.stack([padded[start : start + PART_FRAMES] for start in starts])
    with torch.no_grad():
        mean = _speaker_encoder()(parts).mean(dim=0)
    return (mean / mean.norm()).numpy()


def window_embedding(pcm: np.ndarray) -> np.ndarray:
    """(N,) at SAMPLE_RATE, judged in one piece however short -> (256,) unit vector."""
    loudness = float(np.sqrt(np.mean(np.square(pcm)) + 1e-12))
    mels = _mel_frames(torch.from_numpy(np.ascontiguousarray(pcm * max(1.0, MIN_LOUDNESS / loudness))))
    with torch.no_grad():
        found: np.ndarray = _speaker_encoder()(mels[None])[0].numpy()
    return found


class SpeakerEncoder(nn.Module):
    """The network whose weights the package resemblyzer ships (d-vectors trained with the GE2E loss)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(NUM_MELS, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)

    def forward(self, mels: Tensor) -> Tensor:
        """(B, 160, 40) -> (B, 256) unit vectors."""
        _, (hidden, _) = self.lstm(mels)
        return nn.functional.normalize(self.linear(hidden[-1]).relu(), dim=1)


@functools.lru_cache(maxsize=1)
def _speaker_encoder() -> SpeakerEncoder:
    """Only the package's weights are read: importing it would pull in librosa and a voice detector."""
    package = importlib.util.find_spec("resemblyzer")
    if package is None or package.origin is None:
        raise UserError("comparing voices needs the package resemblyzer; pip install --no-deps resemblyzer")
    weights = torch.load(
        Path(package.origin).parent / "pretrained.pt", map_location="cpu", weights_only=True
    )["model_state"]
    encoder = SpeakerEncoder()
    encoder.load_state_dict({name: value for name, value in weights.items() if name in encoder.state_dict()})
    return encoder.eval()


def _mel_frames(pcm: Tensor) -> Tensor:
    """(N,) -> (F, 40) power in mel bands, as librosa's melspectrogram computes it by default."""
    window = torch.hann_window(MEL_WINDOW)
    spectrum = torch.stft(
        pcm, MEL_WINDOW, MEL_HOP, window=window, center=True, pad_mode="constant", return_complex=True
    )
    return (_mel_bands() @ spectrum.abs().square()).T


@functools.lru_cache(maxsize=1)
def _mel_bands() -> Tensor:
    """(40, 201) bands."""
    return slaney_bands(NUM_MELS, MEL_WINDOW // 2 + 1, SAMPLE_RATE).T.contiguous()


def _at_16_khz(pcm: np.ndarray, rate: int) -> np.ndarray:
    pcm = np.asarray(pcm, np.float32).reshape(-1)
    if not len(pcm):
        raise ValueError("expected sound to judge, got no samples")
    return pcm if rate == SAMPLE_RATE else soxr.resample(pcm, rate, SAMPLE_RATE)
