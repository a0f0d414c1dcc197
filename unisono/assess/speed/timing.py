"""How a speed is measured here: contenders take turns in one process, and the machine's own limits are
measured beside them.

Units: seconds, bytes/s, operations/s. `stderr` is the bootstrap standard error of the median.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

COPIED_BYTES = 128 * 2**20  # well beyond the caches
NUM_TRIES = 5
Summary = dict[str, float | int]


@dataclass(frozen=True)
class Effort:
    """How much is measured: the defaults for a record, less for a test."""

    num_turns: int = 5
    batch_size: int = 4
    row_length: int = 1024
    num_steps: int = 2  # training steps a turn
    new_ids: int = 128
    num_prompts: int = 8  # on which int8 is compared with float32
    sound_s: float = 10.0
    num_pictures: int = 8
    num_processes: int = 3
    compile: bool = True


@dataclass
class Measured:
    """What one bench found: numbers for the record, rows (what, value, unit, beside what) for the table."""

    numbers: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)
    rows: list[tuple[str, "Summary | float | None", str, str]] = field(default_factory=list)

    def row(self, what: str, value: "Summary | float | None", unit: str, beside: str = "") -> None:
        """Adds a row to the table."""
        self.rows.append((what, value, unit, beside))


def summary(values: Sequence[float], seed: int = 0) -> Summary:
    """{"median", "stderr", "n"}."""
    if not len(values):
        raise ValueError("expected at least one measurement")
    draws = np.random.default_rng(seed).choice(np.asarray(values, float), (1000, len(values)))
    return {
        "median": float(np.median(values)),
        "stderr": float(np.median(draws, axis=1).std()),
        "n": len(values),
    }


def take_turns(contenders: Mapping[str, Callable[[], float]], num_turns: int) -> dict[str, list[float]]:
    """Calls every contender once a turn, another one first each time -> what each returned, turn by turn.

    Other work on the machine then disturbs all of them alike, and their ratio can be taken within a turn.
    """
    names = list(contenders)
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(num_turns):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(contenders[name]())
    return found


def best(found: Mapping[str, Sequence[float]], prefix: str) -> str:
    """Of the contenders whose name starts with `prefix`, the one of the highest median."""
    return max(
        (name for name in found if name.startswith(prefix)), key=lambda name: float(np.median(found[name]))
    )


def ratio(ours: Sequence[float], peers: Sequence[float]) -> Summary:
    """`summary` of ours / peers, turn by turn."""
    return summary([our / peer for our, peer in zip(ours, peers, strict=True)])


def seconds(work: Callable[[], object]) -> float:
    """How long `work()` takes, the device's queue included."""
    _wait()
    began = time.perf_counter()
    work()
    _wait()
    return time.perf_counter() - began


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """PyTorch computes with `count` threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def thread_settings() -> list[int]:
    """One thread, and all cores."""
    return sorted({1, os.cpu_count() or 1})


def measure_bandwidth(num_bytes: int = COPIED_BYTES) -> float:
    """Bytes/s of main memory, read and written, by one thread that copies an array."""
    source = np.ones(num_bytes // 8)
    target = np.zeros_like(source)
    return 2 * source.nbytes / min(seconds(lambda: np.copyto(target, source)) for _ in range(NUM_TRIES))


def measure_peak_flops(dtype: torch.dtype, device: torch.device) -> float:
    """Operations/s of a large matrix product with the present number of threads."""
    size = 8192 if device.type == "cuda" else 1024
    matrix = torch.randn(size, size, device=device).to(dtype)
    torch.mm(matrix, matrix)
    return 2 * size**3 / min(seconds(lambda: torch.mm(matrix, matrix)) for _ in range(NUM_TRIES))
