"""A histogram that writes once in a turn of the event loop says what one that writes at once says."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from shopbot.turn_histogram import TurnHistogram

BOUNDS = (0.001, 0.01, 0.1, 1.0)
SECONDS = st.sampled_from([0.0, *BOUNDS, 0.005, 0.5, 7.0])


def samples(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


@given(st.lists(st.lists(st.tuples(st.sampled_from(["200", "503"]), SECONDS))))
def test_it_counts_what_a_histogram_counts(turns: list[list[tuple[str, float]]]) -> None:
    usual, together = CollectorRegistry(), CollectorRegistry()

    async def observe() -> None:
        one = Histogram("request_seconds", "Requests.", ("status",), registry=usual, buckets=BOUNDS)
        other = TurnHistogram("request_seconds", "Requests.", ("status",), registry=together, buckets=BOUNDS)
        for turn in turns:
            for status, seconds in turn:
                one.labels(status).observe(seconds)
                other.labels(status).observe(seconds)
            await asyncio.sleep(0)

    asyncio.run(observe())

    assert samples(together) == pytest.approx(samples(usual))


async def test_one_turns_observations_are_written_in_the_next() -> None:
    registry = CollectorRegistry()
    histogram = TurnHistogram("request_seconds", "Requests.", registry=registry, buckets=BOUNDS)

    histogram.observe(0.5)
    histogram.observe(0.5)
    assert samples(registry)["request_seconds_count",] == 0
    await asyncio.sleep(0)

    assert samples(registry)["request_seconds_count",] == 2
    assert samples(registry)["request_seconds_sum",] == 1.0


async def test_exemplars_are_refused_not_dropped() -> None:
    histogram = TurnHistogram("request_seconds", "Requests.", registry=CollectorRegistry())

    with pytest.raises(ValueError, match="exemplars"):
        histogram.observe(0.5, {"trace_id": "1"})
