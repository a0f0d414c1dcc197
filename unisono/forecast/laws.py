"""Scaling laws: what each predicts, and the numbers that a fit may choose.

Each law predicts the natural logarithm of the loss from its inputs and from a vector of free numbers, all of
which may take any value; `constants` turns these into the constants that papers print.

Shapes: P points, K free numbers of a law.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import product

import numpy as np

from unisono.forecast.points import Floats, Points


class Law(ABC):
    """A law over some columns of the points."""

    name: str
    inputs: tuple[str, ...]  # the columns that it needs, beside the loss
    num_free: int

    @abstractmethod
    def log_loss(self, free: Floats, points: Points) -> tuple[Floats, Floats]:
        """(K,) -> (P,) predicted logarithms, and (K, P) their derivatives by the free numbers."""

    @abstractmethod
    def starts(self, points: Points) -> Floats:
        """(starts, K) where a search may begin."""

    @abstractmethod
    def constants(self, free: Floats) -> dict[str, float]:
        """The constants by their usual names."""


def _log_of_sum(terms: Sequence[Floats]) -> tuple[Floats, Floats]:
    """(T, P) logarithms of terms -> (P,) the logarithm of their sum, and (T, P) each one's share in it."""
    stacked = np.stack(terms)
    most = stacked.max(0)
    shares = np.exp(stacked - most)
    total = shares.sum(0)
    return most + np.log(total), shares / total


class Chinchilla(Law):
    """L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, arXiv 2203.15556, approach 3)."""

    name, inputs, num_free = "chinchilla", ("parameters", "ids"), 5

    def log_loss(self, free: Floats, points: Points) -> tuple[Floats, Floats]:
        parameters, ids = points.need(*self.inputs)
        n, d = np.log(parameters), np.log(ids)
        a, b, e, alpha, beta = free
        made, shares = _log_of_sum((a - alpha * n, b - beta * d, np.full_like(n, e)))
        return made, np.stack((shares[0], shares[1], shares[2], -shares[0] * n, -shares[1] * d))

    def starts(self, points: Points) -> Floats:
        tens = np.arange(0.0, 30.0, 5.0)
        halves = np.arange(0.0, 2.5, 0.5)
        return np.array(list(product(tens, tens, np.arange(-1.0, 1.5, 0.5), halves, halves)))

    def constants(self, free: Floats) -> dict[str, float]:
        a, b, e, alpha, beta = free
        named = {"A": np.exp(a), "B": np.exp(b), "E": np.exp(e), "alpha": alpha, "beta": beta}
        # of the best size for a compute budget: N grows as C to this power
        return {**{key: float(value) for key, value in named.items()}, "a_opt": float(beta / (alpha + beta))}


class Power(Law):
    """L(C) = E + (C0 / C)^alpha in compute (Henighan et al. 2020, arXiv 2010.14701)."""

    name, inputs, num_free = "power", ("flops",), 3

    def log_loss(self, free: Floats, points: Points) -> tuple[Floats, Floats]:
        (flops,) = points.need(*self.inputs)
        c = np.log(flops)
        c0, e, alpha = free
        made, shares = _log_of_sum((alpha * (c0 - c), np.full_like(c, e)))
        return made, np.stack((shares[0] * alpha, shares[1], shares[0] * (c0 - c)))

    def starts(self, points: Points) -> Floats:
        (flops,) = points.need(*self.inputs)
        least, lowest = np.log(flops.min()), np.log(points.loss.min())
        return np.array(
            [
                (least + shift, lowest + floor, alpha)
                for shift, floor, alpha in product(
                    np.linspace(-20, 20, 9), (-3.0, -1.0, -0.3, -0.1, -0.02), (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
                )
            ]
        )

    def constants(self, free: Floats) -> dict[str, float]:
        c0, e, alpha = free
        return {"C0": float(np.exp(c0)), "E": float(np.exp(e)), "alpha": float(alpha)}


class Routed(Law):
    """log10 L(N, E) = a log10 N + b log10 E' + c log10 N log10 E' + d for experts E, with E' = E at few
    experts and a
    limit for many: 1 / E' = 1 / (E - 1 + 1 / (1 / Es - 1 / Em)) + 1 / Em (Clark et al. 2022, arXiv
    2202.01169).
    """

    name, inputs, num_free = "routed", ("parameters", "experts"), 6

    def log_loss(self, free: Floats, points: Points) -> tuple[Floats, Floats]:
        parameters, experts = points.need(*self.inputs)
        made = self._made(free, parameters, experts)
        step = 1e-6
        slopes = [
            (self._made(free + step * one, parameters, experts) - made) / step
            for one in np.eye(self.num_free)
        ]
        return made, np.stack(slopes)

    def _made(self, free: Floats, parameters: Floats, experts: Floats) -> Floats:
        a, b, c, d = free[:4]
        n, e = np.log10(parameters), np.log10(saturated(experts, *_limits(free)))
        return (a * n + b * e + c * n * e + d) * np.log(10)

    def starts(self, points: Points) -> Floats:
        parameters, experts = points.need(*self.inputs)
        logs = np.log10(points.loss)
        found = []
        for start, limit in product((1.2, 1.5, 2.0, 3.0, 5.0), (100.0, 300.0, 1000.0)):
            n, e = np.log10(parameters), np.log10(saturated(experts, start, limit))
            columns = np.stack((n, e, n * e, np.ones_like(n)), axis=1)
            linear = np.linalg.lstsq(columns, logs, rcond=None)[0]
            found.append((*linear, np.log(start - 1), np.log(limit - start)))
        return np.array(found)

    def constants(self, free: Floats) -> dict[str, float]:
        start, limit = _limits(free)
        named = dict(zip("abcd", map(float, free[:4])))
        return {**named, "E_start": start, "E_max": limit}


def _limits(free: Floats) -> tuple[float, float]:
    """Es > 1 and Em > Es from two numbers that may have any value."""
    start = 1 + float(np.exp(np.clip(free[4], -30, 30)))
    return start, start + float(np.exp(np.clip(free[5], -30, 30)))


def saturated(experts: Floats, start: float, limit: float) -> Floats:
    """(P,) experts -> (P,) E' between `start` and `limit`."""
    made: Floats = 1 / (1 / (experts - 1 + 1 / (1 / start - 1 / limit)) + 1 / limit)
    return made


LAWS: dict[str, Law] = {law.name: law for law in (Chinchilla(), Power(), Routed())}
