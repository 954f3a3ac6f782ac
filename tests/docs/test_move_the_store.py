"""docs/how-to/move-the-store.md: a shop moves to a server of its own and back, and confirms nothing twice."""

from __future__ import annotations

import shutil
from pathlib import Path

from shopbot.testing.host import ShopUnderTest, shop_under_test
from shopbot.testing.orders import paid_order
from support.configured_store import ALWAYS, configured_store

PSID = "7312345678901234"
FIRST, SECOND = paid_order(order_id=1001, psid=PSID), paid_order(order_id=1002, psid=PSID)


async def sent(shop: ShopUnderTest, *orders: dict[str, object]) -> int:
    """Deliver orders as new webhooks, and say how many messages came of them."""
    for order in orders:
        await shop.finished(await shop.post("orders/paid", order))
    return len(shop.messenger.sent)


def directory_of(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


async def test_what_was_confirmed_stays_confirmed_there_and_back(tmp_path: Path) -> None:
    before, away, back = (directory_of(tmp_path, name) for name in ("before", "away", "back"))
    async with shop_under_test(before) as shop:
        assert await sent(shop, FIRST) == 1

    async with configured_store("valkey", *ALWAYS, log=before / "data" / "appendonlydir") as server:
        async with shop_under_test(away, store_url=server.url) as shop:
            assert await sent(shop, FIRST, SECOND) == 1
            durability = await shop.http.get("/readyz")
        await server.client.shutdown(nosave=True)
        (back / "data").mkdir(mode=0o700)
        shutil.copytree(server.directory / "appendonlydir", back / "data" / "appendonlydir")

    async with shop_under_test(back) as shop:
        assert await sent(shop, FIRST, SECOND) == 0

    assert durability.json()["checks"]["durability"] == "ok", durability.text
