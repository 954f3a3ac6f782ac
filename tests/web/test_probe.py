"""The probes of `shopbot doctor` at the door: they come through like any webhook, and nothing follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from shopbot.doctor.probe import Probe, Prober
from shopbot.model.request import Origin
from shopbot.testing.host import SECRET, SHOP, ShopUnderTest, shop_under_test
from shopbot.testing.webhooks import shopify_headers
from shopbot.web.probe import ASKS_FOR_ECHO, Echo
from support.attacked_shop import dead_reasons, echoing_config, everything_ended, logged
from support.eventually import eventually
from support.scrape import scrape
from support.signed_webhook import BODY, ROUTE, signed

MESSENGER_ROUTE = "/webhooks/messenger"
FORGED = {"X-Shopify-Hmac-Sha256": "AAAA", "X-Hub-Signature-256": "sha256=00"}


def probes(shop: ShopUnderTest) -> Prober:
    return Prober(shop.host.hooks, SHOP)


async def send(shop: ShopUnderTest, probe: Probe, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """Send a probe, with some of its headers replaced."""
    route = ROUTE if probe.route is Origin.SHOPIFY else MESSENGER_ROUTE
    return await shop.http.post(route, content=probe.body, headers={**probe.headers, **(headers or {})})


async def kept(shop: ShopUnderTest) -> set[str]:
    """Name what the store holds of events; what it keeps of the host itself is left out."""
    found = [key.decode() async for key in shop.store.scan_iter(match=f"{shop.keys.prefix}*")]
    return {key for key in found if ":event:" in key or ":journal:" in key or ":claim:" in key or key.endswith(":dead")}


async def test_a_probe_goes_the_whole_way_and_ends_as_no_rule(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        (probe,) = probes(shop).small(Origin.SHOPIFY)
        answer = await send(shop, probe)
        assert probe.event_id is not None
        record = await shop.finished(probe.event_id)
        page = await scrape(shop.http)

        assert (answer.status_code, record.status, record.reason) == (200, "skipped", "NO_RULE")
        assert shop.messenger.sent == []
        assert await dead_reasons(shop) == []
    assert page.value("shopbot_events_total", topic="shopbot/probe", result="new") == 1


async def test_the_answer_says_what_arrived(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        (probe,) = probes(shop).small(Origin.SHOPIFY)
        echo = Echo.read((await send(shop, probe)).content)

    assert echo is not None
    assert not probe.changed(echo)
    assert probe.missing(echo) == []
    assert echo.body_bytes == len(probe.body)
    assert "x-shopify-hmac-sha256" in echo.headers


async def test_a_large_probe_is_verified_and_not_kept(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        (probe,) = probes(shop).large(Origin.SHOPIFY, 5_000_000)
        answer = await send(shop, probe)
        echo = Echo.read(answer.content)

        assert (answer.status_code, probe.event_id) == (200, None)
        assert len(probe.body) == 2_000_000
        assert echo is not None
        assert not probe.changed(echo)
        assert await kept(shop) == set()


@pytest.mark.parametrize("size", ["small", "large"])
async def test_a_forged_probe_is_refused_like_any_webhook_and_has_no_effect(tmp_path: Path, size: str) -> None:
    async with shop_under_test(tmp_path, config=echoing_config()) as shop:
        for route in Origin:
            prober = probes(shop)
            (probe,) = prober.small(route) if size == "small" else prober.large(route, 100_000)
            answer = await send(shop, probe, FORGED)
            echo = Echo.read(answer.content)

            assert answer.status_code == 403
            assert echo is not None
            assert not probe.changed(echo)
        assert await kept(shop) == set()
        assert [line["code"] for line in logged(shop, "request_rejected")] == ["INVALID_SIGNATURE"] * 2


async def test_what_a_stranger_is_told_is_what_the_stranger_has_sent(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        foreign = shopify_headers("shopbot/probe", b"{}", "a-wrong-secret", "someone-else.myshopify.com")
        answers = [
            await shop.http.post(ROUTE, content=b"{}", headers={**foreign, ASKS_FOR_ECHO: "1", **more})
            for more in ({}, {"X-Shopify-Shop-Domain": SHOP})
        ]

    assert answers[0].json() == answers[1].json()
    assert set(answers[0].json()["shopbot_probe"]) == {"body_bytes", "body_sha256", "headers"}
    assert SECRET not in answers[0].text


async def test_a_probe_that_somebody_has_caught_is_of_no_use_under_another_topic(tmp_path: Path) -> None:
    """Shopify's signature covers the body alone."""
    async with shop_under_test(tmp_path) as shop:
        (probe,) = probes(shop).small(Origin.SHOPIFY)
        for topic in ("orders/paid", "orders/create", "checkouts/create", "messenger/message", "customers/redact"):
            await send(shop, probe, {"X-Shopify-Topic": topic, "X-Shopify-Webhook-Id": f"caught-{topic}"})
        await eventually(lambda: everything_ended(shop), "everything was worked off")

        assert shop.messenger.sent == []
        assert not [key async for key in shop.store.scan_iter(match=f"{shop.keys.prefix}claim:*")]


async def test_messengers_probe_is_about_no_page_and_leaves_nothing(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=echoing_config()) as shop:
        (probe,) = probes(shop).small(Origin.MESSENGER)
        answer = await send(shop, probe)
        echo = Echo.read(answer.content)

        assert answer.status_code == 200
        assert echo is not None
        assert not probe.changed(echo)
        assert "x-hub-signature-256" in echo.headers
        assert await kept(shop) == set()


async def test_asking_for_an_echo_changes_nothing_about_an_order(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        headers = {**signed(webhook_id="wh-1"), ASKS_FOR_ECHO: "1"}
        answer = await shop.http.post(ROUTE, content=BODY, headers=headers)
        record = await shop.finished("webhook:wh-1")

        assert (answer.status_code, answer.content) == (200, b"")
        assert record.status == "done"
        assert len(shop.messenger.sent) == 1


async def test_without_asking_nobody_gets_an_echo(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        taken = await shop.http.post(ROUTE, content=b"{}", headers=signed("shopbot/probe", b"{}"))
        refused = await shop.http.post(ROUTE, content=b"{}", headers={**signed("shopbot/probe", b"{}"), **FORGED})

    assert (taken.status_code, taken.content) == (200, b"")
    assert Echo.read(refused.content) is None


@pytest.mark.parametrize(
    "body", [b"", b"ok", b"[]", b'{"shopbot_probe": 1}', b'{"shopbot_probe": {"body_bytes": "x"}}', b"[" * 100_000]
)
def test_what_is_no_echo_is_not_taken_for_one(body: bytes) -> None:
    assert Echo.read(body) is None
