"""Carts: one shape, a life of their own, and no change that gets lost."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shopbot.model.shared_keys import SharedKeys
from shopbot.model.shopper_cart import Cart, CartLimitError, CartLimits, UnreadableCartError
from shopbot.store.carts import CartChangedError, Carts
from support.store_parts import NOW
from support.stores import OpenStore, on_every_store, running_store

PSID = "7312345678901234"
MUG, TOWEL = 51_204_337_615_187, 51_204_337_713_491
TTL_SECONDS = 2_592_000.0
KEYS = SharedKeys()


def carts_of(store: OpenStore, now: datetime = NOW) -> Carts:
    return Carts(store.client, KEYS, ttl_seconds=TTL_SECONDS, clock=lambda: now)


async def stored(store: OpenStore, psid: str = PSID) -> dict[str, object]:
    found = json.loads(await store.client.get(KEYS.cart(psid)) or "null")
    assert isinstance(found, dict)
    return found


@on_every_store
async def test_a_cart_is_kept_in_the_documented_shape(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        carts = carts_of(store)
        await carts.change(PSID, lambda cart: cart.adding(MUG, 2, "Stoneware mug"))
        await carts.change(PSID, lambda cart: cart.adding(TOWEL, 1))
        content = await stored(store)

        assert content["items"] == [
            {"variant_id": MUG, "quantity": 2, "title": "Stoneware mug"},
            {"variant_id": TOWEL, "quantity": 1},
        ]
        assert datetime.fromisoformat(str(content["updated_at"])) == NOW
        assert (await carts.read(PSID)).cart == Cart.model_validate(content)
        left_ms = await store.client.pttl(KEYS.cart(PSID))
        assert TTL_SECONDS * 1000 - 60_000 < left_ms <= TTL_SECONDS * 1000


@on_every_store
async def test_a_change_begins_the_life_of_a_cart_anew(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        carts = carts_of(store)
        await carts.change(PSID, lambda cart: cart.adding(MUG, 1))
        await store.client.pexpire(KEYS.cart(PSID), 60_000)

        await carts.change(PSID, lambda cart: cart.adding(MUG, 1))

        assert await store.client.pttl(KEYS.cart(PSID)) > 60_000


@on_every_store
@pytest.mark.parametrize("processes", [1, 5])
async def test_of_a_hundred_changes_at_once_none_is_lost(kind: str, processes: int, tmp_path: Path) -> None:
    """Within one process, and of several, which know nothing of each other."""
    async with running_store(kind, tmp_path) as store:
        several = [Carts(store.another(), KEYS, ttl_seconds=60.0, clock=lambda: NOW) for _ in range(processes)]

        async def add(number: int) -> None:
            await several[number % processes].change(PSID, lambda cart: cart.adding(1 + number % 7, 1))

        await asyncio.gather(*(add(number) for number in range(100)))
        cart = (await several[0].read(PSID)).cart

        assert sum(item.quantity for item in cart.items) == 100
        assert {item.variant_id: item.quantity for item in cart.items} == {
            variant: len(range(variant - 1, 100, 7)) for variant in range(1, 8)
        }


@on_every_store
async def test_a_change_of_another_part_of_the_bot_is_not_overwritten(kind: str, tmp_path: Path) -> None:
    """It writes the key by itself, between this one's look and its writing."""
    async with running_store(kind, tmp_path) as store:
        carts = carts_of(store)
        looks = 0

        async def other_writes() -> None:
            cart = {"items": [{"variant_id": TOWEL, "quantity": 5}], "updated_at": NOW.isoformat()}
            await store.another().set(KEYS.cart(PSID), json.dumps(cart))

        writing: list[asyncio.Task[None]] = []

        def edit(cart: Cart) -> Cart:
            nonlocal looks
            looks += 1
            if looks == 1:
                writing.append(asyncio.ensure_future(other_writes()))
            return cart.adding(MUG, 1)

        async def swap_later(psid: str, before: bytes, after: bytes) -> bool:
            await writing[0]
            return await swap(psid, before, after)

        swap, carts._swap = carts._swap, swap_later  # type: ignore[method-assign]
        await carts.change(PSID, edit)

        assert looks == 2
        content = await stored(store)
        assert content["items"] == [{"variant_id": TOWEL, "quantity": 5}, {"variant_id": MUG, "quantity": 1}]


