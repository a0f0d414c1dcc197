"""Words are found where they were said; whatever the reader makes of a sound, nothing of it is lost."""

import shutil

import numpy as np
import pytest
import torch

from unisono.codecs.phonemes import BLANK, NUMBERS, PHONES, PhonemeReader
from unisono.core.errors import UserError
from unisono.data.speech.cutter import WordCutter, pronounced, word_starts
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Audio, Text

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs the program espeak-ng")


def heard(frames: list[int], sure: float = 0.9) -> np.ndarray:
    """(F, P + 1) log-probabilities of a reader that hears one symbol in each frame."""
    probabilities = np.full((len(frames), len(PHONES) + 1), (1 - sure) / len(PHONES), np.float32)
    probabilities[np.arange(len(frames)), frames] = sure
    return np.log(probabilities)


def test_each_word_begins_with_its_first_phoneme() -> None:
    words = [[3, 5], [5], [7, 3, 9]]
    frames = [0, 3, 0, 5, 5, 0, 0, 5, 0, 7, 3, 0, 9, 0]
    assert word_starts(heard(frames), words) == [1, 7, 9]
    assert word_starts(heard(frames[1:]), words) == [0, 6, 8]


def test_a_phoneme_that_was_not_heard_is_placed_between_those_that_were() -> None:
    starts = word_starts(heard([3, 0, 0, 0, 9, 0]), [[3], [5], [9]])
    assert starts is not None and starts[0] == 0 < starts[1] < starts[2] == 4


def test_a_sound_that_is_too_short_for_its_words_has_no_places() -> None:
    assert word_starts(heard([3, 5]), [[3, 5], [7]]) is None
    assert word_starts(heard([3, 3]), [[3], [3]]) is None  # equal neighbours need a blank between them
    assert word_starts(heard([3, BLANK, 3]), [[3], [3]]) == [0, 2]


@needs_espeak
def test_what_is_not_said_goes_with_the_word_before() -> None:
    assert [word for word, _ in pronounced("Yes, there - is a star.")] == [
        "Yes,",
        " there -",
        " is",
        " a",
        " star.",
    ]
    assert pronounced("...") == [] and pronounced("") == []
    assert all(
        number in NUMBERS.values() for _, numbers in pronounced("three red stars") for number in numbers
    )


@needs_espeak
def test_nothing_is_lost_in_cutting(tokenizer: OmniTokenizer) -> None:
    torch.manual_seed(0)
    cutter = WordCutter(tokenizer.audio_codec, PhonemeReader(len(tokenizer.audio_codec.config.levels)))
    text, codes = "There are two red stars.", np.arange(60) % tokenizer.audio_codec.codebook_size
    cutter.prepare([text])
    parts = cutter.cut(text, codes)
    assert [type(part) for part in parts] == [Text, Audio] * 5
    assert "".join(part.text for part in parts[::2]) == text and parts[2].text == " are"
    assert np.array_equal(np.concatenate([part.codes for part in parts[1::2]]), codes) and all(
        len(part.codes) for part in parts[1::2]
    )
    assert [type(part) for part in cutter.cut(text, codes[:9])] == [Text, Audio]


def test_a_reader_is_read_as_it_was_written(tmp_path) -> None:
    reader = PhonemeReader(5).half().float()  # what half precision holds, in which it is written
    reader.save(tmp_path / "phonemes.safetensors")
    quantized = torch.randn(2, 30, 5)
    again = PhonemeReader.load(tmp_path / "phonemes.safetensors")
    assert torch.equal(again(quantized), reader(quantized)) and again(quantized).shape == (
        2,
        30,
        len(PHONES) + 1,
    )
    with pytest.raises(UserError, match="no phoneme reader at"):
        PhonemeReader.load(tmp_path / "missing.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(UserError, match="is not a phoneme reader"):
        PhonemeReader.load(tmp_path / "text.safetensors")
