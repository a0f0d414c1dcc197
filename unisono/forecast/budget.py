"""A budget of compute -> the size and the number of ids that use it best, and the loss to expect, with an
interval.

From L(N, D) = E + A / N^alpha + B / D^beta under C = 6 N D: N = G (C / 6)^a and D = (C / 6)^(1 - a) / G with
a = beta / (alpha + beta) and G = (alpha A / (beta B))^(1 / (alpha + beta)) (Hoffmann et al. 2022, appendix).
"""

from typing import Any

import numpy as np

from unisono.core.errors import UserError
from unisono.forecast.fit import Fit
from unisono.forecast.laws import Chinchilla
from unisono.forecast.points import Floats

INTERVAL = (5.0, 95.0)  # percentiles of the bootstrap


def best_use(free: Floats, flops: float) -> tuple[float, float, float]:
    """(K,) of Chinchilla's law, floating-point operations -> parameters, ids, loss."""
    a, b, _, alpha, beta = free
    share = beta / (alpha + beta)
    scale = np.exp((np.log(alpha / beta) + a - b) / (alpha + beta))
    parameters = float(scale * (flops / 6) ** share)
    ids = flops / 6 / parameters
    return parameters, ids, loss_of(free, parameters, ids)


def loss_of(free: Floats, parameters: float, ids: float) -> float:
    """(K,) of Chinchilla's law, size and ids -> loss."""
    a, b, e, alpha, beta = free
    return float(np.exp(e) + np.exp(a - alpha * np.log(parameters)) + np.exp(b - beta * np.log(ids)))


def expected(fit: Fit, parameters: float, ids: float) -> dict[str, Any]:
    """The loss of one training by Chinchilla's law, with an interval of the bootstrap."""
    drawn = [loss_of(free, parameters, ids) for free in (fit.free, *fit.samples)]
    measured = fit.points.flops
    assert measured is not None  # N and D give it
    return {
        "loss": drawn[0],
        "interval": [float(value) for value in np.percentile(drawn, INTERVAL)],
        "times_largest_run": float(6 * parameters * ids / measured.max()),
    }


def forecast(fit: Fit, flops: float) -> dict[str, Any]:
    """What a budget gives. UserError for another law, one whose exponents are not above 0, or no budget."""
    if not isinstance(fit.law, Chinchilla):
        raise UserError("a budget is read off the form chinchilla alone; leave out --form")
    if not 0 < flops < 1e40:
        raise UserError(f"expected a budget above 0 floating-point operations, got {flops:g}")
    whole = [free for free in (fit.free, *fit.samples) if free[3] > 0 and free[4] > 0]
    if not whole or fit.free[3] <= 0 or fit.free[4] <= 0:
        raise UserError(
            "loss does not fall with size and ids in these points; measure more runs, further apart"
        )
    parameters, ids, loss = best_use(fit.free, flops)
    drawn = np.array([best_use(free, flops) for free in whole])
    measured = fit.points.flops
    assert measured is not None  # N and D give it
    return {
        "flops": flops,
        "parameters": parameters,
        "ids": ids,
        "loss": loss,
        "interval": {
            name: [float(value) for value in np.percentile(drawn[:, place], INTERVAL)]
            for place, name in enumerate(("parameters", "ids", "loss"))
        },
        # how far beyond the largest run this is; what is far beyond is a guess
        "times_largest_run": float(flops / measured.max()),
    }
