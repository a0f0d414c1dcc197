"""How long a person waited for the first sound of an answer, step by step: measured and logged."""

import logging
import time

from unisono.serve.realtime.events import Events
from unisono.serve.wire.metrics import FIRST_SOUND

log = logging.getLogger("unisono.serve")


class TurnTimes:
    """When the steps of one response were done, by perf_counter."""

    def __init__(self, response_id: str, events: Events) -> None:
        self.response_id, self.events = response_id, events
        self.times: dict[str, float] = {}

    def start(self, times: dict[str, float] | None) -> None:
        """Takes the steps of the turn that is answered; None where it answers none."""
        self.times = dict(times or {})

    def step(self, name: str, at: float | None = None) -> None:
        """A step is done, now or at a moment that is known; only its first time counts."""
        self.times.setdefault(name, time.perf_counter() if at is None else at)

    def first_sound(self) -> None:
        """The first sound is ready to be sent."""
        self.step("decoded")
        if "spoken" in self.times:
            self.events.after_sent(self._sent)

    def _sent(self) -> None:
        self.step("wire")
        start = self.times["spoken"]
        FIRST_SOUND.observe(self.times["wire"] - start)
        steps = {f"{step}_ms": round((at - start) * 1000, 1) for step, at in self.times.items()}
        log.info("turn", extra={"fields": {"response": self.response_id, **steps}})
