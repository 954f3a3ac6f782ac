"""How long keys live, read back from the store: as the YAML says, each with a value of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shopbot.testing.host import CONFIG, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import paid_order
from support.orders import drop_in

PSID = "7312345678901234"
ORDER_ID = 830_517_264_905_318_211
TTL_SECONDS = {
    "checkout_token": 86_411,
    "checkout_token_lookup": 86_413,
    "order_reference": 31_536_007,
    "webhook_id": 172_807,
    "journal": 2_592_017,
    "cart": 604_811,
    "conversation": 34_560_019,
    "dead_letter": 7_776_023,
    "export": 2_592_029,
}
CONFIG_WITH_TTLS = CONFIG + "ttl: {" + ", ".join(f"{name}: {ttl}s" for name, ttl in TTL_SECONDS.items()) + "}\n"

ASKS_FOR_TTLS = '''
"""Writes down what a plugin is told about the lives of keys."""
import json

from shopbot.plugin import Context, Event, Outcome, PluginConfig, Run, hookimpl


class Plugin:
    def __init__(self, config: PluginConfig) -> None:
        pass

    @hookimpl
    async def start(self, context: Context) -> None:
        await context.store.set("told", json.dumps(dict(context.ttl_seconds)))

    @hookimpl
    async def run_step(self, event: Event, run: Run) -> Outcome:
        return Outcome.done()
'''


async def lives(shop: ShopUnderTest, key: str, name: str) -> bool:
    """Say whether a key lives as long as `ttl:` says, give or take the minute that the test may take."""
    left = await shop.store.pttl(key)
    return TTL_SECONDS[name] * 1000 - 60_000 < left <= TTL_SECONDS[name] * 1000


async def test_keys_of_a_confirmed_order_live_as_long_as_configured(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=CONFIG_WITH_TTLS) as shop:
        shop.messenger.inject(Fault.error(1200))  # what a retry writes counts as well
        event_id = await shop.post("orders/paid", paid_order(psid=PSID))
        await shop.finished(event_id)
        expected = {
            shop.shared.order_reference(PSID, ORDER_ID): "order_reference",
            shop.shared.order_confirmation(PSID, ORDER_ID): "order_reference",
            shop.keys.claim("order_confirmation", f"order:{ORDER_ID}"): "order_reference",
            shop.keys.seen(event_id): "webhook_id",
            shop.keys.event(event_id): "journal",
            shop.keys.journal(event_id): "journal",
            shop.keys.order_events(ORDER_ID): "journal",
            shop.keys.shopper(ORDER_ID): "order_reference",
            shop.keys.orders_of(PSID): "order_reference",
        }
        wrong = {key: await shop.store.pttl(key) for key, name in expected.items() if not await lives(shop, key, name)}

        assert wrong == {}


async def test_an_unresolved_reference_lives_as_long_as_a_resolved_one(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=CONFIG_WITH_TTLS) as shop:
        await shop.finished(await shop.post("orders/paid", paid_order()))

        assert await lives(shop, f"order_reference:unresolved:{ORDER_ID}", "order_reference")


async def test_a_message_sent_once_per_event_is_remembered_as_long_as_the_events_journal(tmp_path: Path) -> None:
    config = CONFIG_WITH_TTLS.replace("once_per: order", "once_per: event")
    async with shop_under_test(tmp_path, config=config) as shop:
        event_id = await shop.post("orders/paid", paid_order(psid=PSID))
        await shop.finished(event_id)

        assert await lives(shop, shop.keys.claim("order_confirmation", f"event:{event_id}"), "journal")


async def test_what_still_has_to_be_done_or_looked_at_does_not_expire(tmp_path: Path) -> None:
    config = CONFIG_WITH_TTLS.replace("first: 50ms", "first: 1h").replace("max: 1s", "max: 1h")
    async with shop_under_test(tmp_path, config=config) as shop:
        shop.messenger.inject(Fault.error(1200).to(PSID))
        shop.messenger.block("42")
        waiting = await shop.post("orders/paid", paid_order(order_id=1, psid=PSID))
        dead = await shop.post("orders/paid", paid_order(order_id=2, psid="42"))
        await shop.messenger.wait_for_requests(2)
        await shop.finished(dead)

        for event_id in (waiting, dead):
            assert await shop.store.pttl(shop.keys.event(event_id)) == -1


async def test_what_is_finished_leaves_nothing_for_ever(tmp_path: Path) -> None:
    """Else the store would grow with every order: the first ones make what the shop needs once, later ones nothing."""

    async def work_off(shop: ShopUnderTest, *order_ids: int) -> set[str]:
        """Work through orders of all kinds, and give the keys that will never expire."""
        for order_id in order_ids:
            for psid in (None, str(order_id), str(1_000 + order_id)):
                body: dict[str, Any] = paid_order(order_id=order_id * 10 + len(psid or ""), psid=psid)
                for topic in ("orders/create", "orders/paid", "carts/update"):
                    await shop.finished(await shop.post(topic, body))
        keys = [key.decode() async for key in shop.store.scan_iter()]
        return {key for key in keys if await shop.store.pttl(key) == -1}

    async with shop_under_test(tmp_path, config=CONFIG_WITH_TTLS) as shop:
        shop.messenger.inject(Fault.error(1200).repeated(2))
        at_first = await work_off(shop, 1)

        assert await work_off(shop, 2, 3) == at_first


async def test_plugins_are_told_how_long_shared_keys_live(tmp_path: Path) -> None:
    drop_in(tmp_path, "asks", ASKS_FOR_TTLS)
    async with shop_under_test(tmp_path, config=CONFIG_WITH_TTLS + "plugins: [{use: asks}]\n") as shop:
        told = await shop.store.get("told")

    assert told is not None
    assert json.loads(told) == TTL_SECONDS
