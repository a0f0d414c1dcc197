"""The coordinate check of train/mup.py: how far a few steps move what the layers of ever wider networks give.
`python tests/coordinates.py --records records` writes it down.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import crumb
import numpy as np
import torch

from unisono.core.distributed import Group
from unisono.core.record import can_keep, write_record
from unisono.data.shards.shard import Shard
from unisono.train.loop import _Run
from unisono.train.network import NetworkProgram, NetworkRecipe

WIDTHS = {False: (64, 128, 256), True: (32, 64, 128)}  # Muon multiplies in bfloat16, which is slow on a CPU
NUM_STEPS = 3


def recipe_of(width: int, mup: int, muon: bool) -> NetworkRecipe:
    """The tiny network, wider: more heads, not wider ones."""
    shape = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_attention_heads": width // 16,
        "num_key_value_heads": width // 32,
    }
    loop = replace(crumb.RECIPE.loop, muon=muon, warmup_steps=1, learning_rate=3e-3)
    return replace(crumb.RECIPE, shape=shape, mup=mup, loop=loop)


def moved(recipe: NetworkRecipe, shard: Shard, folder: Path) -> dict[str, float]:
    """How far the steps move what the layers and the head give, as the root of the mean square."""
    program = NetworkProgram(recipe, shard, shard)
    sitting = _Run(program, recipe.loop, folder, torch.device("cpu"), Group())
    batch, seen = program.batch(0), dict[str, list[torch.Tensor]]()

    def see(name: str, made: torch.Tensor) -> None:
        seen.setdefault(name, []).append(made.detach())

    model = program.model
    for step in range(NUM_STEPS + 1):
        hooks = [
            part.register_forward_hook(lambda _, __, made, name=name: see(name, made))
            for name, part in (("first", model.layers[0]), ("last", model.layers[-1]))
        ]
        with torch.no_grad():
            see("logits", model.logits(model(batch["ids"], batch["positions"])))
        for hook in hooks:
            hook.remove()
        if step < NUM_STEPS:
            sitting._step(step)
    return {name: float((all[-1] - all[0]).square().mean().sqrt()) for name, all in seen.items()}


def slopes(folder: Path, mup: bool, muon: bool) -> dict[str, float]:
    """Of how far they move over the width, in log-log: 0 where the width does not matter."""
    shard, widths = crumb.documents(folder / "shard", 8), WIDTHS[muon]
    torch.manual_seed(0)
    found = [
        moved(recipe_of(width, widths[0] if mup else 0, muon), shard, folder / f"{width}") for width in widths
    ]
    logs = np.log2([[one[name] for name in one] for one in found])
    return dict(zip(found[0], np.polyfit(np.log2(widths), logs, 1)[0].tolist()))


def main() -> None:
    """The script."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--records", type=Path, default=Path("records"))
    chosen = words.parse_args()
    can_keep(chosen.records)
    numbers = {}
    for muon in (False, True):
        for mup in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                name = ("mup" if mup else "standard") + (" muon" if muon else " adamw")
                numbers[name] = slopes(Path(folder), mup, muon)
    config = {"widths": {"adamw": WIDTHS[False], "muon": WIDTHS[True]}, "steps": NUM_STEPS}
    print(write_record("mup-coordinates", numbers, config=config, seeds=[0], folder=chosen.records))


if __name__ == "__main__":
    main()
