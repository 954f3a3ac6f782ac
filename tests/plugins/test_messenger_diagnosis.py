"""What `messenger` finds when `shopbot doctor` asks: beside a simulated Page, set up well and badly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, ClassVar

import pytest

from shopbot.plugin import Finding, Level, Origin, TemplateDefinition, TemplateStatus
from shopbot.testing.contracts import DiagnosisContract
from shopbot.testing.messenger import AppWebhook, MessengerSimulator
from shopbot_plugins import messenger
from shopbot_plugins._messenger_versions import version_finding

TOKEN, APP_SECRET = "test-page-token", "test-app-secret"
PAGE = "102290129340398"
HERE = "https://bot.example/webhooks/messenger"
FIELDS = frozenset({"messages", "messaging_postbacks", "message_echoes"})


class TestDiagnosis(DiagnosisContract):
    """The plugin beside a Page whose app has everything that it needs."""

    section = "senders"
    hook = "send_message"
    module = messenger
    settings: ClassVar = {"page_id": PAGE, "access_token": TOKEN, "app_secret": APP_SECRET}
    unreachable: ClassVar = {"api_url": "http://127.0.0.1:9/v25.0"}
    page: MessengerSimulator

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[Mapping[str, Any]]:
        self.page = MessengerSimulator(page_id=PAGE, require_appsecret_proof=True)
        self.page.subscribed_fields = FIELDS
        self.page.app_webhook = AppWebhook(HERE, FIELDS)
        async with self.page.serve() as address:
            yield {"api_url": f"{address}/v25.0"}

    async def found(
        self,
        *,
        topics: frozenset[str] = frozenset(),
        address: str | None = HERE,
        change: Any = lambda _page: None,  # noqa: ANN401 - any change to the Page
        settings: Mapping[str, Any] | None = None,
        **told: Any,  # noqa: ANN401 - fields of the examination
    ) -> Sequence[Finding]:
        """Ask the plugin, after a change to the Page."""
        async with self.running(**(settings or {})) as running:
            change(self.page)
            return await self.examine(
                running,
                topics={Origin.SHOPIFY: frozenset(), Origin.MESSENGER: topics},
                addresses={Origin.MESSENGER: address} if address else {},
                **told,
            )

    async def test_what_is_looked_at_is_told(self) -> None:
        assert [finding.what for finding in await self.found(sends_templates=True)] == [
            "agrees with Meta",
            "version v25.0 of the Graph API is good until 2028-07-29",
            f"the token is good, for the Page Simulated Page ({PAGE})",
            "the token has pages_messaging, pages_utility_messaging",
            "the token does not end",
            "subscribed: messages, messaging_postbacks, message_echoes",
        ]

    async def test_a_revoked_token_is_a_problem_that_says_what_to_do(self) -> None:
        problem = the_problem(await self.found(change=lambda page: page.tokens.revoke()))

        assert "the access token is invalid, expired or revoked" in problem.what
        assert "no message goes out" in problem.meaning
        assert "make a new token" in problem.to_do

    async def test_a_proof_that_does_not_fit_the_app_is_a_problem(self) -> None:
        problem = the_problem(await self.found(settings={"app_secret": "of-another-app"}))

        assert "not that of the app which made the access token" in problem.what

    async def test_the_token_of_another_page_is_a_problem(self) -> None:
        problem = first_problem(await self.found(settings={"page_id": "999"}))

        assert problem.what == f"the token is of Simulated Page ({PAGE}), and page_id is 999"

    @pytest.mark.parametrize(
        ("permission", "sends_templates", "missed"),
        [
            ("pages_messaging", False, "Meta refuses every message"),
            ("pages_utility_messaging", True, "nothing outside the messaging window"),
            ("pages_utility_messaging", False, None),
        ],
    )
    async def test_a_permission_that_is_needed_and_missing_is_a_problem(
        self, permission: str, missed: str | None, *, sends_templates: bool
    ) -> None:
        found = await self.found(
            change=lambda page: page.tokens.permissions.discard(permission), sends_templates=sends_templates
        )

        if missed is None:
            assert {finding.level for finding in found} == {Level.OK}
        else:
            problem = the_problem(found)
            assert problem.what == f"the token lacks the permission {permission}"
            assert missed in problem.meaning

    async def test_a_permission_that_was_given_for_another_page_is_missing(self) -> None:
        def give_elsewhere(page: MessengerSimulator) -> None:
            page.tokens.permission_pages["pages_messaging"] = ["999"]

        problem = the_problem(await self.found(change=give_elsewhere))

        assert problem.what == "the token lacks the permission pages_messaging"

    async def test_a_token_that_soon_ends_is_warned_of(self) -> None:
        ends = datetime(2026, 12, 1, tzinfo=UTC)
        warning = the_warning(
            await self.found(change=lambda page: setattr(page.tokens, "expires_at", int(ends.timestamp())))
        )

        assert warning.what == "the token ends on 2026-12-01"

    async def test_a_token_that_ends_later_is_told(self) -> None:
        ends = datetime(2027, 1, 20, tzinfo=UTC)
        found = await self.found(change=lambda page: setattr(page.tokens, "expires_at", int(ends.timestamp())))

        assert "the token is good until 2027-01-20" in [finding.what for finding in found]

    async def test_a_token_of_a_person_is_a_problem(self) -> None:
        problem = the_problem(await self.found(change=lambda page: setattr(page.tokens, "kind", "USER")))

        assert problem.what == "access_token is no Page token but one of the kind USER"

    async def test_where_meta_does_not_tell_what_the_token_may_do_that_is_a_warning(self) -> None:
        """That a token may look at itself is Meta's own guide; its reference promises it for app tokens only."""
        warning = the_warning(await self.found(change=lambda page: setattr(page.tokens, "tells", False)))

        assert warning.what == "Meta does not tell what the token may do"
        assert "pages_messaging" in warning.to_do

    @pytest.mark.parametrize(
        ("field", "meaning"), [("message_echoes", "IN_DOUBT"), ("messages", "what shoppers write is not seen")]
    )
    async def test_a_field_that_the_page_has_not_subscribed_is_a_problem(self, field: str, meaning: str) -> None:
        problem = the_problem(
            await self.found(change=lambda page: setattr(page, "subscribed_fields", FIELDS - {field}))
        )

        assert problem.what == f"the Page has not subscribed the app to {field}"
        assert meaning in problem.meaning

    async def test_a_field_that_the_app_has_not_subscribed_is_a_problem(self) -> None:
        """Meta delivers only what both have subscribed."""
        problem = the_problem(
            await self.found(change=lambda page: setattr(page, "app_webhook", AppWebhook(HERE, FIELDS - {"messages"})))
        )

        assert problem.what == "the app's webhook lacks messages"

    async def test_rules_need_the_fields_that_bring_their_topics(self) -> None:
        problems = await self.found(topics=frozenset({"messenger/message", "messenger/referral"}))

        assert [finding.what for finding in problems if finding.level is Level.PROBLEM] == [
            "the Page has not subscribed the app to messaging_referrals",
            "the app's webhook lacks messaging_referrals",
        ]

    async def test_a_webhook_that_goes_elsewhere_is_a_problem(self) -> None:
        other = AppWebhook("https://old-bot.example/messenger?key=4711", FIELDS)
        problem = the_problem(await self.found(change=lambda page: setattr(page, "app_webhook", other)))

        assert problem.what == "the app's webhook goes to https://old-bot.example/messenger"
        assert HERE in problem.meaning

    async def test_a_webhook_that_meta_has_switched_off_is_a_problem(self) -> None:
        off = replace(AppWebhook(HERE, FIELDS), active=False)
        problem = the_problem(await self.found(change=lambda page: setattr(page, "app_webhook", off)))

        assert "switched the app's webhook off" in problem.what

    async def test_an_app_without_a_webhook_is_a_problem(self) -> None:
        problem = the_problem(await self.found(change=lambda page: setattr(page, "app_webhook", None)))

        assert problem.what == "the app has no webhook for Pages"

    async def test_without_the_apps_secret_its_webhook_is_not_asked_for(self) -> None:
        def no_proof(page: MessengerSimulator) -> None:
            page.tokens.require_proof = False
            page.app_webhook = None

        found = await self.found(settings={"app_secret": None}, change=no_proof)

        assert {finding.level for finding in found} == {Level.OK}

    async def test_a_host_that_takes_no_messenger_webhooks_needs_none(self) -> None:
        found = await self.found(
            taken=frozenset({Origin.SHOPIFY}), change=lambda page: setattr(page, "subscribed_fields", frozenset())
        )

        assert {finding.level for finding in found} == {Level.OK}

    async def test_subscriptions_that_may_not_be_looked_at_are_a_warning(self) -> None:
        warning = the_warning(
            await self.found(change=lambda page: page.tokens.permissions.discard("pages_manage_metadata"))
        )

        assert "could not be looked at" in warning.what
        assert "pages_manage_metadata" in warning.to_do
        assert "message_echoes" in warning.to_do

    async def test_a_clock_that_is_off_is_a_problem(self) -> None:
        problem = the_problem(await self.found(change=lambda page: setattr(page, "clock_skew_seconds", 600.0)))

        assert "behind Meta's" in problem.what

    async def test_a_version_that_has_ended_is_a_problem_and_the_one_that_answers_is_named(self) -> None:
        problem = the_problem(await self.found(change=lambda page: setattr(page, "oldest_version", "v26.0")))

        assert problem.what == "version v25.0 of the Graph API is not served, and v26.0 has answered"

    async def test_the_token_is_part_of_no_address(self) -> None:
        addresses: list[str] = []
        async with self.running() as running:
            self.page.on_call = addresses.append
            await self.examine(running)

        assert len(addresses) >= 4
        assert not [address for address in addresses if TOKEN in address or APP_SECRET in address]


