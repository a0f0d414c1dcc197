"""The reader of codes: it learns letters where there are some to be learned, and counts them rightly."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_speech_codec
from hypothesis import given, strategies

from unisono.assess.quality.codec_reader import (
    Clip,
    LetterReader,
    ReaderEffort,
    Sayings,
    digits_of,
    edits,
    letter_errors,
    letters_of,
    read,
    taught,
)
from unisono.codecs.load import load_audio_codec
from unisono.codecs.quantize import FSQ
from unisono.codecs.speech import SpeechCodec
from unisono.core.errors import UserError
from unisono.data.speech.corpus import Spoken, to_int16, write_waves

SHORT = ReaderEffort(num_steps=150, batch_size=16, channels=32, learning_rate=1e-2)


@given(*[strategies.lists(strategies.integers(1, 3), max_size=7)] * 2)
def test_edits_are_levenshteins(made: list[int], wanted: list[int]) -> None:
    rows = [list(range(len(wanted) + 1))]
    for number, letter in enumerate(made, start=1):
        row = [number]
        for place, other in enumerate(wanted):
            row.append(min(row[-1] + 1, rows[-1][place + 1] + 1, rows[-1][place] + (letter != other)))
        rows.append(row)
    assert edits(made, wanted) == rows[-1][-1]


def test_letters_and_digits() -> None:
    assert letters_of("Ab") == [3, 4] and letters_of("?") == []
    quantizer = FSQ((5, 3))
    assert digits_of(quantizer, torch.tensor([0, 4, 5, 14])).tolist() == [[0, 0], [4, 0], [0, 1], [4, 2]]


def test_a_reader_learns_what_ids_say_and_nothing_from_noise() -> None:
    rng = np.random.default_rng(0)
    saying, silent = [], []
    for _ in range(104):
        letters = list(rng.integers(3, 8, 6))
        digits = torch.tensor(
            [[int(letter) - 3, place % 3] for place, letter in enumerate(letters) for _ in range(3)]
        )
        saying.append(Clip(digits, [int(letter) for letter in letters]))
        silent.append(Clip(torch.from_numpy(rng.integers(0, 3, digits.shape)), saying[-1].letters))
    errors = [
        letter_errors(taught((5, 3), clips[:96], SHORT), clips[96:])["rate"] for clips in (saying, silent)
    ]
    assert errors[0] < 0.3 < 0.5 < errors[1]


def test_filling_up_changes_nothing() -> None:
    torch.manual_seed(0)
    reader = LetterReader((5, 3), 16).eval()
    digits = torch.randint(0, 3, (1, 9, 2))
    filled = torch.cat([digits, torch.tensor([5, 3]).expand(1, 4, 2)], dim=1)
    assert torch.allclose(reader(filled)[:, :9], reader(digits), atol=1e-5)


def test_a_codec_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    facts = [("train", "hibari", "heart", 1.0)] * 6 + [
        ("val", "hibari", "heart", 1.0),
        ("test", "kokoro", "bf_lily", 1.0),
    ]
    facts += [
        ("test", "kokoro", "af_heart", 1.0),
        ("test", "librispeech_train251", "libri1", 9.0),
        ("train", "esc10", "esc10", 1.0),
    ]
    write_waves(
        tmp_path / "speech",
        [
            Spoken(
                to_int16(0.1 * rng.standard_normal(int(16000 * length))),
                {"text": "hello there", "voice": voice, "split": split, "source": source},
            )
            for split, source, voice, length in facts
        ],
    )
    sayings = Sayings([tmp_path / "speech"])
    assert {kind: len(numbers) for kind, numbers in sayings.test(9).items()} == {
        "main voice": 1,
        "Kokoro": 1,
        "a voice never heard": 1,
        "people never heard": 1,
    }
    tiny_speech_codec().save(tmp_path / "codec")
    codec = load_audio_codec(tmp_path / "codec")
    assert isinstance(codec, SpeechCodec)
    found = read(
        codec,
        [tmp_path / "speech"],
        ReaderEffort(num_steps=2, batch_size=2, num_train=3, num_test=2, channels=8),
    )
    assert (
        found["ids_per_s"] == 25
        and found["clips"] == 3
        and set(found["letter_errors"]) == set(sayings.test(1))
    )
    write_waves(
        tmp_path / "none",
        [
            Spoken(
                to_int16(np.zeros(16000)), {"text": None, "voice": "x", "split": "train", "source": "esc10"}
            )
        ],
    )
    with pytest.raises(UserError, match="transcribed sentences"):
        read(codec, [tmp_path / "none"])
