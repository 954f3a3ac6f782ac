"""Makes of the samples of all turns ratios that hold on a noisy machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any

from benchmarks.load import Sample


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the quartiles beside it: half of all values lie between these."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Sum *values* up; there is at least one."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        lower, middle, upper = quantiles(values, n=4, method="inclusive")
        return cls(middle, lower, upper)


@dataclass(frozen=True, slots=True)
class Result:
    """One contestant over all turns."""

    title: str
    per_second: Spread
    p50_ms: Spread
    p99_ms: Spread
    ratio: Spread | None
    """Requests per second over the yardstick's in the same turn: what the machine did to both cancels out. None
    when the yardstick was left out."""
    client_cpu: float
    kept: tuple[tuple[int, int], ...]
    """For each round in which it was counted: requests answered 200, and events found on disk."""

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return asdict(self)


def sum_up(
    title: str,
    samples: Sequence[Sample],
    yardstick: Sequence[Sample] | None,
    kept: Sequence[tuple[int, int]],
) -> Result:
    """Sum up the turns of one contestant, *samples* and *yardstick* being of the same turns."""
    pairs = None if yardstick is None else list(zip(samples, yardstick, strict=True))
    return Result(
        title=title,
        per_second=Spread.of([sample.per_second for sample in samples]),
        p50_ms=Spread.of([sample.p50_ms for sample in samples]),
        p99_ms=Spread.of([sample.p99_ms for sample in samples]),
        ratio=None if pairs is None else Spread.of([mine.per_second / other.per_second for mine, other in pairs]),
        client_cpu=median([sample.client_cpu for sample in samples]),
        kept=tuple(kept),
    )


def table(results: Mapping[str, Result]) -> str:
    """Lay the results out for people; medians of the turns, ratios with their quartiles."""
    lines = [f"{'':44}{'requests/s':>11}{'p50 ms':>9}{'p99 ms':>9}   ratio to (a)"]
    for letter, result in results.items():
        ratio = result.ratio
        shown = "" if ratio is None else f"{ratio.median:6.1%}  ({ratio.lower:.1%} to {ratio.upper:.1%})"
        lines.append(
            f"({letter}) {result.title:40}{result.per_second.median:11,.0f}{result.p50_ms.median:9.2f}"
            f"{result.p99_ms.median:9.2f}   {shown}"
        )
    for letter, result in results.items():
        if result.kept:
            answered, found = (sum(numbers) for numbers in zip(*result.kept, strict=True))
            lines.append(
                f"({letter}) answered {answered:,} webhooks with 200; after kill -9 the store gave back {found:,} "
                "events from disk (more than answered: requests cut off at the end of a turn)"
            )
    busiest = max(result.client_cpu for result in results.values())
    lines.append(f"The load client used at most {busiest:.0%} of a core.")
    return "\n".join(lines)
