"""How long to wait before the next attempt: exponential, capped, with jitter."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """The `retry:` section of shopbot.yaml."""

    attempts: int
    """Attempts in all, the first included."""
    first_seconds: float
    factor: float
    max_seconds: float

    def seconds(self, attempts_made: int, chance: random.Random) -> float:
        """Give the wait after the n-th attempt: between three quarters of the step and the whole.

        So crowds spread out, and the defaults outlast an outage of an hour whatever chance has in store.
        """
        try:
            step = self.first_seconds * self.factor ** (attempts_made - 1)
        except OverflowError:
            step = self.max_seconds
        step = min(step, self.max_seconds)
        return step * (0.75 + chance.random() / 4)
