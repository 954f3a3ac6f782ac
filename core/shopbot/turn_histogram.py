"""A histogram for what happens thousands of times a second."""

import asyncio
from bisect import bisect_left
from collections import Counter

from prometheus_client import Histogram


class TurnHistogram(Histogram):
    """A histogram that writes what it observes in one turn of the event loop together, in the next one.

    In prometheus_client's multiprocess mode a number is written to a file that is mapped into memory. Two of them for
    each observation take 5 µs, a twentieth of what a webhook takes; webhooks are answered a batch at a time.
    """

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Take an observation in; called in a running event loop, and without exemplars, which nothing here has.

        Raises:
            ValueError: an exemplar is given.
        """
        if exemplar is not None:
            raise ValueError("this histogram keeps no exemplars")
        if not self._seen:
            asyncio.get_running_loop().call_soon(self._write)
        self._seen.append(amount)

    def _metric_init(self) -> None:
        super()._metric_init()
        self._seen: list[float] = []

    def _write(self) -> None:
        seen, self._seen = self._seen, []
        bounds = self._upper_bounds
        self._sum.inc(sum(seen))
        for bucket, number in Counter(bisect_left(bounds, amount) for amount in seen).items():
            self._buckets[bucket].inc(number)
