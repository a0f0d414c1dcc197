"""Consent: who speaks, how many, and whether the sentence is said."""

import shutil

import numpy as np
import pytest
import torch

from unisono.codecs.phonemes import BLANK, NUMBERS, PHONES
from unisono.data.speech.voices import phonemes, speak
from unisono.speakers.consent import (
    SENTENCE,
    RecordingError,
    check_consent,
    check_sentence,
    consent_nats,
    voice_in,
)
from unisono.speakers.encoder import SAMPLE_RATE, can_judge_voices

needs_voices = pytest.mark.skipif(
    not can_judge_voices() or shutil.which("flite") is None, reason="needs resemblyzer's weights and flite"
)
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
LONG = "We walked along the river until the sun went down, and then we walked all the way back again."


def read(text: str, certainty: float = 0.9) -> torch.Tensor:
    """(F, P + 1) as if each phoneme of a text were heard for two frames, and a blank after it."""
    heard = [NUMBERS[symbol] for symbol in phonemes([text])[0]]
    found = torch.full((3 * len(heard), len(PHONES) + 1), (1 - certainty) / len(PHONES))
    for place, number in enumerate(heard):
        found[3 * place : 3 * place + 2, number] = found[3 * place + 2, BLANK] = certainty
    return found.log()


@needs_espeak
@pytest.mark.parametrize("certainty", [0.9, 0.6])
def test_the_sentence_is_told_from_others(certainty: float) -> None:
    check_sentence(read(SENTENCE, certainty))
    for said in (LONG, "I am the owner of this voice.", SENTENCE.replace("agree", "think")):
        with pytest.raises(RecordingError, match='this sentence, read aloud in English: "I am the owner'):
            check_sentence(read(said, certainty))


@needs_espeak
@pytest.mark.parametrize(
    ("words", "others"),
    [
        ("I am the owner", "I am not the owner"),
        ("I agree", "I do not agree"),
        ("I agree", "I don't agree"),
        ("I agree", "I cannot agree"),
        ("I agree", "I disagree"),
        ("I agree", "I never agree"),
        ("may speak", "may not speak"),
    ],
)
def test_its_contrary_is_no_consent(words: str, others: str) -> None:
    found = read(SENTENCE.replace(words, others), 0.6)
    consent, refusal = consent_nats(found)
    assert refusal < consent
    with pytest.raises(RecordingError, match="read aloud"):
        check_sentence(found)


@needs_espeak
def test_silence_says_nothing() -> None:
    silent = torch.full((200, len(PHONES) + 1), 1e-4)
    silent[:, BLANK] = 1
    for found in (silent.log(), silent[:5].log()):  # the second is too short for any sentence
        with pytest.raises(RecordingError, match="read aloud"):
            check_sentence(found)


@needs_voices
@needs_espeak
def test_consent_is_the_speakers_own() -> None:
    slt, rms, again = (
        voice_in(speak(text, name)) for text, name in ((LONG, "slt"), (LONG, "rms"), (SENTENCE, "slt"))
    )
    check_consent(read(SENTENCE), again, slt)
    with pytest.raises(RecordingError, match="not spoken by the voice of the sample"):
        check_consent(read(SENTENCE), again, rms)
    with pytest.raises(RecordingError, match="must be this sentence"):
        check_consent(read(LONG), again, slt)


@needs_voices
def test_one_person_who_speaks_long_enough() -> None:
    slt, rms = speak(LONG, "slt"), speak(LONG, "rms")
    assert voice_in(slt).shape == (256,)
    for pcm, said in (
        (np.concatenate([slt, rms]), "heard two voices"),
        (np.zeros(5 * SAMPLE_RATE, np.float32), "silent"),
        (slt[:SAMPLE_RATE], r"expected 3 to 60 s of one voice, got 1\.0 s"),
        (np.tile(slt, 15), "expected 3 to 60 s"),
    ):
        with pytest.raises(RecordingError, match=said):
            voice_in(pcm)
