"""The id map: spans tile the vocabulary, every id has one name, codes and ids are each other's way back."""

import json
from pathlib import Path

import numpy as np
import pytest

from unisono.core.errors import UserError
from unisono.tokens.vocab import MAX_PROMPT, MULTIPLE, NUM_SPECIALS, NUM_TIMES, SPECIALS, Vocabulary

VOCAB = Vocabulary(text_size=300, audio_size=50, image_size=40)


@pytest.mark.parametrize("sizes", [(300, 50, 40), (1, 1, 1), (4096, 4375, 4375), (298, 1, 21)])
def test_spans_tile_the_vocabulary(sizes: tuple[int, int, int]) -> None:
    vocab, end = Vocabulary(*sizes), 0
    for span in vocab.spans.values():
        assert span.start == end and span.size >= 0
        end = span.end
    assert end == vocab.size and vocab.size % MULTIPLE == 0
    assert [vocab.span(name).size for name in ("text", "audio", "image")] == list(sizes)
    assert vocab.span("padding").size < MULTIPLE


def test_every_id_has_one_name_and_modality() -> None:
    names = [VOCAB.name(id) for id in range(VOCAB.size)]
    assert len(set(names)) == VOCAB.size
    for name, span in VOCAB.spans.items():
        assert all(VOCAB.modality(id) == name for id in range(span.start, span.end))
    assert names[17] == "text_17" and names[VOCAB.span("audio").start + 3] == "<|audio_3|>"
    assert names[VOCAB.span("image").start] == "<|image_0|>"


def test_a_prompt_has_the_last_of_the_specials() -> None:
    names = [VOCAB.name(VOCAB.prompt_start + n) for n in range(MAX_PROMPT)]
    assert names == [f"<|prompt_{n}|>" for n in range(MAX_PROMPT)]
    assert VOCAB.id(names[-1]) + 1 == VOCAB.span("time").start == VOCAB.prompt_start + MAX_PROMPT


def test_specials_and_times_are_found_by_name() -> None:
    assert [VOCAB.id(name) for name in SPECIALS] == list(range(300, 300 + len(SPECIALS)))
    assert (
        VOCAB.id("<|t:0.0|>") == 300 + NUM_SPECIALS
        and VOCAB.id("<|t:31.5|>") == 300 + NUM_SPECIALS + NUM_TIMES - 1
    )
    assert VOCAB.name(VOCAB.id("<|t:2.5|>")) == "<|t:2.5|>" and VOCAB.name(VOCAB.id("<|user|>")) == "<|user|>"
    for name in ("<|nobody|>", "user", "<|t:32.0|>", "<|t:0.25|>", "text_3"):
        with pytest.raises(ValueError, match="no special id"):
            VOCAB.id(name)


@pytest.mark.parametrize("modality, size", [("audio", 50), ("image", 40), ("text", 300)])
def test_codes_and_ids(modality: str, size: int) -> None:
    codes = np.arange(size)
    ids = VOCAB.to_ids(modality, codes)
    assert all(VOCAB.modality(int(id)) == modality for id in ids) and np.array_equal(
        VOCAB.to_codes(modality, ids), codes
    )
    assert VOCAB.to_ids(modality, []).shape == VOCAB.to_codes(modality, []).shape == (0,)
    assert VOCAB.to_ids(modality, codes[:6].reshape(2, 3)).shape == (6,)
    for wrong in (-1, size):
        with pytest.raises(ValueError, match=f"must lie in .0, {size}"):
            VOCAB.to_ids(modality, [0, wrong])
    span = VOCAB.span(modality)
    for wrong in (span.start - 1, span.end):
        with pytest.raises(ValueError, match=f"must lie in .{span.start}, {span.end}"):
            VOCAB.to_codes(modality, [span.start, wrong])


def test_nonsense_is_refused() -> None:
    for id in (-1, VOCAB.size):
        with pytest.raises(ValueError, match="outside the vocabulary"):
            VOCAB.modality(id)
    with pytest.raises(ValueError, match="no span 'smell'"):
        VOCAB.span("smell")
    for sizes in ((0, 1, 1), (1, -1, 1), (1, 1, 2.5), ("300", 1, 1)):
        with pytest.raises(UserError, match="whole number"):
            Vocabulary(*sizes)  # type: ignore[arg-type]


def test_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.json"
    VOCAB.save(path)
    assert Vocabulary.load(path) == VOCAB
    for content in (
        "",
        "[1, 2]",
        "3",
        json.dumps({"text_size": 1}),
        json.dumps({"text_size": 1, "audio_size": 1, "image_size": "x"}),
    ):
        path.write_text(content)
        with pytest.raises(UserError):
            Vocabulary.load(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="does not hold a vocabulary"):
        Vocabulary.load(path)
    for missing in (tmp_path / "none.json", path / "below a file"):
        with pytest.raises(UserError, match="no vocabulary"):
            Vocabulary.load(missing)
