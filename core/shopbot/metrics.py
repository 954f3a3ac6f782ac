"""What the host counts and times, for Prometheus: one `Metrics` per process, and each shop's share of it.

With several worker processes a scrape reaches any one of them. So each keeps its numbers in files of a directory that
all of them share, and whichever is asked adds them up: prometheus_client's multiprocess mode.
https://prometheus.github.io/client_python/multiprocess/
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from shopbot.model.compliance import PRIVACY_TOPICS
from shopbot.model.event import Arrival, Source
from shopbot.model.outcome import Status
from shopbot.model.reason import Reason
from shopbot.turn_histogram import TurnHistogram

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which prometheus_client knows the shared directory."""

OTHER = "other"
"""Stands for label values that are not known beforehand: an outsider must not be able to make up new series."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric as Prometheus sees it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()
    """Upper bounds, in seconds."""


EVENTS = Family(
    "shopbot_events_total",
    "counter",
    ("shop", "topic", "source", "result"),
    "Arrivals by topic (`other`: none that shopbot knows), source (`webhook`, `poll`, `replay`) and result: `new`, or"
    " `duplicate` of an arrival that was taken in before.",
)
OUTCOMES = Family(
    "shopbot_outcomes_total",
    "counter",
    ("shop", "status", "reason"),
    "Ended attempts at events by status (`done`, `skipped`, `deferred`, `held`, `failed`) and reason code, `none` where"
    " there is none. `failed` is a new dead letter.",
)
SEND = Family(
    "shopbot_send_seconds",
    "histogram",
    ("shop", "sender", "result"),
    "How long a sender took with one message, by its place in shopbot.yaml and what came of it: `sent`, `passed` (not"
    " for this sender), `retry`, `refused`, `channel_down`, `in_doubt`, `failed` (the plugin itself).",
    (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 3, 5, 10, 30, 60),
)
RECEIPT_TO_SEND = Family(
    "shopbot_receipt_to_send_seconds",
    "histogram",
    ("shop", "source", "attempt"),
    "From an event's receipt until its message was sent and recorded. `attempt` is `first` where nothing came in"
    " between, `later` where the event waited: for a retry, a channel, an echo, or a daily limit.",
    (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60),
)
REQUEST = Family(
    "shopbot_request_seconds",
    "histogram",
    ("route", "status"),
    "From a request whose body is complete to its answer, by route (`/webhooks/shopify`; a name in braces stands for"
    " what it names) and HTTP status.",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
REJECTED = Family(
    "shopbot_rejected_requests_total",
    "counter",
    ("route", "status"),
    "Requests that were turned away, by route (`other`: no route of shopbot's) and HTTP status: 401 and 403 are"
    " signatures, shops or keys that do not fit, 413 a body over the limit, 408 one that did not arrive in time.",
)
PRIVACY = Family(
    "shopbot_privacy_requests_total",
    "counter",
    ("shop", "topic", "status"),
    "Requests of Shopify's privacy law (`customers/data_request`, `customers/redact`, `shop/redact`) and"
    " `app/uninstalled` by topic and how they ended: `done`, or `failed` as a dead letter that a person must see to.",
)
_COUNTED = (EVENTS, OUTCOMES, SEND, RECEIPT_TO_SEND, REQUEST, REJECTED, PRIVACY)

INBOX = Family("shopbot_inbox_events", "gauge", ("shop",), "Events in the inbox: waiting for a worker or in its hands.")
OLDEST = Family(
    "shopbot_oldest_event_seconds",
    "gauge",
    ("shop",),
    "How long the oldest event has been in the inbox since it arrived or came back; 0 when the inbox is empty.",
)
RETRIES = Family("shopbot_retries", "gauge", ("shop",), "Events that wait for their next attempt.")
HELD = Family("shopbot_held", "gauge", ("shop",), "Events whose message is in doubt and waits for its echo.")
PARKED = Family("shopbot_parked", "gauge", ("shop",), "Events that wait for a channel that is closed.")
DEAD_LETTERS = Family("shopbot_dead_letters", "gauge", ("shop",), "Events that were given up and wait for a person.")
APP_UNINSTALLED = Family(
    "shopbot_app_uninstalled", "gauge", ("shop",), "1 while the app is known to be uninstalled from the shop, else 0."
)
CHANNEL = Family(
    "shopbot_channel_state",
    "gauge",
    ("shop", "channel", "state"),
    "1 for the state that a channel is in, 0 for the others: `open`, `paused` (it opens by itself), `down` (until a"
    " person acts).",
)
POLLER_GAP = Family(
    "shopbot_poller_gap_seconds",
    "gauge",
    ("shop", "poller"),
    "How long ago the last complete poll ended: a webhook that was lost since then is not found yet. +Inf before the"
    " first one.",
)
POLLER_FAILING = Family(
    "shopbot_poller_failing", "gauge", ("shop", "poller"), "1 while the last poll has failed, else 0."
)
POLLED = Family(
    "shopbot_polled_orders_total", "counter", ("shop", "poller"), "Orders that polls gave, known ones included."
)
FIRST_SEEN = Family(
    "shopbot_orders_first_seen_by_poll_total",
    "counter",
    ("shop", "poller"),
    "Orders that a poll saw before any webhook of theirs was worked off: late or lost webhooks.",
)
STORE_UP = Family("shopbot_store_up", "gauge", ("shop",), "1 when the store answered this scrape in time, else 0.")
STORE_WARNINGS = Family(
    "shopbot_store_warnings",
    "gauge",
    ("shop",),
    "In how many ways the store could lose data, as `/readyz` names them.",
)
CONFIG_INFO = Family(
    "shopbot_config_info",
    "gauge",
    ("shop", "version"),
    "Always 1; the label has the version of the configuration that works, a short hash of its files.",
)
CONFIG_REFUSED = Family(
    "shopbot_config_refused",
    "gauge",
    ("shop",),
    "1 while the configuration on disk is refused and an earlier version works on, else 0. `/readyz` says why.",
)
CONFIG_RELOADED_AT = Family(
    "shopbot_config_last_reload_timestamp_seconds",
    "gauge",
    ("shop",),
    "When the version that works was put in place, at the start or by a reload, in seconds since 1970.",
)
CONFIG_REFUSED_AT = Family(
    "shopbot_config_last_refusal_timestamp_seconds",
    "gauge",
    ("shop",),
    "When a change of the configuration was refused the last time, in seconds since 1970; 0 if never.",
)
CONFIG_RELOADS = Family(
    "shopbot_config_reloads_total",
    "counter",
    ("shop", "result"),
    "Changes of the configuration since the host was started, by what became of them: `ok` or `refused`.",
)
INFO = Family("shopbot_info", "gauge", ("version",), "Always 1; the label has the version.")
STORED = (
    *(INBOX, OLDEST, RETRIES, HELD, PARKED, DEAD_LETTERS, APP_UNINSTALLED, CHANNEL),
    *(POLLER_GAP, POLLER_FAILING, POLLED, FIRST_SEEN, STORE_UP, STORE_WARNINGS),
    *(CONFIG_INFO, CONFIG_REFUSED, CONFIG_RELOADED_AT, CONFIG_REFUSED_AT, CONFIG_RELOADS, INFO),
)
"""Metrics that are not counted by a process but read anew for each scrape."""

FAMILIES = (*_COUNTED, *STORED)
"""All metrics, in the order of the documentation."""


class Metrics:
    """The metrics of one process: made by its main function, passed to all that counts."""

    def __init__(self, directory: Path | None = None) -> None:
        """Make the metrics.

        directory: that all processes of the host share, in which case `share` comes first; None: this is the only one.
        """
        self._registry = CollectorRegistry()
        self._directory = directory
        self.events = self._counter(EVENTS)
        self.outcomes = self._counter(OUTCOMES)
        self.sends = self._histogram(SEND)
        self.receipt_to_send = self._histogram(RECEIPT_TO_SEND)
        self._requests = self._histogram(REQUEST, TurnHistogram)
        self._rejected = self._counter(REJECTED)
        self.privacy_requests = self._counter(PRIVACY)

    def answers(self, route: str, status: int) -> Histogram:
        """Give what times a route's answers with one status, to be kept at hand: this is asked for every webhook."""
        return self._requests.labels(route, str(status))

    def rejected(self, route: str, status: int) -> None:
        """Take note of a request that was turned away; the route is one of shopbot's own, or `OTHER`."""
        self._rejected.labels(route, str(status)).inc()

    def collect(self) -> Iterable[Metric]:
        """Give what was counted, by all processes together. Reads files: call it from a thread."""
        if self._directory is not None:
            # prometheus_client leaves this class untyped.
            merged: Iterable[Metric] = MultiProcessCollector(None, str(self._directory)).collect()  # type: ignore[no-untyped-call]
            return merged
        return [_without_creation_times(metric) for metric in self._registry.collect()]

    def _counter(self, family: Family) -> Counter:
        return Counter(family.name, family.meaning, family.labels, registry=self._registry)

    def _histogram(self, family: Family, kind: type[Histogram] = Histogram) -> Histogram:
        return kind(family.name, family.meaning, family.labels, registry=self._registry, buckets=family.buckets)


