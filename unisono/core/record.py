"""One JSON file per run: the numbers with everything that they depend on. Nothing else may stand in a
table.
"""

import datetime
import hashlib
import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from unisono.core.device import hardware, peak_mb
from unisono.core.errors import UserError
from unisono.core.home import atomic_write

PACKAGES = ("torch", "numpy", "tokenizers", "onnxruntime", "transformers", "faster-whisper")
STARTED = time.time()


def mean_stderr(values: Sequence[float]) -> dict[str, float | int]:
    """{"mean", "stderr", "n"}; the standard error of the mean, 0 for a single value."""
    n = len(values)
    if not n:
        raise ValueError("expected at least one value")
    mean = sum(values) / n
    variance = sum((value - mean) ** 2 for value in values) / (n - 1) if n > 1 else 0.0
    return {"mean": mean, "stderr": math.sqrt(variance / n), "n": n}


def commit() -> str:
    """The commit of the source tree, with "+changes" if files differ from it; "unknown" outside a
    checkout.
    """
    file = Path(__file__).resolve()
    folder = file.parent
    try:  # a checkout of something else may lie around an installed package
        subprocess.run(
            ["git", "ls-files", "--error-unmatch", file.name], cwd=folder, capture_output=True, check=True
        )
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
        )
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+changes" if dirty.stdout.strip() else "")


def versions() -> dict[str, str]:
    """Python and the packages that numbers depend on, those that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


PHONEMES = "phonemes.safetensors"  # the phoneme reader, used only to make training data


def plain(value: Any) -> Any:
    """Any nested value -> plain Python values for JSON. NaN and infinity become null, which every JSON reader
    accepts.
    """
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _without_folder(argument: str) -> str:
    """Hides the user's folders: /home/me/networks/nano -> .../nano."""
    return re.sub(r"(^|=)/(?:[^/=]*/)*", r"\1.../", argument)


def _without_folders(config: Any) -> Any:
    """`_without_folder` for every text of a nested configuration."""
    if isinstance(config, dict):
        return {key: _without_folders(value) for key, value in config.items()}
    if isinstance(config, list):
        return [_without_folders(value) for value in config]
    return _without_folder(config) if isinstance(config, str) else config


def weights_of(folder: Path) -> dict[str, str]:
    """A network's folder -> {weight file: first 16 hex digits of its SHA-256}, codecs included. It identifies
    the weights that were measured, whatever their folder is called.
    """
    paths = [path for path in sorted(Path(folder).rglob("*.safetensors")) if path.name != PHONEMES]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in paths
    }


def can_keep(folder: Path) -> None:
    """Makes the folder of records; UserError where it cannot be, before anything is measured in vain."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK) else "it may not be written"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise UserError(f"cannot keep records in {folder}: {reason}; choose another folder")


def write_record(
    what: str,
    numbers: dict[str, Any],
    *,
    config: dict[str, Any] | None = None,
    seeds: Sequence[int] = (),
    folder: Path = Path("records"),
    part: str = "",
) -> Path:
    """Writes folder/<what>-<part>_<hardware>_<date>.json -> its path. The second of a day gets a number."""
    machine = hardware()
    date = datetime.datetime.now(datetime.timezone.utc)
    name = re.sub(r"[^a-z0-9]+", "-", f"{machine['name']}-{machine['cpus']}".lower()).strip("-")
    can_keep(folder)
    name = f"{what}-{part}_{name}" if part else f"{what}_{name}"
    path = folder / f"{name}_{date:%Y-%m-%d}.json"
    number = 2
    while path.exists():
        path = folder / f"{name}_{date:%Y-%m-%d}_{number}.json"
        number += 1
    record = {
        "what": what,
        "date": date.isoformat(timespec="seconds"),
        "command": ["unisono", *map(_without_folder, sys.argv[1:])],
        "commit": commit(),
        "versions": versions(),
        "hardware": machine,
        "seeds": list(seeds),
        "wall_s": round(time.time() - STARTED, 1),
        "peak_mb": round(peak_mb()),
        "config": _without_folders(plain(config or {})),
        "numbers": plain(numbers),
    }
    atomic_write(
        path,
        lambda part: part.write_text(
            json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf8"
        ),
    )
    return path
