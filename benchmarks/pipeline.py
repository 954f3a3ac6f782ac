"""How fast an order becomes a message, how fast a backlog drains, and what the store keeps of it.

    python -m benchmarks.pipeline                     # all three
    python -m benchmarks.pipeline --only drain --backlog 20000

A real host (`shopbot run`, one worker process, embedded store) against the Messenger simulator over HTTP. Latency is
from the moment before a webhook is posted to the moment at which the simulator has the call, by one clock. Processor
time is what the kernel says of each process (/proc, so Linux only).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import structlog
import uvloop
from benchmarks.crash.host_process import HostProcess
from benchmarks.crash.shop import PAGE_TOKEN, SHOP, WEBHOOK_SECRET
from redis.asyncio import Redis

from shopbot.model.event import Arrival, Source
from shopbot.store.connection import connect
from shopbot.store.embedded import EmbeddedServer, url_for
from shopbot.store.inbox import Inbox
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import milliseconds
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import order_bytes, paid_order
from shopbot.testing.webhooks import shopify_headers

_CONFIG = """\
shop: {domain: acme.myshopify.com, name: Acme, locale: en, timezone: Europe/Berlin}
verify:
  - {use: shopify_hmac, secrets: ["${SHOPIFY_WEBHOOK_SECRET}"]}
resolvers:
  - {use: note_attributes, key: psid, trust: any}
carts:
  - {use: redis_cart}
senders:
  - {use: messenger, page_id: "102290129340398", access_token: "${MESSENGER_PAGE_TOKEN}",
     api_url: "${MESSENGER_URL}/v25.0", connections: 100}
worker: {concurrency: 100}
log: {format: json}
rules:
  - name: order_confirmation
    on: [orders/create, orders/paid, orders/updated]
    when: {financial_status: [paid], cancelled: false, test: false}
    once_per: order
    steps: [resolve_psid, clear_cart, save_order_reference, {send_message: order_confirmation}]
messages:
  order_confirmation: {tag: order_update, text: order_confirmation.txt.j2, utility_template: none}
"""

_FIRST = 1_000_000
_META_SECONDS = 0.15
"""How long the simulator takes to answer."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE_SECONDS = 600.0
_JOURNAL_MS = 31 * 86_400_000
"""What lives longer than `ttl.journal`'s 30 days is kept for `ttl.order_reference`."""


@dataclass(frozen=True)
class Running:
    """A host and its Messenger."""

    host: HostProcess
    page: MessengerSimulator


@asynccontextmanager
async def running(directory: Path, page: MessengerSimulator) -> AsyncIterator[Running]:
    """Run a host until the block ends, on whatever its store in *directory* holds."""
    config = directory / "shopbot.yaml"
    config.write_text(_CONFIG, encoding="utf-8")
    async with page.serve() as page_url:
        environ = {
            "SHOPIFY_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
            "MESSENGER_URL": page_url,
        }
        host = HostProcess(config, environ, directory / "host.log")
        host.start(1)
        try:
            await host.ready()
            yield Running(host, page)
        finally:
            await host.stop()


