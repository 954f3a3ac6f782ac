from __future__ import annotations

from pathlib import Path

import pytest

from shopbot.model.shared_keys import SharedKeys
from shopbot.store.keys import Keys
from shopbot.store.shoppers import Shoppers
from support.store_parts import KEYS
from support.stores import OpenStore, on_every_store, running_store

PSID = "7312345678901234"
REMEMBER_SECONDS = 2_592_000.0


def shoppers_of(store: OpenStore, keys: Keys = KEYS) -> Shoppers:
    return Shoppers(store.client, keys, SharedKeys(), remember_seconds=REMEMBER_SECONDS)


@on_every_store
async def test_an_order_s_shopper_is_remembered_for_the_configured_time(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        shoppers = shoppers_of(store)
        assert await shoppers.of_order(830_517_264_905_318_211) is None

        await shoppers.remember(830_517_264_905_318_211, PSID)

        assert await shoppers.of_order(830_517_264_905_318_211) == PSID
        left_ms = await store.client.pttl(KEYS.shopper(830_517_264_905_318_211))
        assert REMEMBER_SECONDS * 1000 - 60_000 < left_ms <= REMEMBER_SECONDS * 1000


@on_every_store
async def test_a_shopper_that_is_found_anew_replaces_the_one_before(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        shoppers = shoppers_of(store)
        await shoppers.remember(1, "1")
        await shoppers.remember(1, PSID)

        assert await shoppers.of_order(1) == PSID


@on_every_store
async def test_another_shop_in_the_same_store_knows_nothing_of_it(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await shoppers_of(store).remember(1, PSID)

        assert await shoppers_of(store, Keys("other.myshopify.com")).of_order(1) is None


@on_every_store
@pytest.mark.parametrize("key", [f"cart:{PSID}", f"checkout_token:{PSID}", KEYS.conversation(PSID)])
async def test_each_of_the_shop_s_own_records_makes_a_shopper_known(kind: str, tmp_path: Path, key: str) -> None:
    async with running_store(kind, tmp_path) as store:
        shoppers = shoppers_of(store)
        assert await shoppers.knows(PSID) is False

        await store.client.set(key, "anything")

        assert await shoppers.knows(PSID) is True
        assert await shoppers.knows("1") is False


@on_every_store
async def test_a_record_that_has_ended_makes_nobody_known(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await store.client.set(f"cart:{PSID}", "{}", px=1)
        while await store.client.exists(f"cart:{PSID}"):
            pass

        assert await shoppers_of(store).knows(PSID) is False


@on_every_store
async def test_orders_alone_make_nobody_known(kind: str, tmp_path: Path) -> None:
    """An order with a made-up PSID leaves a reference under it, which must not vouch for the next one."""
    async with running_store(kind, tmp_path) as store:
        await store.client.set(f"order_reference:{PSID}:1", "{}")
        await store.client.set(f"order_confirmation:{PSID}:1", "{}")
        await shoppers_of(store).remember(1, PSID)

        assert await shoppers_of(store).knows(PSID) is False
