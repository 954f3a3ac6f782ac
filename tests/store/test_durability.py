"""What the host says of a store that could lose what it has acknowledged, and how it waits for the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from shopbot.store import durability
from shopbot.store.connection import connect
from shopbot.store.durability import Durability, examine
from shopbot.store.embedded import EmbeddedServer
from shopbot.store.errors import StoreError
from shopbot.store.inbox import BATCH_EVENTS, Inbox
from shopbot.testing.host import CONFIG, ShopUnderTest, shop_under_test
from shopbot.testing.orders import paid_order
from support.configured_store import (
    ALWAYS,
    EVERYSEC,
    NO_FSYNC,
    SNAPSHOTS_ONLY,
    ConfiguredStore,
    Program,
    configured_store,
)
from support.eventually import eventually
from support.host_process import free_port
from support.store_parts import KEYS, SEEN_TTL_SECONDS, an_arrival

RELAXED = CONFIG + "durability: relaxed\n"

on_both = pytest.mark.parametrize("program", ["valkey", "redis-server"])


async def known(url: str) -> Durability:
    client = connect(url)
    try:
        return await examine(client, KEYS)
    finally:
        await client.aclose()


@asynccontextmanager
async def without_waitaof(program: Program) -> AsyncIterator[ConfiguredStore]:
    """Run a server that fsyncs each second and cannot say when: an old one, or one made so."""
    taken_away = ("--rename-command", "WAITAOF", "") if program == "valkey" else ()
    async with configured_store(program, *EVERYSEC, *taken_away) as store:
        async with store.client.pipeline(transaction=False) as pipeline:
            pipeline.waitaof(1, 0, 1)
            (answer,) = await pipeline.execute(raise_on_error=False)
        if not isinstance(answer, ResponseError):
            pytest.skip(f"this {program} has WAITAOF")
        yield store


@asynccontextmanager
async def node(first_slot: int, last_slot: int) -> AsyncIterator[tuple[ConfiguredStore, int, int]]:
    """Run a server of a cluster, with these hash slots; gives its port and that of the cluster's bus, too."""
    port, bus = free_port(), free_port()
    listening = ("--port", str(port), "--bind", "127.0.0.1", "--cluster-port", str(bus))
    async with configured_store("valkey", *ALWAYS, *listening, "--cluster-enabled", "yes") as store:
        await store.client.cluster("ADDSLOTSRANGE", first_slot, last_slot)
        yield store, port, bus


async def cluster_says(store: ConfiguredStore, state: Mapping[str, str]) -> bool:
    told = await store.client.cluster("INFO")
    return all(told[name] == value for name, value in state.items())


class TestACluster:
    async def test_of_one_shard_does_all_the_work(self, tmp_path: Path) -> None:
        async with node(0, 16_383) as (store, _, _):
            await eventually(lambda: cluster_says(store, {"cluster_state": "ok"}), "the cluster is up")
            assert await known(store.url) == Durability()
            async with shop_under_test(tmp_path, store_url=store.url) as shop:
                record = await shop.finished(await shop.post("orders/paid", paid_order(psid="7312345678901234")))

        assert record.status == "done"

    async def test_of_several_shards_is_refused_because_the_keys_of_one_shop_would_lie_on_all_of_them(self) -> None:
        async with node(0, 8_191) as (store, _, _), node(8_192, 16_383) as (_, port, bus):
            await store.client.cluster("MEET", "127.0.0.1", port, bus)
            await eventually(lambda: cluster_says(store, {"cluster_size": "2"}), "they know each other")
            (loss,) = (await known(store.url)).losses

        assert "a cluster of 2 shards" in loss.what
        assert "a cluster of one shard" in loss.fix


