"""The step `note_checkout`: what it learns from checkouts, and from whom it learns nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from shopbot.model.checkout import Checkout, SeenCheckout
from shopbot.model.event import Event, Source
from shopbot.model.outcome import Outcome
from shopbot.model.reason import Reason
from shopbot.model.shared_keys import SharedKeys
from shopbot.rules.attempt import Attempt
from shopbot.rules.news import read_news
from shopbot.rules.note_checkout import NoteCheckout
from shopbot.rules.rule import Rule, Step
from shopbot.rules.signed_tokens import SignedTokens
from shopbot.store.checkouts import Checkouts, CheckoutTtl
from shopbot.testing.orders import order_bytes
from support.checkout_shop import CODEC, MUG, PAGE, PERMALINK, PSID, TOWEL, checkout_config, checkout_shop
from support.store_parts import KEYS, NOW
from support.stores import running_store

CHECKOUT = {"token": "b1946ac92492d2347c6235b4d2611184", "cart_token": "eeafa272cebfd4b22385bc4b645e762c"}
LINK = Checkout(url="https://acme.myshopify.com/x", checkout_token="c-of-the-link-01", cart_token="hWNcCh6gqP8T4nQ2")
STEP = Step("1:note_checkout", "note_checkout")
RULE = Rule(name="checkout_seen", topics=frozenset({"checkouts/update"}), steps=(STEP,))
DAY_SECONDS = 86_400.0
NOBODY = Outcome.skipped(Reason.PSID_NOT_FOUND, "neither a signed token nor a known cart token")


@dataclass
class Desk:
    """The step, a link that was made for a mug, and what the shop's store knows of checkouts."""

    note: NoteCheckout
    checkouts: Checkouts
    store: Redis
    text: str
    """The link's signed token."""
    nonce: str

    async def told(self, body: Mapping[str, object], topic: str = "checkouts/update") -> tuple[Outcome, str | None]:
        """Let Shopify tell of a checkout; gives what the step says, and whose the event is from now on."""
        event = Event(id="webhook:1", topic=topic, source=Source.WEBHOOK, received_at=NOW, body=order_bytes(body))
        attempt = Attempt(event=event, number=1, earlier=(), clock=lambda: NOW, news=read_news(topic, body))
        [outcome] = await self.note(attempt, RULE, STEP)
        return outcome, attempt.shopper

    async def latest(self) -> str | None:
        """Give the token of the checkout that the shopper has open."""
        found = await self.store.get(SharedKeys().checkout_token(PSID))
        return found.decode() if isinstance(found, bytes) else found

    async def owners(self, *tokens: str) -> list[tuple[str | None, bool]]:
        """Say of tokens whose they are, and whether they belong to the link."""
        return [
            (await self.checkouts.shopper_of(token), await self.checkouts.nonce_of(token) == self.nonce)
            for token in tokens
        ]


@asynccontextmanager
async def a_desk(tmp_path: Path, *, expired: bool = False) -> AsyncIterator[Desk]:
    expires_at = NOW + timedelta(hours=-1 if expired else 1)
    text, nonce = CODEC.issue(PAGE, PSID, expires_at)
    ttl = CheckoutTtl(latest=DAY_SECONDS, lookup=DAY_SECONDS, cart_id=DAY_SECONDS, order=DAY_SECONDS)
    async with running_store("embedded", tmp_path) as store:
        checkouts = Checkouts(store.client, KEYS, SharedKeys(), ttl=ttl)
        await checkouts.made(PSID, nonce, LINK, [MUG], valid_seconds=DAY_SECONDS)
        signed = SignedTokens(CODEC, {PAGE}, checkouts)
        note = NoteCheckout(checkouts, signed, attribute="psid", clock=lambda: NOW)
        yield Desk(note, checkouts, store.client, text, nonce)


def opened(*attributes: tuple[str, str], article: int = MUG, **more: object) -> dict[str, object]:
    """Be what Shopify tells of a checkout with these cart attributes."""
    notes = [{"name": name, "value": value} for name, value in attributes]
    return {**CHECKOUT, "note_attributes": notes, "line_items": [{"variant_id": article}], **more}


async def test_the_running_host_learns_the_shopper_of_a_checkout_and_of_its_cart(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path, config=checkout_config(PERMALINK)) as shop:
        checkout = await shop.opened()
        record = await shop.seen(checkout)

        assert record.status == "done"
        assert [entry.detail for entry in record.journal if entry.step == "1:note_checkout"] == ["…1234"]
        for token in (checkout.token, checkout.cart.token):
            assert await shop.shop.store.get(shop.shop.shared.checkout_token_lookup(token)) == PSID.encode()
        assert await shop.shop.store.get(shop.shop.shared.checkout_token(PSID)) == checkout.token.encode()


@pytest.mark.parametrize("topic", ["checkouts/create", "checkouts/update"])
async def test_a_genuine_token_names_the_shopper_of_the_checkout_and_of_its_cart(tmp_path: Path, topic: str) -> None:
    async with a_desk(tmp_path) as desk:
        outcome, shopper = await desk.told(opened(("psid", f" {desk.text} ")), topic)

        assert (outcome, shopper) == (Outcome.done("…1234"), PSID)
        assert await desk.owners(*CHECKOUT.values()) == [(PSID, True), (PSID, True)]
        assert await desk.latest() == CHECKOUT["token"]


