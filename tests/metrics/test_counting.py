"""The objects that parts of the host count in."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shopbot.metrics import FAMILIES, STORED, Metrics, ShopMetrics
from shopbot.model.event import Arrival, Source
from shopbot.model.outcome import Status
from shopbot.model.reason import Reason


def an_arrival(topic: str, source: Source = Source.WEBHOOK) -> Arrival:
    return Arrival(id="webhook:1", topic=topic, source=source, received_ms=1_795_428_900_000, body=b"")


def samples(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values()): sample.value
        for metric in metrics.collect()
        for sample in metric.samples
        if sample.name == name
    }


def test_a_batch_of_arrivals_is_counted_by_what_they_are() -> None:
    metrics = Metrics()
    shop = ShopMetrics(metrics, "acme", ["orders/paid"])

    shop.arrived(
        [
            an_arrival("orders/paid"),
            an_arrival("orders/paid"),
            an_arrival("orders/paid", Source.POLL),
            an_arrival("x/y"),
        ],
        [True, False, True, True],
    )
    shop.arrived([an_arrival("orders/paid"), an_arrival("z/z")], [True, True])

    assert samples(metrics, "shopbot_events_total") == {
        ("acme", "orders/paid", "webhook", "new"): 2,
        ("acme", "orders/paid", "webhook", "duplicate"): 1,
        ("acme", "orders/paid", "poll", "new"): 1,
        ("acme", "other", "webhook", "new"): 2,
    }


def test_no_outsider_can_make_up_series() -> None:
    metrics = Metrics()
    shop = ShopMetrics(metrics, "acme", ["orders/paid"])

    for number in range(1000):
        shop.arrived([an_arrival(f"made/up_{number}")], [True])

    assert samples(metrics, "shopbot_events_total") == {("acme", "other", "webhook", "new"): 1000}


def test_two_shops_of_one_process_are_told_apart() -> None:
    metrics = Metrics()
    for name, times in (("acme", 1), ("other-shop", 2)):
        shop = ShopMetrics(metrics, name)
        for _ in range(times):
            shop.settled(Status.FAILED, Reason.IN_DOUBT)

    assert samples(metrics, "shopbot_outcomes_total") == {
        ("acme", "failed", "IN_DOUBT"): 1,
        ("other-shop", "failed", "IN_DOUBT"): 2,
    }


def test_metrics_of_two_hosts_in_one_process_do_not_mix() -> None:
    one, other = Metrics(), Metrics()
    ShopMetrics(one, "acme").settled(Status.DONE, None)

    assert samples(one, "shopbot_outcomes_total") == {("acme", "done", "none"): 1}
    assert samples(other, "shopbot_outcomes_total") == {}


@pytest.mark.parametrize(("seconds", "bucket", "inside"), [(2.9, "3.0", 1), (3.1, "3.0", 0), (3.1, "5.0", 1)])
def test_the_promise_of_three_seconds_is_a_boundary(seconds: float, bucket: str, inside: int) -> None:
    metrics = Metrics()
    ShopMetrics(metrics, "acme").sent(Source.WEBHOOK, seconds, first_attempt=True)

    found = samples(metrics, "shopbot_receipt_to_send_seconds_bucket")
    assert found["acme", "webhook", "first", bucket] == inside


def test_every_metric_is_counted_or_read_under_its_own_name() -> None:
    counted = {metric.name for metric in Metrics().collect()}
    names = [family.name for family in FAMILIES]

    assert len(names) == len(set(names))
    assert {name.removesuffix("_total") for name in names} == counted | {
        family.name.removesuffix("_total") for family in STORED
    }
    assert all(name.startswith("shopbot_") for name in names)


def test_importing_the_metrics_registers_nothing_anywhere() -> None:
    """No module-level state: prometheus_client's own global registry holds only its own collectors."""
    program = (
        "import prometheus_client as p; import shopbot.metrics, shopbot.web.metrics; shopbot.metrics.Metrics();"
        "assert not [m for m in p.REGISTRY.collect() if m.name.startswith('shopbot')]"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=100)  # noqa: S603 - the test's own program
