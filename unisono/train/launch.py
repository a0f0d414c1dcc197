"""Starts the processes of one training on this machine, by torchrun's own engine, and tells in one sentence
when one of them is lost. Several machines are torchrun's business (docs/training.md).
"""

import logging
import os
import signal
import uuid
from collections.abc import Sequence

from unisono.core.distributed import LAUNCHED
from unisono.core.errors import UserError


def launched(size: int, command: Sequence[str]) -> int:
    """Runs the command in `size` processes that share a training -> 0. UserError where one of them is lost;
    what it had to say itself, it has said.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # our sentence is enough
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // size)))
    os.environ[LAUNCHED] = "1"
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=size,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(),
    )
    try:
        elastic_launch(config, command[0])(*command[1:])
    except ChildFailedError as error:
        # who was killed, rather than who could not go on without it
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        rank = min(codes, key=lambda rank: (codes[rank] >= 0, rank))
        raise UserError(_told(rank, size, codes[rank])) from None
    except SignalException as stop:
        if stop.sigval is signal.SIGINT:
            raise KeyboardInterrupt from None
        raise UserError("the training was ended from outside; the same command resumes it") from None
    finally:
        os.environ.pop(LAUNCHED)
    return 0


def _told(rank: int, size: int, exitcode: int) -> str:
    """What became of the process that ended first."""
    if exitcode >= 0:
        return f"process {rank} of {size} ended with status {exitcode}; the same command resumes the training"
    name = signal.Signals(-exitcode).name
    hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
    return (
        f"process {rank} of {size} was ended by {name}{hint}; the same command resumes the training from "
        "its last checkpoint"
    )
