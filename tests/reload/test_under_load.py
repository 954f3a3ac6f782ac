"""Orders keep coming while the configuration changes: none is lost, refused, sent twice, or mixed of two versions."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from pathlib import Path

import httpx

from shopbot.store.embedded import url_for
from shopbot.testing.host import SECRET, SHOP
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import order_bytes, paid_order
from shopbot.testing.webhooks import shopify_headers
from support.eventually import eventually
from support.host_process import STEADY_CONFIG, HostProcess, books, host_running, needs_proc, simulator
from support.raw_http import connection, read_answer, request_bytes
from support.reloading import logged, readiness, save, saying
from support.scrape import scrape

pytestmark = needs_proc

CONFIG = STEADY_CONFIG.replace("order_confirmation.txt.j2", "confirmed.txt.j2")
RELOADS = 2


def write_version(directory: Path, version: int) -> None:
    """Write a text of three parts, each of which names the version: in a file, in one that it takes in, in the YAML.

    They are put in place at once: what lies there in between may be taken for a version of its own.
    """
    templates = directory / f"..{version}/templates"
    templates.mkdir(parents=True)
    (templates / "confirmed.txt.j2").write_text(f"<{version}> {{% include 'more.txt.j2' %}} {{{{ shop.name }}}}")
    (templates / "more.txt.j2").write_text(f"<{version}>")
    (templates.parent / "shopbot.yaml").write_text(config(version))
    (directory / "..draft").symlink_to(templates.parent.name)
    (directory / "..draft").replace(directory / "..data")


def config(version: int) -> str:
    return CONFIG.replace("name: Acme", f"name: '<{version}>'")


class Buyers:
    """Several clients that deliver one order after the other, each over a connection that is kept open."""

    def __init__(self, host: HostProcess) -> None:
        self._host = host
        self._numbers = itertools.count(1)
        self._done = False
        self.delivered: list[int] = []

    async def buy(self) -> None:
        """Deliver until told to stop. Fails at once when a webhook is refused, or its connection is cut."""
        async with httpx.AsyncClient(base_url=self._host.http.base_url, timeout=30.0) as http:
            while not self._done:
                number = next(self._numbers)
                body = order_bytes(paid_order(order_id=number, number=number, psid=str(number)))
                headers = shopify_headers("orders/paid", body, SECRET, SHOP, webhook_id=f"wh-{number}")
                try:
                    response = await http.post("/webhooks/shopify", content=body, headers=headers)
                except httpx.TransportError as error:
                    log = self._host.log_file.read_text()
                    raise AssertionError(f"{error!r}, and this was logged:\n{log}") from error
                assert response.status_code == 200, response.text
                self.delivered.append(number)
                await asyncio.sleep(0.05)

    def stop(self) -> None:
        self._done = True


async def test_each_order_is_confirmed_once_by_one_version_while_versions_change(tmp_path: Path) -> None:
    write_version(tmp_path, 0)
    (tmp_path / "templates").symlink_to("..data/templates")
    (tmp_path / "shopbot.yaml").symlink_to("..data/shopbot.yaml")
    async with (
        simulator(latency_seconds=0.1) as (messenger, url),
        host_running(tmp_path, url, "--workers", "2", config=config(0)) as host,
    ):
        buyers = Buyers(host)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(buyers.buy())
            for version in range(1, RELOADS + 1):
                write_version(tmp_path, version)
                line = await logged(host, "config_reloaded", version)
            await eventually(lambda: _said(messenger, f"<{RELOADS}>"), "an order is confirmed by the last version")
            buyers.stop()
        async with books(url_for(tmp_path / "data")) as store:
            ends = {(await store.ended(f"webhook:wh-{number}")).status for number in buyers.delivered}
        status, shown = await readiness(host)
        page = await scrape(host.http)
        assert await host.stop() == 0

    assert ends == {"done"}
    assert Counter(int(message.psid) for message in messenger.sent) == Counter(buyers.delivered)
    versions = [re.findall(r"<(\d)>", message.text) for message in messenger.sent]
    assert all(found in [[str(n)] * 3 for n in range(RELOADS + 1)] for found in versions), versions
    assert {found[0] for found in versions} >= {"0", str(RELOADS)}
    assert host.log("worker_process_died") == []
    assert host.log("connection_cut") == []
    assert (status, shown["version"], shown["refused"]) == (200, line["version"], None)
    assert page.value("shopbot_config_info", version=line["version"]) == 1
    assert page.value("shopbot_config_reloads_total", result="ok") == RELOADS


async def _said(messenger: MessengerSimulator, text: str) -> bool:
    return any(text in message.text for message in messenger.sent)


async def test_a_connection_to_a_process_that_leaves_ends_with_its_next_answer(tmp_path: Path) -> None:
    """Not between two: a webhook on its way just then would be cut off, and seconds later the process is gone."""
    ask = request_bytes({}, method="GET", path="/healthz")
    async with (
        simulator() as (_, url),
        host_running(tmp_path, url, config=saying("the first")) as host,
        connection(str(host.http.base_url)) as (reader, writer),
    ):
        writer.write(ask)
        before = await read_answer(reader)
        save(tmp_path / "shopbot.yaml", saying("the second"))
        await logged(host, "config_reloaded")
        writer.write(ask)
        after = await read_answer(reader)

        assert (before.status, after.status) == (200, 200)
        assert "connection: keep-alive" in before.head.lower()
        assert "connection: close" in after.head.lower()
        assert await reader.read() == b""
