"""The rules that are always there: what each answers Shopify, and what the journal and the log say of it.

That nothing of a person is left, in a running host and in a large store, is in `tests/privacy`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from shopbot.hooks import PluginFailedError
from shopbot.model.compliance import (
    APP_UNINSTALLED,
    CUSTOMER_REDACT,
    DATA_REQUEST,
    PRIVACY_TOPICS,
    SHOP_REDACT,
)
from shopbot.model.event import Event, Source
from shopbot.model.failures import Retry
from shopbot.model.outcome import Outcome
from shopbot.model.reason import Reason
from shopbot.privacy.erasure import Erasure
from shopbot.privacy.files import ExportFiles
from shopbot.privacy.person import Person
from shopbot.privacy.sweep import BATCH_KEYS
from shopbot.rules import compliance
from shopbot.rules.attempt import Attempt
from shopbot.rules.compliance import COMPLIANCE_RULES, Compliance
from shopbot.rules.news import read_news
from shopbot.store.lease import Lease
from support.compliance import customer, customer_redact, data_request, shop_redact, uninstalled
from support.shoppers import NOW, Shop, Shopper
from support.stores import running_store
from support.whole_store import traces

JANE = Shopper(1)
DAY = timedelta(days=1)
BODIES = {
    DATA_REQUEST: data_request(JANE.order_ids),
    CUSTOMER_REDACT: customer_redact(JANE.order_ids),
    SHOP_REDACT: shop_redact(),
}
UNDER_WAY = Outcome.deferred(Reason.PRIVACY_UNDER_WAY, "waits for attempts that are under way", retry_after_seconds=0.5)


@dataclass
class Office:
    """The steps of these rules on a shop's store, and what they ask for."""

    shop: Shop
    directory: Path
    polled: datetime | None = None
    """When a poller last read the shop's orders."""
    fails: Exception | None = None
    """Of what is kept beside the store."""
    asked_beside: list[Person | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        shop = self.shop
        self.compliance = Compliance(
            keys=shop.keys,
            export=shop.export(),
            erasure=Erasure(shop.search(), beside=self._erase_beside, log_rewrite=None),
            files=ExportFiles(self.directory, shop.domain, ttl=DAY),
            erased=shop.erased,
            last_poll=self._last_poll,
            clock=lambda: NOW,
        )

    async def asked(self, topic: str, body: bytes | None = None, *, event_id: str = "webhook:r") -> Outcome:
        """Work on a request once."""
        body = BODIES[topic] if body is None else body
        # Shopify says that it happened a minute before it came.
        event = Event(
            id=event_id,
            topic=topic,
            source=Source.WEBHOOK,
            received_at=NOW,
            triggered_at=NOW - timedelta(minutes=1),
            body=body,
        )
        news = read_news(topic, json.loads(body))
        [rule] = [rule for rule in COMPLIANCE_RULES if topic in rule.topics]
        [step] = rule.steps
        attempt = Attempt(event=event, number=1, earlier=(), clock=lambda: NOW, news=news)
        [outcome] = await self.compliance.steps[step.name](attempt, rule, step)
        return outcome

    async def answered(self, topic: str, body: bytes | None = None) -> Outcome:
        """Work on a request that waits once for attempts under way, as erasures do."""
        assert await self.asked(topic, body) == UNDER_WAY
        return await self.asked(topic, body)

    def export(self) -> Mapping[str, Any]:
        """Read the one file that was written."""
        [path] = (self.directory / "exports").iterdir()
        content: Mapping[str, Any] = json.loads(path.read_text())
        return content

    async def _last_poll(self) -> datetime | None:
        return self.polled

    async def _erase_beside(self, person: Person | None) -> None:
        self.asked_beside.append(person)
        if self.fails is not None:
            raise self.fails


@asynccontextmanager
async def an_office(tmp_path: Path, *kept: Shopper) -> AsyncIterator[Office]:
    """Open it for a shop that keeps all that it can of some shoppers."""
    async with running_store("embedded", tmp_path) as store:
        shop = Shop(store.client, store.another(blocking=True))
        if kept:
            await shop.queue.open()
            await shop.queue.sign_of_life()
            shop.inbox.start()
            for shopper in kept:
                await shop.keep(shopper)
            await shop.inbox.stop()
        yield Office(shop, tmp_path / "data")


def test_each_topic_has_a_rule_of_its_own_that_no_configuration_can_write() -> None:
    for rule in COMPLIANCE_RULES:
        [step] = rule.steps
        assert step.name == rule.name
        assert step.place == f"1:{rule.name}"
        assert rule.name.startswith("privacy.")
        assert rule.built_in
    assert [topic for rule in COMPLIANCE_RULES for topic in rule.topics] == [
        *(DATA_REQUEST, CUSTOMER_REDACT, SHOP_REDACT, APP_UNINSTALLED)
    ]
    assert {topic for rule in COMPLIANCE_RULES for topic in rule.topics} == PRIVACY_TOPICS
    assert [rule.name for rule in COMPLIANCE_RULES] == [
        "privacy.export_customer",
        "privacy.erase_customer",
        "privacy.erase_shop",
        "privacy.note_uninstalled",
    ]


class TestDataRequest:
    async def test_what_is_kept_is_written_to_a_file_that_is_named_by_the_request(self, tmp_path: Path) -> None:
        async with an_office(tmp_path, JANE) as office:
            with capture_logs() as logs:
                outcome = await office.asked(DATA_REQUEST)

            content = office.export()
            assert outcome == Outcome.done("acme.data-request-9265.json")
            assert content["request"]["request_id"] == 9_265
            assert content["request"]["order_ids"] == JANE.order_ids
            assert "order" in content["records"]
            assert await traces(office.shop.client, [JANE.psid]) != []
        [line] = logs
        assert (line["event"], line["log_level"]) == ("data_request_exported", "warning")
        assert line["file"] == str(tmp_path / "data" / "exports" / "acme.data-request-9265.json")

    async def test_a_request_without_a_number_is_named_by_its_event(self, tmp_path: Path) -> None:
        body = data_request(JANE.order_ids, data_request=None)
        name = sha256(b"webhook:r").hexdigest()[:16]
        async with an_office(tmp_path) as office:
            assert await office.asked(DATA_REQUEST, body) == Outcome.done(f"acme.data-request-{name}.json")

    async def test_what_else_an_account_has_ordered_is_not_shown(self, tmp_path: Path) -> None:
        """Whoever has the cart open can type a PSID into an attribute: it may be somebody else's."""
        body = data_request(JANE.order_ids[:1], customer=None)
        async with an_office(tmp_path, JANE) as office:
            await office.asked(DATA_REQUEST, body)

            content = office.export()
        [note] = content["notes"]
        assert JANE.psid in note
        assert content["shoppers"] == []
        assert str(JANE.order_ids[1]) not in json.dumps(content["records"])

    async def test_a_file_that_cannot_be_written_is_tried_again(self, tmp_path: Path) -> None:
        async with an_office(tmp_path) as office:
            (tmp_path / "data").mkdir()
            (tmp_path / "data" / "exports").write_text("no directory")

            outcome = await office.asked(DATA_REQUEST)

        assert outcome == Outcome.deferred(Reason.EXPORT_FAILED, f"{tmp_path / 'data' / 'exports'}: File exists")


class TestCustomerRedact:
    async def test_everything_that_a_shopper_has_is_erased(self, tmp_path: Path) -> None:
        """Also what they ordered beside what is named: here nobody gets to see it."""
        body = customer_redact(JANE.order_ids[:1], customer=customer(JANE.customer_id, JANE.email))
        async with an_office(tmp_path, JANE, Shopper(2)) as office:
            with capture_logs() as logs:
                outcome = await office.answered(CUSTOMER_REDACT, body)

            assert await traces(office.shop.client, JANE.secrets) == []
            assert await traces(office.shop.client, [Shopper(2).psid]) != []
            [person] = office.asked_beside
        assert outcome.status == "done"
        assert outcome.detail.startswith("3 orders, 1 shopper: ")
        assert person is not None
        assert person.traces.psids == {JANE.psid}
        [line] = logs
        assert (line["event"], line["log_level"]) == ("customer_erased", "warning")
        assert (line["what"], line["event_id"]) == (outcome.detail, "webhook:r")

    async def test_what_is_kept_beside_the_store_and_is_busy_is_asked_again(self, tmp_path: Path) -> None:
        async with an_office(tmp_path) as office:
            office.fails = Retry("the index is being written", after_seconds=7.0)
            outcome = await office.answered(CUSTOMER_REDACT)
            office.fails = PluginFailedError("observers[0]:audit", "ValueError")
            another = await office.asked(CUSTOMER_REDACT)

        assert outcome == Outcome.deferred(Reason.PLUGIN_FAILED, "the index is being written", retry_after_seconds=7.0)
        assert another == Outcome.deferred(Reason.PLUGIN_FAILED, "ValueError", plugin="observers[0]:audit")


class TestShopRedact:
    async def test_everything_but_the_request_itself_is_erased(self, tmp_path: Path) -> None:
        async with an_office(tmp_path, JANE) as office:
            keys = office.shop.keys
            own = [keys.event("webhook:r"), keys.journal("webhook:r"), keys.seen("webhook:r")]
            for key in own:
                await office.shop.client.set(key, "the request")
            with capture_logs() as logs:
                outcome = await office.answered(SHOP_REDACT)

            assert await traces(office.shop.client, JANE.secrets) == []
            assert await office.shop.client.exists(*own) == 3
        assert outcome.status == "done"
        assert outcome.detail.endswith(" records erased")
        assert office.asked_beside == [None]
        [line] = logs
        assert (line["event"], line["log_level"], line["event_id"]) == ("shop_erased", "warning", "webhook:r")

    @pytest.mark.parametrize("ago", [timedelta(0), DAY - timedelta(seconds=1)])
    async def test_a_shop_whose_orders_a_poller_has_read_within_a_day_is_not_erased(
        self, tmp_path: Path, ago: timedelta
    ) -> None:
        async with an_office(tmp_path, JANE) as office:
            office.polled = NOW - ago
            with capture_logs() as logs:
                outcome = await office.asked(SHOP_REDACT)

            assert await traces(office.shop.client, [JANE.psid]) != []
        assert (outcome.status, outcome.reason) == ("failed", Reason.SHOP_INSTALLED)
        assert outcome.detail == (
            f"a poller read the shop's orders at {(NOW - ago).isoformat()}. To erase everything all the same:"
            " shopbot privacy erase --shop acme.myshopify.com"
        )
        [line] = logs
        assert (line["event"], line["log_level"]) == ("shop_not_erased", "error")
        assert line["last_poll"] == (NOW - ago).isoformat()

    async def test_a_poll_of_a_day_ago_does_not_keep_a_shop_from_being_erased(self, tmp_path: Path) -> None:
        async with an_office(tmp_path) as office:
            office.polled = NOW - DAY
            outcome = await office.answered(SHOP_REDACT)

        assert outcome == Outcome.done("0 records erased")


class TestLater:
    @pytest.mark.parametrize("topic", BODIES)
    async def test_a_request_waits_for_another_search(self, tmp_path: Path, topic: str) -> None:
        async with an_office(tmp_path) as office:
            if topic != DATA_REQUEST:
                await office.asked(topic)
            assert await Lease(office.shop.client, office.shop.keys.privacy_lease, seconds=30.0).take()

            outcome = await office.asked(topic)

        assert outcome == Outcome.deferred(
            Reason.PRIVACY_UNDER_WAY, "waits for another search", retry_after_seconds=5.0
        )

    @pytest.mark.parametrize("topic", BODIES)
    async def test_a_request_whose_stretch_is_over_goes_on_soon(
        self, tmp_path: Path, topic: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(compliance, "_STRETCH_SECONDS", 0.0)
        async with an_office(tmp_path) as office:
            await office.shop.client.mset({f"somebody:else:{number}": "" for number in range(4 * BATCH_KEYS)})
            if topic != DATA_REQUEST:
                await office.asked(topic)

            outcome = await office.asked(topic)

        assert outcome == Outcome.deferred(Reason.PRIVACY_UNDER_WAY, "goes on", retry_after_seconds=0.5)


class TestUninstalled:
    async def test_since_when_the_app_is_uninstalled_is_noted_and_said_loudly(self, tmp_path: Path) -> None:
        async with an_office(tmp_path) as office:
            with capture_logs() as logs:
                outcome = await office.asked(APP_UNINSTALLED, uninstalled())
            marks = await office.shop.erased.look(None, None)

        assert outcome == Outcome.done()
        assert marks.uninstalled_at == NOW - timedelta(minutes=1)
        [line] = logs
        assert (line["event"], line["log_level"]) == ("app_uninstalled", "error")
        assert line["since"] == (NOW - timedelta(minutes=1)).isoformat()


@pytest.mark.parametrize("topic", [DATA_REQUEST, CUSTOMER_REDACT, SHOP_REDACT, APP_UNINSTALLED])
async def test_a_body_that_is_not_what_its_topic_promises_fails_and_changes_nothing(tmp_path: Path, topic: str) -> None:
    async with an_office(tmp_path, JANE) as office:
        outcome = await office.asked(topic, b'{"shop_domain": "another.myshopify.com", "id": true}')

        assert await traces(office.shop.client, [JANE.psid]) != []
        assert (await office.shop.erased.look(None, None)).uninstalled_at is None
    assert (outcome.status, outcome.reason) == ("failed", Reason.WEBHOOK_PROCESSING_ERROR)
    assert topic in outcome.detail
