"""kill -9 at random moments of a training in two processes, and what comes of it:
`python tests/kills.py --kills 20 --records records`.

A launcher starts two processes of gloo that save after each step. One of the two, by chance, is killed at a
random moment after the first new checkpoint; the same command then goes on. In the end the weights have to be
those of a training that nobody touched, bit for bit.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import crumb
import torch
from safetensors.torch import load_file

from unisono.core.record import can_keep, write_record
from unisono.train.checkpoint import NAME

RANKS = Path(__file__).parent / "train" / "ranks.py"
LAUNCH = """
import sys
from unisono.core.errors import UserError
from unisono.train.launch import launched
try:
    launched(2, sys.argv[1:])
except UserError as error:
    sys.exit(f"unisono: {error}")
"""
STEPS_A_KILL = 6
LATEST_S = 3.0  # after the first new checkpoint


def started(shard: Path, folder: Path, name: str, num_steps: int) -> subprocess.Popen[str]:
    """The command of a training in two processes."""
    case = {"run": name, "loop.num_steps": num_steps, "loop.validate_every": num_steps}
    paths = [os.getcwd(), str(RANKS.parents[1]), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCH, sys.executable, str(RANKS), str(shard), str(folder), json.dumps(case)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def step_of(path: Path) -> int:
    """How many steps the checkpoint holds; none where there is none."""
    return int(torch.load(path, weights_only=True)["step"]) if path.exists() else 0


def children(process: int) -> list[int]:
    """Numbers of the processes that a process has started."""
    told = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(number) for number in told.split()]


def killed_once(launcher: subprocess.Popen[str], checkpoint: Path, chance: random.Random) -> str:
    """Kills one rank at a random moment -> what the launcher said; "" where the training was faster."""
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    while launcher.poll() is None and (
        not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before or len(children(launcher.pid)) < 2
    ):
        time.sleep(0.01)
    time.sleep(chance.uniform(0, LATEST_S))
    if launcher.poll() is None and len(ranks := children(launcher.pid)) == 2:
        os.kill(chance.choice(ranks), signal.SIGKILL)
    said = launcher.communicate(timeout=300)[1]
    return said if launcher.returncode else ""


def killed(folder: Path, kills: int, seed: int = 1) -> dict[str, Any]:
    """Trains with so many kills, and undisturbed -> how far each sitting came, what was said, how far the
    weights are apart."""
    crumb.documents(folder / "shard", 12, longer=1)
    chance, num_steps = random.Random(seed), STEPS_A_KILL * (kills + 1)
    checkpoint = folder / "killed" / NAME
    steps, said = [0], []
    while len(said) < kills:
        told = killed_once(started(folder / "shard", folder, "killed", num_steps), checkpoint, chance)
        if not told:
            break
        said.append(told)
        steps.append(step_of(checkpoint))
    for name in ("killed", "whole"):
        last = started(folder / "shard", folder, name, num_steps)
        said_last = last.communicate(timeout=1200)[1]  # which closes the pipe, too
        if last.returncode:
            raise RuntimeError(said_last)
    one, other = (load_file(folder / name / "network" / "model.safetensors") for name in ("killed", "whole"))
    return {
        "kills": len(said),
        "steps": num_steps,
        "steps_at_kills": steps[1:],
        "said": sorted(set(said)),
        "most_different_weight": max(float((one[name] - other[name]).abs().max()) for name in one),
    }


def main() -> None:
    """The script."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--kills", type=int, default=20)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--records", type=Path, default=Path("records"))
    chosen = words.parse_args()
    can_keep(chosen.records)
    with tempfile.TemporaryDirectory() as folder:
        numbers = killed(Path(folder), chosen.kills, chosen.seed)
    config = {"processes": 2, "size": "tiny", "latest_s": LATEST_S}
    print(write_record("train-kills", numbers, config=config, seeds=[chosen.seed], folder=chosen.records))
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()
