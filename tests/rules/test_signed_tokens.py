"""A signed token names a shopper for the one checkout that it was made for, and for one order: piece by piece.

What attackers would try end to end is in `tests/checkout/test_wrong_person.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shopbot.model.checkout import Checkout, SeenCheckout
from shopbot.model.order import Order
from shopbot.model.psid_token import PsidTokens, TokenKey
from shopbot.model.shared_keys import SharedKeys
from shopbot.rules.news import read_news
from shopbot.rules.signed_tokens import NotTrustedError, SignedTokens
from shopbot.store.checkouts import ERASED_ORDER, Checkouts, CheckoutTtl
from shopbot.testing.orders import Line, paid_order
from support.store_parts import KEYS
from support.stores import running_store

PAGE, PSID = "102290129340398", "7312345678901234"
MUG, TOWEL, SOAP = 51_204_337_615_187, 51_204_337_713_491, 51_204_337_811_795
CART_TOKEN, CHECKOUT_TOKEN = "hWNcCh6gqP8T4nQ2vF3mZy1x", "b1946ac92492d2347c6235b4d2611184"
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
EXPIRES = NOW + timedelta(days=1)
CODEC = PsidTokens([TokenKey("a", b"0123456789abcdef0123456789abcdef")])
DAY_SECONDS = 86_400.0
ANOTHER = "another"


@dataclass
class Link:
    """A checkout link of the shop, and who reads its token."""

    text: str
    nonce: str
    signed: SignedTokens
    checkouts: Checkouts

    async def of_order(self, order: Order, now: datetime = NOW) -> str:
        return await self.signed.shopper_of_order(self.text, order, now)


@asynccontextmanager
async def a_link(
    tmp_path: Path,
    *,
    articles: Sequence[int] = (MUG, TOWEL),
    pages: frozenset[str] = frozenset({PAGE}),
    of_page: str = PAGE,
    codec: PsidTokens = CODEC,
) -> AsyncIterator[Link]:
    text, nonce = CODEC.issue(of_page, PSID, EXPIRES)
    ttl = CheckoutTtl(latest=DAY_SECONDS, lookup=DAY_SECONDS, cart_id=DAY_SECONDS, order=DAY_SECONDS)
    async with running_store("embedded", tmp_path) as store:
        checkouts = Checkouts(store.client, KEYS, SharedKeys(), ttl=ttl)
        made = Checkout(url="https://acme.myshopify.com/x", checkout_token=CHECKOUT_TOKEN, cart_token=CART_TOKEN)
        await checkouts.made(PSID, nonce, made, articles, valid_seconds=DAY_SECONDS)
        yield Link(text, nonce, SignedTokens(codec, pages, checkouts), checkouts)


def an_order(
    order_id: int = 1,
    *,
    articles: Sequence[int | None] = (SOAP,),
    cart_token: str | None = ANOTHER,
    checkout_token: str | None = ANOTHER,
    created_at: datetime = NOW,
) -> Order:
    body = paid_order(order_id=order_id, created_at=created_at, lines=[Line("x", "1.00", variant_id=MUG)])
    [line] = body["line_items"]
    body["line_items"] = [line | {"variant_id": article} for article in articles]
    order = read_news("orders/paid", body | {"cart_token": cart_token, "checkout_token": checkout_token}).order
    assert order is not None
    return order


FITTING = {
    "the cart": an_order(cart_token=CART_TOKEN),
    "the cart, with its key": an_order(cart_token=f"{CART_TOKEN}?key=5ecre7"),
    "the checkout": an_order(checkout_token=CHECKOUT_TOKEN),
    "one article": an_order(articles=(SOAP, TOWEL)),
    "articles that nobody knows": an_order(articles=(None,)),
    "no articles": an_order(articles=()),
}
FOREIGN = {
    "nothing": an_order(),
    "neither token": an_order(cart_token=None, checkout_token=None),
    "other articles, one of which nobody knows": an_order(articles=(SOAP, None)),
}


@pytest.mark.parametrize("same", FITTING)
async def test_an_order_that_shares_the_cart_the_checkout_or_an_article_names_the_shopper(
    tmp_path: Path, same: str
) -> None:
    async with a_link(tmp_path) as link:
        assert await link.of_order(FITTING[same]) == PSID


@pytest.mark.parametrize("same", FOREIGN)
async def test_an_order_that_shares_none_of_them_names_nobody(tmp_path: Path, same: str) -> None:
    async with a_link(tmp_path) as link:
        with capture_logs() as logs, pytest.raises(NotTrustedError, match="made for another checkout"):
            await link.of_order(FOREIGN[same])
        assert (await link.checkouts.look(link.nonce)).order_id is None

    assert [(line["event"], line["log_level"], line["order_id"]) for line in logs] == [
        ("checkout_token_refused", "warning", 1)
    ]


async def test_a_link_whose_articles_nobody_knows_any_more_fits_every_order(tmp_path: Path) -> None:
    async with a_link(tmp_path, articles=()) as link:
        assert await link.of_order(an_order()) == PSID


async def test_a_token_serves_one_order_and_that_one_again(tmp_path: Path) -> None:
    async with a_link(tmp_path) as link:
        for _ in range(2):
            assert await link.of_order(an_order(1, cart_token=CART_TOKEN)) == PSID
        with pytest.raises(NotTrustedError, match="has served order 1 already"):
            await link.of_order(an_order(2, cart_token=CART_TOKEN))


async def test_so_does_a_cart_token_of_the_link_and_no_other_token_is_kept_to_anything(tmp_path: Path) -> None:
    async with a_link(tmp_path) as link:
        for _ in range(2):
            await link.signed.one_order(CART_TOKEN, 1)
        with capture_logs() as logs, pytest.raises(NotTrustedError, match="has served order 1 already"):
            await link.signed.one_order(CART_TOKEN, 2)
        for order_id in (1, 2):
            await link.signed.one_order("a-cart-of-the-shop's-own-page", order_id)

    assert [line["order_id"] for line in logs] == [2]


async def test_a_token_is_good_until_it_expires(tmp_path: Path) -> None:
    order = an_order(cart_token=CART_TOKEN, created_at=EXPIRES + timedelta(days=1))
    async with a_link(tmp_path) as link:
        assert await link.of_order(order, EXPIRES) == PSID
        with pytest.raises(NotTrustedError, match="expired at"):
            await link.of_order(order, EXPIRES + timedelta(seconds=1))


async def test_an_order_of_unknown_age_is_as_old_as_it_is_late(tmp_path: Path) -> None:
    order = an_order(cart_token=CART_TOKEN).model_copy(update={"created_at": None})
    async with a_link(tmp_path) as link:
        assert await link.of_order(order) == PSID
        with pytest.raises(NotTrustedError, match="expired at"):
            await link.of_order(order, EXPIRES + timedelta(seconds=1))


async def test_an_order_that_was_made_in_time_may_be_late(tmp_path: Path) -> None:
    async with a_link(tmp_path) as link:
        assert await link.of_order(an_order(cart_token=CART_TOKEN), EXPIRES + timedelta(days=3)) == PSID


@pytest.mark.parametrize(
    ("pages", "of_page", "trusted"),
    [
        (frozenset({PAGE, "2"}), "2", True),
        (frozenset({PAGE}), "2", False),
        (frozenset({PAGE}), "", False),
        (frozenset(), "", True),
        (frozenset(), PAGE, False),
    ],
)
async def test_a_token_names_a_shopper_of_its_own_page_alone(
    tmp_path: Path, pages: frozenset[str], of_page: str, *, trusted: bool
) -> None:
    async with a_link(tmp_path, pages=pages, of_page=of_page) as link:
        order = an_order(cart_token=CART_TOKEN)
        if trusted:
            assert await link.of_order(order) == PSID
        else:
            with pytest.raises(NotTrustedError, match="of another Page"):
                await link.of_order(order)


@pytest.mark.parametrize(
    ("codec", "why"),
    [
        (PsidTokens([]), "`checkout_tokens.keys` in shopbot.yaml is empty"),
        (PsidTokens([TokenKey("a", b"another secret of thirty-two byte")]), "is not genuine"),
    ],
    ids=["no key", "another key"],
)
async def test_a_token_that_the_shop_did_not_sign_names_nobody(tmp_path: Path, codec: PsidTokens, why: str) -> None:
    async with a_link(tmp_path, codec=codec) as link:
        with pytest.raises(NotTrustedError, match=why):
            await link.of_order(an_order(cart_token=CART_TOKEN))


class TestACheckout:
    async def seen(self, link: Link, **fields: object) -> tuple[str, str]:
        checkout = SeenCheckout.model_validate({"token": ANOTHER, "variant_ids": {SOAP}, **fields})
        return await link.signed.shopper_of_checkout(link.text, checkout, NOW)

    async def test_of_the_link_names_its_shopper(self, tmp_path: Path) -> None:
        async with a_link(tmp_path) as link:
            assert await self.seen(link, token=CHECKOUT_TOKEN) == (PSID, link.nonce)
            assert await self.seen(link, cart_token=CART_TOKEN) == (PSID, link.nonce)

    async def test_with_one_of_its_articles_is_the_links_own_for_the_first_who_opens_it(self, tmp_path: Path) -> None:
        async with a_link(tmp_path) as link:
            for _ in range(2):
                assert await self.seen(link, variant_ids={MUG}, cart_token="first") == (PSID, link.nonce)
            assert await self.seen(link, cart_token="first") == (PSID, link.nonce)
            with pytest.raises(NotTrustedError, match="another checkout"):
                await self.seen(link, variant_ids={MUG}, cart_token="second")

    async def test_stays_its_shoppers_when_somebody_else_has_opened_the_link_first(self, tmp_path: Path) -> None:
        async with a_link(tmp_path) as link:
            await self.seen(link, variant_ids={MUG}, cart_token="first")

            assert await self.seen(link, token=CHECKOUT_TOKEN, variant_ids={MUG}) == (PSID, link.nonce)

    async def test_without_a_cart_is_known_by_its_own_token(self, tmp_path: Path) -> None:
        async with a_link(tmp_path) as link:
            assert await self.seen(link, token="first", variant_ids={MUG}) == (PSID, link.nonce)
            assert await self.seen(link, token="first") == (PSID, link.nonce)

    async def test_with_other_articles_names_nobody_and_does_not_become_the_links_own(self, tmp_path: Path) -> None:
        async with a_link(tmp_path) as link:
            with pytest.raises(NotTrustedError, match="another checkout"):
                await self.seen(link)
            assert ANOTHER not in (await link.checkouts.look(link.nonce)).tokens

    async def test_of_a_shopper_whose_data_were_erased_names_nobody(self, tmp_path: Path) -> None:
        async with a_link(tmp_path) as link:
            await link.checkouts.claim(link.nonce, ERASED_ORDER)

            with pytest.raises(NotTrustedError, match="data were erased"):
                await self.seen(link, token=CHECKOUT_TOKEN)
            with pytest.raises(NotTrustedError, match="data were erased"):
                await link.of_order(an_order(cart_token=CART_TOKEN))

    async def test_after_the_token_has_expired_names_nobody(self, tmp_path: Path) -> None:
        async with a_link(tmp_path) as link:
            checkout = SeenCheckout(token=CHECKOUT_TOKEN)
            with pytest.raises(NotTrustedError, match="expired"):
                await link.signed.shopper_of_checkout(link.text, checkout, EXPIRES + timedelta(seconds=1))
