"""What `shopify_orders` finds when `shopbot doctor` asks: beside a simulated shop, set up well and badly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, ClassVar

import pytest

from shopbot.plugin import Finding, Level, Origin
from shopbot.testing.contracts import DiagnosisContract
from shopbot.testing.shopify import ShopifySimulator
from shopbot_plugins import shopify_orders
from shopbot_plugins._shopify_versions import version_finding

TOPICS = frozenset({"orders/create", "orders/paid", "orders/updated"})
HERE = "https://bot.example/webhooks/shopify"
GRANT: Mapping[str, Any] = {"access_token": None, "client_id": "simulated-client", "client_secret": "simulated-secret"}


class TestDiagnosis(DiagnosisContract):
    """The plugin beside a shop in which its app has subscribed everything."""

    section = "pollers"
    hook = "poll_orders"
    of_the_host = (*DiagnosisContract.of_the_host, "every", "overlap")
    module = shopify_orders
    settings: ClassVar = {"access_token": "shpat_simulated"}
    unreachable: ClassVar = {"api_url": "http://127.0.0.1:9"}
    shop: ShopifySimulator
    options: Mapping[str, Any] = {}
    """Of the simulator."""

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[Mapping[str, Any]]:
        usual = {"topics": sorted(TOPICS), "shop_specific": True, "webhook_url": HERE}
        self.shop = ShopifySimulator(**{**usual, **self.options})
        async with self.shop.serve() as address:
            yield {"api_url": address}

    async def found(
        self, *, address: str | None = HERE, topics: frozenset[str] = TOPICS, **settings: object
    ) -> Sequence[Finding]:
        """Ask the plugin, where the public address is known or not."""
        async with self.running(**settings) as running:
            return await self.examine(
                running,
                addresses={Origin.SHOPIFY: address} if address else {},
                topics={Origin.SHOPIFY: topics},
            )

    def shop_with(self, **options: Any) -> TestDiagnosis:  # noqa: ANN401 - of the simulator
        """Set the shop up."""
        self.options = options
        return self

    async def test_what_is_looked_at_is_told(self) -> None:
        assert [finding.what for finding in await self.found()] == [
            "agrees with Shopify",
            "version 2026-10 of the Admin API is good until 2027-10-01",
            "the app may read the orders of the last 60 days",
            f"subscribed: orders/create, orders/paid, orders/updated, to {HERE}",
        ]

    async def test_credentials_serve_as_well_as_a_token(self) -> None:
        assert {finding.level for finding in await self.found(**GRANT)} == {Level.OK}

    async def test_all_orders_can_be_read_with_a_scope_of_its_own(self) -> None:
        found = await self.shop_with(scopes=["write_orders", "read_all_orders"]).found()

        assert "the app may read all orders" in [finding.what for finding in found]

    async def test_a_missing_scope_is_a_problem(self) -> None:
        problem = the_problem(await self.shop_with(scopes=["read_products"]).found())

        assert problem.what == "the app lacks the scope read_orders"
        assert "lost webhooks are not made good" in problem.meaning

    async def test_a_topic_that_a_rule_waits_for_and_nobody_subscribed_is_a_problem(self) -> None:
        found = await self.shop_with(topics=["orders/create", "orders/updated"]).found(
            topics=TOPICS | {"fulfillment_events/create"}
        )

        problem = the_problem(found)
        assert problem.what == "not subscribed: fulfillment_events/create, orders/paid"
        assert "shopify.app.toml" in problem.meaning
        assert "admin" in problem.meaning
        assert f"subscribed: orders/create, orders/updated, to {HERE}" in [finding.what for finding in found]

    async def test_subscriptions_that_cannot_be_listed_are_no_problem_but_said(self) -> None:
        """Those of shopify.app.toml, and those that a merchant made in the shop's admin."""
        found = await self.shop_with(shop_specific=False).found()

        (warning,) = [finding for finding in found if finding.level is not Level.OK]
        assert warning.level is Level.WARNING
        assert "shopify.app.toml" in warning.meaning
        assert "Settings, Notifications, Webhooks" in warning.meaning
        assert "orders/create, orders/paid, orders/updated" in warning.to_do

    async def test_a_subscription_to_another_address_is_a_problem(self) -> None:
        other = "https://old-bot.example/webhooks/shopify?key=4711"
        found = await self.shop_with(webhook_url=other, topics=["orders/paid"]).found(topics=frozenset({"orders/paid"}))

        problem = the_problem(found)
        assert problem.what == "orders/paid goes to https://old-bot.example/webhooks/shopify"
        assert HERE in problem.meaning

    async def test_where_the_public_address_is_not_known_any_will_do_and_is_shown(self) -> None:
        found = await self.shop_with(webhook_url="https://old-bot.example/hook").found(address=None)

        assert {finding.level for finding in found} == {Level.OK}
        assert found[-1].what.endswith("to https://old-bot.example/hook")

    async def test_topics_that_cannot_be_subscribed_by_the_api_are_not_missed(self) -> None:
        found = await self.found(topics=TOPICS | {"customers/redact"})

        assert {finding.level for finding in found} == {Level.OK}

    async def test_without_a_rule_for_shopify_nothing_has_to_be_subscribed(self) -> None:
        found = await self.shop_with(topics=[]).found(topics=frozenset())

        assert {finding.level for finding in found} == {Level.OK}

    async def test_webhooks_in_a_version_that_has_ended_are_warned_of(self) -> None:
        found = await self.shop_with(webhook_api_version="2025-07").found()

        (warning,) = [finding for finding in found if finding.level is not Level.OK]
        assert (warning.level, warning.what) == (
            Level.WARNING,
            "webhooks are written in version 2025-07, which has ended on 2026-07-01",
        )

    async def test_a_version_that_has_ended_is_a_problem_and_the_one_that_answers_is_named(self) -> None:
        problem = the_problem(await self.found(api_version="2025-07"))

        assert problem.what == "version 2025-07 of the Admin API has ended on 2026-07-01, and 2026-01 has answered"
        assert "`api_version`" in problem.to_do

    @pytest.mark.parametrize(("skew_seconds", "direction"), [(-3600, "ahead of"), (3600, "behind")])
    async def test_a_clock_that_is_off_is_a_problem_and_the_rest_is_looked_at_all_the_same(
        self, skew_seconds: float, direction: str
    ) -> None:
        found = await self.shop_with(clock_skew_seconds=skew_seconds).found()

        assert direction in the_problem(found).what
        assert len(found) == 4

    async def test_a_revoked_token_is_a_problem_that_says_what_to_do(self) -> None:
        problem = the_problem(await self.shop_with(access_token="shpat_another").found())

        assert "refuses the access token" in problem.what
        assert "scope read_orders" in problem.to_do

    async def test_an_outage_at_shopify_is_a_warning(self) -> None:
        async with self.running() as running:
            self.shop.fail_next(503)
            (warning,) = await self.examine(running)

        assert (warning.level, warning.what) == (Level.WARNING, "Shopify answered HTTP 503")


def the_problem(found: Sequence[Finding]) -> Finding:
    """Give the only finding that is not fine, which is a problem."""
    (problem,) = [finding for finding in found if finding.level is not Level.OK]
    assert problem.level is Level.PROBLEM
    return problem


@pytest.mark.parametrize(
    ("today", "level"),
    [
        (date(2026, 10, 1), Level.OK),
        (date(2027, 8, 1), Level.OK),
        (date(2027, 8, 2), Level.WARNING),
        (date(2027, 9, 30), Level.WARNING),
        (date(2027, 10, 1), Level.PROBLEM),
    ],
)
def test_a_version_is_good_for_a_year_and_its_end_is_told_two_months_before(today: date, level: Level) -> None:
    finding = version_finding("the Admin API", "2026-10", today)

    assert finding.level is level
    assert "2027-10-01" in finding.what


def test_the_unstable_version_is_warned_of() -> None:
    assert version_finding("the Admin API", "unstable", date(2026, 11, 26)).level is Level.WARNING
