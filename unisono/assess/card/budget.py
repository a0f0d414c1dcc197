"""What a run may spend: time, requests, money. The endpoint asks before each request and reports after it."""

import re
import time
from dataclasses import dataclass, field

from unisono.core.errors import UserError

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|requests?|usd)")


class Spent(Exception):
    """The budget is used up, or the endpoint has gone; no request is made any more."""


@dataclass(kw_only=True)
class Budget:
    """`prices` are USD per million tokens, in and out; money can only be counted with them."""

    max_s: float | None = None
    max_requests: int | None = None
    max_usd: float | None = None
    prices: tuple[float, float] = (0.0, 0.0)
    requests: int = 0
    usd: float = 0.0
    stopped: str = ""  # why nothing is asked any more
    began_s: float = field(default_factory=time.monotonic)

    def ask(self) -> None:
        """Counts one request; Spent, with the reason, where it must not be made."""
        if self.max_s is not None and time.monotonic() - self.began_s >= self.max_s:
            self.stopped = self.stopped or f"the budget of {self.max_s:g} s is spent"
        if self.max_requests is not None and self.requests >= self.max_requests:
            self.stopped = self.stopped or f"the budget of {self.max_requests} requests is spent"
        if self.max_usd is not None and self.usd >= self.max_usd:
            self.stopped = self.stopped or f"the budget of {self.max_usd:g} USD is spent"
        if self.stopped:
            raise Spent(self.stopped)
        self.requests += 1

    def paid(self, input_tokens: int, output_tokens: int) -> None:
        """Counts what a reply cost."""
        self.usd += (input_tokens * self.prices[0] + output_tokens * self.prices[1]) / 1e6


def read_budget(parts: list[str], prices: str = "") -> Budget:
    """["30min", "500requests", "2usd"], "2.5,10" -> a budget that begins now. UserError for anything else."""
    budget = Budget()
    for part in parts:
        found = AMOUNT.fullmatch(part.strip().lower())
        if found is None:
            raise UserError(f"expected a budget such as 30min, 500requests or 2usd, got {part!r}")
        amount, unit = float(found[1]), found[2]
        if unit in UNITS:
            budget.max_s = amount * UNITS[unit]
        elif unit == "usd":
            budget.max_usd = amount
        else:
            budget.max_requests = int(amount)
    if prices:
        try:
            paid_in, paid_out = (float(price) for price in prices.split(","))
        except ValueError:
            raise UserError(
                f"expected prices such as 2.5,10 (USD per million tokens in, out), got {prices!r}"
            ) from None
        budget.prices = (paid_in, paid_out)
    if budget.max_usd is not None and not any(budget.prices):
        raise UserError("a budget in usd needs the prices; give --prices IN,OUT in USD per million tokens")
    return budget
