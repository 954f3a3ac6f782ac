"""Every row of Meta's error table, over HTTP: what the host is told to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from shopbot.plugin import ChannelDown, InDoubt, Reason, Refused, Retry
from shopbot.testing.contracts import PSID, Running, a_message
from shopbot.testing.graph_errors import GraphError
from shopbot.testing.messenger import Fault, MessengerSimulator, Usage
from shopbot_plugins._messenger_errors import RULES
from support.messenger_sender import running_sender

TWO_HOURS = 7_200.0

# What must come of each code and subcode, written down apart from the table under test.
Expectation = tuple[type[Exception], Mapping[str, object]]

RETRY: Expectation = (Retry, {"pauses_channel": False, "after_seconds": None})
LATER: Expectation = (Retry, {"pauses_channel": False, "after_seconds": 300.0})
LIMIT: Expectation = (Retry, {"pauses_channel": True, "after_seconds": 60.0})
PAUSE: Expectation = (Retry, {"pauses_channel": True, "after_seconds": TWO_HOURS})
NEVER: Expectation = (Refused, {"code": Reason.MESSAGE_SEND_FAILED})
CLOSED: Expectation = (Refused, {"code": Reason.OUTSIDE_WINDOW})
DOWN: Expectation = (ChannelDown, {})

EXPECTED: Mapping[tuple[int, int | None], Expectation] = {
    (1, None): RETRY,
    (1, 99): RETRY,
    (2, None): RETRY,
    (2, 2018344): NEVER,
    (4, None): LIMIT,
    (10, None): NEVER,
    (10, 2018065): CLOSED,
    (10, 2018108): NEVER,
    (10, 2018278): CLOSED,
    (10, 2534022): CLOSED,
    (10, 1893063): PAUSE,
    (17, None): LIMIT,
    (32, None): LIMIT,
    (100, None): NEVER,
    (100, 33): NEVER,
    (100, 1893029): NEVER,
    (100, 1893061): NEVER,
    (100, 2018001): NEVER,
    (100, 2018008): RETRY,
    (100, 2018047): NEVER,
    (100, 2018109): NEVER,
    (102, None): DOWN,
    (190, None): DOWN,
    (190, 458): DOWN,
    (190, 459): DOWN,
    (190, 460): DOWN,
    (190, 463): DOWN,
    (190, 464): DOWN,
    (190, 467): DOWN,
    (200, None): NEVER,
    (200, 1545041): NEVER,
    (200, 2018028): NEVER,
    (341, None): LIMIT,
    (368, None): PAUSE,
    (551, None): NEVER,
    (551, 1545041): NEVER,
    (551, 1893047): NEVER,
    (613, None): LIMIT,
    (613, 2534040): LIMIT,
    (613, 2018338): NEVER,
    (1200, None): RETRY,
    (2022, None): NEVER,
    (80001, None): LIMIT,
    (80002, None): LIMIT,
    (80006, None): LIMIT,
    (2018300, None): LATER,
    (2018321, None): LATER,
    # Subcodes that nobody has seen count as their code; codes that nobody has seen are final.
    (10, 1): NEVER,
    (100, 1): NEVER,
    (613, 1): LIMIT,
    (987654, None): NEVER,
}


@asynccontextmanager
async def sender_that_meets(
    error: GraphError, *, headers: Mapping[str, int] | None = None
) -> AsyncIterator[tuple[MessengerSimulator, Running]]:
    """Run the sender against a Messenger that answers the next call with *error*."""
    async with running_sender() as (simulator, running):
        fault = Fault("error", graph_error=error, status=error.status)
        simulator.inject(replace(fault, **(headers or {})))  # type: ignore[arg-type] # fields of a fault
        yield simulator, running


async def failure_of(error: GraphError, **changes: object) -> Exception:
    """Give what the host is told when a send meets *error*."""
    async with sender_that_meets(error) as (simulator, running):
        with pytest.raises((Retry, Refused, ChannelDown, InDoubt)) as failure:
            await running.hooks.senders[0](a_message(**changes))

        assert simulator.sent == []
    return failure.value


def attributes(failure: Exception, names: Mapping[str, object]) -> dict[str, object]:
    return {name: getattr(failure, name) for name in names}


def test_every_row_of_the_table_is_tried_below() -> None:
    assert {(rule.code, rule.subcode) for rule in RULES} <= set(EXPECTED)
    assert len({(rule.code, rule.subcode) for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(("code", "subcode"), EXPECTED)
async def test_each_code_has_its_outcome(code: int, subcode: int | None) -> None:
    kind, expected = EXPECTED[code, subcode]

    failure = await failure_of(GraphError(code, "Something is wrong", subcode))

    assert type(failure) is kind
    assert attributes(failure, expected) == expected


@pytest.mark.parametrize("status", [200, 400, 403, 500, 503])
async def test_the_body_decides_and_not_the_status(status: int) -> None:
    """An error object inside a 200 has been reported."""
    assert type(await failure_of(GraphError(551, "Not available", status=status))) is Refused
    assert type(await failure_of(GraphError(190, "Expired", status=status))) is ChannelDown
    assert type(await failure_of(GraphError(2, "Try again", status=status))) is Retry


class TestIsTransient:
    @pytest.mark.parametrize(
        ("code", "subcode"), [(551, 1893047), (100, None), (200, None), (190, 460), (2022, None), (424242, None)]
    )
    async def test_true_takes_back_what_looks_final(self, code: int, subcode: int | None) -> None:
        failure = await failure_of(GraphError(code, "Try again", subcode, is_transient=True))

        assert isinstance(failure, Retry)
        assert not failure.pauses_channel

    @pytest.mark.parametrize(("code", "subcode"), [(1, None), (2, None), (1200, None), (2018300, None)])
    async def test_false_makes_a_retry_pointless(self, code: int, subcode: int | None) -> None:
        assert isinstance(await failure_of(GraphError(code, "No", subcode, is_transient=False)), Refused)

    @pytest.mark.parametrize("is_transient", [True, False])
    @pytest.mark.parametrize("code", [4, 613, 80006, 368])
    async def test_a_pause_stays_a_pause(self, code: int, is_transient: bool) -> None:  # noqa: FBT001 - a parameter
        failure = await failure_of(GraphError(code, "Wait", is_transient=is_transient))

        assert isinstance(failure, Retry)
        assert failure.pauses_channel

    @pytest.mark.parametrize("is_transient", [True, False])
    async def test_a_closed_window_stays_closed(self, is_transient: bool) -> None:  # noqa: FBT001 - a parameter
        failure = await failure_of(GraphError(10, "Outside", 2018278, is_transient=is_transient))

        assert isinstance(failure, Refused)
        assert failure.code is Reason.OUTSIDE_WINDOW


class TestUnknownCodes:
    @pytest.mark.parametrize(("status", "kind"), [(408, Retry), (500, Retry), (502, Retry), (400, Refused)])
    async def test_the_http_status_decides(self, status: int, kind: type[Exception]) -> None:
        assert type(await failure_of(GraphError(424242, "News", status=status))) is kind

    async def test_too_many_requests_pause_the_page(self) -> None:
        failure = await failure_of(GraphError(424242, "News", status=429))

        assert isinstance(failure, Retry)
        assert (failure.pauses_channel, failure.after_seconds) == (True, 60.0)

    async def test_the_operator_is_told(self) -> None:
        async with sender_that_meets(GraphError(424242, "News")) as (_, running):
            with pytest.raises(Refused, match="424242: unknown to shopbot"):
                await running.hooks.senders[0](a_message())

            assert [level for level, event, _ in running.log.lines if event == "messenger_error"] == ["error"]


class TestWaits:
    async def wait_after(self, error: GraphError, **headers: int) -> float | None:
        async with sender_that_meets(error, headers=headers) as (_, running):
            with pytest.raises(Retry) as failure:
                await running.hooks.senders[0](a_message())
        return failure.value.after_seconds

    async def test_meta_says_in_minutes_when_a_limit_is_over(self) -> None:
        error = GraphError(80006, "Too many calls")

        assert await self.wait_after(error, regain_access_minutes=7) == 420
        assert await self.wait_after(error, regain_access_minutes=7, retry_after_seconds=30) == 420

    async def test_else_retry_after_counts(self) -> None:
        assert await self.wait_after(GraphError(4, "Too many"), retry_after_seconds=30) == 30
        assert await self.wait_after(GraphError(4, "Too many"), retry_after_seconds=30, regain_access_minutes=0) == 30

    async def test_else_a_minute(self) -> None:
        assert await self.wait_after(GraphError(613, "Too many")) == 60

    async def test_a_restriction_lasts_for_hours_whatever_the_headers_say(self) -> None:
        assert await self.wait_after(GraphError(368, "Blocked"), retry_after_seconds=5) == TWO_HOURS

    async def test_a_retry_comes_no_earlier_than_asked(self) -> None:
        assert await self.wait_after(GraphError(2, "Down"), retry_after_seconds=45) == 45


class TestWhatIsWrittenDown:
    async def test_the_log_has_what_metas_support_asks_for(self) -> None:
        async with sender_that_meets(GraphError(190, "Expired", 463)) as (_, running):
            with pytest.raises(ChannelDown):
                await running.hooks.senders[0](a_message())
            (line,) = running.log.of("messenger_error")

        assert (line["code"], line["subcode"], line["http_status"]) == (190, 463, 400)
        assert line["fbtrace_id"]
        assert line["psid"] == "…1234"

    async def test_the_reason_says_what_to_do_and_what_meta_says(self) -> None:
        failure = await failure_of(
            GraphError(100, "Invalid parameter", user_message="The body has 2 parameters, but 1 were given.")
        )

        assert "Messenger error 100: " in str(failure)
        assert "The body has 2 parameters, but 1 were given." in str(failure)

    @pytest.mark.parametrize(
        "quoted",
        [
            "Malformed access token test-page-token-EAAGm0PX4ZCpsBO7",
            f"No user {PSID} for this Page",
            "Param text must be shorter: Order confirmed! 🎉\nOrder #1234",
            "The parameter 'Feb 10' is too long",
        ],
    )
    async def test_what_meta_quotes_of_token_psid_or_message_is_left_out(self, quoted: str) -> None:
        reason = str(await failure_of(GraphError(100, quoted)))

        for confidential in ("EAAGm0PX4ZCpsBO7", PSID, "Order confirmed", "Feb 10"):
            assert confidential not in reason

    async def test_a_very_long_explanation_is_cut(self) -> None:
        assert len(str(await failure_of(GraphError(100, "word " * 1_000)))) < 400


async def test_a_wrong_app_secret_stops_the_channel_instead_of_every_order() -> None:
    """It concerns all messages alike, so none must become a dead letter for it."""
    simulator = MessengerSimulator(require_appsecret_proof=True)
    for app_secret in (None, "another-app-secret"):
        async with running_sender(simulator, app_secret=app_secret) as (_, running):
            with pytest.raises(ChannelDown, match="app_secret"):
                await running.hooks.senders[0](a_message())


async def test_how_full_the_quotas_are_is_logged() -> None:
    async with running_sender() as (simulator, running):
        simulator.app_usage = Usage(call_count=28, total_cputime=25, total_time=31)
        simulator.page_usage = Usage(call_count=83)
        await running.hooks.senders[0](a_message())
        (line,) = running.log.of("messenger_usage")

    assert line == {"percent": 83.0, "regain_access_seconds": None}
