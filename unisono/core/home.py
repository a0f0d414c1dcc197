"""Where things lie: the user's folder, the weights inside the package, and how a file is written whole or not
at all.
"""

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from unisono.core.errors import UserError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


def home() -> Path:
    """The folder for data, runs and caches: $UNISONO_HOME, or ~/.cache/unisono."""
    return Path(os.environ.get("UNISONO_HOME") or Path.home() / ".cache" / "unisono")


def shipped() -> Path:
    """The folder of weights inside the package."""
    return Path(__file__).resolve().parent.parent / "weights"


def default_weights() -> Path:
    """The folder of the network that ships in the package, of the largest where there are several."""
    folders = [path.parent for path in shipped().glob("*/config.json")]
    if not folders:
        raise UserError(
            f"no weights in {shipped()}; train some with runs/cpu.sh or name a folder with --model"
        )
    return max(
        folders, key=lambda folder: sum(path.stat().st_size for path in folder.glob("model*.safetensors"))
    )


def atomic_write(path: str | Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a temporary file beside `path`, syncs it and renames it. On a full disk nothing is
    left behind.

    A link stays, and what it leads to is replaced; pipes and devices are written directly, for they cannot
    be.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if _is_special(path):
            write(Path(path))
            return
        part.touch()
        mode = part.stat().st_mode  # what the user wants of new files
        write(part)
        os.chmod(part, mode)  # some libraries create files that only their owner may read
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
    except (OSError, SafetensorError) as error:  # the second is how safetensors reports a full disk
        reason, number = getattr(error, "strerror", None) or error, getattr(error, "errno", None)
        hint = (
            "choose another place"
            if number and number not in NO_ROOM
            else "free some space or choose another folder"
        )
        raise UserError(f"could not write {path}: {reason}; {hint}") from error
    finally:
        with contextlib.suppress(OSError):  # where there is no folder there is no part either
            part.unlink()


def _is_special(path: str | Path) -> bool:
    """Whether there is a pipe or a device: neither file nor folder."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
