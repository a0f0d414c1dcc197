"""May this voice be used? A voice that is no preset needs a sentence of consent, spoken by the same voice.

Three questions, each asked of the sound itself: does one person speak, does the consent come from whoever
speaks in the sample, and is the sentence said. The first two are told by speaker embeddings, the third by the
phonemes that the codec's reader finds. A recording of the sentence that is played back passes: only a phrase
that is new each time could tell, and the API that clients know has none.

Shapes: N samples at 16 kHz, F frames, P phonemes.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from unisono.codecs.phonemes import BLANK, NUMBERS
from unisono.core.errors import UserError
from unisono.speakers.encoder import SAMPLE_RATE, speaker_embedding

Floats = NDArray[np.float32]
SENTENCE = "I am the owner of this voice, and I agree that this server may speak with it."
# Its phonemes as espeak-ng gives them (language en-us), open where words could turn it into its contrary.
_SAID = "aɪɐm {}ðɪ oʊnɚɹ ʌv ðɪs vɔɪs ænd aɪ {}ɐɡɹi ðæt ðɪs sɜvɚ meɪ {}spik wɪð ɪt"
_CONTRARY = (
    ("nɑt ", "", ""),  # I am not the owner
    ("", "dunɑt ", ""),  # I do not agree
    ("", "doʊnt ", ""),
    ("", "kænt ", ""),
    ("", "kænɑt ", ""),
    ("", "nɛvɚ ", ""),
    ("", "dɪs", ""),  # I disagree
    ("", "", "nɑt "),  # it may not speak
    ("", "", "nɛvɚ "),
)
MAX_NATS = 1.5  # for each phoneme of the sentence; a recording that says something else needs more
MIN_LIKENESS = 0.75  # cosine of two recordings of one voice
MIN_HALVES = 0.845  # cosine of the two most different halves of a recording; less: two people speak
PART_S, STEP_S = 2.0, 1.0  # of a recording that is judged at a time
MIN_LOUDNESS = 0.005  # root mean square of a part; quieter ones hold no voice
MIN_S, MAX_S = 3.0, 60.0  # of a recording


class RecordingError(UserError):
    """A recording that is not what was asked for."""


def voice_in(pcm: Floats) -> Floats:
    """(N,) somebody who speaks alone -> (256,) the embedding of the voice. RecordingError for one that is
    too short, too long, silent, or of two people."""
    seconds = len(pcm) / SAMPLE_RATE
    if not MIN_S <= seconds <= MAX_S:
        raise RecordingError(f"expected {MIN_S:g} to {MAX_S:g} s of one voice, got {seconds:.1f} s")
    size, step = round(PART_S * SAMPLE_RATE), round(STEP_S * SAMPLE_RATE)
    parts = [pcm[start : start + size] for start in range(0, len(pcm) - size + 1, step)]
    loud = [part for part in parts if float(np.sqrt(np.mean(part**2))) > MIN_LOUDNESS]
    if not loud:
        raise RecordingError("expected somebody who speaks, got a silent recording")
    if halves_alike(np.stack([speaker_embedding(part) for part in loud])) < MIN_HALVES:
        raise RecordingError("expected one person who speaks alone, heard two voices")
    return speaker_embedding(pcm)


def halves_alike(parts: Floats) -> float:
    """(B, 256) embeddings of the parts of a recording -> cosine of the means of two groups, parted along the
    direction in which they differ most."""
    if len(parts) < 2:
        return 1.0
    apart = parts - parts.mean(axis=0)
    is_first = apart @ np.linalg.svd(apart, full_matrices=False)[2][0] > 0
    if is_first.all() or not is_first.any():  # all alike
        return 1.0
    one, other = parts[is_first].mean(axis=0), parts[~is_first].mean(axis=0)
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def consent_nats(log_probs: Tensor) -> tuple[float, float]:
    """(F, P + 1) what the reader finds -> nats a phoneme of the sentence, and of the likeliest sentence that
    refuses. Lower is likelier; infinity where the recording is too short for it."""
    consent = _nats(log_probs, _numbers("", "", ""))
    return consent, min(_nats(log_probs, _numbers(*words)) for words in _CONTRARY)


def check_consent(log_probs: Tensor, voice: Floats, sample: Floats) -> None:
    """What the reader finds in the consent, and the voices (256,) in consent and sample. RecordingError where
    another voice consents, or something else is said."""
    if float(voice @ sample) < MIN_LIKENESS:
        raise RecordingError(
            "the consent is not spoken by the voice of the sample; record both with one person"
        )
    check_sentence(log_probs)


def check_sentence(log_probs: Tensor) -> None:
    """RecordingError unless the reader finds the sentence of consent."""
    consent, refusal = consent_nats(log_probs)
    if consent > MAX_NATS or refusal <= consent:
        raise RecordingError(f'the consent must be this sentence, read aloud in English: "{SENTENCE}"')


def _numbers(*words: str) -> list[int]:
    return [NUMBERS[symbol] for symbol in _SAID.format(*words) if symbol != " "]


def _nats(log_probs: Tensor, wanted: list[int]) -> float:
    """All nats of the phonemes, over the number of those of the consent, so that sentences compare."""
    loss = functional.ctc_loss(
        log_probs[:, None],
        torch.tensor([wanted]),
        torch.tensor([len(log_probs)]),
        torch.tensor([len(wanted)]),
        blank=BLANK,
        reduction="sum",
    )
    return float(loss) / len(_numbers("", "", ""))
