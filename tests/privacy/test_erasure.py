"""Erasing a person: all of them, only them, whatever happens in between."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shopbot.privacy import sweep
from shopbot.privacy.person import Person, Traces
from shopbot.privacy.sweep import Pace
from shopbot.store.queue import Disposition
from support.observed_client import DiedError, ObservedClient, dies_after
from support.shoppers import Shop, Shopper, until_done
from support.stores import OpenStore, on_every_store, running_store
from support.whole_store import Snapshot, contents, traces


@asynccontextmanager
async def a_shop(store: OpenStore, domain: str = "acme.myshopify.com", prefix: str = "") -> AsyncIterator[Shop]:
    shop = Shop(store.client, store.another(blocking=True), domain, prefix)
    await shop.queue.open()
    await shop.queue.sign_of_life()
    shop.inbox.start()
    try:
        yield shop
    finally:
        await shop.inbox.stop()


async def erase(shop: Shop, person: Person, task_id: str = "webhook:redact") -> str:
    """Erase somebody as the command line does: at a stretch."""
    text: str = await until_done(lambda: shop.erasure().person(task_id, person, Pace(stretch_seconds=None)))
    return text


@on_every_store
async def test_nothing_of_an_erased_person_is_left_and_all_of_the_others_is(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, a_shop(store) as shop:
        jane, john = Shopper(1), Shopper(2)
        for shopper in (jane, john):
            await shop.keep(shopper)
        johns = sorted(await traces(store.client, john.secrets))
        assert [secret for secret in jane.secrets if not await traces(store.client, [secret])] == []

        text = await erase(shop, jane.person())

        assert await traces(store.client, jane.secrets) == []
        assert sorted(await traces(store.client, john.secrets)) == johns
        assert text.startswith("3 orders, 1 shopper: ")
        assert not await store.client.exists(shop.keys.privacy_search("webhook:redact"))


@pytest.mark.parametrize("seed", range(6))
async def test_of_many_persons_only_the_right_one_is_erased(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)  # noqa: S311 - makes examples
    async with running_store("fakeredis", tmp_path) as store, a_shop(store) as shop:
        people = [Shopper(number, orders=chance.randint(1, 4)) for number in chance.sample(range(1, 999), 4)]
        for shopper in people:
            await shop.keep(shopper, chance=chance)
        gone = chance.choice(people)
        others = [secret for shopper in people if shopper is not gone for secret in shopper.secrets]
        theirs = sorted(await traces(store.client, others))

        await erase(shop, gone.person())

        assert await traces(store.client, gone.secrets) == []
        assert sorted(await traces(store.client, others)) == theirs


async def test_a_person_is_found_by_the_psid_alone(tmp_path: Path) -> None:
    async with running_store("fakeredis", tmp_path) as store, a_shop(store) as shop:
        await shop.keep(Shopper(1))
        strange = await traces(store.client, ["999000000001"])

        await erase(shop, Person(traces=Traces(psids={Shopper(1).psid})))

        # An event that names neither their PSID nor an order of theirs needs the customer or the address.
        left = await traces(store.client, Shopper(1).secrets)
        assert {trace.partition(" in ")[2] for trace in left} == {trace.partition(" in ")[2] for trace in strange}
        await erase(shop, Person(email=Shopper(1).email.upper()), "again")
        assert await traces(store.client, Shopper(1).secrets) == []


async def test_orders_beyond_those_that_are_indexed_are_found_by_looking_at_everything(tmp_path: Path) -> None:
    async with running_store("fakeredis", tmp_path) as store, a_shop(store) as shop:
        jane = Shopper(1, orders=3)
        await shop.keep(jane)
        await store.client.zremrangebyrank(shop.keys.orders_of(jane.psid), 0, 1)

        await erase(shop, Person(named_orders=frozenset(jane.order_ids[2:]), email=jane.email))

        assert await traces(store.client, jane.secrets) == []


async def test_what_outlives_the_events_is_found_without_them(tmp_path: Path) -> None:
    """Journals end after a month; that a parcel was told of is known for a year, under the parcel's number."""
    async with running_store("fakeredis", tmp_path) as store, a_shop(store) as shop:
        await shop._an_order_of(Shopper(1))
        for ended in ("event:", "journal:", "order:"):
            for key in [key async for key in store.client.scan_iter(f"*}}:{ended}*")]:
                await store.client.delete(key)
        assert await traces(store.client, [Shopper(1).mid("shipped"), Shopper(1).mid("refunded")])

        await erase(shop, Shopper(1).person())

        assert await traces(store.client, Shopper(1).secrets) == []


