"""A send whose answer never came: its echo settles it, and it is sent again on evidence only."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shopbot.store.embedded import EmbeddedServer
from shopbot.store.records import EventRecord
from shopbot.testing.host import ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault, MessengerSimulator
from support.attacked_shop import (
    MovedClock,
    a_page,
    dead_reasons,
    echoing_config,
    names,
    post_orders,
    waiting,
)
from support.eventually import eventually


@asynccontextmanager
async def shop(
    directory: Path, page: MessengerSimulator, clock: MovedClock, *, resend: bool = True, store_url: str | None = None
) -> AsyncIterator[ShopUnderTest]:
    """Run a shop that takes this Page's echoes."""
    settings = echoing_config(in_doubt={"deadline": "1m", "resend": resend})
    async with shop_under_test(directory, config=settings, messenger=page, clock=clock, store_url=store_url) as running:
        page.webhook_url = f"{running.url}/webhooks/messenger"
        yield running
        page.webhook_url = None


async def in_doubt(running: ShopUnderTest) -> bool:
    return await waiting(running, "held") == 1


async def doubtful(running: ShopUnderTest, fault: Fault) -> str:
    """Have one order's send come into doubt; gives its event."""
    running.messenger.inject(fault)
    event = (await post_orders(running, 1))[0]
    await eventually(lambda: in_doubt(running), "it is in doubt")
    return event


async def a_confirmed_order(running: ShopUnderTest, number: int, *, echoed: bool = True) -> None:
    """Have another shopper's order confirmed, and its echo taken in."""
    before = len(running.messenger.webhooks.deliveries)
    event = (await post_orders(running, 1, first=number))[0]
    assert (await running.finished(event)).status == "done"

    async def arrived() -> bool:
        return len(running.messenger.webhooks.deliveries) > before

    if echoed:
        await eventually(arrived, "its echo has arrived")


async def after_the_deadline(running: ShopUnderTest, clock: MovedClock, event: str) -> EventRecord:
    clock.move(minutes=1, seconds=1)
    return await running.finished(event)


async def test_an_echo_that_comes_twice_changes_nothing(tmp_path: Path) -> None:
    clock, page = MovedClock(), a_page(echoes="never")
    async with shop(tmp_path, page, clock) as running:
        event = await doubtful(running, Fault.accept_then_drop())
        sent = page.sent[0]
        for _ in range(2):
            await page.webhooks.deliver([page._echo(sent, {"metadata": sent.metadata})])

        assert (await running.finished(event)).status == "done"
        page.echoes = "twice"
        await a_confirmed_order(running, 2000)
        assert names(page) == ["#1001", "#2000"]


async def test_a_message_that_alone_has_no_echo_is_sent_again(tmp_path: Path) -> None:
    clock, page = MovedClock(), a_page()
    async with shop(tmp_path, page, clock) as running:
        await a_confirmed_order(running, 2000)
        event = await doubtful(running, Fault.reset())
        await a_confirmed_order(running, 2001)

        record = await after_the_deadline(running, clock, event)

        assert record.status == "done"
        assert names(page) == ["#2000", "#2001", "#1001"]
        assert any(line["event"] == "message_not_carried" for line in running.logs.entries)


async def test_it_is_not_sent_again_where_the_shop_forbids_that(tmp_path: Path) -> None:
    clock, page = MovedClock(), a_page()
    async with shop(tmp_path, page, clock, resend=False) as running:
        event = await doubtful(running, Fault.reset())
        await a_confirmed_order(running, 2001)

        assert (await after_the_deadline(running, clock, event)).reason == "IN_DOUBT"


async def test_echoes_that_stopped_coming_are_no_evidence(tmp_path: Path) -> None:
    """The message was carried. Its echo was lost with those of others, before and after which echoes came."""
    clock, page = MovedClock(), a_page()
    async with shop(tmp_path, page, clock) as running:
        await a_confirmed_order(running, 2000)
        page.echoes = "never"
        await a_confirmed_order(running, 2001, echoed=False)
        event = await doubtful(running, Fault.accept_then_drop())
        await a_confirmed_order(running, 2002, echoed=False)
        page.echoes = "once"
        await a_confirmed_order(running, 2003)

        record = await after_the_deadline(running, clock, event)

        assert (record.status, record.reason) == ("failed", "IN_DOUBT")
        assert names(page).count("#1001") == 1


async def test_echoes_of_earlier_messages_are_no_evidence(tmp_path: Path) -> None:
    clock, page = MovedClock(), a_page()
    async with shop(tmp_path, page, clock) as running:
        await a_confirmed_order(running, 2000)
        page.echoes = "never"
        event = await doubtful(running, Fault.accept_then_drop())

        assert (await after_the_deadline(running, clock, event)).reason == "IN_DOUBT"
        assert names(page).count("#1001") == 1


