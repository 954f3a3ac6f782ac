"""`shop/redact`: everything of one shop goes, of no other, and not by mistake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from shopbot.model.shared_keys import SharedKeys
from shopbot.privacy.sweep import Pace
from shopbot.store.pollers import PollerState, Tally
from shopbot.testing.host import CONFIG, SHOP, shop_under_test
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import paid_order
from support.compliance import ask, shop_redact
from support.conversation import ended, talking_shop, tell
from support.orders import drop_in
from support.shoppers import Shop, Shopper, until_done
from support.stores import OpenStore, on_every_store, running_store
from support.whole_store import contents, traces

JANE = "7312345678901234"
ORDER = 830_517_264_905_318_211
POLLED = (
    CONFIG + "pollers:\n  - {use: shopify_orders, access_token: shpat_test, every: 1h, api_url: http://127.0.0.1:1}\n"
)


ACME, BETA = ("acme.myshopify.com", ""), ("beta.myshopify.com", "beta:")


async def full(store: OpenStore, domain: str, prefix: str) -> Shop:
    """Give one of several shops in a store, with all that can be kept of a shopper."""
    shop = Shop(store.client, store.another(blocking=True), domain, prefix)
    await shop.queue.open()
    await shop.queue.sign_of_life()
    shop.inbox.start()
    await shop.keep(Shopper(1))
    await shop.inbox.stop()
    return shop


async def test_all_of_the_shop_is_erased_but_what_the_host_runs_on(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        await shop.fill_cart(JANE, updated_at=datetime.now(UTC) + timedelta(days=1))
        for text in ("stop", "Where's my order?"):
            await ended(shop, await shop.messenger.say(JANE, text))
        await tell(shop, "orders/paid", paid_order(order_id=ORDER, psid=JANE))
        shop.messenger.inject(Fault.error(100, subcode=2018001))
        await tell(shop, "orders/paid", paid_order(order_id=ORDER + 1, psid="42"))
        await shop.store.set("somebody:else", JANE)

        event_id = await shop.post("shop/redact", shop_redact())
        record = await shop.finished(event_id)

        left = {key.removeprefix(shop.keys.prefix) for key in await contents(shop.store)}
        assert (record.status, record.reason) == ("done", "")
        assert {key for key in left if not key.startswith("consumer:")} == {
            *("inbox", "erased_shop", "log_rewrite", "somebody:else"),
            *(f"event:{event_id}", f"journal:{event_id}", f"webhook_id:{event_id}"),
        }
        assert [entry["log_level"] for entry in shop.logs.entries if entry["event"] == "shop_erased"] == ["warning"]


async def test_a_shop_that_installs_the_app_again_begins_anew(tmp_path: Path) -> None:
    """What is older than the erasure was confirmed once, and nobody knows of it any more: it is left alone."""
    async with shop_under_test(tmp_path) as shop:
        await shop.finished(await shop.post("orders/paid", paid_order(order_id=ORDER, psid=JANE)))
        await ask(shop, "shop/redact", shop_redact())

        old = await shop.finished(await shop.post("orders/updated", paid_order(order_id=ORDER, psid=JANE)))
        later = datetime.now(UTC) + timedelta(seconds=1)
        new = await shop.finished(
            await shop.post("orders/paid", paid_order(order_id=ORDER + 1, psid=JANE, created_at=later))
        )

        assert (old.reason, new.status) == ("REDACTED", "done")
        assert shop.messenger.sent_count == 2
        assert await traces(shop.store, [str(ORDER)]) == [
            trace for trace in await traces(shop.store, [str(ORDER)]) if str(ORDER + 1) in trace
        ]


async def test_a_shop_whose_orders_are_still_read_is_not_erased(tmp_path: Path) -> None:
    """A token of an app that is uninstalled is dead: so it is installed, and a person must say what is meant."""
    async with shop_under_test(tmp_path, config=POLLED) as shop:
        await shop.finished(await shop.post("orders/paid", paid_order(order_id=ORDER, psid=JANE)))
        (part,) = shop.host.pollers.parts
        await part.state.progress(None, Tally())
        state = PollerState(shop.store, shop.keys, part.state.name)
        await shop.store.hset(shop.keys.poller(state.name), "last_success_ms", str(_ago_ms(hours=23)))
        before = sorted(await traces(shop.store, [JANE]))

        refused = await ask(shop, "shop/redact", shop_redact())
        assert (refused.status, refused.reason) == ("failed", "SHOP_INSTALLED")
        assert f"shopbot privacy erase --shop {SHOP}" in refused.journal[-2].detail
        assert sorted(await traces(shop.store, [JANE])) == before

        await shop.store.hset(shop.keys.poller(state.name), "last_success_ms", str(_ago_ms(hours=25)))
        assert (await ask(shop, "shop/redact", shop_redact())).status == "done"
        assert await traces(shop.store, [JANE]) == []


@on_every_store
async def test_other_shops_in_the_same_store_keep_everything(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        acme, *others = [await full(store, *names) for names in (ACME, BETA, ("gamma.myshopify.com", "gamma:"))]
        before = await contents(store.client)

        await until_done(lambda: acme.erasure().shop("webhook:r", (), Pace(stretch_seconds=None)))

        after = await contents(store.client)
        theirs = {key for key in before if key.startswith(tuple(p for o in others for p in (o.prefix, o.keys.prefix)))}
        assert {key: after[key] for key in theirs} == {key: before[key] for key in theirs}
        # A link that has ended says nothing of anybody, and goes on to serve nobody.
        ended = {acme.keys.checkout(f"{1:023}{which}"): "{b'order_id': b'0'}" for which in "ab"}
        running = {f"{acme.keys.prefix}{name}" for name in ("inbox", "consumer:one", "erased_shop")}
        assert after.keys() - theirs == {*ended, *running}
        assert {key: after[key] for key in ended} == ended
        assert acme.erased_beside == [None]


@on_every_store
async def test_a_customer_is_erased_in_one_shop_alone(kind: str, tmp_path: Path) -> None:
    """The same person may have bought in another shop of the same store."""
    async with running_store(kind, tmp_path) as store:
        acme, _beta = await full(store, *ACME), await full(store, *BETA)
        betas = {key: value for key, value in (await contents(store.client)).items() if "beta" in key.partition("}")[0]}

        person = Shopper(1).person()
        await until_done(lambda: acme.erasure().person("webhook:r", person, Pace(stretch_seconds=None)))

        after = await contents(store.client)
        assert {key: value for key, value in after.items() if key in betas} == betas
        left = await traces(store.client, Shopper(1).secrets)
        assert [trace for trace in left if "beta" not in trace] == []
        assert SharedKeys("beta:").cart(Shopper(1).psid) in after


async def test_plugins_erase_everything_as_well(tmp_path: Path) -> None:
    drop_in(tmp_path, "register", REGISTER)
    async with shop_under_test(tmp_path, config=CONFIG + "plugins: [{use: register}]\n") as shop:
        await ask(shop, "shop/redact", shop_redact())

        assert await shop.store.get("told") == b"everyone"


REGISTER = '''
"""Writes down whom it is told to erase."""

from shopbot.plugin import Context, PersonToErase, PluginConfig, hookimpl


class Plugin:
    def __init__(self, config: PluginConfig) -> None:
        pass

    @hookimpl
    async def start(self, context: Context) -> None:
        self._store = context.store

    @hookimpl
    async def erase_person(self, person: PersonToErase) -> None:
        await self._store.set("told", "everyone" if person.everyone else ",".join(sorted(person.psids)))
'''


def _ago_ms(**duration: float) -> int:
    return int((datetime.now(UTC) - timedelta(**duration)).timestamp() * 1000)
