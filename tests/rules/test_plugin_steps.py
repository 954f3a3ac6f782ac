"""A shop's own steps and observers, as files dropped into `plugins.d`: their faults stay theirs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from shopbot.testing.host import CONFIG, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import paid_order
from support.eventually import eventually
from support.orders import drop_in, ending, order_ids, steps, written

PSID = "7312345678901234"

STAMP_CARD = '''
"""A step that writes down each call, and then does what the order's name tells it to."""
import asyncio

from shopbot.plugin import Context, Event, Outcome, PluginConfig, PositiveDuration, Reason, Retry, Run, hookimpl

_COUNT = "return redis.call('RPUSH', KEYS[1], ARGV[1])"


class Plugin:
    def __init__(self, config: PluginConfig) -> None:
        pass

    @hookimpl
    async def start(self, context: Context) -> None:
        self._store = context.store

    @hookimpl
    async def run_step(self, event: Event, run: Run) -> Outcome:
        what = run.order.name
        calls = await self._store.eval(_COUNT, 1, f"stamps:{what}", f"{run.attempt} {run.psid} {run.rule}")
        match what:
            case "#retry" if calls == 1:
                raise Retry("the printer is warming up")
            case "#deferred" if calls == 1:
                return Outcome.deferred(Reason.PLUGIN_FAILED, "later, please")
            case "#exception":
                raise ZeroDivisionError("stamps per page")
            case "#exit":
                raise SystemExit(3)
            case "#cancelled":
                raise asyncio.CancelledError
            case "#hang":
                await asyncio.Event().wait()
            case "#nothing":
                return None
            case "#text":
                return "done"
            case "#held":
                return Outcome.held(Reason.LIMIT_REACHED)
            case "#no text":
                raise Retry(5)
            case "#half a character":
                raise Retry("\\ud800")
            case "#for ever":
                raise Retry("at the end of time", after_seconds=float("inf"))
            case "#failed":
                return Outcome.failed(Reason.PLUGIN_FAILED, "no stamps left")
            case "#skipped":
                return Outcome.skipped(Reason.FILTERED, "no stamps for this one")
        return Outcome.done("stamped")
'''

NOTEBOOK = '''
"""Observers: one that writes down what has ended, and fails where it is told to."""
from shopbot.plugin import Context, Event, Field, PluginConfig, Run, hookimpl


class Config(PluginConfig):
    how: str = Field("write", description="write, raise or hang.")


class Plugin:
    def __init__(self, config: Config) -> None:
        self._config = config

    @hookimpl
    async def start(self, context: Context) -> None:
        self._store = context.store

    @hookimpl
    async def event_finished(self, event: Event, run: Run) -> None:
        if self._config.how == "raise":
            raise LookupError("no page left")
        if self._config.how == "hang":
            import asyncio
            await asyncio.Event().wait()
        order = run.order.name if run.order else "-"
        line = f"{event.topic} {order} {run.status} {run.attempt} {len(run.journal)}"
        await self._store.eval("return redis.call('RPUSH', KEYS[1], ARGV[1])", 1, "notebook", line)
