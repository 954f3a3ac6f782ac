"""Attacks that would make the bot message somebody about another person's order, end to end.

The attacker can write any cart attribute, and read every token in a link or cart that was shown to them.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shopbot.model.psid_token import PsidTokens, TokenKey
from shopbot.store.records import EventRecord
from shopbot.testing.orders import Line, paid_order
from support.checkout_shop import (
    CODEC,
    MUG,
    PAGE,
    PERMALINK,
    PSID,
    STOREFRONT,
    TOKEN_SECRET,
    TOWEL,
    CheckoutShop,
    checkout_config,
    checkout_shop,
)
from support.orders import ending

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
GENUINE = CODEC.issue(PAGE, PSID, LATER)[0]
EVERY_TRUST = pytest.mark.parametrize("trust", ["signed", "known_shopper", "any"])
BOTH = pytest.mark.parametrize("checkouts", [STOREFRONT, PERMALINK], ids=["storefront", "permalink"])


def by(key_id: str, secret: str) -> PsidTokens:
    return PsidTokens([TokenKey(key_id, secret.encode())])


def changed(position: int) -> str:
    return GENUINE[:position] + ("A" if GENUINE[position] != "A" else "B") + GENUINE[position + 1 :]


async def attack(shop: CheckoutShop, psid: str, **order: Any) -> EventRecord:  # noqa: ANN401 - as `order_body`
    """Place an order with something in the attribute, and wait for its end."""
    body = paid_order(psid=psid, **{"created_at": NOW, **order})
    return await shop.shop.finished(await shop.shop.post("orders/paid", body))


REFUSED = {
    "with a changed signature": (changed(-2), "signature"),
    "with changed content": (changed(12), "signature"),
    "cut off": (GENUINE[:-5], "not genuine"),
    "signed with a guessed secret": (by("a", "x" * 32).issue(PAGE, PSID, LATER)[0], "signature"),
    "signed with a key that the shop does not have": (by("b", TOKEN_SECRET).issue(PAGE, PSID, LATER)[0], "key"),
    "of another version": (GENUINE.replace("sb1", "sb9"), "version"),
    "expired": (CODEC.issue(PAGE, PSID, NOW - timedelta(seconds=1))[0], "expired"),
    "for a shopper of another Page": (CODEC.issue("999999999999999", PSID, LATER)[0], "another Page"),
    "for a shop without a Page": (CODEC.issue("", PSID, LATER)[0], "another Page"),
    "as long as a novel": ("sb1.a." + "A" * 60_000, "not genuine"),
}


@EVERY_TRUST
async def test_no_token_that_is_not_genuine_is_ever_used_whatever_the_trust(trust: str, tmp_path: Path) -> None:
    """Not even where the shop knows the shopper and takes every plain PSID."""
    async with checkout_shop(tmp_path, config=checkout_config(trust=trust), clock=lambda: NOW) as shop:
        await shop.link()  # the victim is known: a checkout token is there
        for order_id, (token, why) in enumerate(REFUSED.values(), start=1):
            record = await attack(shop, token, order_id=order_id)

            assert ending(record) == "PSID_NOT_TRUSTED", why
            assert any(why in entry.detail for entry in record.journal), why
            assert await shop.shop.store.exists(shop.shop.shared.order_reference(None, order_id))
        assert shop.recipients == []
        page = (await shop.shop.http.get("/metrics")).text
        assert f'reason="PSID_NOT_TRUSTED",shop="acme.myshopify.com",status="skipped"}} {len(REFUSED)}.0' in page
        refusals = [entry for entry in shop.shop.logs.entries if entry["event"] == "checkout_token_refused"]
        assert len(refusals) == len(REFUSED)
        assert PSID not in repr(refusals)


class TestPlainPsid:
    """A shopper typed somebody's PSID into a cart attribute."""

    @pytest.mark.parametrize(
        ("trust", "known", "recipients"),
        [
            ("signed", False, []),
            ("signed", True, []),
            ("known_shopper", False, []),
            ("known_shopper", True, [PSID]),
            ("any", False, [PSID]),
        ],
    )
    async def test_it_works_only_where_the_yaml_or_the_shop_s_records_vouch_for_it(
        self, trust: str, recipients: list[str], tmp_path: Path, *, known: bool
    ) -> None:
        async with checkout_shop(tmp_path, config=checkout_config(trust=trust)) as shop:
            if known:
                await shop.bot.post(f"/carts/{PSID}/items", json={"variant_id": MUG, "quantity": 1})
            record = await attack(shop, PSID)

            assert shop.recipients == recipients
            assert ending(record) == ("done" if recipients else "PSID_NOT_TRUSTED")


