"""Two shops in one host: a reload of one, or one that is refused, leaves the other as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shopbot.testing.host import SECRET
from shopbot.testing.orders import order_bytes, paid_order
from shopbot.testing.webhooks import shopify_headers
from support.host_process import HostProcess, host_running, needs_proc, simulator
from support.reloading import logged, save, saying

pytestmark = needs_proc

DOMAINS = {name: f"{name}.myshopify.com" for name in ("acme", "umbrella")}


def config(name: str, text: str) -> str:
    shop = f'domain: {DOMAINS[name]}, key_prefix: "{name}:"'
    return saying(f"{name} {text}").replace("domain: acme.myshopify.com", shop)


async def confirmed(host: HostProcess, name: str, number: int) -> None:
    body = order_bytes(paid_order(order_id=number, number=number, psid=str(number), shop=DOMAINS[name]))
    headers = shopify_headers("orders/paid", body, SECRET, DOMAINS[name])
    response = await host.http.post("/webhooks/shopify", content=body, headers=headers)
    assert response.status_code == 200, response.text


async def versions(host: HostProcess) -> dict[str, Any]:
    response = await host.http.get("/readyz")
    assert response.status_code == 200
    found: dict[str, Any] = response.json()["config"]
    return found


async def test_a_reload_concerns_one_shop_alone(tmp_path: Path) -> None:
    umbrella = tmp_path / "umbrella.yaml"
    umbrella.write_text(config("umbrella", "first"))
    async with (
        simulator() as (messenger, url),
        host_running(tmp_path, url, str(umbrella), config=config("acme", "first")) as host,
    ):
        before = await versions(host)

        # One is broken, the other changes: the broken one goes on as it was, in the new processes, too.
        save(umbrella, config("umbrella", "second").replace("carts:", "cartes:"))
        refused = await logged(host, "config_refused")
        save(tmp_path / "shopbot.yaml", config("acme", "second"))
        reloaded = await logged(host, "config_reloaded")
        await confirmed(host, "acme", 1)
        await messenger.wait_for_sent(1)
        await confirmed(host, "umbrella", 2)
        await messenger.wait_for_sent(2)
        after = await versions(host)

        # What two shops may not share is refused where it is brought in.
        save(tmp_path / "shopbot.yaml", config("acme", "third").replace('"acme:"', '"umbrella:"'))
        problems = (await logged(host, "config_refused", 2))["problems"]
        assert await host.stop() == 0

    assert [refused["shop"], reloaded["shop"]] == [DOMAINS["umbrella"], DOMAINS["acme"]]
    assert [message.text for message in messenger.sent] == ["acme second", "umbrella first"]
    acme, other = DOMAINS["acme"], DOMAINS["umbrella"]
    assert (after[acme]["version"], after[acme]["refused"]) == (reloaded["version"], None)
    assert {**after[other], "refused": None} == before[other]
    assert after[other]["refused"]["version"] == refused["version"]
    assert any("key_prefix cannot change while the host runs" in problem for problem in problems)
    assert any("it has its store in common with" in problem for problem in problems)