async def test_the_last_attribute_of_the_name_that_says_something_counts(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        last = opened(("psid", "x"), ("psid", desk.text), ("psid", " "), ("gift", "y"))
        earlier = opened(("psid", desk.text), ("psid", "x"))

        assert (await desk.told(earlier))[0] == NOBODY
        assert (await desk.told(last))[0] == Outcome.done("…1234")


async def test_a_token_under_another_name_or_a_plain_psid_names_nobody(tmp_path: Path) -> None:
    """Whoever has the cart open can type a PSID."""
    async with a_desk(tmp_path) as desk:
        for body in (opened(("shopper", desk.text)), opened(("psid", PSID)), opened(("psid", "")), opened()):
            assert await desk.told(body) == (NOBODY, None)
        for attributes in (None, "psid", [{"name": "psid"}]):
            assert await desk.told({**opened(), "note_attributes": attributes}) == (NOBODY, None)
        assert await desk.owners(*CHECKOUT.values()) == [(None, False), (None, False)]


async def test_a_cart_token_that_was_noted_before_names_the_shopper(tmp_path: Path) -> None:
    """Also by another part of the bot; and a cart's key is no part of its token."""
    async with a_desk(tmp_path) as desk:
        for cart_token in (CHECKOUT["cart_token"], CHECKOUT["cart_token"] + "?key=5ecre7"):
            await desk.store.flushall()
            await desk.store.set(SharedKeys().checkout_token_lookup(CHECKOUT["cart_token"]), PSID)

            assert await desk.told(opened(cart_token=cart_token)) == (Outcome.done("…1234"), PSID)
            assert await desk.owners(*CHECKOUT.values()) == [(PSID, False), (PSID, False)]


async def test_a_cart_token_of_a_link_makes_its_checkout_the_link_s_own(tmp_path: Path) -> None:
    """Its order can then be known by that token alone, and the link serves no other."""
    async with a_desk(tmp_path) as desk:
        outcome, shopper = await desk.told(opened(cart_token=LINK.cart_token))

        assert (outcome, shopper) == (Outcome.done("…1234"), PSID)
        assert await desk.owners(CHECKOUT["token"]) == [(PSID, True)]


@pytest.mark.parametrize("noted", [None, "no psid"])
async def test_a_cart_token_that_leads_to_no_shopper_is_nobody_s(tmp_path: Path, noted: str | None) -> None:
    async with a_desk(tmp_path) as desk:
        if noted is not None:
            await desk.store.set(SharedKeys().checkout_token_lookup(CHECKOUT["cart_token"]), noted)

        assert await desk.told(opened()) == (NOBODY, None)
        assert await desk.told(opened(cart_token=None)) == (NOBODY, None)
        assert (await desk.checkouts.shopper_of(CHECKOUT["token"])) is None


async def test_a_token_that_may_not_be_carried_is_said_in_the_journal(tmp_path: Path) -> None:
    async with a_desk(tmp_path, expired=True) as desk:
        outcome, shopper = await desk.told(opened(("psid", desk.text)))

        assert (outcome.status, outcome.reason, shopper) == ("skipped", Reason.PSID_NOT_TRUSTED, None)
        assert outcome.detail.startswith("the signed token expired at ")
        assert await desk.owners(CHECKOUT["token"]) == [(None, False)]


@pytest.mark.parametrize("by", ["the signed token", "the cart token"])
async def test_a_link_that_has_served_its_order_names_nobody_any_more(tmp_path: Path, by: str) -> None:
    """Else whoever puts a cart together from it once more would pass for its shopper."""
    async with a_desk(tmp_path) as desk:
        await desk.checkouts.claim(desk.nonce, 1)
        body = opened(("psid", desk.text)) if by == "the signed token" else opened(cart_token=LINK.cart_token)

        outcome, shopper = await desk.told(body)

        assert (outcome, shopper) == (
            Outcome.skipped(Reason.ALREADY_CONFIRMED, "the link has served its order"),
            None,
        )
        assert await desk.owners(CHECKOUT["token"]) == [(None, False)]


async def test_what_is_no_checkout_is_skipped(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        for body, topic in (
            ({}, "checkouts/update"),
            ({"token": 7}, "checkouts/update"),
            ({"token": ""}, "checkouts/update"),
            (opened(("psid", desk.text)), "carts/update"),
        ):
            assert await desk.told(body, topic) == (Outcome.skipped(Reason.NO_CHECKOUT), None)


async def test_a_checkout_is_noted_again_whenever_it_changes(tmp_path: Path) -> None:
    """Also with other articles by then: it is the one that was opened first."""
    async with a_desk(tmp_path) as desk:
        for article in (MUG, TOWEL):
            assert (await desk.told(opened(("psid", desk.text), article=article)))[0] == Outcome.done("…1234")


async def test_a_completed_checkout_is_not_the_shopper_s_latest_any_more(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        await desk.told(opened(("psid", desk.text), completed_at="2026-11-23T10:00:00+01:00"))

        assert await desk.owners(CHECKOUT["token"]) == [(PSID, True)]
        assert await desk.latest() == LINK.checkout_token


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
