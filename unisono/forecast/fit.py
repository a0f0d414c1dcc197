"""Fits a scaling law to measured runs: Huber's loss on the logarithm of the loss, from many starts, with a
bootstrap.

Outliers: runs that lie further off the law than OUTLIER robust standard deviations are left out and told, one
after the other, the law fitted anew each time. On the Chinchilla points these are the five that Besiroglu et
al. 2024 (arXiv 2404.10102) leave out by hand.

Shapes: P points, K free numbers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console

from unisono.core.errors import UserError
from unisono.core.progress import track
from unisono.forecast.laws import Law
from unisono.forecast.points import DENSE, Floats, Points

DELTA = (
    1e-3  # where Huber's loss turns from square to absolute, in nats of log loss; as in Hoffmann et al. 2022
)
OUTLIER = 11.0  # 10 would leave out a sixth point of Chinchilla's, 12.2 one fewer
MAX_LEFT_OUT = 0.1  # of all points: where more lie far off, the law is wrong and not the points
NUM_SEARCHES = 24  # of the best starts


@dataclass(frozen=True)
class Fit:
    """A law with its free numbers: (K,) the best, (samples, K) of the bootstrap."""

    law: Law
    points: Points  # those that were used
    left_out: Points
    free: Floats
    samples: Floats

    def log_loss(self, points: Points) -> Floats:
        """(P,) predicted natural logarithms."""
        return self.law.log_loss(self.free, points)[0]

    def told(self) -> dict[str, Any]:
        """The constants, their standard errors, and how well the law holds."""
        off = np.log(self.points.loss) - self.log_loss(self.points)
        drawn = [self.law.constants(free) for free in self.samples]
        constants = self.law.constants(self.free)
        stderr = {name: float(np.std([one[name] for one in drawn])) for name in constants} if drawn else {}
        return {
            "form": self.law.name,
            **constants,
            "stderr": stderr,
            "n": len(self.points),
            "left_out": len(self.left_out),
            "rms_log_loss": float(np.sqrt(np.mean(off**2))),
            "rms_log10_loss": float(np.sqrt(np.mean(off**2)) / np.log(10)),
            **({"settings": self.points.kept} if self.points.kept else {}),
        }


def fit(law: Law, points: Points, *, bootstrap: int = 100, seed: int = 1, keep_outliers: bool = False) -> Fit:
    """Points -> the law that fits them best. UserError for too few points, or none that differ in what the
    law reads.
    """
    _check(law, points)
    chosen = np.ones(len(points), bool)
    free = _search(law, points)
    while not keep_outliers and (~chosen).sum() < MAX_LEFT_OUT * len(points):
        off = np.log(points.loss) - law.log_loss(free, points)[0]
        spread = 1.4826 * np.median(np.abs(off[chosen] - np.median(off[chosen])))
        far = np.where(chosen, np.abs(off), 0)
        if far.max() <= OUTLIER * spread + 1e-9:
            break
        chosen[far.argmax()] = False
        free = _search(law, points.take(chosen), near=free)
    used = points.take(chosen)
    free = _search(law, used)
    rng = np.random.default_rng(seed)
    drawn = [
        _minimum(law, used.take(rng.integers(len(used), size=len(used))), free)[1]
        for _ in track(range(bootstrap), f"bootstrap of {law.name}", console=Console(stderr=True))
    ]
    return Fit(law, used, points.take(~chosen), free, np.array(drawn).reshape(-1, law.num_free))


def fit_routers(law: Law, points: Points, **options: Any) -> dict[str, Fit]:
    """A fit for each way of routing in the points; "" where they name none. Dense runs route nothing."""
    if points.router is None:
        return {"": fit(law, points, **options)}
    names = sorted({name for name in points.router.tolist() if name.lower() != DENSE})
    return {name: fit(law, points.take(points.router == name), **options) for name in names}


def _check(law: Law, points: Points) -> None:
    inputs = points.need(*law.inputs)
    if len(points) < law.num_free + 2:
        raise UserError(
            f"{len(points)} points are too few for the form {law.name}, which has {law.num_free} constants; "
            f"measure at least {law.num_free + 2} runs"
        )
    for name, values in zip(law.inputs, inputs):
        if len(np.unique(values)) < 3:
            raise UserError(
                f"all points have nearly the same {name}; the form {law.name} needs at least three values"
            )


def _huber(free: Floats, law: Law, points: Points) -> tuple[float, Floats]:
    """The loss of a fit, and its derivative by the free numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        made, slopes = law.log_loss(free, points)
        off = made - np.log(points.loss)
        size = np.abs(off)
        value = np.where(size <= DELTA, 0.5 * off**2, DELTA * (size - 0.5 * DELTA)).sum()
    if not np.isfinite(value):
        return 1e9, np.zeros(law.num_free)
    return float(value), slopes @ np.clip(off, -DELTA, DELTA)


def _minimum(law: Law, points: Points, start: Floats) -> tuple[float, Floats]:
    """The nearest minimum -> its loss and free numbers."""
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise UserError("fitting needs scipy; install it with: pip install 'unisono[forecast]'") from None
    free = start
    for method, options in (("L-BFGS-B", {"ftol": 1e-15, "gtol": 1e-12}), ("BFGS", {"gtol": 1e-10})):
        found = minimize(
            _huber, free, args=(law, points), jac=True, method=method, options={**options, "maxiter": 3000}
        )
        free = found.x if np.isfinite(found.fun) else free
    return _huber(free, law, points)[0], free


def _search(law: Law, points: Points, near: Floats | None = None) -> Floats:
    """The best minimum of those found from the best starts, or from a place nearby alone."""
    if near is not None:
        return _minimum(law, points, near)[1]
    starts = law.starts(points)
    order = np.argsort([_huber(start, law, points)[0] for start in starts])
    found = [_minimum(law, points, starts[place]) for place in order[:NUM_SEARCHES]]
    return min(found, key=lambda one: one[0])[1]
