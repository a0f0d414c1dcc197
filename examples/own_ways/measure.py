"""A prompt, adapters, the head or all weights on the same 200 chats, for the same steps:
python measure.py HOME RECORDS WAY [STEPS SEEDS ASKED].
"""

import json
import sys
from pathlib import Path
from typing import Any

from make import main as make, split

import unisono
from unisono.cli import main as command
from unisono.core.home import default_weights
from unisono.core.record import mean_stderr, weights_of, write_record

RATES = {"prompt": (0.03, 0.3), "lora": (2e-3, 8e-3), "head": (1e-3, 1e-2), "all": (4e-4, 2e-3)}
CHOSEN_ON = 1  # the seed of the data on which the rates are compared; the others are measured


def trained(home: Path, way: str, rate: float, seed: int, steps: int) -> dict[str, Any]:
    """One training -> the numbers of its record: nats of what is held out, before and after."""
    name = f"{way}-{rate}-{seed}"
    sizes = ("loader.row_length=128", "loader.batch_size=2", "loop.weight_decay=0")
    told = (
        f"loop.num_steps={steps}",
        f"loop.validate_every={steps}",
        f"trainable={way}",
        f"loop.learning_rate={rate}",
        f"loop.seed={seed}",
        f"loader.seed={seed}",
    )
    sets = [word for field in (*sizes, *told) for word in ("--set", field)]
    train = ["train", "network", "--data", f"orders{seed}", "--name", name, "--replay", "0"]
    if command([*train, "--home", str(home), *sets]):
        raise SystemExit(f"{name} could not be trained")
    record = next((home / "runs" / f"network-{name}").glob("train-own*.json"))
    return json.loads(record.read_text())["numbers"]


def right(folder: Path, seed: int, asked: int) -> float:
    """The share of orders that were never taught whose command is right to the letter."""
    omni = unisono.load(folder)
    cases = split(seed)[1][:asked]
    return sum(omni.reply(order, seed=0).text.strip() == wanted for order, wanted in cases) / len(cases)


def main(home: Path, records: Path, way: str, steps: int = 100, seeds: int = 3, asked: int = 100) -> None:
    """Chooses the rate of a way on one seed, then measures it on others; writes a record."""
    told = range(CHOSEN_ON + 1, CHOSEN_ON + 1 + seeds)
    for seed in (CHOSEN_ON, *told):
        make(str(home / "raw" / f"orders{seed}.jsonl"), str(seed))
        add = ["data", "add", f"orders{seed}", str(home / "raw" / f"orders{seed}.jsonl")]
        command([*add, "--licence", "own", "--home", str(home)])
    tried = {
        rate: trained(home, way, rate, CHOSEN_ON, steps)[f"val_orders{CHOSEN_ON}/talk"] for rate in RATES[way]
    }
    rate, found = min(tried, key=lambda rate: tried[rate]), dict[str, list[float]]()
    for seed in told:
        numbers = trained(home, way, rate, seed, steps)
        for when in ("before", "val"):
            found.setdefault(f"{when}_nats", []).append(numbers[f"{when}_orders{seed}/talk"])
        folder = home / "networks" / f"{way}-{rate}-{seed}"
        found.setdefault("right", []).append(right(folder, seed, asked))
    config = {"weights": weights_of(default_weights()), "way": way, "rate": rate, "tried": tried}
    config |= {"steps": steps, "asked": asked}
    means = {name: mean_stderr(values) for name, values in found.items()}
    print(write_record("own-ways", means, config=config, seeds=list(told), folder=records, part=way))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:]))
