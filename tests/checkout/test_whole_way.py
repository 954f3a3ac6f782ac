"""The whole way: items into the cart, a link, an order, a confirmation to the right person, an empty cart."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shopbot.testing.shopify import ShopifySimulator
from support.checkout_shop import (
    MUG,
    PERMALINK,
    PSID,
    STOREFRONT,
    TOWEL,
    CheckoutShop,
    checkout_config,
    checkout_shop,
)
from support.eventually import eventually

BOTH = pytest.mark.parametrize("checkouts", [STOREFRONT, PERMALINK], ids=["storefront", "permalink"])
SIGNED = "signed"


async def fill_cart(shop: CheckoutShop, psid: str = PSID) -> None:
    for variant, title in ((MUG, "Stoneware mug"), (MUG, "Stoneware mug"), (TOWEL, "Linen tea towel")):
        item = {"variant_id": variant, "quantity": 1, "title": title}
        assert (await shop.bot.post(f"/carts/{psid}/items", json=item)).status_code == 200


async def link_of_cart(shop: CheckoutShop, psid: str = PSID) -> str:
    response = await shop.bot.post("/checkouts", json={"psid": psid})
    assert response.status_code == 200
    return str(response.json()["checkout_url"])


@BOTH
async def test_from_the_cart_to_the_confirmation(checkouts: str, tmp_path: Path) -> None:
    async with checkout_shop(tmp_path, config=checkout_config(checkouts, trust=SIGNED)) as shop:
        await fill_cart(shop)
        checkout = shop.storefront.open(await link_of_cart(shop))
        assert [(line.variant_id, line.quantity) for line in checkout.cart.lines] == [(MUG, 2), (TOWEL, 1)]

        # The cart stays, so that an abandoned one can be picked up.
        cart = (await shop.bot.get(f"/carts/{PSID}")).json()
        assert [(item["variant_id"], item["quantity"]) for item in cart["items"]] == [(MUG, 2), (TOWEL, 1)]

        assert (await shop.seen(checkout)).status == "done"
        record = await shop.order(checkout)

        assert record.status == "done"
        assert shop.recipients == [PSID]
        assert (await shop.bot.get(f"/carts/{PSID}")).json()["items"] == []
        assert not await shop.shop.store.exists(shop.shop.shared.checkout_token(PSID))
        assert not await shop.shop.store.exists(shop.shop.shared.storefront_cart(PSID))
        references = [key async for key in shop.shop.store.scan_iter(match=f"order_reference:{PSID}:*")]
        assert len(references) == 1


async def test_of_two_shoppers_each_gets_their_own_confirmation(tmp_path: Path) -> None:
    other = "7300000000000001"
    async with checkout_shop(tmp_path, config=checkout_config(PERMALINK, trust=SIGNED)) as shop:
        first, second = await shop.opened(PSID), await shop.opened(other)
        await shop.order(second, order_id=2)
        await shop.order(first, order_id=1)

        assert shop.recipients == [other, PSID]


@BOTH
async def test_every_event_of_the_order_finds_the_shopper_and_one_message_is_sent(
    checkouts: str, tmp_path: Path
) -> None:
    """The token serves one order, not one event."""
    async with checkout_shop(tmp_path, config=checkout_config(checkouts, trust=SIGNED)) as shop:
        checkout = await shop.opened()
        for topic in ("orders/create", "orders/paid", "orders/updated", "orders/updated"):
            await shop.order(checkout, topic)

        assert shop.recipients == [PSID]


async def test_an_order_as_the_graphql_apis_spell_it(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path, config=checkout_config(trust=SIGNED)) as shop:
        checkout = await shop.opened()
        attributes = [{"key": key, "value": value} for key, value in checkout.cart.attributes.items()]
        checkout.cart.attributes = {}
        await shop.order(checkout, note_attributes={}, customAttributes=attributes, cart_token=None)

        assert shop.recipients == [PSID]


async def test_an_order_that_a_poll_found(tmp_path: Path) -> None:
    """Its webhook was lost; the Admin API has the attributes as `customAttributes`."""
    pollers = 'pollers:\n  - {use: shopify_orders, every: 1s, access_token: shpat_simulated, api_url: "${ADMIN_URL}"}\n'
    shopify = ShopifySimulator()
    async with shopify.serve() as address:
        config = checkout_config(trust=SIGNED, more=pollers)
        async with checkout_shop(tmp_path, config=config, environ={"ADMIN_URL": address}) as shop:
            checkout = await shop.opened()
            shopify.place(checkout.order_body(created_at=datetime.now(UTC)))

            async def confirmed() -> bool:
                return shop.recipients == [PSID]

            await eventually(confirmed, "the polled order is confirmed")


async def test_an_order_that_lost_its_attributes_is_found_by_its_cart_token(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path, config=checkout_config(trust=SIGNED)) as shop:
        checkout = await shop.opened()
        checkout.cart.attributes = {}
        await shop.order(checkout)

        assert shop.recipients == [PSID]


async def test_an_order_that_lost_its_attributes_is_found_by_its_landing_site(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path, config=checkout_config(PERMALINK, trust=SIGNED)) as shop:
        checkout = await shop.opened()
        checkout.cart.attributes = {}
        await shop.order(checkout)

        assert shop.recipients == [PSID]


@BOTH
async def test_an_order_with_nothing_but_its_checkout_token_is_found_by_the_checkout_s_webhook(
    checkouts: str, tmp_path: Path
) -> None:
    """Only these webhooks ever tell which checkout token belongs to which cart."""
    async with checkout_shop(tmp_path, config=checkout_config(checkouts, trust=SIGNED)) as shop:
        checkout = await shop.opened()
        assert (await shop.seen(checkout)).status == "done"
        checkout.cart.attributes = {}
        await shop.order(checkout, cart_token=None, landing_site=None)

        assert shop.recipients == [PSID]


async def test_a_checkout_is_known_by_its_cart_token_too(tmp_path: Path) -> None:
    """Its attributes were dropped by a script of the theme."""
    async with checkout_shop(tmp_path, config=checkout_config(trust=SIGNED)) as shop:
        checkout = await shop.opened()
        checkout.cart.attributes = {}
        assert (await shop.seen(checkout)).status == "done"
        await shop.order(checkout, cart_token=None, landing_site=None)

        assert shop.recipients == [PSID]


async def test_an_order_that_is_processed_after_the_token_has_expired_was_made_in_time(tmp_path: Path) -> None:
    """As after an outage: what counts is when the shopper ordered."""
    now = datetime.now(UTC)
    clock = now

    async with checkout_shop(tmp_path, config=checkout_config(trust=SIGNED), clock=lambda: clock) as shop:
        checkout = await shop.opened()
        clock = now + timedelta(days=31)
        record = await shop.order(checkout, created_at=now + timedelta(days=29), cart_token=None, checkout_token=None)

        assert record.status == "done"
        assert shop.recipients == [PSID]


async def test_a_late_webhook_of_a_paid_checkout_brings_nothing_back(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path, config=checkout_config(trust=SIGNED)) as shop:
        checkout = await shop.opened()
        await shop.order(checkout)
        record = await shop.seen(checkout, "checkouts/update")

        assert (record.status, record.reason) == ("skipped", "ALREADY_CONFIRMED")
        assert not await shop.shop.store.exists(shop.shop.shared.checkout_token(PSID))


async def test_a_cart_that_is_filled_again_after_the_order_is_kept(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path, config=checkout_config(trust=SIGNED)) as shop:
        await fill_cart(shop)
        checkout = shop.storefront.open(await link_of_cart(shop))
        ordered_at = datetime.now(UTC) - timedelta(seconds=5)
        record = await shop.order(checkout, created_at=ordered_at)

        assert record.status == "done"
        assert shop.recipients == [PSID]
        assert len((await shop.bot.get(f"/carts/{PSID}")).json()["items"]) == 2


async def test_the_journal_and_the_log_show_no_token_no_link_and_no_whole_psid(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path, config=checkout_config(trust=SIGNED)) as shop:
        await fill_cart(shop)
        checkout = shop.storefront.open(await link_of_cart(shop))
        token = checkout.cart.attributes["psid"]
        await shop.seen(checkout)
        record = await shop.order(checkout)
        written = json.dumps(shop.shop.logs.entries, default=repr) + repr(record.journal)

        for secret in (PSID, token, checkout.cart.key, checkout.cart.checkout_url):
            assert secret not in written
