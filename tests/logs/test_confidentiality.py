"""A whole run of the real host at debug level, with everything going wrong: what its log says, and what it must not."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET, SHOP
from shopbot.testing.messenger import Fault, MessengerSimulator
from shopbot.testing.orders import order_bytes, paid_order
from shopbot.testing.webhooks import messenger_headers, shopify_headers, sign_messenger
from support.eventually import eventually
from support.host_process import HostProcess, host_running, needs_proc, simulator

pytestmark = needs_proc

APP_SECRET = "test-app-secret-0b9f6c1d2e3a4857"
VERIFY_TOKEN = "test-verify-token-71c04f"
FORGED_SIGNATURE = "Zm9yZ2VkIHNpZ25hdHVyZSBvZiBhIGZvcmdlZCBib2R5ISE="
FIRST_NAME, LAST_NAME, EMAIL = "Quillon", "Featherstonehaugh", "quillon@example.net"
PAGE = "102290129340398"
SAID = "my door code is 4711, ring twice"
PSIDS = {
    name: f"73123456789{number:05d}"
    for number, name in enumerate(
        ("good", "refused", "retried", "doubted", "revoked", "talker", "clumsy", "broken", "lost", "late"), start=41001
    )
}

CONFIDING = (
    CONFIG.replace(
        "retry:",
        """plugins:
  - use: clumsy
log: {format: json, level: debug}
in_doubt: {deadline: 300ms}
retry:""",
        1,
    )
    .replace(
        'secrets: ["${SHOPIFY_WEBHOOK_SECRET}"]}',
        f"""secrets: ["${{SHOPIFY_WEBHOOK_SECRET}}"]}}
  - {{use: messenger_hmac, app_secret: {APP_SECRET}, verify_token: {VERIFY_TOKEN}}}""",
        1,
    )
    .replace(
        "messages:\n",
        """  - name: clumsy_work
    on: [orders/cancelled]
    steps: [resolve_psid, clumsy]
messages:
""",
        1,
    )
    .replace('page_id: "102290129340398"\n', f'page_id: "102290129340398"\n    app_secret: {APP_SECRET}\n', 1)
)

CLUMSY_PLUGIN = '''
"""A plugin as anybody might write one: its errors quote all that it has got."""

import pydantic
from shopbot.plugin import Context, Event, Outcome, Run, hookimpl


class Form(pydantic.BaseModel):
    age: int


class Plugin:
    def __init__(self, config: object) -> None:
        pass

    @hookimpl
    async def start(self, context: Context) -> None:
        self._log = context.log

    @hookimpl
    async def run_step(self, event: Event, run: Run) -> Outcome:
        body, psid, access = event.body.decode(), run.psid, "%(token)s"
        self._log.debug("about_to_fail", psid=psid, attempt=run.attempt)
        if run.attempt == 1:
            raise ValueError(f"cannot work for {psid} with {access}")
        Form.model_validate({"age": body})
        return Outcome.done()
'''

FOREIGN_TOKEN = "EAAGm0PX4ZCpsBAKlong7access5token3that1somebody9else"

SECRETS = {
    "the webhook secret": SECRET,
    "the page token": PAGE_TOKEN,
    "the app secret": APP_SECRET,
    "the verify token": VERIFY_TOKEN,
    "a token in an error": FOREIGN_TOKEN,
    "a forged signature": FORGED_SIGNATURE,
    "the shopper's first name": FIRST_NAME,
    "the shopper's last name": LAST_NAME,
    "the shopper's e-mail address": EMAIL,
    "the shopper's street": "Lindenstra",
    "what the shopper wrote": "door code",
    "the message's text": "Order confirmed",
    "the message's text, estimated": "Est. delivery",
    "an order's body": "admin_graphql_api_id",
    "a raw body": "not json at all",
    **{f"the PSID of {name}": psid for name, psid in PSIDS.items()},
}


def an_order(number: int, who: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of an order
    return paid_order(
        order_id=6_021_482_911_946_154_000 + number,
        number=number,
        psid=PSIDS[who],
        first_name=FIRST_NAME,
        last_name=LAST_NAME,
        email=EMAIL,
        **fields,
    )


async def post_raw(host: HostProcess, topic: str, body: bytes, **headers: str) -> int:
    signed = shopify_headers(topic, body, SECRET, SHOP) | headers
    response = await host.http.post("/webhooks/shopify", content=body, headers=signed)
    return response.status_code


async def logged(host: HostProcess, event: str, count: int = 1) -> list[dict[str, Any]]:
    async def look() -> list[dict[str, Any]]:
        lines = host.log(event)
        return lines if len(lines) >= count else []

    return await eventually(look, f"{count} times {event} in {host.log_file}")


async def everything_that_can_happen(host: HostProcess, messenger: MessengerSimulator) -> None:
    """Play the flows one after the other, each until the log has told its end."""
    await shoppers_write(host)
    await host.post("orders/paid", an_order(1, "good"), webhook_id="good-1")
    await logged(host, "event_finished", len(PSIDS) + 1)
    await host.post("orders/paid", an_order(1, "good"), webhook_id="good-1")
    await forged_and_broken_requests(host)
    messenger.faults.add(Fault.error(551, message=f"no {PSIDS['refused']} for {FOREIGN_TOKEN}").to(PSIDS["refused"]))
    messenger.faults.add(*(Fault.http(503, retry_after_seconds=1).to(PSIDS["retried"]) for _ in range(2)))
    messenger.faults.add(Fault.accept_then_drop().to(PSIDS["doubted"]))
    for number, who in enumerate(("refused", "retried", "doubted"), start=2):
        await host.post("orders/paid", an_order(number, who))
    await logged(host, "event_dead", 2)  # the refused one, and the one that nobody can say the end of
    await host.post("orders/cancelled", an_order(6, "clumsy", cancelled_at="2026-11-23T10:00:00Z"))
    await logged(host, "plugin_failed", 3)
    await host.post("orders/paid", an_order(7, "broken", line_items="none", total_price="a lot"))
    await broken_messenger_webhooks(host)
    messenger.tokens.revoke()
    await host.post("orders/paid", an_order(8, "revoked"))
    await logged(host, "channel_down")
    await the_store_dies(host)


async def forged_and_broken_requests(host: HostProcess) -> None:
    body = order_bytes(an_order(20, "lost"))
    assert await post_raw(host, "orders/paid", body, **{"X-Shopify-Hmac-Sha256": FORGED_SIGNATURE}) == 403
    assert await post_raw(host, "orders/paid", body, **{"X-Shopify-Shop-Domain": "other.myshopify.com"}) == 403
    assert await post_raw(host, "orders/paid", b"not json at all " + PSIDS["lost"].encode()) == 200
    assert await post_raw(host, "orders/paid", b'{"id": "' + FIRST_NAME.encode() + b'"}') == 200
    query = {"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN + "x", "hub.challenge": PSIDS["lost"]}
    assert (await host.http.get("/webhooks/messenger", params=query)).status_code == 403
    query["hub.verify_token"] = VERIFY_TOKEN
    assert (await host.http.get("/webhooks/messenger", params=query)).text == PSIDS["lost"]
    assert (await host.http.get(f"/carts/{PSIDS['lost']}")).status_code in {401, 403, 404}


async def deliver(host: HostProcess, body: bytes, signature: str | None = None) -> int:
    headers = messenger_headers(body, APP_SECRET)
    if signature is not None:
        headers["X-Hub-Signature-256"] = signature
    return (await host.http.post("/webhooks/messenger", content=body, headers=headers)).status_code


def written_by(*psids: str, page: str = PAGE) -> bytes:
    """Give the webhook that tells of shoppers who have just written."""
    items = [
        {
            "sender": {"id": psid},
            "recipient": {"id": page},
            "timestamp": int(time.time() * 1000),
            "message": {"mid": f"m_{number}_{page}", "text": SAID},
        }
        for number, psid in enumerate(psids)
    ]
    return json.dumps({"object": "page", "entry": [{"id": page, "messaging": items}]}).encode()


async def shoppers_write(host: HostProcess) -> None:
    """Open everybody's messaging window."""
    assert await deliver(host, written_by(*PSIDS.values())) == 200
    await logged(host, "event_finished", len(PSIDS))