'''

STEPS = "steps: [resolve_psid, clear_cart, save_order_reference, {send_message: order_confirmation}]"
BEFORE_SENDING = CONFIG.replace(
    STEPS, "steps: [resolve_psid, clear_cart, stamp_card, {send_message: order_confirmation}]"
) + ("plugins: [{use: stamp_card, time_limit: 30s}]\n")
AFTER_SENDING = CONFIG.replace(STEPS, STEPS.replace("}]", "}, stamp_card]")) + "plugins: [{use: stamp_card}]\n"


async def notes(shop: ShopUnderTest, count: int) -> list[str]:
    """Give the notebook's lines once there are so many."""
    lines = await written(shop, "notebook")
    return lines if len(lines) >= count else []


async def test_a_step_runs_in_its_place_and_sees_rule_order_and_shopper(tmp_path: Path) -> None:
    drop_in(tmp_path, "stamp_card", STAMP_CARD)
    async with shop_under_test(tmp_path, config=BEFORE_SENDING) as shop:
        record = await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID)))
        calls = await written(shop, "stamps:#1234")

    assert record.status == "done"
    assert [step for step, _, _ in steps(record)] == [
        "1:resolve_psid",
        "2:clear_cart",
        "3:stamp_card",
        "4:send_message",
        "",
    ]
    stamped = record.journal[2]
    assert (stamped.plugin, stamped.detail) == ("plugins[0]:stamp_card", "stamped")
    assert calls == [f"1 {PSID} order_confirmation"]


async def test_a_step_that_asks_for_another_attempt_gets_it_and_steps_done_before_are_not_repeated(
    tmp_path: Path,
) -> None:
    drop_in(tmp_path, "stamp_card", STAMP_CARD)
    ids = order_ids()
    async with shop_under_test(tmp_path, config=AFTER_SENDING) as shop:
        for name in ("#retry", "#deferred"):
            psid = str(next(ids))
            body = paid_order(order_id=next(ids), psid=psid, name=name)
            record = await shop.finished(await shop.post("orders/paid", body))

            assert (record.status, record.attempts) == ("done", 2)
            assert [call[0] for call in await written(shop, f"stamps:{name}")] == ["1", "2"]
            assert len(shop.messenger.sent_to(psid)) == 1
            done = [step for step, status, _ in steps(record) if status == "done"]
            assert [done.count(f"{n}:{s}") for n, s in ((2, "clear_cart"), (3, "save_order_reference"))] == [1, 1]
            assert done.count("4:send_message") == 1


async def test_a_step_that_is_done_is_not_repeated_when_a_later_one_is(tmp_path: Path) -> None:
    drop_in(tmp_path, "stamp_card", STAMP_CARD)
    async with shop_under_test(tmp_path, config=BEFORE_SENDING) as shop:
        shop.messenger.inject(Fault.error(1200))
        record = await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID)))
        calls = await written(shop, "stamps:#1234")

    assert (record.status, record.attempts) == ("done", 2)
    assert len(calls) == 1


async def test_whatever_a_step_does_wrong_is_its_own_failure_and_other_events_go_on(tmp_path: Path) -> None:
    """Also what ends tasks and programs elsewhere: CancelledError and SystemExit."""
    drop_in(tmp_path, "stamp_card", STAMP_CARD)
    faults = {
        "#exception": ("PLUGIN_FAILED", "ZeroDivisionError in run_step: stamps per page"),
        "#exit": ("PLUGIN_FAILED", "SystemExit in run_step"),
        "#cancelled": ("PLUGIN_FAILED", "cancelled"),
        "#hang": ("PLUGIN_FAILED", "no answer to run_step within 1 s"),
        "#nothing": ("PLUGIN_FAILED", "answered NoneType, not Outcome"),
        "#text": ("PLUGIN_FAILED", "answered str, not Outcome"),
        "#held": ("PLUGIN_FAILED", "held"),
        "#no text": ("WEBHOOK_PROCESSING_ERROR", ""),
        "#half a character": ("PLUGIN_FAILED", ""),
        "#for ever": ("WEBHOOK_PROCESSING_ERROR", ""),
        "#failed": ("PLUGIN_FAILED", "no stamps left"),
    }
    at_once = {"#held", "#no text", "#for ever", "#failed"}
    ids = order_ids()
    # Long enough for what does answer, three times short enough for what does not.
    hasty = BEFORE_SENDING.replace("time_limit: 30s", "time_limit: 1s")
    async with shop_under_test(tmp_path, config=hasty) as shop:
        events = {
            name: await shop.post("orders/paid", paid_order(order_id=next(ids), psid=PSID, name=name))
            for name in faults
        }
        well = await shop.post("orders/paid", paid_order(order_id=next(ids), psid="42"))

        assert (await shop.finished(well)).status == "done"
        for name, (reason, detail) in faults.items():
            record = await shop.finished(events[name])
            assert (record.status, record.reason) == ("failed", reason), name
            assert any(detail in entry.detail for entry in record.journal if entry.reason == reason), name
            assert record.attempts == (1 if name in at_once else 3), name
            assert await shop.store.zscore(shop.keys.dead, events[name]) is not None
        assert [message.psid for message in shop.messenger.sent] == ["42"]
        assert (await shop.http.get("/readyz")).status_code == 200


async def test_a_step_that_skips_lets_the_rule_go_on(tmp_path: Path) -> None:
    drop_in(tmp_path, "stamp_card", STAMP_CARD)
    async with shop_under_test(tmp_path, config=BEFORE_SENDING) as shop:
        record = await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID, name="#skipped")))

    assert ("3:stamp_card", "skipped", "FILTERED") in steps(record)
    assert ("4:send_message", "done", None) in steps(record)
    assert len(shop.messenger.sent) == 1


async def test_observers_hear_of_each_event_once_it_has_ended_whatever_another_one_does(tmp_path: Path) -> None:
    drop_in(tmp_path, "notebook", NOTEBOOK)
    observers = ("raise", "hang", "write")
    limits = {"hang": "500ms"}  # the others may take their time
    entries = "".join(f"  - {{use: notebook, how: {how}, time_limit: {limits.get(how, '30s')}}}\n" for how in observers)
    ids = order_ids()
    async with shop_under_test(tmp_path, config=CONFIG + "plugins:\n" + entries) as shop:
        shop.messenger.inject(Fault.error(1200))
        retried = paid_order(order_id=next(ids), psid=PSID, name="#retried")
        ends = [ending(await shop.finished(await shop.post("orders/paid", retried)))]
        for topic, body in (
            ("orders/create", paid_order(order_id=next(ids), psid=PSID, name="#unpaid", financial_status="pending")),
            ("orders/paid", b"{"),
        ):
            ends.append(ending(await shop.finished(await shop.post(topic, body))))
        lines = await eventually(partial(notes, shop, len(ends)), "three lines in the notebook")
        faults = [line for line in shop.logs.entries if line["event"] == "plugin_failed"]

    assert ends == ["done", "NOT_PAID", "WEBHOOK_PROCESSING_ERROR"]
    assert sorted(lines) == [
        "orders/create #unpaid skipped 1 1",
        "orders/paid #retried done 2 8",
        "orders/paid - failed 1 1",
    ]
    assert {line["plugin"] for line in faults} == {"plugins[0]:notebook", "plugins[1]:notebook"}


async def test_observers_do_not_hear_of_an_event_that_still_waits(tmp_path: Path) -> None:
    """Its send is in doubt, so it is held: it has not ended."""
    drop_in(tmp_path, "notebook", NOTEBOOK)
    async with shop_under_test(tmp_path, config=CONFIG + "plugins: [{use: notebook}]\n") as shop:
        shop.messenger.inject(Fault.accept_then_drop())
        held = await shop.post("orders/paid", paid_order(order_id=1, psid=PSID, name="#held"))
        await eventually(lambda: shop.store.zscore(shop.keys.held, held), "the event is held")
        await shop.finished(await shop.post("orders/paid", paid_order(order_id=2, psid="42", name="#ended")))
        lines = await eventually(partial(notes, shop, 1), "a line in the notebook")

    assert [line.split()[1] for line in lines] == ["#ended"]
