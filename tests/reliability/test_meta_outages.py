"""Meta away, slow, or talking nonsense: what was not sent is sent later, what may have been sent is not sent again."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from shopbot.config.settings import RetrySettings
from shopbot.rules.backoff import Backoff
from shopbot.testing.host import PAGE_TOKEN, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault, MessengerSimulator
from support.attacked_shop import (
    MovedClock,
    a_page,
    config,
    dead_reasons,
    echoing_config,
    everything_ended,
    names,
    next_due_ms,
    post_orders,
    waiting,
)
from support.eventually import eventually
from support.host_process import free_port

DEFAULTS = {"attempts": 8, "first": "2s", "factor": 4, "max": "1h"}


def test_the_default_attempts_outlast_an_hour_even_with_the_worst_of_luck() -> None:
    defaults = RetrySettings()
    backoff = Backoff(
        attempts=defaults.attempts,
        first_seconds=defaults.first.total_seconds(),
        factor=defaults.factor,
        max_seconds=defaults.max.total_seconds(),
    )

    class WorstLuck(random.Random):
        def random(self) -> float:
            return 0.0

    waits = [backoff.seconds(attempt, WorstLuck()) for attempt in range(1, defaults.attempts)]

    assert sum(waits) > 3600


async def test_everything_is_delivered_once_after_meta_was_away_for_an_hour(tmp_path: Path) -> None:
    clock, port = MovedClock(), free_port()
    page = MessengerSimulator(access_token=PAGE_TOKEN, clock=clock.seconds)
    async with shop_under_test(
        tmp_path,
        config=config(retry=DEFAULTS),
        environ={"MESSENGER_URL": f"http://127.0.0.1:{port}"},
        clock=clock,
    ) as shop:
        start = clock.seconds()
        events = await post_orders(shop, 6)
        await eventually(lambda: all_wait_again(shop, 6), "the first attempts")
        attempts = 1
        while (due := await next_due_ms(shop, "retries")) is not None and due / 1000 < start + 3600:
            clock.move_to(due)
            await eventually(lambda: all_wait_again(shop, 6), "another attempt")
            attempts += 1
        clock.move_to((start + 3600) * 1000)

        assert attempts > 6  # each event at its own, ever later, time
        async with page.serve(port=port):
            while await waiting(shop, "retries") or await shop.store.xlen(shop.keys.inbox):
                due = await next_due_ms(shop, "retries")
                if due is not None:
                    clock.move_to(due)
                await asyncio.sleep(0.05)
            records = [await shop.finished(event) for event in events]

        assert [record.status for record in records] == ["done"] * 6
        assert sorted(names(page)) == [f"#{number}" for number in range(1001, 1007)]


async def all_wait_again(shop: ShopUnderTest, count: int) -> bool:
    due = await next_due_ms(shop, "retries")
    nothing_due = due is None or due > shop.host.clock().timestamp() * 1000
    return nothing_due and await waiting(shop, "retries") + await waiting(shop, "dead") == count


@pytest.mark.parametrize(
    "refusal",
    [Fault.error(2), Fault.error(1200), Fault.error(100, is_transient=True), Fault.http(503, retry_after_seconds=1)],
    ids=["code 2", "code 1200", "is_transient", "503 with Retry-After"],
)
async def test_a_refusal_that_may_pass_is_tried_again_and_the_message_comes_once(
    tmp_path: Path, refusal: Fault
) -> None:
    async with shop_under_test(tmp_path) as shop:
        shop.messenger.inject(refusal)
        event = (await post_orders(shop, 1))[0]

        record = await shop.finished(event)

        assert (record.status, record.attempts) == ("done", 2)
        assert len(shop.messenger.sent) == 1


def echoing(shop: ShopUnderTest) -> None:
    """Have the Page's echoes delivered to the shop."""
    shop.messenger.webhook_url = f"{shop.url}/webhooks/messenger"


ANSWER_SECONDS = 1.0
"""How long an answer may take where none comes."""