class TestExamination:
    async def test_of_the_embedded_store_there_is_nothing_to_say(self, tmp_path: Path) -> None:
        with EmbeddedServer(tmp_path / "store") as server:
            assert await known(server.url) == Durability()

    @on_both
    async def test_of_a_server_that_fsyncs_every_write_there_is_nothing_to_say(self, program: Program) -> None:
        async with configured_store(program, *ALWAYS) as store:
            assert await known(store.url) == Durability()
            assert await store.calls("waitaof") == 0

    @on_both
    async def test_a_server_without_an_append_only_file_loses_data_with_every_restart(self, program: Program) -> None:
        async with configured_store(program, *SNAPSHOTS_ONLY) as store:
            found = await known(store.url)

        assert len(found.losses) == 1
        assert "no append-only file" in str(found.losses[0])
        assert "acknowledged events" in str(found.losses[0])
        assert "`appendonly yes`" in str(found.losses[0])

    @on_both
    async def test_a_server_that_leaves_the_disk_to_the_system_loses_data_with_the_power(
        self, program: Program
    ) -> None:
        async with configured_store(program, *NO_FSYNC) as store:
            found = await known(store.url)

        assert [("appendfsync no" in text, "power failure" in text) for text in found.texts] == [(True, True)]
        assert not found.reports_fsync

    async def test_a_server_that_fsyncs_each_second_can_say_when_it_has(self) -> None:
        async with configured_store("valkey", *EVERYSEC) as store:
            found = await known(store.url)

        assert found.reports_fsync
        assert found.losses == ()
        assert "once a second" in str(found.warnings[0])
        assert "would go out again" in str(found.warnings[0])

    @on_both
    async def test_an_older_server_that_fsyncs_each_second_can_lose_that_second(self, program: Program) -> None:
        async with without_waitaof(program) as store:
            found = await known(store.url)

        assert not found.reports_fsync
        assert found.losses == ()
        assert "no WAITAOF" in str(found.warnings[0])
        assert "acknowledged events" in str(found.warnings[0])

    async def test_a_server_that_fsyncs_always_except_while_it_rewrites_its_file_does_not_fsync_always(self) -> None:
        async with configured_store("valkey", *ALWAYS, "--no-appendfsync-on-rewrite", "yes") as store:
            found = await known(store.url)

        assert found.reports_fsync
        assert "no-appendfsync-on-rewrite" in str(found.warnings[0])

    @on_both
    @pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
    async def test_a_server_that_deletes_data_when_it_is_full_loses_data(self, program: Program, policy: str) -> None:
        async with configured_store(program, *ALWAYS, "--maxmemory", "100mb", "--maxmemory-policy", policy) as store:
            found = await known(store.url)

        assert [policy in str(loss) for loss in found.losses] == [True]
        assert "noeviction" in str(found.losses[0])

    async def test_a_policy_that_never_applies_is_not_complained_of(self) -> None:
        """Without `maxmemory` nothing is ever deleted."""
        async with configured_store("valkey", *ALWAYS, "--maxmemory-policy", "allkeys-lru") as store:
            assert await known(store.url) == Durability()

    async def test_where_settings_may_not_be_read_the_fsync_is_tried_and_the_operator_told(self) -> None:
        async with configured_store("valkey", *ALWAYS) as store, store.as_user("-config") as url:
            found = await known(url)

        assert found.reports_fsync
        assert "could not be checked" in str(found.warnings[0])

    async def test_where_settings_may_not_be_read_and_fsyncs_are_not_told_it_could_not_be_checked(self) -> None:
        async with without_waitaof("valkey") as store, store.as_user("-config") as url:
            found = await known(url)

        assert not found.reports_fsync
        assert found.losses == ()
        assert "could not be checked" in str(found.warnings[0])

    async def test_a_missing_file_is_found_out_even_where_nothing_may_be_read(self) -> None:
        async with configured_store("valkey", *SNAPSHOTS_ONLY) as store, store.as_user("-config", "-info") as url:
            found = await known(url)

        assert ["no append-only file" in str(loss) for loss in found.losses] == [True]
        assert "INFO" in str(found.warnings[0])

    async def test_a_server_that_never_confirms_an_fsync_does_not_keep_its_word(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(durability, "FSYNC_WAIT_SECONDS", 0.2)
        async with configured_store("valkey", *NO_FSYNC) as store, store.as_user("-config") as url:
            found = await known(url)

        assert ["did not confirm an fsync" in str(loss) for loss in found.losses] == [True]
        assert not found.reports_fsync

    @pytest.mark.parametrize(
        ("version", "old"), [("5.0.14", True), ("6.0.20", True), ("6.2.0", False), ("7.0.15", False)]
    )
    def test_a_version_that_is_too_old_is_named(self, version: str, *, old: bool) -> None:
        found = durability._too_old({"redis_version": version})

        assert (found is not None and version in str(found)) is old


@asynccontextmanager
async def waiting_inbox(store: ConfiguredStore, wait_seconds: float = 3.0) -> AsyncIterator[Inbox]:
    inbox = Inbox(store.client, KEYS, seen_ttl_seconds=SEEN_TTL_SECONDS)
    inbox.fsync_wait_seconds = wait_seconds
    inbox.start()
    try:
        yield inbox
    finally:
        await inbox.stop()


class TestWaitingForTheDisk:
    async def test_an_arrival_is_accepted_once_the_server_has_confirmed_its_fsync(self) -> None:
        async with configured_store("valkey", *EVERYSEC) as store, waiting_inbox(store) as inbox:
            assert await inbox.add(an_arrival(1)) is True
            assert await inbox.add(an_arrival(1)) is False

            assert await store.calls("waitaof") == 2

    async def test_an_arrival_that_never_reaches_the_disk_is_never_accepted(self) -> None:
        """Nor is its repetition, although the store has seen it before: it may still be lost."""
        async with configured_store("valkey", *NO_FSYNC) as store, waiting_inbox(store, 0.1) as inbox:
            for _ in range(2):
                with pytest.raises(StoreError, match="not on the store's disk"):
                    await inbox.add(an_arrival(1))

    async def test_an_append_only_file_that_is_switched_off_meanwhile_is_found_out(self) -> None:
        async with configured_store("valkey", *EVERYSEC) as store, waiting_inbox(store) as inbox:
            await inbox.add(an_arrival(1))
            await store.client.config_set("appendonly", "no")

            with pytest.raises(StoreError, match="appendonly is disabled"):
                await inbox.add(an_arrival(2))

    async def test_arrivals_of_one_moment_share_one_wait(self) -> None:
        async with configured_store("valkey", *EVERYSEC) as store, waiting_inbox(store) as inbox:
            await inbox.add(an_arrival(0))

            assert all(await asyncio.gather(*(inbox.add(an_arrival(n)) for n in range(1, 4 * BATCH_EVENTS))))

            assert await store.calls("waitaof") == 2

    async def test_a_server_that_has_forgotten_the_script_is_told_it_again(self) -> None:
        async with configured_store("valkey", *EVERYSEC) as store, waiting_inbox(store) as inbox:
            await inbox.add(an_arrival(1))
            await store.client.script_flush()

            assert await inbox.add(an_arrival(2)) is True

    async def test_where_every_write_is_fsynced_nothing_waits(self) -> None:
        async with configured_store("valkey", *ALWAYS) as store, waiting_inbox(store, 0.0) as inbox:
            await inbox.add(an_arrival(1))

            assert await store.calls("waitaof") == 0


async def ready(shop: ShopUnderTest) -> tuple[int, str, list[str]]:
    answer = await shop.http.get("/readyz")
    body = answer.json()
    return answer.status_code, body["checks"]["durability"], body["warnings"].get("durability", [])


async def look_again(shop: ShopUnderTest) -> None:
    """Have the host look at its store now, instead of in half a minute."""
    await shop.host._durability.look()


class TestHost:
    async def test_strict_waits_for_the_fsync_where_the_server_tells_it(self, tmp_path: Path) -> None:
        async with (
            configured_store("valkey", *EVERYSEC) as store,
            shop_under_test(tmp_path, store_url=store.url) as shop,
        ):
            waits = await store.calls("waitaof")
            event_id = await shop.post("orders/paid", paid_order(psid="7312345678901234"))
            assert (await shop.finished(event_id)).status == "done"

            assert await store.calls("waitaof") == waits + 1
            status, check, warnings = await ready(shop)
            assert (status, check) == (200, "ok")
            assert ["once a second" in text for text in warnings] == [True]
            logged = [entry for entry in shop.logs.entries if entry["event"] == "store_could_lose_data"]
            assert [entry["what"] for entry in logged] == warnings

    async def test_relaxed_does_not_wait_but_says_what_could_be_lost(self, tmp_path: Path) -> None:
        async with (
            configured_store("valkey", *EVERYSEC) as store,
            shop_under_test(tmp_path, store_url=store.url, config=RELAXED) as shop,
        ):
            waits = await store.calls("waitaof")
            await shop.post("orders/paid", paid_order(psid="7312345678901234"))

            assert await store.calls("waitaof") == waits
            assert len((await ready(shop))[2]) == 1

    @on_both
    async def test_strict_runs_on_an_older_server_and_says_what_could_be_lost(
        self, tmp_path: Path, program: Program
    ) -> None:
        async with (
            without_waitaof(program) as store,
            shop_under_test(tmp_path, store_url=store.url) as shop,
        ):
            await shop.post("orders/paid", paid_order(psid="7312345678901234"))
            status, check, warnings = await ready(shop)

            assert (status, check) == (200, "ok")
            assert "second or two" in warnings[0]

    @on_both
    async def test_strict_does_not_start_on_a_store_that_is_known_to_lose_events(
        self, tmp_path: Path, program: Program
    ) -> None:
        async with configured_store(program, *SNAPSHOTS_ONLY) as store:
            with pytest.raises(StoreError, match=r"no append-only file.*`durability: relaxed`"):
                async with shop_under_test(tmp_path, store_url=store.url):
                    pass

    async def test_relaxed_starts_on_it_and_says_so(self, tmp_path: Path) -> None:
        async with (
            configured_store("redis-server", *SNAPSHOTS_ONLY) as store,
            shop_under_test(tmp_path, store_url=store.url, config=RELAXED) as shop,
        ):
            status, check, warnings = await ready(shop)

            assert (status, check) == (200, "ok")
            assert "no append-only file" in warnings[0]

    async def test_a_store_that_stops_keeping_its_word_makes_a_strict_host_unfit(self, tmp_path: Path) -> None:
        async with (
            configured_store("valkey", *ALWAYS) as store,
            shop_under_test(tmp_path, store_url=store.url) as shop,
        ):
            assert await ready(shop) == (200, "ok", [])
            await store.client.config_set("appendonly", "no")

            await look_again(shop)
            status, check, warnings = await ready(shop)

            assert status == 503
            assert "no append-only file" in check
            assert len(warnings) == 1

    async def test_settings_that_change_while_the_host_runs_change_how_it_waits(self, tmp_path: Path) -> None:
        async with (
            configured_store("valkey", *ALWAYS) as store,
            shop_under_test(tmp_path, store_url=store.url) as shop,
        ):
            await store.client.config_set("appendfsync", "everysec")
            await look_again(shop)
            assert (await ready(shop))[:2] == (200, "ok")
            waits = await store.calls("waitaof")
            await shop.post("orders/paid", paid_order(psid="7312345678901234"))
            assert await store.calls("waitaof") == waits + 1

            await store.client.config_set("appendfsync", "always")
            await look_again(shop)
            assert await ready(shop) == (200, "ok", [])
            assert shop.host.inbox.fsync_wait_seconds == 0