def first_problem(found: Sequence[Finding]) -> Finding:
    return next(finding for finding in found if finding.level is Level.PROBLEM)


def the_problem(found: Sequence[Finding]) -> Finding:
    """Give the only finding that is not fine, which is a problem."""
    (problem,) = [finding for finding in found if finding.level is not Level.OK]
    assert problem.level is Level.PROBLEM
    return problem


def the_warning(found: Sequence[Finding]) -> Finding:
    """Give the only finding that is not fine, which is a warning."""
    (warning,) = [finding for finding in found if finding.level is not Level.OK]
    assert warning.level is Level.WARNING
    return warning


@pytest.mark.parametrize(
    ("version", "today", "level", "what"),
    [
        ("v25.0", date(2026, 11, 26), Level.OK, "good until 2028-07-29"),
        ("v21.0", date(2026, 11, 26), Level.WARNING, "ends on 2027-01-21, 56 days from now"),
        ("v21.0", date(2027, 1, 22), Level.PROBLEM, "has ended on 2027-01-21"),
        ("v20.0", date(2026, 11, 26), Level.PROBLEM, "has ended on 2026-09-24"),
        ("v3.2", date(2026, 11, 26), Level.PROBLEM, "has ended"),
        ("v26.0", date(2026, 11, 26), Level.OK, "no end announced (as of 2026-11-05)"),
        ("v99.0", date(2039, 1, 1), Level.OK, "no end announced (as of 2026-11-05)"),
    ],
)
def test_versions_are_judged_by_metas_table(version: str, today: date, level: Level, what: str) -> None:
    finding = version_finding(version, today, served=version)

    assert finding.level is level
    assert finding.what.endswith(what)


class TestWordlessTemplates:
    """Templates whose words only Meta has: the number of values must fit."""

    @pytest.mark.parametrize(("values", "status"), [(("#1001",), "approved"), (("#1001", "x"), "different")])
    async def test_the_number_of_values_is_held_against_what_was_approved(
        self, values: tuple[str, ...], status: str
    ) -> None:
        contract = TestDiagnosis()
        async with contract.running() as running:
            contract.page.templates.add("confirmed", "Order {{1}} is confirmed.", language="en")
            wordless = TemplateDefinition(name="confirmed", language="en", body="", examples=values)
            state = await running.hooks.template_managers[0](wordless, False)  # noqa: FBT003 - as hooks are asked

        assert state is not None
        assert state.status is TemplateStatus(status)