class TestReplay:
    """Somebody else's genuine token in one's own cart."""

    @EVERY_TRUST
    @BOTH
    async def test_after_its_order_a_token_is_worth_nothing(self, checkouts: str, trust: str, tmp_path: Path) -> None:
        async with checkout_shop(tmp_path, config=checkout_config(checkouts, trust=trust)) as shop:
            checkout = await shop.opened()
            token = checkout.cart.attributes["psid"]
            await shop.order(checkout, order_id=1)
            record = await attack(shop, token, order_id=2)

            assert shop.recipients == [PSID]
            assert ending(record) == "PSID_NOT_TRUSTED"
            assert any("served order 1 already" in entry.detail for entry in record.journal)

    @BOTH
    async def test_before_its_order_a_token_is_worth_nothing_for_another_checkout(
        self, checkouts: str, tmp_path: Path
    ) -> None:
        async with checkout_shop(tmp_path, config=checkout_config(checkouts)) as shop:
            checkout = await shop.opened(variants={MUG: 1})
            lines = [Line("Linen tea towel", "12.00", variant_id=TOWEL)]
            record = await attack(shop, checkout.cart.attributes["psid"], order_id=2, lines=lines)
            assert ending(record) == "PSID_NOT_TRUSTED"
            assert any("another checkout" in entry.detail for entry in record.journal)

            # And takes nothing away from the shopper it belongs to.
            assert (await shop.order(checkout, order_id=1)).status == "done"
            assert shop.recipients == [PSID]

    async def test_of_many_orders_at_once_one_has_the_token(self, tmp_path: Path) -> None:
        async with checkout_shop(tmp_path, config=checkout_config(trust="any")) as shop:
            token = (await shop.opened()).cart.attributes["psid"]
            records = await asyncio.gather(*(attack(shop, token, order_id=number) for number in range(1, 31)))

            assert sorted(map(ending, records)) == ["PSID_NOT_TRUSTED"] * 29 + ["done"]
            assert shop.recipients == [PSID]

    async def test_a_shopper_who_changed_the_cart_keeps_the_confirmation(self, tmp_path: Path) -> None:
        """No attack: an article more, and none of the ones that the link was made for."""
        async with checkout_shop(tmp_path, config=checkout_config(PERMALINK)) as shop:
            checkout = await shop.opened(variants={MUG: 1})
            await shop.seen(checkout)
            checkout.cart.lines[0].variant_id = TOWEL
            await shop.order(checkout)

            assert shop.recipients == [PSID]