@on_every_store
async def test_what_others_keep_in_a_cart_stays(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        theirs = {
            "items": [{"variant_id": str(MUG), "quantity": 2, "image": None, "price": "19.25", "options": {"a": [1]}}],
            "updated_at": 1_795_425_300,
            "locale": "de",
        }
        await store.client.set(KEYS.cart(PSID), json.dumps(theirs))

        await carts_of(store).change(PSID, lambda cart: cart.adding(MUG, 1).adding(TOWEL, 1))

        content = await stored(store)
        assert content["locale"] == "de"
        assert content["items"] == [
            {"variant_id": MUG, "quantity": 3, "image": None, "price": "19.25", "options": {"a": [1]}},
            {"variant_id": TOWEL, "quantity": 1},
        ]


UNREADABLE = [
    b"null",
    b"[]",
    b'{"items": {}}',
    b'{"items": [{"variant_id": 1}]}',
    b'{"items": [{"variant_id": "mug", "quantity": 1}]}',
    b'{"items": [{"variant_id": 1, "quantity": true}]}',
    b'{"items": [{"variant_id": 1, "quantity": NaN}]}',
    b"\xff\x00",
    b"[" * 100_000,
]


@pytest.mark.parametrize("content", UNREADABLE, ids=range(len(UNREADABLE)))
async def test_something_else_under_the_key_is_not_changed_but_can_be_replaced(content: bytes, tmp_path: Path) -> None:
    async with running_store("fakeredis", tmp_path) as store:
        carts = carts_of(store)
        await store.client.set(KEYS.cart(PSID), content)

        with pytest.raises(UnreadableCartError):
            await carts.read(PSID)
        with pytest.raises(UnreadableCartError):
            await carts.change(PSID, lambda cart: cart.adding(MUG, 1))
        assert await store.client.get(KEYS.cart(PSID)) == content

        await carts.change(PSID, lambda _: Cart().adding(MUG, 1), whole=True)
        assert (await carts.read(PSID)).cart.item(MUG)


@on_every_store
async def test_a_cart_that_does_not_change_is_not_written(kind: str, tmp_path: Path) -> None:
    """Its time would move, and the next order would take it for a new cart."""
    async with running_store(kind, tmp_path) as store:
        await carts_of(store).change(PSID, lambda cart: cart.adding(MUG, 1))
        before = await store.client.get(KEYS.cart(PSID))

        later = carts_of(store, NOW + timedelta(hours=1))
        await later.change(PSID, lambda cart: cart.setting(TOWEL, 0))

        assert await store.client.get(KEYS.cart(PSID)) == before


@on_every_store
async def test_a_change_for_another_state_of_the_cart_is_refused(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        carts = carts_of(store)
        first = await carts.change(PSID, lambda cart: cart.adding(MUG, 1))
        second = await carts.change(PSID, lambda cart: cart.adding(MUG, 1), tags={first.tag})

        with pytest.raises(CartChangedError):
            await carts.change(PSID, lambda cart: cart.adding(MUG, 1), tags={first.tag})
        with pytest.raises(CartChangedError):
            await carts.delete(PSID, tags={first.tag})
        assert (await carts.read(PSID)) == second

        await carts.delete(PSID, tags={second.tag})
        assert (await carts.read(PSID)).cart == Cart()


@on_every_store
async def test_an_edit_that_raises_writes_nothing(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        carts = carts_of(store)

        def edit(cart: Cart) -> Cart:
            CartLimits(lines=1, quantity=1).check(cart.adding(MUG, 2))
            return cart

        with pytest.raises(CartLimitError):
            await carts.change(PSID, edit)
        assert not await store.client.exists(KEYS.cart(PSID))


@on_every_store
async def test_a_shopper_has_no_other_shopper_s_cart(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        carts = carts_of(store)
        await carts.change(PSID, lambda cart: cart.adding(MUG, 1))

        await carts.delete(PSID[:-1])

        assert (await carts.read(PSID)).cart.item(MUG)
        assert (await carts.read(PSID[:-1])).cart == Cart()


class TestCart:
    def test_the_same_article_is_added_up_at_its_place(self) -> None:
        cart = Cart().adding(MUG, 1).adding(TOWEL, 1).adding(MUG, 2, "Mug")

        assert [(item.variant_id, item.quantity, item.title) for item in cart.items] == [
            (MUG, 3, "Mug"),
            (TOWEL, 1, None),
        ]

    def test_a_quantity_is_set_and_none_takes_the_article_out(self) -> None:
        cart = Cart().adding(MUG, 1).adding(TOWEL, 1)

        assert cart.setting(MUG, 5).item(MUG) == cart.item(MUG).model_copy(update={"quantity": 5})  # type: ignore[union-attr]
        assert [item.variant_id for item in cart.setting(MUG, 0).items] == [TOWEL]
        assert cart.setting(7, 3) is cart

    def test_limits_name_what_is_too_much(self) -> None:
        limits = CartLimits(lines=2, quantity=3)

        limits.check(Cart().adding(1, 3).adding(2, 3))
        with pytest.raises(CartLimitError, match="4 of variant 1"):
            limits.check(Cart().adding(1, 4))
        with pytest.raises(CartLimitError, match="2 different"):
            limits.check(Cart().adding(1, 1).adding(2, 1).adding(3, 1))

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ('"2026-11-23T10:15:30Z"', datetime(2026, 11, 23, 10, 15, 30, tzinfo=UTC)),
            ('"2026-11-23T11:15:30+01:00"', datetime(2026, 11, 23, 10, 15, 30, tzinfo=UTC)),
            ('"2026-11-23T10:15:30"', datetime(2026, 11, 23, 10, 15, 30, tzinfo=UTC)),
            ("1795428930", None),
            ("null", None),
            ('"yesterday"', None),
        ],
    )
    def test_any_time_that_another_part_of_the_bot_writes_is_read(self, written: str, read: datetime | None) -> None:
        assert Cart.from_json(f'{{"items": [], "updated_at": {written}}}').updated_at == read