async def broken_messenger_webhooks(host: HostProcess) -> None:
    body = written_by(PSIDS["talker"])
    assert await deliver(host, body, sign_messenger(body, "another secret")) == 403
    assert await deliver(host, f"not json at all {SAID}".encode()) == 200
    assert await deliver(host, written_by(PSIDS["talker"], page="999")) == 200


async def the_store_dies(host: HostProcess) -> None:
    for store in host.store:
        os.kill(store, signal.SIGKILL)
    with suppress(httpx.TransportError):
        await post_raw(host, "orders/paid", order_bytes(an_order(9, "late")))
    await logged(host, "store_restarted")
    await host.post("orders/paid", an_order(10, "late"))


async def test_the_log_of_a_run_with_every_kind_of_failure_tells_nothing_that_is_nobodys_business(
    tmp_path: Path,
) -> None:
    plugins = tmp_path / "plugins.d"
    plugins.mkdir()
    (plugins / "clumsy.py").write_text(CLUMSY_PLUGIN % {"token": FOREIGN_TOKEN}, encoding="utf-8")

    async with (
        simulator(app_secret=APP_SECRET) as (messenger, url),
        host_running(tmp_path, url, "--workers", "2", config=CONFIDING) as host,
    ):
        await everything_that_can_happen(host, messenger)
        assert await host.stop() == 0

    text = host.log_file.read_text(encoding="utf-8")
    found = {what: lines_with(text, secret) for what, secret in SECRETS.items() if secret in text + host.output}
    assert found == {}

    lines = [json.loads(line) for line in text.splitlines()]  # and nothing but JSON
    for line in lines:
        assert {"event", "level", "logger", "timestamp"} <= line.keys(), line
        assert all(isinstance(line[name], str) for name in ("event", "level", "logger", "timestamp"))
        assert line["timestamp"].endswith("Z")
    events = {line["event"] for line in lines}
    assert events >= {
        *("event_finished", "event_retry", "event_dead", "event_held", "event_parked", "request_rejected"),
        *("messenger_error", "plugin_failed", "channel_down", "store_died", "store_restarted", "about_to_fail"),
    }

    of_the_healthy_order = [
        line for line in lines if line.get("event_id") == "webhook:good-1" and line["level"] != "debug"
    ]
    assert [(line["event"], line["order_id"]) for line in of_the_healthy_order] == [
        ("event_finished", 6_021_482_911_946_154_001)
    ]
    traceback = next(line["exception"] for line in lines if line["event"] == "plugin_failed")
    assert traceback.startswith("Traceback (most recent call last):")
    assert "ValueError: cannot work for …1007 with …" in traceback
    assert next(line["psid"] for line in lines if line["event"] == "about_to_fail") == "…1007"


def lines_with(text: str, secret: str) -> list[str]:
    return [line for line in text.splitlines() if secret in line][:3]
