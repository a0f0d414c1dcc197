"""Learning-rate curves."""

from math import cos, pi


def warmup_cosine(step: int, *, num_steps: int, warmup_steps: int, floor: float) -> float:
    """Factor on the peak rate at `step`: linear up to 1, then a cosine down to `floor` at `num_steps`."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, num_steps - warmup_steps))
    return floor + (1 - floor) * (1 + cos(pi * progress)) / 2
