"""One process of a training that torchrun starts: `ranks.py SHARD FOLDER CASE...`, each case JSON of recipe
fields, its run's name under "run"."""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import crumb
import torch

from unisono.core.config import override
from unisono.core.distributed import joined
from unisono.core.errors import UserError
from unisono.data.shards.shard import Shard
from unisono.train.loop import run
from unisono.train.network import NetworkProgram
from unisono.train.trainable import RowRates

RECIPE = replace(
    crumb.RECIPE,
    validation_batches=1,
    loop=replace(crumb.RECIPE.loop, checkpoint_every_s=0.0),
)


class Mortal(NetworkProgram):
    """Ends like a machine that loses its power, in one of its processes."""

    dies_at = -1

    def batch(self, step: int) -> dict[str, torch.Tensor]:
        """As usual."""
        if step == self.dies_at and os.environ.get("RANK") == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().batch(step)


def trained(shard: Path, folder: Path, case: dict[str, Any]) -> Path:
    """One run -> its folder."""
    name, stop, dies_at = case.pop("run"), case.pop("stop", 0), case.pop("dies_at", -1)
    recipe = override(RECIPE, [f"{key}={json.dumps(value)}" for key, value in case.items()])
    loop = replace(recipe.loop, time_limit_s=1e-9) if stop else recipe.loop
    torch.manual_seed(0)
    program = Mortal(recipe, Shard(shard), Shard(shard))
    program.row_rates, program.dies_at = RowRates(100, 0.5, 2.0), dies_at
    run(program, loop, folder / name)
    return folder / name


if __name__ == "__main__":
    try:
        with joined(torch.device("cpu")):
            for one in sys.argv[3:]:
                trained(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(one))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
