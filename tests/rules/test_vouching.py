"""Whether a PSID that a resolver found may be used, case by case."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shopbot.model.checkout import Checkout
from shopbot.model.order import Order
from shopbot.model.psid import Resolution, Trust
from shopbot.model.psid_token import PsidTokens, TokenKey
from shopbot.model.shared_keys import SharedKeys
from shopbot.rules.news import read_news
from shopbot.rules.signed_tokens import NotTrustedError, SignedTokens
from shopbot.rules.vouching import Vouching
from shopbot.store.checkouts import Checkouts, CheckoutTtl
from shopbot.store.shoppers import Shoppers
from shopbot.testing.orders import paid_order
from support.store_parts import KEYS
from support.stores import OpenStore, running_store

PSID, PAGE = "7312345678901234", "102290129340398"
CART_TOKEN = "hWNcCh6gqP8T4nQ2vF3mZy1x"
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
CODEC = PsidTokens([TokenKey("a", b"0123456789abcdef0123456789abcdef")])
SHARED = SharedKeys()
DAY_SECONDS = 86_400.0


@asynccontextmanager
async def vouching(tmp_path: Path, *, now: datetime = NOW) -> AsyncIterator[tuple[Vouching, Checkouts, OpenStore]]:
    ttl = CheckoutTtl(latest=DAY_SECONDS, lookup=DAY_SECONDS, cart_id=DAY_SECONDS, order=DAY_SECONDS)
    async with running_store("embedded", tmp_path) as store:
        shoppers = Shoppers(store.client, KEYS, SHARED, remember_seconds=DAY_SECONDS)
        checkouts = Checkouts(store.client, KEYS, SHARED, ttl=ttl)
        yield Vouching(shoppers, SignedTokens(CODEC, {PAGE}, checkouts), lambda: now), checkouts, store


def an_order(order_id: int = 1) -> Order:
    order = read_news("orders/paid", paid_order(order_id=order_id, created_at=NOW)).order
    assert order is not None
    return order.model_copy(update={"cart_token": CART_TOKEN, "created_at": None})


@pytest.mark.parametrize("trust", list(Trust))
async def test_a_signed_token_needs_nobody_elses_word(tmp_path: Path, trust: Trust) -> None:
    text, nonce = CODEC.issue(PAGE, PSID, NOW + timedelta(days=1))
    async with vouching(tmp_path) as (vouches, checkouts, _):
        made = Checkout(url="https://acme.myshopify.com/x", checkout_token=CART_TOKEN, cart_token=CART_TOKEN)
        await checkouts.made(PSID, nonce, made, (), valid_seconds=DAY_SECONDS)

        assert await vouches.psid(Resolution(psid=text, trust=trust), an_order()) == PSID


async def test_a_signed_token_is_read_by_the_hosts_clock(tmp_path: Path) -> None:
    text, _ = CODEC.issue(PAGE, PSID, NOW)
    async with vouching(tmp_path, now=NOW + timedelta(seconds=1)) as (vouches, _, _):
        with pytest.raises(NotTrustedError, match="expired"):
            await vouches.psid(Resolution(psid=text, trust=Trust.ANY), an_order())


@pytest.mark.parametrize("value", ["someone", "1" * 33, "", "12 34"])
async def test_what_is_no_psid_names_nobody_whatever_the_trust(tmp_path: Path, value: str) -> None:
    async with vouching(tmp_path) as (vouches, _, _):
        for trust in Trust:
            with pytest.raises(NotTrustedError, match="no PSID"):
                await vouches.psid(Resolution(psid=value, trust=trust), an_order())


async def test_a_plain_psid_is_no_signed_token(tmp_path: Path) -> None:
    async with vouching(tmp_path) as (vouches, _, store):
        await store.client.set(SHARED.cart(PSID), "{}")
        with pytest.raises(NotTrustedError, match="takes signed tokens only"):
            await vouches.psid(Resolution(psid=PSID, trust=Trust.SIGNED), an_order())


async def test_a_known_shopper_is_known_by_the_shops_own_records(tmp_path: Path) -> None:
    async with vouching(tmp_path) as (vouches, _, store):
        with pytest.raises(NotTrustedError, match="holds no cart"):
            await vouches.psid(Resolution(psid=PSID, trust=Trust.KNOWN_SHOPPER), an_order())

        await store.client.set(SHARED.cart(PSID), "{}")
        assert await vouches.psid(Resolution(psid=PSID, trust=Trust.KNOWN_SHOPPER), an_order()) == PSID


async def test_where_nobody_can_edit_the_attribute_any_psid_is_used(tmp_path: Path) -> None:
    async with vouching(tmp_path) as (vouches, _, _):
        assert await vouches.psid(Resolution(psid=PSID, trust=Trust.ANY), an_order()) == PSID


async def test_the_token_by_which_a_shopper_was_found_serves_one_order(tmp_path: Path) -> None:
    _, nonce = CODEC.issue(PAGE, PSID, NOW + timedelta(days=1))
    async with vouching(tmp_path) as (vouches, checkouts, _):
        made = Checkout(url="https://acme.myshopify.com/x", checkout_token=CART_TOKEN, cart_token=CART_TOKEN)
        await checkouts.made(PSID, nonce, made, (), valid_seconds=DAY_SECONDS)
        found = Resolution(psid=PSID, trust=Trust.ANY, token=CART_TOKEN)

        assert await vouches.psid(found, an_order(1)) == PSID
        with pytest.raises(NotTrustedError, match="has served order 1"):
            await vouches.psid(found, an_order(2))