async def test_an_echo_that_met_a_host_that_was_down_is_not_missed_as_evidence(tmp_path: Path) -> None:
    clock, page = MovedClock(), a_page(echo_delay_seconds=60.0)
    async with shop(tmp_path, page, clock) as running:
        event = await doubtful(running, Fault.accept_then_drop())
    page.echo_delay_seconds = 0.0  # the first one's echo is never repeated
    page.webhooks.clear()

    async with shop(tmp_path, page, clock) as running:
        await a_confirmed_order(running, 2001)

        assert (await after_the_deadline(running, clock, event)).reason == "IN_DOUBT"
        assert names(page).count("#1001") == 1


async def test_an_echo_that_met_a_store_that_was_down_is_not_missed_as_evidence(tmp_path: Path) -> None:
    clock, page = MovedClock(), a_page()
    server = EmbeddedServer(tmp_path / "store")
    await asyncio.to_thread(server.start)
    try:
        async with shop(tmp_path, page, clock, store_url=server.url) as running:
            page.echoes = "never"
            event = await doubtful(running, Fault.accept_then_drop())
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            page.echoes = "once"
            await a_confirmed_order(running, 2001)

            assert (await after_the_deadline(running, clock, event)).reason == "IN_DOUBT"
            assert names(page).count("#1001") == 1
    finally:
        await asyncio.to_thread(server.stop)


async def test_an_echo_that_was_turned_away_is_not_missed_as_evidence(tmp_path: Path) -> None:
    clock, page = MovedClock(), a_page()
    async with shop(tmp_path, page, clock) as running:
        page.echoes = "never"
        event = await doubtful(running, Fault.accept_then_drop())
        # The claim's key holds something else for a moment: what the echo does fails, and it is answered 503.
        claim = running.keys.claim("order_confirmation", "order:5000001001")
        sent = page.sent[0]
        kept = await running.store.dump(claim)
        assert kept is not None
        await running.store.delete(claim)
        await running.store.set(claim, "not a claim")
        page.webhooks.attempts = 1
        delivery = await page.webhooks.deliver([page._echo(sent, {"metadata": sent.metadata})])
        assert delivery.status == 503
        await running.store.restore(claim, 0, kept, replace=True)
        page.echoes = "once"
        await a_confirmed_order(running, 2001)

        assert (await after_the_deadline(running, clock, event)).reason == "IN_DOUBT"
        assert names(page).count("#1001") == 1


async def test_an_echo_that_no_verifier_could_judge_is_not_missed_as_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, page = MovedClock(), a_page()
    async with shop(tmp_path, page, clock) as running:
        page.echoes = "never"
        event = await doubtful(running, Fault.accept_then_drop())
        sent = page.sent[0]
        page.webhooks.attempts = 1
        with monkeypatch.context() as broken:
            [verifier] = (hook for hook in running.host.hooks.verifiers if hook.instance.name == "messenger_hmac")
            broken.delattr(verifier.instance.plugin, "_keys")
            delivery = await page.webhooks.deliver([page._echo(sent, {"metadata": sent.metadata})])
        assert delivery.status == 503
        page.echoes = "once"
        await a_confirmed_order(running, 2001)

        assert (await after_the_deadline(running, clock, event)).reason == "IN_DOUBT"
        assert names(page).count("#1001") == 1


async def test_an_echo_that_comes_after_the_deadline_settles_the_dead_letter(tmp_path: Path) -> None:
    clock, page = MovedClock(), a_page(echoes="never")
    async with shop(tmp_path, page, clock) as running:
        event = await doubtful(running, Fault.accept_then_drop())
        assert (await after_the_deadline(running, clock, event)).status == "failed"
        assert await dead_reasons(running) == ["IN_DOUBT"]

        sent = page.sent[0]
        await page.webhooks.deliver([page._echo(sent, {"metadata": sent.metadata})])

        async def settled() -> bool:
            record = await running.records.event(event)
            return record is not None and record.status == "done"

        await eventually(settled, "the echo settles it")
        assert await dead_reasons(running) == []
        assert names(page) == ["#1001"]


async def test_a_clock_that_was_put_back_in_between_is_no_evidence(tmp_path: Path) -> None:
    clock, page = MovedClock(), a_page()
    async with shop(tmp_path, page, clock) as running:
        page.echoes = "never"
        event = await doubtful(running, Fault.accept_then_drop())
        clock.move(hours=-5)
        page.echoes = "once"
        await a_confirmed_order(running, 2001)

        clock.move(hours=5)
        record = await after_the_deadline(running, clock, event)

        assert record.reason == "IN_DOUBT"
        assert names(page).count("#1001") == 1