class ShopMetrics:
    """What one shop's parts count. Label values are looked up once each."""

    def __init__(self, metrics: Metrics, shop: str, topics: Iterable[str] = ()) -> None:
        """Count for a shop.

        topics: those that are told apart; all others are `OTHER`.
        """
        self._metrics = metrics
        self._shop = shop
        self._topics = frozenset(topics)
        self._events: dict[tuple[str, Source, bool], Counter] = {}
        self._outcomes: dict[tuple[Status, Reason | None], Counter] = {}
        self._sends: dict[tuple[str, str], Histogram] = {}
        for topic in sorted(PRIVACY_TOPICS):
            for status in (Status.DONE, Status.FAILED):
                # There from the start: Prometheus sees an increase only of what it has seen before.
                metrics.privacy_requests.labels(shop, topic, status.value)

    def arrived(self, arrivals: Sequence[Arrival], news: Sequence[bool]) -> None:
        """Count a batch of arrivals: which, and whether each is new."""
        numbers: dict[tuple[str, Source, bool], int] = {}
        for arrival, new in zip(arrivals, news, strict=True):
            topic = arrival.topic
            key = (topic if topic in self._topics else OTHER, arrival.source, new)
            numbers[key] = numbers.get(key, 0) + 1
        for key, number in numbers.items():
            counter = self._events.get(key)
            if counter is None:
                topic, source, new = key
                result = "new" if new else "duplicate"
                counter = self._events[key] = self._metrics.events.labels(self._shop, topic, source.value, result)
            counter.inc(number)

    def settled(self, status: Status, reason: Reason | None) -> None:
        """Count the end of an attempt at an event."""
        counter = self._outcomes.get((status, reason))
        if counter is None:
            labels = (self._shop, status.value, reason.value if reason else "none")
            counter = self._outcomes[status, reason] = self._metrics.outcomes.labels(*labels)
        counter.inc()

    def privacy_request(self, topic: str, status: Status) -> None:
        """Count a request of Shopify's privacy law that has ended."""
        self._metrics.privacy_requests.labels(self._shop, topic, status.value).inc()

    def called(self, sender: str, result: str, seconds: float) -> None:
        """Take note of one call of a sender; the values of `result` are those that `SEND` names."""
        histogram = self._sends.get((sender, result))
        if histogram is None:
            histogram = self._sends[sender, result] = self._metrics.sends.labels(self._shop, sender, result)
        histogram.observe(seconds)

    def sent(self, source: Source, seconds_since_receipt: float, *, first_attempt: bool) -> None:
        """Take note of a message that is out."""
        attempt = "first" if first_attempt else "later"
        self._metrics.receipt_to_send.labels(self._shop, source.value, attempt).observe(seconds_since_receipt)


def share(place: int) -> None:
    """Keep this process's numbers in the files of its place. Called once, before any metric is made.

    place: unlike that of any other process that is running; the one that replaces a dead process has the same, and
        counts on in its files. (By default prometheus_client names the files after process ids: a process that keeps
        dying would leave more and more of them to add up.)
    """
    values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]


def _without_creation_times(metric: Metric) -> Metric:
    """Leave out `…_created`, which the multiprocess mode does not have either."""
    metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
    return metric
