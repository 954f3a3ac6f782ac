"""Checkout links in the store: how they are found again, and that each serves one order."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import SecretStr

from shopbot.model.checkout import Checkout
from shopbot.model.shared_keys import SharedKeys
from shopbot.store.checkouts import Checkouts, CheckoutTtl, Made
from support.store_parts import KEYS
from support.stores import OpenStore, on_every_store, running_store

PSID = "7312345678901234"
NONCE = "00112233445566778899aabb"
CART_TOKEN = "hWNcCh6gqP8T4nQ2vF3mZy1x"
CHECKOUT_TOKEN = "b1946ac92492d2347c6235b4d2611184"
MUG, TOWEL = 51_204_337_615_187, 51_204_337_713_491
SHARED = SharedKeys()
DAY = 86_400.0
TTL = CheckoutTtl(latest=DAY, lookup=2 * DAY, cart_id=30 * DAY, order=365 * DAY)
CART_CHECKOUT = Checkout(
    url="https://acme.myshopify.com/cart/c/x?key=y",
    checkout_token=CART_TOKEN,
    cart_token=CART_TOKEN,
    cart_id=SecretStr(f"gid://shopify/Cart/{CART_TOKEN}?key=5ecre7"),
)


def checkouts_of(store: OpenStore) -> Checkouts:
    return Checkouts(store.client, KEYS, SHARED, ttl=TTL)


async def life_days(store: OpenStore, key: str) -> float:
    return await store.client.pttl(key) / 1000 / DAY


@on_every_store
async def test_a_link_is_found_by_its_shopper_and_its_tokens_for_the_configured_times(
    kind: str, tmp_path: Path
) -> None:
    async with running_store(kind, tmp_path) as store:
        checkouts = checkouts_of(store)
        await checkouts.made(PSID, NONCE, CART_CHECKOUT, [MUG], valid_seconds=30 * DAY)

        assert await store.client.get(SHARED.checkout_token(PSID)) == CART_TOKEN.encode()
        assert (
            await store.client.get(SHARED.storefront_cart(PSID))
            == f"gid://shopify/Cart/{CART_TOKEN}?key=5ecre7".encode()
        )
        assert await checkouts.shopper_of(CART_TOKEN) == PSID
        assert await checkouts.nonce_of(CART_TOKEN) == NONCE
        made = await checkouts.look(NONCE)
        assert made == Made(tokens=frozenset({CART_TOKEN}), variant_ids=frozenset({MUG}), order_id=None)
        for key, days in (
            (SHARED.checkout_token(PSID), 1),
            (SHARED.checkout_token_lookup(CART_TOKEN), 2),
            (SHARED.storefront_cart(PSID), 30),
            (KEYS.checkout(NONCE), 30),
            (KEYS.checkout_of(CART_TOKEN), 30),
        ):
            assert days - 0.01 < await life_days(store, key) < days + 0.01, key


@on_every_store
async def test_the_way_to_a_link_outlives_the_way_to_its_shopper(kind: str, tmp_path: Path) -> None:
    """Else the shopper could be found by a token that is not kept to one order."""
    async with running_store(kind, tmp_path) as store:
        checkouts = checkouts_of(store)
        await checkouts.made(PSID, NONCE, CART_CHECKOUT, [MUG], valid_seconds=60)
        await checkouts.seen(PSID, [CHECKOUT_TOKEN], CHECKOUT_TOKEN, NONCE)

        for token in (CART_TOKEN, CHECKOUT_TOKEN):
            way_to_link = await store.client.pttl(KEYS.checkout_of(token))
            assert way_to_link > await store.client.pttl(SHARED.checkout_token_lookup(token))


@on_every_store
async def test_a_link_serves_the_first_order_alone(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        checkouts = checkouts_of(store)
        await checkouts.made(PSID, NONCE, CART_CHECKOUT, [MUG], valid_seconds=DAY)

        served = await asyncio.gather(*(checkouts.claim(NONCE, order_id) for order_id in range(1, 51)))

        assert len(set(served)) == 1
        assert await checkouts.claim(NONCE, served[0]) == served[0]
        assert (await checkouts.look(NONCE)).order_id == served[0]
        assert await life_days(store, KEYS.checkout(NONCE)) > 364


@on_every_store
async def test_a_link_that_the_store_has_forgotten_serves_one_order_too(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        checkouts = checkouts_of(store)

        assert await checkouts.claim(NONCE, 830_517_264_905_318_211) == 830_517_264_905_318_211
        assert await checkouts.claim(NONCE, 2) == 830_517_264_905_318_211
        made = await checkouts.look(NONCE)
        assert (made.tokens, made.variant_ids) == (frozenset(), frozenset())


@on_every_store
async def test_a_link_belongs_to_the_first_who_opens_it(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        checkouts = checkouts_of(store)
        await checkouts.made(PSID, NONCE, CART_CHECKOUT, [MUG], valid_seconds=DAY)

        assert await checkouts.open(NONCE, "first")
        assert await checkouts.open(NONCE, "first")
        assert not await checkouts.open(NONCE, "second")
        assert (await checkouts.look(NONCE)).tokens == {CART_TOKEN, "first"}


@on_every_store
async def test_opening_a_forgotten_link_leaves_nothing_behind(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        assert await checkouts_of(store).open(NONCE, "first")

        assert not await store.client.exists(KEYS.checkout(NONCE))


@on_every_store
async def test_an_opened_checkout_completes_the_lookup(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        checkouts = checkouts_of(store)
        await checkouts.seen(PSID, [CHECKOUT_TOKEN, CART_TOKEN], CHECKOUT_TOKEN, None)

        assert await checkouts.shopper_of(CHECKOUT_TOKEN) == await checkouts.shopper_of(CART_TOKEN) == PSID
        assert await store.client.get(SHARED.checkout_token(PSID)) == CHECKOUT_TOKEN.encode()
        assert await checkouts.nonce_of(CHECKOUT_TOKEN) is None


@on_every_store
async def test_a_checkout_whose_order_is_placed_is_not_the_shopper_s_latest_any_more(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        checkouts = checkouts_of(store)
        await checkouts.seen(PSID, [CHECKOUT_TOKEN], None, None)

        assert await checkouts.shopper_of(CHECKOUT_TOKEN) == PSID
        assert not await store.client.exists(SHARED.checkout_token(PSID))
