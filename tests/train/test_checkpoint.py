"""Training state: comes back with the random state; damaged or foreign files are explained in one line."""

from pathlib import Path

import pytest
import torch

from unisono.core.errors import UserError
from unisono.train.checkpoint import NAME, load_checkpoint, save_checkpoint


def test_state_and_random_numbers_come_back(tmp_path: Path) -> None:
    state = {"step": 7, "modules": {"a": [torch.arange(3), {"b": 0.5}]}}
    torch.manual_seed(3)
    save_checkpoint(tmp_path / "new", state)
    assert set(state) == {"step", "modules"} and [path.name for path in (tmp_path / "new").iterdir()] == [
        NAME
    ]
    drawn = torch.rand(3)
    torch.manual_seed(99)
    found = load_checkpoint(tmp_path / "new")
    assert found is not None and found["step"] == 7 and torch.equal(found["modules"]["a"][0], torch.arange(3))
    assert torch.equal(torch.rand(3), drawn)


def test_nothing_saved_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path) is None and load_checkpoint(tmp_path / "nowhere") is None


class Foreign:
    """Something that only its own program can read."""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text that is no checkpoint",
        b"PK\3\4 nor is this",
        b"\x80\2junk",
        {"step": 1},
        [1],
        3,
        "cut",
        {"torch_rng": Foreign()},
        {"torch_rng": 3},
    ],
)
def test_damaged_and_foreign_files(tmp_path: Path, content: object) -> None:
    path = tmp_path / NAME
    if content == "cut":
        save_checkpoint(tmp_path, {"zeros": torch.zeros(1000)})
        path.write_bytes(path.read_bytes()[:2000])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(UserError, match="is damaged .*delete it to start this stage again") as caught:
        load_checkpoint(tmp_path)
    assert "\n" not in str(caught.value)
