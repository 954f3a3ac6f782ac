"""Pseudonyms: found again by who knows the id, and by nobody else."""

from __future__ import annotations

import asyncio
from pathlib import Path

from shopbot.store.keys import Keys
from shopbot.store.pseudonyms import Pseudonyms, order_name, shopper_id
from support.store_parts import KEYS
from support.stores import on_every_store, running_store

PSID = "7312345678901234"


@on_every_store
async def test_all_processes_make_the_same_ones(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        made = await asyncio.gather(*(Pseudonyms(store.another(), KEYS).of(shopper_id(PSID)) for _ in range(8)))

    assert len({name for (name,) in made}) == 1
    assert PSID not in made[0][0]


async def test_shops_persons_and_orders_have_different_ones(tmp_path: Path) -> None:
    async with running_store("fakeredis", tmp_path) as store:
        pseudonyms = Pseudonyms(store.client, KEYS)
        others = Pseudonyms(store.client, Keys("other.myshopify.com"))
        names = [
            *await pseudonyms.of(shopper_id("1001"), order_name(1001), shopper_id("1002")),
            *await others.of(shopper_id("1001")),
        ]

    assert len(set(names)) == 4


@on_every_store
async def test_what_was_written_is_read_with_other_keys_in_one_go(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        pseudonyms = Pseudonyms(store.client, KEYS)
        (name,) = await pseudonyms.of(shopper_id(PSID))
        await store.client.set(KEYS.erased(name), "1")
        await store.client.set("beside", "2")

        reader = Pseudonyms(store.another(), KEYS)
        assert await reader.read(KEYS.erased, [shopper_id("42"), shopper_id(PSID)], "beside") == ([None, b"1"], [b"2"])
        assert await reader.read(KEYS.erased, []) == ([], [])


@on_every_store
async def test_a_store_that_has_lost_its_data_does_not_part_the_processes(kind: str, tmp_path: Path) -> None:
    """One that knew the old secret must find what another writes with the new one."""
    async with running_store(kind, tmp_path) as store:
        old = Pseudonyms(store.client, KEYS)
        await old.of(shopper_id(PSID))
        await store.client.flushall()
        (name,) = await Pseudonyms(store.another(), KEYS).of(shopper_id(PSID))
        await store.client.set(KEYS.erased(name), "1")

        assert await old.read(KEYS.erased, [shopper_id(PSID)]) == ([b"1"], [])
        assert await old.of(shopper_id(PSID)) == [name]
