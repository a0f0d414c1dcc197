"""Several processes of one training, as torchrun starts them: who is who, and which rows are whose.

A batch is a pure function of (seed, step), so that every process knows the whole of it and takes its rows;
how many processes there are changes nothing that is learned.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed

from unisono.core.errors import UserError

PATIENCE = timedelta(minutes=30)  # a process that validates or compiles may be late by so much
LOST = (
    "another process of this training ended, and it cannot go on without it; "
    "start the same command again: it resumes from the last checkpoint"
)

# Set by `unisono train --processes` in the processes it starts: it says itself who is lost, and says it once.
LAUNCHED = "UNISONO_LAUNCHED"


@dataclass(frozen=True)
class Group:
    """This process among all: alone unless torchrun says otherwise."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that logs, saves and shows progress."""
        return self.rank == 0


def group_of() -> Group:
    """From the environment that torchrun sets. UserError where it contradicts itself."""
    rank, size = (os.environ.get(name, usual) for name, usual in (("RANK", "0"), ("WORLD_SIZE", "1")))
    if not (rank.isdigit() and size.isdigit() and int(rank) < int(size)):
        raise UserError(f"expected RANK to lie below WORLD_SIZE, as torchrun sets both, got {rank} of {size}")
    return Group(int(rank), int(size))


def own_device(device: torch.device) -> torch.device:
    """Of several GPUs the one of this process on this machine."""
    if device.type == "cuda" and device.index is None and group_of().size > 1:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    return device


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The group, whose processes can talk to each other inside. UserError where one of them is lost."""
    group = group_of()
    if group.size == 1 or distributed.is_initialized():
        yield group
        return
    try:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
        yield group
    except distributed.DistError:
        raise _lost() from None
    except RuntimeError as error:  # gloo's way to say it
        if any(sign in str(error) for sign in ("Connection closed", "Connection reset", "imed out")):
            raise _lost() from None
        raise
    finally:
        if distributed.is_initialized():
            with contextlib.suppress(RuntimeError):
                distributed.destroy_process_group()


def _lost() -> BaseException:
    """What ends a process that cannot go on without another one."""
    return SystemExit(2) if LAUNCHED in os.environ else UserError(LOST)


def rows_of(batch: Any, start: int, step: int) -> Any:
    """Every `step`-th row of a batch from row `start`; what has no rows is whole. UserError where the rows
    cannot be shared equally."""
    if isinstance(batch, dict):
        return {key: rows_of(value, start, step) for key, value in batch.items()}
    if not isinstance(batch, Tensor) or not batch.ndim:
        return batch
    if len(batch) % step:
        raise UserError(
            f"{len(batch)} rows of a batch cannot be shared by {step} processes and accumulated parts; "
            "choose a batch_size that they divide"
        )
    return batch[start::step]


def sum_over(tensors: list[Tensor], group: Group) -> None:
    """Replaces each tensor by its sum over all processes, in one exchange for each kind of number."""
    if group.size == 1:
        return
    by_kind: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        by_kind.setdefault(tensor.dtype, []).append(tensor)
    for alike in by_kind.values():
        flat = torch.cat([tensor.flatten() for tensor in alike])
        distributed.all_reduce(flat)
        for tensor, part in zip(alike, flat.split([tensor.numel() for tensor in alike])):
            tensor.copy_(part.view_as(tensor))


def any_of(flag: bool, group: Group, device: torch.device) -> bool:
    """Whether it is so in any process: all of them decide alike."""
    if group.size == 1:
        return flag
    told = torch.tensor([float(flag)], device=device)
    distributed.all_reduce(told)
    return bool(told.item())
