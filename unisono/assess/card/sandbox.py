"""Runs programs that nobody has read: in Linux namespaces of their own, without a network, with limits.

A program sees the system's folders and Python's, read-only, an empty /tmp, and /work, the only folder that it
can write to and that outlives it. It is root there and nobody outside. It sees no process but its own, and no
network device but a loopback that is down. What ends it: its own end, the time limit, the limits of memory,
processor time, file size and number of processes.
"""

import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from unisono.core.errors import UserError

MAX_OUTPUT = 8000  # bytes of each stream that are kept: the last ones
# $1: the new root; $2: the folder that becomes /work; $3: Python's folder; then the limits, then the command.
INSIDE = """
root=$1 work=$2 python=$3 memory=$4 cpu=$5 file=$6 processes=$7; shift 7
mount -t tmpfs -o size=64m,mode=755 tmpfs "$root"
for folder in /usr /bin /sbin /lib /lib64 /etc/alternatives "$python"; do
    [ -e "$folder" ] || continue
    if [ -L "$folder" ]; then ln -s "$(readlink "$folder")" "$root$folder"; continue; fi
    [ -e "$root$folder" ] && continue
    mkdir -p "$root$folder"
    mount --rbind "$folder" "$root$folder"
    mount -o remount,bind,ro "$root$folder"
done
mkdir -p "$root/dev" "$root/proc" "$root/tmp" "$root/work"
for device in /dev/null /dev/zero /dev/urandom; do
    touch "$root$device"; mount --bind "$device" "$root$device"
done
mount -t proc proc "$root/proc"
mount --bind "$work" "$root/work"
exec prlimit --as="$memory" --cpu="$cpu" --fsize="$file" --nproc="$processes" --core=0 \
    chroot "$root" /bin/sh -c 'cd /work && exec "$@"' sh "$@"
"""
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    "HOME": "/work",
    "LANG": "C.UTF-8",
    # A file that is written again within a second, in the same length, would run as it was before.
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a program may use."""

    wall_s: float = 10.0
    memory_mb: int = 512
    file_mb: int = 16
    num_processes: int = 64


@dataclass(frozen=True)
class Ran:
    """How a program ended. `status` is its exit status, negative for a signal, None after the time limit."""

    status: int | None
    stdout: str
    stderr: str

    @property
    def timed_out(self) -> bool:
        """Whether the time limit ended it."""
        return self.status is None


@functools.lru_cache(maxsize=1)
def missing() -> str:
    """Why programs cannot be shut in on this machine, or nothing."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return "the sandbox needs Linux and the program unshare (util-linux)"
    with folder() as work:
        try:
            ran = run(["true"], work)
        except UserError as error:
            return str(error)
    return (
        "" if ran.status == 0 else f"the system forbids namespaces to this user: {ran.stderr.strip()[:200]}"
    )


@contextmanager
def folder(files: Mapping[str, bytes] | None = None) -> Iterator[Path]:
    """A folder that becomes /work, with these files in it (name: contents); gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="unisono-sandbox-", ignore_cleanup_errors=True) as made:
        work = Path(made)
        for name, contents in (files or {}).items():
            path = work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents)
        yield work


def run(command: list[str], work: Path, limits: Limits | None = None, stdin: str = "") -> Ran:
    """Runs a command (found in the system's folders) with `work` as /work -> how it ended.

    Raises UserError where this machine has no namespaces. Everything the program started ends with it.
    """
    limits = limits or Limits()
    if shutil.which("unshare") is None:
        raise UserError("running unread programs needs the program unshare (util-linux); install it")
    flags = "--user --map-root-user --net --pid --fork --kill-child --mount --ipc --uts".split()
    mb = 2**20
    numbers = [limits.memory_mb * mb, int(limits.wall_s) + 1, limits.file_mb * mb, limits.num_processes]
    with (
        tempfile.TemporaryDirectory(prefix="unisono-root-") as root,
        tempfile.TemporaryFile() as stdout,  # files: what is printed is under the limit of file size too
        tempfile.TemporaryFile() as stderr,
    ):
        process = subprocess.Popen(
            ["unshare", *flags, "--", "/bin/sh", "-ec", INSIDE, "sh", root, str(work), sys.base_prefix]
            + [*map(str, numbers), *command],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            env=ENVIRONMENT,
        )
        try:
            process.communicate(stdin.encode(), timeout=limits.wall_s)
            status: int | None = process.returncode
        except subprocess.TimeoutExpired:
            status = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Ran(status, _end_of(stdout), _end_of(stderr))


def _end_of(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - MAX_OUTPUT))
    return file.read().decode("utf8", "replace")


def run_python(program: str, limits: Limits | None = None) -> Ran:
    """Runs a Python program with the standard library only -> how it ended; status 0 means that nothing was
    raised.
    """
    interpreter = str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")
    with folder({"program.py": program.encode()}) as work:
        return run([interpreter, "-I", "program.py"], work, limits)