class TestLaundering:
    """A token that is refused in the order is tried by way of the checkout, whose own token nobody checks again."""

    async def test_a_copied_token_does_not_make_another_checkout_the_victim_s(self, tmp_path: Path) -> None:
        async with checkout_shop(tmp_path) as shop:
            token = (await shop.opened(variants={MUG: 1})).cart.attributes["psid"]
            own = await shop.opened("7300000000000001", variants={TOWEL: 1})
            own.cart.attributes = {"psid": token}
            own.cart.token = "gcp-europe-west1:another-cart"

            assert ending(await shop.seen(own)) == "PSID_NOT_TRUSTED"
            own.cart.attributes = {}
            assert ending(await shop.order(own, landing_site=None)) == "PSID_NOT_FOUND"
            assert shop.recipients == []

    @BOTH
    async def test_nor_does_one_whose_order_is_placed(self, checkouts: str, tmp_path: Path) -> None:
        async with checkout_shop(tmp_path, config=checkout_config(checkouts)) as shop:
            checkout = await shop.opened()
            token = checkout.cart.attributes["psid"]
            await shop.order(checkout, order_id=1)
            own = await shop.opened("7300000000000001")
            own.cart.attributes, own.cart.token = {"psid": token}, "gcp-europe-west1:another-cart"
            await shop.seen(own)
            own.cart.attributes = {}

            assert ending(await shop.order(own, order_id=2, landing_site=None)) == "PSID_NOT_FOUND"
            assert shop.recipients == [PSID]

    async def test_the_first_who_opens_a_link_has_it(self, tmp_path: Path) -> None:
        """The second checkout with the same token and article is not the shopper's."""
        async with checkout_shop(tmp_path, config=checkout_config(PERMALINK)) as shop:
            link = (await shop.link())["checkout_url"]
            first, second = shop.storefront.open(link), shop.storefront.open(link)
            assert ending(await shop.seen(first)) == "done"
            assert ending(await shop.seen(second)) == "PSID_NOT_TRUSTED"

    async def test_a_permalink_that_is_passed_on_serves_one_order(self, tmp_path: Path) -> None:
        """By none of the ways: attribute, landing site, checkout token."""
        async with checkout_shop(tmp_path, config=checkout_config(PERMALINK)) as shop:
            link = (await shop.link())["checkout_url"]
            first, second = shop.storefront.open(link), shop.storefront.open(link)
            await shop.seen(first)
            await shop.seen(second)
            await shop.order(first, order_id=1)
            assert ending(await shop.order(second, order_id=2)) == "PSID_NOT_TRUSTED"
            second.cart.attributes = {}
            assert ending(await shop.order(second, order_id=3)) == "PSID_NOT_TRUSTED"
            assert shop.recipients == [PSID]

    async def test_a_known_cart_token_in_a_landing_site_serves_one_order(self, tmp_path: Path) -> None:
        """The cart's token stands in the link; the landing site is the buyer's to write."""
        async with checkout_shop(tmp_path) as shop:
            checkout = await shop.opened()
            landing_site = f"/?cart_token={checkout.cart.token}"
            await shop.order(checkout, order_id=1)
            record = await shop.shop.finished(
                await shop.shop.post("orders/paid", paid_order(order_id=2, landing_site=landing_site))
            )

            assert ending(record) == "PSID_NOT_TRUSTED"
            assert shop.recipients == [PSID]

    async def test_a_plain_psid_in_a_checkout_names_nobody(self, tmp_path: Path) -> None:
        async with checkout_shop(tmp_path, config=checkout_config(trust="any")) as shop:
            checkout = await shop.opened("7300000000000001")
            checkout.cart.attributes, checkout.cart.token = {"psid": PSID}, "gcp-europe-west1:another-cart"

            assert ending(await shop.seen(checkout)) == "PSID_NOT_FOUND"


async def test_without_a_key_no_token_means_anything_and_the_journal_says_so(tmp_path: Path) -> None:
    config = checkout_config(trust="any").replace(STOREFRONT, "")
    config = "\n".join(line for line in config.splitlines() if not line.startswith("checkout_tokens"))
    async with checkout_shop(tmp_path, config=config) as shop:
        record = await attack(shop, GENUINE)

        assert ending(record) == "PSID_NOT_TRUSTED"
        assert any("`checkout_tokens.keys`" in entry.detail for entry in record.journal)


async def test_a_key_that_was_rotated_out_is_refused_and_one_that_is_kept_is_not(tmp_path: Path) -> None:
    keys = f"keys: [{{id: b, secret: {'b' * 32}}}, {{id: a, secret: {TOKEN_SECRET}}}]"
    config = checkout_config(trust="signed").replace(f"keys: [{{id: a, secret: {TOKEN_SECRET}}}]", keys)
    async with checkout_shop(tmp_path, config=config, clock=lambda: NOW) as shop:
        assert (await shop.link())["checkout_url"]
        cart = next(iter(shop.storefront.carts.values()))
        assert cart.attributes["psid"].startswith("sb1.b.")

        assert ending(await attack(shop, GENUINE, order_id=1)) == "done"
        assert (
            ending(await attack(shop, by("c", TOKEN_SECRET).issue(PAGE, PSID, LATER)[0], order_id=2))
            == "PSID_NOT_TRUSTED"
        )
