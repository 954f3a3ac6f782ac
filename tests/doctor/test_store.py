"""The store as the doctor finds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopbot.doctor.examine import OpenStore, examine
from shopbot.doctor.report import Report
from shopbot.doctor.store import StoreCheck
from shopbot.host.blueprint import check_config
from shopbot.model.finding import Finding, Level
from shopbot.store.connection import connect
from shopbot.store.keys import Keys
from shopbot.testing.host import SHOP
from support.attacked_shop import SHOPIFY_HMAC, config
from support.configured_store import ALWAYS, EVERYSEC, ConfiguredStore, configured_store
from support.patient import lines

EVICTING = (*ALWAYS, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")


async def findings(store: ConfiguredStore, *, strict: bool = True) -> list[Finding]:
    return [one async for one in StoreCheck(store.client, Keys(SHOP), strict=strict).look() if one.area == "store"]


async def test_a_store_that_keeps_its_word_is_named() -> None:
    async with configured_store("valkey", *ALWAYS) as store:
        (fine,) = await findings(store)

    assert fine.level is Level.OK
    assert fine.what.startswith("Valkey ")
    assert fine.what.endswith("keeps every write on disk before it answers")


@pytest.mark.parametrize(("strict", "level"), [(True, Level.PROBLEM), (False, Level.WARNING)])
async def test_a_store_that_evicts_is_a_problem_unless_that_is_accepted(level: Level, *, strict: bool) -> None:
    async with configured_store("valkey", *EVICTING) as store:
        loss, memory = await findings(store, strict=strict)

    assert (loss.level, memory.level) == (level, Level.OK)
    assert "maxmemory-policy allkeys-lru" in loss.what
    assert "acknowledged events" in loss.meaning
    assert ("does not start" in loss.meaning) is strict
    assert "`maxmemory-policy noeviction`" in loss.to_do


async def test_a_store_that_can_lose_a_second_is_a_warning() -> None:
    async with configured_store("valkey", *EVERYSEC) as store:
        (warning,) = await findings(store)

    assert warning.level is Level.WARNING
    assert "once a second" in warning.what
    assert "`appendfsync always`" in warning.to_do


@pytest.mark.parametrize(("share", "level"), [(0.5, Level.OK), (0.8, Level.WARNING), (0.95, Level.PROBLEM)])
async def test_a_store_that_is_nearly_full_is_told_before_it_refuses_writes(share: float, level: Level) -> None:
    async with configured_store("valkey", *ALWAYS) as store:
        used = (await store.client.info("memory"))["used_memory"]
        await store.client.config_set("maxmemory", int(used / share))
        memory = (await findings(store))[-1]

    assert memory.level is level


async def test_a_store_whose_user_may_ask_nothing_is_looked_at_as_far_as_it_goes() -> None:
    async with configured_store("valkey", *ALWAYS) as store, store.as_user("-info", "-config") as url:
        client = connect(url)
        try:
            found = [one async for one in StoreCheck(client, Keys(SHOP), strict=True).look()]
        finally:
            await client.aclose()

    assert "may not call INFO" in found[0].what
    assert found[-1].what == "agrees with the store"


async def examined(directory: Path, url: str) -> Report:
    """Have a shop looked at that talks to nobody but its store."""
    path = directory / "shopbot.yaml"
    path.write_text(config(verify=[SHOPIFY_HMAC], senders=[{"use": "console"}]), encoding="utf-8")
    return await examine(check_config(path, {"SHOPIFY_WEBHOOK_SECRET": "a-secret"}), OpenStore(url))


async def test_a_store_that_is_away_is_one_problem_and_not_many(tmp_path: Path) -> None:
    report = await examined(tmp_path, f"unix://{tmp_path}/nobody.sock")

    (problem,) = lines(report, Level.PROBLEM)
    assert problem.startswith("store: the store does not answer: ")
    assert "work" not in report.areas