def time_for(fault: Fault) -> str:
    """Give how long the sender waits for an answer: the limit should be met by a send without an answer alone."""
    return f"{ANSWER_SECONDS:g}s" if fault.kind == "hang" else "30s"


CARRIED = {
    "a bare 500 after all": Fault.http(500, accepted=True),
    "a bare 502 after all": Fault.http(502, accepted=True),
    "an answer that is no JSON": Fault.malformed(),
    "an answer that breaks off": Fault.truncated(),
    "a connection that is dropped": Fault.accept_then_drop(),
    "an answer that comes too late": Fault.hang(60.0, accepted=True),
}


@pytest.mark.parametrize("name", CARRIED)
async def test_a_message_whose_answer_tells_nothing_is_settled_by_its_echo(tmp_path: Path, name: str) -> None:
    page, settings = a_page(echoes="never"), echoing_config(answer_within=time_for(CARRIED[name]))
    async with shop_under_test(tmp_path, config=settings, messenger=page) as shop:
        echoing(shop)
        page.inject(CARRIED[name])
        event = (await post_orders(shop, 1))[0]
        await eventually(lambda: is_held(shop), "the event is held")
        sent = page.sent[0]
        await page.webhooks.deliver([page._echo(sent, {"metadata": sent.metadata})])

        record = await shop.finished(event)

        assert record.status == "done"
        assert [entry.reason for entry in record.journal if entry.step == "4:send_message"] == ["IN_DOUBT", None]
        assert len(shop.messenger.sent) == 1


LOST = {
    "a bare 500": Fault.http(500),
    "a connection that is reset": Fault.reset(),
    "silence": Fault.hang(60.0),
}


@pytest.mark.parametrize("name", LOST)
async def test_a_message_that_may_be_lost_is_held_and_neither_sent_again_nor_given_up_unseen(
    tmp_path: Path, name: str
) -> None:
    clock, settings = MovedClock(), echoing_config(answer_within=time_for(LOST[name]))
    async with shop_under_test(tmp_path, config=settings, messenger=a_page(), clock=clock) as shop:
        echoing(shop)
        shop.messenger.inject(LOST[name])
        event = (await post_orders(shop, 1))[0]
        await eventually(lambda: is_held(shop), "the event is held")
        assert shop.messenger.sent == []

        clock.move(minutes=1, seconds=1)
        record = await shop.finished(event)

        assert (record.status, record.reason) == ("failed", "IN_DOUBT")
        assert await dead_reasons(shop) == ["IN_DOUBT"]
        assert shop.messenger.sent == []


async def is_held(shop: ShopUnderTest) -> bool:
    return await waiting(shop, "held") == 1


async def test_a_storm_of_5xx_loses_nothing_and_sends_nothing_twice(tmp_path: Path) -> None:
    """Half of the requests fail at the door, a quarter after Meta had taken the message."""
    clock = MovedClock()
    async with shop_under_test(tmp_path, config=echoing_config(), messenger=a_page(), clock=clock) as shop:
        echoing(shop)
        chance = random.Random(7)  # noqa: S311 - the same storm each time
        for _ in range(60):
            shop.messenger.inject(
                chance.choice([Fault.error(2), Fault.error(2), Fault.http(500), Fault.http(502, accepted=True)])
            )
        events = await post_orders(shop, 40)

        async def nothing_waits() -> bool:
            # Past every deadline, also of those that come into doubt only now.
            clock.move(minutes=1, seconds=1)
            return await everything_ended(shop)

        await eventually(nothing_waits, "all tried")
        records = [await shop.finished(event) for event in events]

        received = names(shop.messenger)
        assert len(received) == len(set(received))
        in_doubt = {record.reason for record in records if record.status == "failed"}
        assert in_doubt <= {"IN_DOUBT", "MESSAGE_SEND_FAILED"}
        assert len(received) + sum(record.status == "failed" for record in records) == 40
