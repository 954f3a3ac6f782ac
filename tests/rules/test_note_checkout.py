"""The step `note_checkout`: what it learns from checkouts, and from whom it learns nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shopbot.model.checkout import SeenCheckout
from support.checkout_shop import MUG, PERMALINK, PSID, TOWEL, CheckoutShop, checkout_config, checkout_shop
from support.orders import ending

CHECKOUT = {"token": "b1946ac92492d2347c6235b4d2611184", "cart_token": "eeafa272cebfd4b22385bc4b645e762c"}


async def told(shop: CheckoutShop, body: Mapping[str, object], topic: str = "checkouts/update") -> str:
    return ending(await shop.shop.finished(await shop.shop.post(topic, body)))


async def shopper_of(shop: CheckoutShop, token: str) -> bytes | str | None:
    return await shop.shop.store.get(shop.shop.shared.checkout_token_lookup(token))


async def test_a_genuine_token_names_the_shopper_of_the_checkout_and_of_its_cart(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path, config=checkout_config(PERMALINK)) as shop:
        checkout = await shop.opened()
        record = await shop.seen(checkout)

        assert record.status == "done"
        assert [entry.detail for entry in record.journal if entry.step == "1:note_checkout"] == ["…1234"]
        assert await shopper_of(shop, checkout.token) == await shopper_of(shop, checkout.cart.token) == PSID.encode()
        assert await shop.shop.store.get(shop.shop.shared.checkout_token(PSID)) == checkout.token.encode()


async def test_a_cart_token_that_another_part_of_the_bot_noted_names_the_shopper(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path) as shop:
        await shop.shop.store.set(shop.shop.shared.checkout_token_lookup(CHECKOUT["cart_token"]), PSID)

        assert await told(shop, dict(CHECKOUT)) == "done"
        assert await shopper_of(shop, CHECKOUT["token"]) == PSID.encode()


async def test_a_cart_s_key_is_no_part_of_its_token(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path) as shop:
        await shop.shop.store.set(shop.shop.shared.checkout_token_lookup(CHECKOUT["cart_token"]), PSID)

        assert await told(shop, {**CHECKOUT, "cart_token": CHECKOUT["cart_token"] + "?key=5ecre7"}) == "done"


async def test_a_checkout_that_says_nothing_is_nobody_s(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path, config=checkout_config(trust="any")) as shop:
        for number, attributes in enumerate(
            ([], [{"name": "psid", "value": PSID}], [{"name": "psid", "value": ""}], None, "psid", [{"name": "psid"}])
        ):
            body = {**CHECKOUT, "note_attributes": attributes, "cart_token": None, "number": number}
            assert await told(shop, body) == "PSID_NOT_FOUND"
        await shop.shop.store.set(shop.shop.shared.checkout_token_lookup(CHECKOUT["cart_token"]), "no psid")
        assert await told(shop, dict(CHECKOUT)) == "PSID_NOT_FOUND"
        assert await shopper_of(shop, CHECKOUT["token"]) is None


async def test_what_is_no_checkout_is_skipped(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path) as shop:
        assert await told(shop, {}) == "NO_CHECKOUT"
        assert await told(shop, {"token": 7}) == "NO_CHECKOUT"
        assert await told(shop, {"token": ""}) == "NO_CHECKOUT"


async def test_a_checkout_is_noted_again_whenever_it_changes(tmp_path: Path) -> None:
    """Also with other articles by then: it is the one that was opened first."""
    async with checkout_shop(tmp_path, config=checkout_config(PERMALINK)) as shop:
        checkout = await shop.opened(variants={MUG: 1})
        assert ending(await shop.seen(checkout)) == "done"
        checkout.cart.lines[0].variant_id = TOWEL
        assert ending(await shop.seen(checkout, "checkouts/update")) == "done"


async def test_a_completed_checkout_is_not_the_shopper_s_latest_any_more(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path, config=checkout_config(PERMALINK)) as shop:
        checkout = await shop.opened()
        before = await shop.shop.store.get(shop.shop.shared.checkout_token(PSID))
        await shop.seen(checkout, "checkouts/update", completed_at="2026-11-23T10:00:00+01:00")

        assert await shopper_of(shop, checkout.token) == PSID.encode()
        assert await shop.shop.store.get(shop.shop.shared.checkout_token(PSID)) == before


class TestSeenCheckout:
    def test_malformed_parts_count_as_missing(self) -> None:
        body = {**CHECKOUT, "line_items": [None, {"variant_id": None}, {"variant_id": "7"}], "completed_at": None}

        checkout = SeenCheckout.from_payload({**body, "note_attributes": [{"name": None}, 7]})

        assert checkout is not None
        assert checkout.variant_ids == {7}
        assert checkout.note_attributes == ()
        assert not checkout.completed
        assert checkout.tokens == set(CHECKOUT.values())

    def test_what_has_no_token_is_no_checkout(self) -> None:
        payloads: list[object] = [None, [], "x", {}, {"token": None}, {"id": 1}]
        for payload in payloads:
            assert SeenCheckout.from_payload(payload) is None
