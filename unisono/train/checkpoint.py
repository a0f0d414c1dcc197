"""Training state on disk: everything that the next step depends on, in one file that is whole or absent.

The data position is the step number itself (a batch is a pure function of seed and step), so it needs no
state of its own. Killed at any moment, a run loses at most the steps since its last checkpoint.
"""

from pathlib import Path
from typing import Any

import torch

from unisono.core.errors import UserError
from unisono.core.home import atomic_write

NAME = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Writes `state` (plain values and tensors) and the random state of torch to folder/checkpoint.pt."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {**state, "torch_rng": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda_rng"] = torch.cuda.get_rng_state()

    def write(path: Path) -> None:
        try:
            torch.save(state, path)
        except RuntimeError as error:  # how torch reports a full disk
            raise OSError(str(error).split("\n")[0]) from error

    atomic_write(folder / NAME, write)


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """-> the saved state, or None where there is no checkpoint; restores torch's random state. UserError
    where the file is damaged.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        torch.set_rng_state(state.pop("torch_rng"))
    except Exception as error:  # torch raises a dozen kinds for damaged and foreign files
        reason = str(error).split("\n")[0] or type(error).__name__
        raise UserError(f"{path} is damaged ({reason}); delete it to start this stage again") from None
    if "cuda_rng" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state.pop("cuda_rng"))
    return state
