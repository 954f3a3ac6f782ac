"""The PSID from the shop's own record of a checkout or cart token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from shopbot.hooks import PluginFailedError
from shopbot.plugin import Resolution, Store, Trust
from shopbot.testing.contracts import PSID, ResolverContract, Running
from shopbot.testing.orders import paid_order
from shopbot_plugins import token_lookup
from support.stores import KINDS, open_store

TOKEN = "b1946ac92492d2347c6235b4d2611184"
OTHER = "591785b794601e212b260e25925636fd"


class TestTokenLookup(ResolverContract):
    module = token_lookup
    order = paid_order(checkout_token=TOKEN)

    kind: str
    directory: Path

    @pytest.fixture(autouse=True, params=KINDS)
    def _each_store(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        self.kind, self.directory = request.param, tmp_path

    def open_store(self) -> AbstractAsyncContextManager[Store]:
        self.directory /= "next"
        return open_store(self.kind, self.directory)

    async def prepare(self, running: Running) -> None:
        await self.note(running, TOKEN, PSID)

    async def note(self, running: Running, token: str, psid: str | bytes) -> None:
        await running.store.set(running.keys.checkout_token_lookup(token), psid)

    async def of(self, known: Mapping[str, str], **order: object) -> Resolution | None:
        async with self.running() as running:
            for token, psid in known.items():
                await self.note(running, token, psid)
            return await self.resolve(running, {"id": 1, **order})

    @pytest.mark.parametrize(
        "order",
        [
            pytest.param({"checkout_token": TOKEN}, id="checkout token"),
            pytest.param({"cart_token": TOKEN}, id="cart token"),
            pytest.param({"cart_token": f"{TOKEN}?key=9f2c"}, id="cart token with its key"),
            pytest.param({"landing_site": f"/?checkout_token={TOKEN}"}, id="landing site"),
            pytest.param({"landing_site": f"/cart/43:1?utm=x&ref={TOKEN}&a=b"}, id="among other parameters"),
            pytest.param({"landing_site": f"https://shop.example/?token={TOKEN}#top"}, id="whole URL"),
            pytest.param({"checkout_token": OTHER, "cart_token": TOKEN}, id="behind an unknown token"),
            pytest.param({"landing_site": f"/?token={OTHER}&token={TOKEN}"}, id="second of two"),
        ],
    )
    async def test_the_shops_own_record_needs_nobody_elses_word(self, order: Mapping[str, Any]) -> None:
        assert await self.of({TOKEN: PSID}, **order) == Resolution(psid=PSID, trust=Trust.ANY, token=TOKEN)

    async def test_a_cart_token_may_be_noted_whole(self) -> None:
        assert await self.of({f"{TOKEN}?key=9f2c": PSID}, cart_token=f"{TOKEN}?key=9f2c") is not None

    async def test_what_shopify_says_counts_more_than_what_the_buyer_can_edit(self) -> None:
        resolution = await self.of({TOKEN: PSID, OTHER: "1"}, checkout_token=TOKEN, landing_site=f"/?ref={OTHER}")

        assert resolution is not None
        assert resolution.psid == PSID

    @pytest.mark.parametrize("field", ["checkout_token", "cart_token", "landing_site"])
    async def test_a_token_that_can_be_guessed_does_not_count(self, field: str) -> None:
        short = TOKEN[: token_lookup.SHORTEST_TOKEN - 1]
        value = f"/?ref={short}" if field == "landing_site" else short

        assert await self.of({short: PSID}, **{field: value}) is None

    async def test_only_the_named_parameters_are_looked_at(self) -> None:
        landing_site = f"/?psid={TOKEN}&Ref={TOKEN}"

        assert await self.of({TOKEN: PSID}, landing_site=landing_site) is None
        async with self.running(query_parameters=["psid"]) as running:
            await self.prepare(running)
            assert await self.resolve(running, {"id": 1, "landing_site": landing_site}) is not None
        async with self.running(query_parameters=[]) as running:
            await self.prepare(running)
            assert await self.resolve(running, {"id": 1, "landing_site": f"/?ref={TOKEN}"}) is None

    @pytest.mark.parametrize("value", [b"", b"ada", b"\xff\xfe", b"12a4", b'{"psid": "1"}', b"1" * 33])
    async def test_a_record_that_is_no_psid_is_passed_over_with_a_warning(self, value: bytes) -> None:
        async with self.running() as running:
            await self.note(running, TOKEN, value)
            await self.note(running, OTHER, PSID)

            assert await self.resolve(running, {"id": 1, "checkout_token": TOKEN}) is None
            found = await self.resolve(running, {"id": 1, "checkout_token": TOKEN, "cart_token": OTHER})

            assert found is not None
            assert running.log.of("token_lookup_is_no_psid")[0] == {"order_id": 1, "token_from": "checkout_token"}
            assert TOKEN not in str(running.log.lines)

    @pytest.mark.parametrize(
        "landing_site",
        [
            "http://[",
            "?",
            "/?" + "&" * 10_000,
            "/?" + "&".join(f"ref={n:032}" for n in range(5_000)),
            "/?ref=" + "x" * 1_000_000,
            "/?ref=%00%ff%zz%0d%0a0123456789",
            "//?ref=\ud7ff" + "ä" * 20,
        ],
        ids=["no URL", "nothing", "empty ones", "thousands", "a long one", "no text", "no ASCII"],
    )
    async def test_a_landing_site_made_to_harm_does_none(self, landing_site: str) -> None:
        assert await self.of({TOKEN: PSID}, landing_site=landing_site) is None

    async def test_the_store_is_asked_a_bounded_number_of_times(self) -> None:
        """The buyer writes the landing site."""
        many = "&".join(f"ref={n:032}" for n in range(90))

        assert await self.of({f"{15:032}": PSID}, landing_site=f"/?{many}") is not None
        assert await self.of({f"{16:032}": PSID}, landing_site=f"/?{many}") is None


class _WithoutAStore(ResolverContract):
    module = token_lookup
    order = paid_order(checkout_token=TOKEN)

    @asynccontextmanager
    async def open_store(self) -> AsyncIterator[Store]:
        async with Redis.from_url("unix:///no/such/socket", retry=None) as client:
            yield client


async def test_a_store_that_is_away_is_the_hosts_to_retry() -> None:
    """An answer of None would give the shopper up; after a failure the host asks again."""
    contract = _WithoutAStore()
    async with contract.running() as running:
        with pytest.raises(PluginFailedError):
            await contract.resolve(running, contract.order)
