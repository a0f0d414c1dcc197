"""Whisper's states beside sound, and the rows that are filled with both."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from heard import PLACE, build_home, marked

from unisono.core.errors import UserError
from unisono.data.speech import states as states_module
from unisono.data.speech.labels import NAME, read_labels
from unisono.data.speech.states import FRAME_SIZE, LEAD_FRAMES, TAIL_FRAMES, States, build_states
from unisono.train.heard_rows import REFERENCE_FRAMES, HeardRows


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small home."""
    return build_home(tmp_path_factory.mktemp("home"))


def test_states_and_sound_stay_together(data: Path) -> None:
    states = States(data / "speech", data / "states", "train")
    assert len(states) == 6
    for number in range(6):
        length = states.length(number)
        assert length == LEAD_FRAMES + TAIL_FRAMES + -(-states.items[number]["length"] // FRAME_SIZE)
        for start, width in ((0, length), (7, 12), (length - 9, 9)):
            assert np.array_equal(
                states.states(number, start, width), marked(states.pcm(number, start, width))
            )
    with pytest.raises(UserError, match="no states of split 'test'"):
        States(data / "speech", data / "states", "test")


def test_finished_parts_are_left_alone(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states_module, "states_of", None)
    build_states(data / "speech", [data / "speech" / PLACE], data / "states")


def test_rows_are_repeatable_and_of_one_voice(data: Path) -> None:
    rows = HeardRows(States(data / "speech", data / "states", "train"), 120, {"hibari": 0.5, "piper": 0.5})
    batch, again = (
        rows.collate(rows.draw(rng, 6), rng) for rng in (np.random.default_rng(3), np.random.default_rng(3))
    )
    assert all(torch.equal(value, again[name]) for name, value in batch.items())
    assert (
        batch["pcm"].shape == (6, 120 * 640)
        and batch["states"].shape == (6, 120, 512)
        and batch["reference"].shape == (6, REFERENCE_FRAMES * 640)
    )
    for row in range(6):
        there = int(batch["mask"][row].sum())
        assert np.allclose(batch["states"][row, :there], marked(batch["pcm"][row].numpy())[:there], atol=1e-3)
        assert not batch["pcm"][row, there * 640 :].any()
        assert len({rows._voice(number) for number, _, _ in rows._fill(0, np.random.default_rng(row))}) == 1
    lengths = batch[
        "target_lengths"
    ].tolist()  # of five phonemes an item; 0 where the text is unknown or the item is cut
    assert all(length % 5 == 0 for length in lengths) and len(set(lengths)) > 1
    with pytest.raises(UserError, match="no source 'nobody'"):
        HeardRows(rows.data, 120, {"nobody": 1.0})


def test_labels_stand_in_for_missing_texts(data: Path) -> None:
    folder = data / "speech" / PLACE
    (folder / NAME).write_text(
        json.dumps({"item": 5, "text": "Hello.", "phonemes": ["h"]}) + "\n" + '{"item": 2, "te'
    )
    try:
        assert set(read_labels(folder)) == {5}
        found = [
            item
            for item in States(data / "speech", data / "states", "train").items
            if item["state_item"] == 5
        ]
        assert found[0]["phonemes"] == ["h"] and found[0]["text"] == "Hello."
    finally:
        (folder / NAME).unlink()
