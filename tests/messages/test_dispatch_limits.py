"""When a message may be sent at all: the window, the limit, and what waits or is dropped without them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shopbot.model.outcome import Status
from shopbot.plugin import Reason, Refused
from support.attacked_shop import TEMPLATE, message
from support.dispatch_desk import ANSWER, DAY_SECONDS, PSID, SENT, WINDOW_CLOSED, Told, a_desk, a_request, short
from support.store_parts import KEYS


class TestOutsideTheWindow:
    async def test_what_the_platform_refuses_there_goes_once_more_as_the_template(self, tmp_path: Path) -> None:
        sender = Told(WINDOW_CLOSED)
        async with a_desk(tmp_path, sender, messages=message(utility_template=TEMPLATE), knowable=True) as desk:
            await desk.conversations.active(PSID, desk.now)
            outcome = await desk.dispatcher.send(a_request())

            assert [received.delivery for received in sender.received] == ["UPDATE", "UTILITY"]
            assert outcome.detail == "m_1, UTILITY: the window is closed"
            assert desk.calls() == {("senders[0]:told0", "refused"): 1, ("senders[0]:told0", "sent"): 1}

    async def test_a_template_that_is_refused_is_not_tried_again(self, tmp_path: Path) -> None:
        sender = Told(WINDOW_CLOSED)
        async with a_desk(tmp_path, sender, messages=message(utility_template=TEMPLATE)) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert [received.delivery for received in sender.received] == ["UTILITY"]
            assert short(outcome) == (Status.FAILED, Reason.OUTSIDE_WINDOW, "senders[0]:told0")

    async def test_another_refusal_is_no_reason_for_the_template(self, tmp_path: Path) -> None:
        sender = Told(Refused("blocked"))
        async with a_desk(tmp_path, sender, messages=message(utility_template=TEMPLATE), knowable=True) as desk:
            await desk.conversations.active(PSID, desk.now)
            outcome = await desk.dispatcher.send(a_request())

            assert outcome.reason is Reason.MESSAGE_SEND_FAILED
            assert len(sender.received) == 1

    async def test_without_a_template_it_waits_for_the_shopper(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told(WINDOW_CLOSED), messages=message(utility_template="none")) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.FAILED, Reason.OUTSIDE_WINDOW, "senders[0]:told0")
            assert outcome.detail == "the window is closed, and no approved `utility_template:` can be used"
            assert await desk.store.client.exists(KEYS.unsent(PSID)) == 1
            assert await desk.claim() is None
            assert await desk.in_line() == []

    async def test_what_the_shop_drops_is_dropped(self, tmp_path: Path) -> None:
        drops = message(utility_template="none", on_limit="drop")
        async with a_desk(tmp_path, Told(WINDOW_CLOSED), messages=drops) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.SKIPPED, Reason.OUTSIDE_WINDOW, "senders[0]:told0")

    @pytest.mark.parametrize(("on_limit", "waits"), [("hold", 1), ("drop", 0)])
    async def test_a_window_that_is_known_to_be_closed_costs_no_call(
        self, tmp_path: Path, on_limit: str, waits: int
    ) -> None:
        sender = Told()
        held = message(utility_template="none", on_limit=on_limit)
        async with a_desk(tmp_path, sender, messages=held, knowable=True) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert (outcome.reason, outcome.plugin) == (Reason.OUTSIDE_WINDOW, "")
            assert outcome.detail.startswith("no activity of the shopper is known, and")
            assert sender.received == []
            assert await desk.in_line() == []
            assert await desk.store.client.exists(KEYS.unsent(PSID)) == waits

    async def test_a_shopper_who_writes_between_two_looks_gets_the_message(self, tmp_path: Path) -> None:
        """Nothing else would bring it back: they have written already."""
        sender = Told()
        async with a_desk(tmp_path, sender, messages=message(utility_template="none"), knowable=True) as desk:
            wait = desk.conversations.wait

            async def written_meanwhile(psid: str, event_id: str, now: datetime) -> None:
                await desk.conversations.active(psid, now)
                await wait(psid, event_id, now)

            desk.conversations.wait = written_meanwhile  # type: ignore[method-assign]
            outcome = await desk.dispatcher.send(a_request())

        assert outcome.status is Status.DONE
        assert [received.delivery for received in sender.received] == ["UPDATE"]


class TestTheLimit:
    @pytest.mark.parametrize(("passed_seconds", "wait_seconds"), [(400.0, DAY_SECONDS - 400.0), (86_399.5, 1.0)])
    async def test_a_held_message_waits_for_the_moment_and_at_least_a_second(
        self, tmp_path: Path, passed_seconds: float, wait_seconds: float
    ) -> None:
        async with a_desk(tmp_path, Told(), messages=message(limit="1/day")) as desk:
            await desk.dispatcher.send(a_request("webhook:0", subject="order:0"))
            free_at = desk.now + timedelta(days=1)
            desk.now += timedelta(seconds=passed_seconds)
            outcome = await desk.dispatcher.send(a_request())

            assert (outcome.status, outcome.reason) == (Status.DEFERRED, Reason.LIMIT_REACHED)
            assert outcome.detail == f"held until {free_at.isoformat()}"
            assert outcome.retry_after_seconds == wait_seconds

    async def test_what_the_shop_drops_over_the_limit_does_not_wait(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told(), messages=message(limit="1/day", on_limit="drop")) as desk:
            await desk.dispatcher.send(a_request("webhook:0", subject="order:0"))
            outcome = await desk.dispatcher.send(a_request())

            assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.LIMIT_REACHED)
            assert await desk.claim() is None
            assert await desk.in_line() == []

    async def test_answers_are_not_limited(self, tmp_path: Path) -> None:
        answers = {"order_confirmation": ANSWER["order_confirmation"] | {"limit": "1/day"}}
        async with a_desk(tmp_path, Told(), messages=answers) as desk:
            ends = [
                (
                    await desk.dispatcher.send(
                        a_request(f"messenger:{n}", topic="messenger/message", subject=f"event:{n}")
                    )
                )
                for n in range(3)
            ]

        assert [end.status for end in ends] == [Status.DONE] * 3

    async def test_inside_the_window_nothing_is_limited(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told(), messages=message(limit="1/day"), knowable=True) as desk:
            await desk.conversations.active(PSID, desk.now)
            ends = [
                (await desk.dispatcher.send(a_request(f"webhook:{n}", subject=f"order:{n}"))).status for n in range(3)
            ]

        assert ends == [Status.DONE] * 3

    @pytest.mark.parametrize(("on_limit", "status"), [("hold", Status.DEFERRED), ("drop", Status.SKIPPED)])
    async def test_a_template_that_goes_out_because_the_window_was_closed_after_all_counts(
        self, tmp_path: Path, on_limit: str, status: Status
    ) -> None:
        sender = Told(WINDOW_CLOSED, SENT, WINDOW_CLOSED)
        limited = message(limit="1/day", on_limit=on_limit, utility_template=TEMPLATE)
        async with a_desk(tmp_path, sender, messages=limited, knowable=True) as desk:
            await desk.conversations.active(PSID, desk.now)
            first = await desk.dispatcher.send(a_request("webhook:0", subject="order:0"))
            second = await desk.dispatcher.send(a_request())

            assert first.status is Status.DONE
            assert (second.status, second.reason) == (status, Reason.LIMIT_REACHED)
            assert [received.delivery for received in sender.received] == ["UPDATE", "UTILITY", "UPDATE"]
            assert await desk.claim() is None
            assert await desk.in_line() == []

    async def test_a_template_that_is_refused_then_gives_its_place_back(self, tmp_path: Path) -> None:
        sender = Told(WINDOW_CLOSED, Refused("blocked"), WINDOW_CLOSED)
        limited = message(limit="1/day", utility_template=TEMPLATE)
        async with a_desk(tmp_path, sender, messages=limited, knowable=True) as desk:
            await desk.conversations.active(PSID, desk.now)
            await desk.dispatcher.send(a_request("webhook:0", subject="order:0"))
            second = await desk.dispatcher.send(a_request())

        assert second.status is Status.DONE
