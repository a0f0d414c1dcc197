"""How the work of attention grows with the length of a row: sparse patterns beside full attention.

python tests/attention_cost.py            writes records/attention-cost_*.json
python tests/attention_cost.py --turns 1 --lengths 1024 2048

One row, 4 heads of 32, forward and backward, one thread, float32; the projections are left out. The window
is the square root of the length, rounded to a power of two. Time is CPU time of this process, so other work
on the machine counts little. Patterns take turns. Every time is kept in --points, and the same command goes
on where it was stopped.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from unisono.core.record import write_record
from unisono.model.config import ATTENTIONS
from unisono.model.sparse_attention import SUMMARIES, Pattern

LENGTHS = [1024 * 2**power for power in range(6)]
HEADS, HEAD_DIM = 4, 32


def window_of(length: int) -> int:
    """The square root of the length as a power of two; halfway, the larger one."""
    return 2 ** math.floor(math.log2(length) / 2 + 0.5)


def cpu_s(kind: str, length: int) -> float:
    """CPU seconds of one way forward and back."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, HEADS, length, HEAD_DIM, requires_grad=True) for _ in range(3))
    began = time.process_time()
    if kind == "full":
        found = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    else:
        found = Pattern(kind, window_of(length)).attend(q, k, v, None)
    found.sum().backward()
    return time.process_time() - began


def measure(lengths: list[int], turns: int, points: Path) -> dict[tuple[str, int], list[float]]:
    """(pattern, length) -> a time of each turn; those in `points` are not measured again."""
    found: dict[tuple[str, int], list[float]] = {
        (kind, length): [] for length in lengths for kind in ATTENTIONS
    }
    if points.exists():
        for line in points.read_text(encoding="utf8").splitlines():
            point = json.loads(line)
            found.setdefault((point["attention"], point["length"]), []).append(point["cpu_s"])
    for kind in ATTENTIONS:
        cpu_s(kind, 256)  # the first call of each allocates and loads
    for length in lengths:
        for turn in range(turns):
            for kind in ATTENTIONS:
                if len(found[kind, length]) > turn:
                    continue
                found[kind, length].append(cpu_s(kind, length))
                point = {"attention": kind, "length": length, "cpu_s": found[kind, length][-1]}
                with points.open("a", encoding="utf8") as file:
                    file.write(json.dumps(point) + "\n")
                print(point, flush=True)
    return found


def slope(lengths: list[int], times: list[float]) -> dict[str, float]:
    """The exponent p of time = c * length^p by least squares of the logarithms, and its standard error."""
    x, y = np.log(lengths) - np.log(lengths).mean(), np.log(times)
    exponent = float(x @ y / (x @ x))
    rest = y - y.mean() - exponent * x
    stderr = math.sqrt(rest @ rest / max(len(x) - 2, 1) / (x @ x))
    return {"exponent": exponent, "stderr": stderr}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--points", type=Path, default=Path("attention-cost.jsonl"))
    parser.add_argument("--records", type=Path, default=Path("records"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(options.lengths, options.turns, options.points)
    median = {key: float(np.median(times)) for key, times in found.items()}
    numbers: dict[str, object] = {}
    for kind in ATTENTIONS:
        times = [median[kind, length] for length in options.lengths]
        numbers[kind] = {
            **slope(options.lengths, times),
            "cpu_s": dict(zip(options.lengths, times)),
            "of_full": {length: median[kind, length] / median["full", length] for length in options.lengths},
        }
    config = {
        "lengths": options.lengths,
        "windows": [window_of(length) for length in options.lengths],
        "turns": options.turns,
        "heads": HEADS,
        "head_dim": HEAD_DIM,
        "summaries": SUMMARIES,
    }
    print(write_record("attention-cost", numbers, config=config, seeds=[0], folder=options.records))


if __name__ == "__main__":
    main()