def cpu_seconds(pid: int) -> float:
    """Give the processor time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def an_order(number: int) -> bytes:
    """Give the body of a paid order of a shopper of its own."""
    return order_bytes(paid_order(order_id=number, number=number, psid=f"{7_000_000_000_000_000 + number}"))


async def latency(directory: Path, per_second: int, seconds: int) -> None:
    """Post orders at an even pace and print how long each took to reach Messenger."""
    page = MessengerSimulator(access_token=PAGE_TOKEN, latency_seconds=_META_SECONDS)
    async with running(directory, page) as run, httpx.AsyncClient(base_url=run.host.url, trust_env=False) as client:
        posted: dict[str, float] = {}
        answered: list[float] = []

        async def post(number: int) -> None:
            raw = an_order(number)
            headers = shopify_headers("orders/paid", raw, WEBHOOK_SECRET, SHOP)
            started = posted[f"{7_000_000_000_000_000 + number}"] = time.time()
            response = await client.post("/webhooks/shopify", content=raw, headers=headers)
            assert response.status_code == httpx.codes.OK
            answered.append(time.time() - started)

        # What is made once, at the first order, is no part of the measurement.
        await asyncio.gather(*(post(_FIRST - n) for n in range(1, 11)))
        await page.wait_for_sent(10)
        posted.clear()
        answered.clear()
        (worker,) = run.host.workers()
        before = cpu_seconds(worker)
        start = time.monotonic()
        posts = []
        for n in range(per_second * seconds):
            await asyncio.sleep(start + n / per_second - time.monotonic())
            posts.append(asyncio.create_task(post(_FIRST + n)))
        await asyncio.gather(*posts)
        await page.wait_for_sent(10 + len(posts), timeout_seconds=_PATIENCE_SECONDS)
        used = cpu_seconds(worker) - before
        took = [sent.at - posted[sent.psid] for sent in page.sent if sent.psid in posted]
        print(f"{per_second} orders/s for {seconds} s, {len(took)} messages")
        print(f"  webhook answered:  {spread(answered)}")
        print(f"  receipt to call:   {spread(took)}")
        print(f"  worker process:    {used:.1f} s of processor time, {used / seconds * 100:.0f} % of a core")


async def drain(directory: Path, backlog: int) -> None:
    """Let a backlog drain and print its rate, what it costs, and what the store keeps."""
    data_dir = directory / "data"
    server = EmbeddedServer(data_dir)
    await asyncio.to_thread(server.start)
    client = connect(server.url)
    empty = int((await client.info("memory"))["used_memory"])
    await fill(Inbox(client, Keys(SHOP), seen_ttl_seconds=172_800.0), backlog)
    await client.aclose()
    await asyncio.to_thread(server.stop)

    page = MessengerSimulator(access_token=PAGE_TOKEN, latency_seconds=_META_SECONDS, keep=backlog)
    async with running(directory, page) as run:
        (worker,), store = run.host.workers(), run.host.store_pid()
        assert store is not None
        await page.wait_for_sent(300, timeout_seconds=60.0)
        counted, before, store_before = page.sent_count, cpu_seconds(worker), cpu_seconds(store)
        started = time.monotonic()
        await page.wait_for_sent(backlog, timeout_seconds=_PATIENCE_SECONDS)
        took = time.monotonic() - started
        used, store_used = cpu_seconds(worker) - before, cpu_seconds(store) - store_before
        per_second = Counter(int(sent.at) for sent in page.sent)
        client = connect(url_for(data_dir))
        await asyncio.sleep(1.0)  # the last ones are being settled
        assert await client.xlen(Keys(SHOP).inbox) == 0
        kept = int((await client.info("memory"))["used_memory"]) - empty
        keys = await client.dbsize()
        every, lasting = await kept_bytes(client)
        await client.aclose()
    assert len({sent.psid for sent in page.sent}) == backlog
    rate = (backlog - counted) / took
    print(f"a backlog of {backlog} orders, Messenger takes {_META_SECONDS * 1000:.0f} ms")
    print(f"  drained at:        {rate:.0f} messages/s (most in one second: {max(per_second.values())})")
    print(f"  worker process:    {used:.1f} s of processor time in {took:.1f} s, {used / took * 100:.0f} % of a core")
    print(
        f"  per message:       {used / (backlog - counted) * 1000:.2f} ms worker, "
        f"{store_used / (backlog - counted) * 1000:.2f} ms store"
    )
    print(
        f"  the store keeps:   {kept / backlog * 100_000 / 1e6:.0f} MB per 100,000 orders ({keys / backlog:.1f} keys "
        f"each), of which {lasting / every * kept / backlog * 100_000 / 1e6:.0f} MB stay once journals have expired"
    )


async def fill(inbox: Inbox, count: int) -> None:
    """Take orders in as the webhook route does."""
    inbox.start()
    for start in range(0, count, 1000):
        now = datetime.now(UTC)
        added = [
            inbox.add(
                Arrival(
                    id=f"webhook:{number:08d}-bdd9-4b37-8a5f-bf7d70bcd043",
                    topic="orders/paid",
                    source=Source.WEBHOOK,
                    received_ms=milliseconds(now),
                    triggered_at=now.isoformat(),
                    body=an_order(number),
                )
            )
            for number in range(_FIRST + start, _FIRST + min(start + 1000, count))
        ]
        await asyncio.gather(*added)
    await inbox.stop()


async def kept_bytes(client: Redis, sample: int = 20_000) -> tuple[float, float]:
    """Give the bytes of keys: of all of them, and of those that outlive journals, by a sample where there are many."""
    names = [name async for name in client.scan_iter(count=1000)][:sample]
    every = lasting = 0
    for start in range(0, len(names), 500):
        batch = names[start : start + 500]
        sizes = await asyncio.gather(*(client.memory_usage(name) for name in batch))
        lives = await asyncio.gather(*(client.pttl(name) for name in batch))
        for size, ms in zip(sizes, lives, strict=True):
            every += size or 0
            lasting += (size or 0) if ms > _JOURNAL_MS else 0
    return every / len(names), lasting / len(names)


def spread(seconds: Sequence[float]) -> str:
    """Describe durations."""
    ordered = sorted(seconds)
    points = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    texts = [f"{name} {ordered[int((len(ordered) - 1) * part)] * 1000:.1f} ms" for name, part in points.items()]
    return ", ".join([*texts, f"most {ordered[-1] * 1000:.1f} ms"])


async def _main(options: argparse.Namespace) -> None:
    if options.only in (None, "latency"):
        with tempfile.TemporaryDirectory(prefix="pipeline-", ignore_cleanup_errors=True) as directory:
            await latency(Path(directory), options.rate, options.seconds)
    if options.only in (None, "drain"):
        with tempfile.TemporaryDirectory(prefix="pipeline-", ignore_cleanup_errors=True) as directory:
            await drain(Path(directory), options.backlog)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the way from a webhook to a message.")
    parser.add_argument("--only", choices=["latency", "drain"], help="measure this alone")
    parser.add_argument("--rate", type=int, default=100, help="orders per second")
    parser.add_argument("--seconds", type=int, default=30, help="for how long")
    parser.add_argument("--backlog", type=int, default=20_000, help="orders that wait")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    uvloop.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
