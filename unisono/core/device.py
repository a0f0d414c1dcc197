"""Device, number format, seeds, memory: what the machine is."""

import contextlib
import os
import platform
import random
import resource
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch

from unisono.core.errors import UserError


def pick_device(name: str | None = None) -> torch.device:
    """The named device, else CUDA where there is one, else the CPU. UserError for one that is not there."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise UserError(f"unknown device {name!r}; expected cpu, cuda or cuda:N")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError("no CUDA device here; expected cpu, when training --set loop.device=cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"no device {device} here; expected cuda:0 to cuda:{torch.cuda.device_count() - 1}")
    return device


def has_fast_bf16(device: torch.device) -> bool:
    """Does it have instructions for bfloat16? A CPU without them emulates, far slower than float32."""
    return device.type == "cuda" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def autocast(device: torch.device, enabled: bool = True) -> AbstractContextManager[Any]:
    """A context in which torch computes in bfloat16 where that is safe and the device has it; without
    `enabled`, an empty one.
    """
    if enabled and has_fast_bf16(device):
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def seed_all(seed: int) -> None:
    """Seeds Python, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def resident_mb() -> float:
    """Memory of this process now, in MB."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_mb() -> float:
    """The most memory this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu_name() -> str:
    """The name of the processor, such as AMD EPYC; its architecture where the name is unknown."""
    try:
        with open("/proc/cpuinfo", encoding="utf8") as cpuinfo:
            names = [line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")]
    except OSError:
        names = []
    return (names + [""])[0] or platform.processor() or platform.machine()


def hardware() -> dict[str, Any]:
    """The machine as it stands in a record: name of the GPU or CPU, number of CPUs, number of threads."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else cpu_name()
    return {"name": name, "cpus": os.cpu_count(), "threads": torch.get_num_threads()}
