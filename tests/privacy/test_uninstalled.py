"""`app/uninstalled`: said loudly, and taken back when the app is evidently there again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from shopbot.store.pollers import Tally
from shopbot.testing.host import CONFIG, ShopUnderTest, shop_under_test
from shopbot.testing.orders import paid_order
from support.compliance import ask, uninstalled
from support.scrape import scrape

POLLED = (
    CONFIG + "pollers:\n  - {use: shopify_orders, access_token: shpat_test, every: 1h, api_url: http://127.0.0.1:1}\n"
)


async def warnings(shop: ShopUnderTest) -> list[str]:
    response = await shop.http.get("/readyz")
    assert response.status_code == 200, response.text  # a warning: the host itself is fit for work
    found: list[str] = response.json()["warnings"].get("app", [])
    return found


async def test_the_operator_is_warned_wherever_they_look(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        assert await warnings(shop) == []
        assert (await scrape(shop.http)).value("shopbot_app_uninstalled") == 0

        assert (await ask(shop, "app/uninstalled", uninstalled())).status == "done"

        (warning,) = await warnings(shop)
        assert "the app was uninstalled at " in warning
        assert "install it again" in warning
        assert (await scrape(shop.http)).value("shopbot_app_uninstalled") == 1
        (line,) = [entry for entry in shop.logs.entries if entry["event"] == "app_uninstalled"]
        assert line["log_level"] == "error"
        assert await shop.store.pttl(shop.keys.uninstalled) > 0


async def test_what_waits_goes_out_all_the_same(tmp_path: Path) -> None:
    """The order is paid, and Messenger has nothing to do with the app."""
    async with shop_under_test(tmp_path) as shop:
        await ask(shop, "app/uninstalled", uninstalled())
        record = await shop.finished(await shop.post("orders/paid", paid_order(psid="42")))

        assert (record.status, shop.messenger.sent_count) == ("done", 1)
        assert await warnings(shop)  # an old order's webhook, which was late


async def test_an_order_that_was_changed_since_shows_that_it_is_installed_again(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await ask(shop, "app/uninstalled", uninstalled())
        later = datetime.now(UTC) + timedelta(minutes=1)
        await shop.finished(await shop.post("orders/paid", paid_order(psid="42", created_at=later)))

        assert await warnings(shop) == []
        assert "app_installed_again" in [entry["event"] for entry in shop.logs.entries]


async def test_so_does_a_poll(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=POLLED) as shop:
        await ask(shop, "app/uninstalled", uninstalled())
        (part,) = shop.host.pollers.parts
        assert await warnings(shop)
        await part.state.progress(None, Tally())
        later = datetime.now(UTC) + timedelta(minutes=1)
        await shop.store.hset(shop.keys.poller(part.state.name), "last_success_ms", str(int(later.timestamp() * 1000)))

        assert await warnings(shop) == []


async def test_a_body_that_is_no_shop_warns_of_nothing(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        for body in (b"{}", b"[]", b"{", uninstalled(myshopify_domain="other.myshopify.com")):
            record = await ask(shop, "app/uninstalled", body)
            assert (record.status, record.reason) == ("failed", "WEBHOOK_PROCESSING_ERROR")

        assert await warnings(shop) == []


async def test_a_store_that_is_away_is_no_reason_to_fail_the_page(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await shop.host._client.aclose()
        await shop.host._client.connection_pool.disconnect()
        shop.host._client.connection_pool.connection_kwargs["path"] = "/nowhere"

        response = await shop.http.get("/readyz")

        assert response.status_code == 503
        assert "app" not in response.json()["warnings"]