async def test_another_account_that_a_customer_has_ordered_with_is_theirs_as_well(tmp_path: Path) -> None:
    """It is found by a dead letter with their address, whose order was resolved to it."""
    async with running_store("fakeredis", tmp_path) as store, a_shop(store) as shop:
        jane, other = Shopper(1), Shopper(2)
        await shop.keep(jane)
        for keep in (shop._an_order_of, shop._a_conversation, shop._a_cart):
            await keep(other)
        body = {**jane.body(other.order_ids[0]), "note_attributes": []}
        await shop.worked("webhook:dead", "orders/paid", body, Disposition.DEAD, order_id=other.order_ids[0])

        await erase(shop, jane.person())

        assert await traces(store.client, [*jane.secrets, *other.secrets]) == []


async def test_an_erasure_of_somebody_of_whom_nothing_is_kept_changes_nothing(tmp_path: Path) -> None:
    async with running_store("fakeredis", tmp_path) as store, a_shop(store) as shop:
        await shop.keep(Shopper(1))
        before = await contents(store.client)

        assert await erase(shop, Shopper(2).person()) == "2 orders, 0 shoppers: 0 records erased"

        after = await contents(store.client)
        new = {key for key in after if key not in before}
        assert {key: after[key] for key in before} == before
        assert len(new) == 3  # the marks of two orders, and what their pseudonyms are made with
        assert all(key.startswith((shop.keys.erased(""), shop.keys.pseudonym_secret)) for key in new)


async def test_it_may_be_repeated(tmp_path: Path) -> None:
    async with running_store("fakeredis", tmp_path) as store, a_shop(store) as shop:
        await shop.keep(Shopper(1))
        await erase(shop, Shopper(1).person())
        before = await contents(store.client)

        assert (await erase(shop, Shopper(1).person(), "again")).endswith(": 0 records erased")
        after = await contents(store.client)
        assert after.keys() == before.keys()


async def test_plugins_are_told_whom_to_erase_before_the_traces_are_gone(tmp_path: Path) -> None:
    async with running_store("fakeredis", tmp_path) as store, a_shop(store) as shop:
        await shop.keep(Shopper(1))
        await erase(shop, Shopper(1).person())

    (told,) = shop.erased_beside
    assert told is not None
    assert told.traces.psids == {Shopper(1).psid}
    assert {*Shopper(1).order_ids} < told.traces.order_ids
    assert f"messenger:message:{Shopper(1).mid('said')}" in told.traces.event_ids


async def test_an_erasure_in_many_short_stretches_ends_like_one_at_a_stretch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "BATCH_KEYS", 10)
    async with running_store("embedded", tmp_path) as store, a_shop(store) as shop:
        for number in (1, 2):
            await shop.keep(Shopper(number))
        johns = sorted(await traces(store.client, Shopper(2).secrets))
        calls = 0

        async def stretch() -> object:
            nonlocal calls
            calls += 1
            # Each is another process, which knows what the event says and what the store holds.
            return await shop.erasure().person("webhook:redact", Shopper(1).person(), Pace(stretch_seconds=0))

        await until_done(stretch)

        assert calls > 10
        assert await traces(store.client, Shopper(1).secrets) == []
        assert sorted(await traces(store.client, Shopper(2).secrets)) == johns


async def test_an_erasure_that_dies_at_any_step_ends_when_it_is_begun_again(tmp_path: Path) -> None:
    """Killed after every single round trip in turn, and begun anew each time by a process that knows nothing of it."""
    async with running_store("embedded", tmp_path) as store, a_shop(store) as shop:
        jane, john = Shopper(1, orders=1), Shopper(2, orders=1)
        for shopper in (jane, john):
            await shop.keep(shopper)
        johns = sorted(await traces(store.client, john.secrets))
        before, died = await Snapshot.take(store.client), 0
        while True:
            dying = ObservedClient.of(store.url, dies_after(died))
            try:
                await erase(Shop(dying, shop.blocking), jane.person())
            except DiedError:
                died += 1
            else:
                break
            finally:
                await dying.aclose()
            await store.client.delete(shop.keys.privacy_lease)  # it runs out by itself
            await erase(shop, jane.person())

            assert await traces(store.client, jane.secrets) == [], f"after {died - 1} round trips"
            assert sorted(await traces(store.client, john.secrets)) == johns, f"after {died - 1} round trips"
            await before.put_back(store.client)

    assert died > 20, died
