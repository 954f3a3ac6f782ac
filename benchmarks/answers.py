"""How fast "Where's my order?" is answered, and that it takes as long however many orders are kept.

    python -m benchmarks.answers                              # all
    python -m benchmarks.answers --references 1 100 100000 --questions 200
    python -m benchmarks.answers --rate 50 --seconds 30

A real host (`shopbot run`, one worker process, embedded store, the rules of config/conversations.yaml) against the
Messenger simulator over HTTP. Measured is from the moment before the shopper's message is posted to the webhook to the
moment at which the simulator has the call with the answer, by one clock.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import structlog
import uvloop
from benchmarks.crash.host_process import HostProcess
from benchmarks.crash.shop import PAGE_TOKEN, SHOP, WEBHOOK_SECRET
from benchmarks.pipeline import spread

from shopbot.model.order import Order
from shopbot.model.order_reference import OrderReference
from shopbot.model.shared_keys import SharedKeys
from shopbot.store.connection import connect
from shopbot.store.embedded import EmbeddedServer
from shopbot.store.keys import Keys
from shopbot.store.references import MOST_INDEXED
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.webhooks import escape_like_meta, messenger_headers

_EXAMPLE = Path(__file__).resolve().parents[1] / "config" / "conversations.yaml"
_APP_SECRET = "benchmark-app-secret"  # noqa: S105 - signs the benchmark's own webhooks
_PAGE_ID = "102290129340398"
_META_SECONDS = 0.15
"""How long the simulator takes to answer; it has the call before that."""
_ASKER = 7_000_000_000_000_000
_OTHERS = 8_000_000_000_000_000
_PATIENCE_SECONDS = 120.0
_TTL_MS = 86_400_000
_AT_ONCE = 1000


class Questions:
    """Asks, and takes the time until the answer."""

    def __init__(self, client: httpx.AsyncClient, page: MessengerSimulator) -> None:
        self._client = client
        self._page = page
        self._numbers = itertools.count(1)

    async def ask(self, psid: str) -> float:
        """Post the question of a shopper; gives when."""
        now = time.time()
        message = {"mid": f"m_{next(self._numbers)}", "text": "Where\u2019s my order?"}
        item = {"sender": {"id": psid}, "recipient": {"id": _PAGE_ID}, "timestamp": int(now * 1000), "message": message}
        entry = {"id": _PAGE_ID, "time": int(now * 1000), "messaging": [item]}
        body = escape_like_meta({"object": "page", "entry": [entry]})
        headers = messenger_headers(body, _APP_SECRET)
        asked = time.time()
        response = await self._client.post("/webhooks/messenger", content=body, headers=headers)
        assert response.status_code == httpx.codes.OK, response.text
        return asked

    async def one_by_one(self, count: int) -> list[float]:
        """Ask again and again, each time after the answer; gives how long each took, in seconds."""
        took: list[float] = []
        for _ in range(count):
            before = self._page.sent_count
            asked = await self.ask(str(_ASKER))
            await self._page.wait_for_sent(before + 1, timeout_seconds=_PATIENCE_SECONDS)
            took.append(self._page.sent[-1].at - asked)
        return took

    async def at_a_pace(self, per_second: int, seconds: int) -> list[float]:
        """Let shoppers ask at an even pace, each once; gives how long each answer took, in seconds."""
        before, start = self._page.sent_count, time.monotonic()
        psids = [str(_OTHERS + n) for n in range(per_second * seconds)]
        asking = []
        for number, psid in enumerate(psids):
            await asyncio.sleep(start + number / per_second - time.monotonic())
            asking.append(asyncio.create_task(self.ask(psid)))
        asked = dict(zip(psids, await asyncio.gather(*asking), strict=True))
        await self._page.wait_for_sent(before + len(psids), timeout_seconds=_PATIENCE_SECONDS)
        return [sent.at - asked[sent.psid] for sent in self._page.sent if sent.psid in asked]


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Questions]:
    """Run a host until the block ends, on whatever its store in *directory* holds."""
    config = directory / "shopbot.yaml"
    text = _EXAMPLE.read_text(encoding="utf-8").replace("https://graph.facebook.com", "${MESSENGER_URL}")
    config.write_text(text + "log: {format: json, level: warning}\n", encoding="utf-8")
    page = MessengerSimulator(access_token=PAGE_TOKEN, latency_seconds=_META_SECONDS)
    async with page.serve() as page_url:
        environ = {
            "SHOPIFY_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
            "MESSENGER_APP_SECRET": _APP_SECRET,
            "MESSENGER_VERIFY_TOKEN": "not-asked-for",
            "MESSENGER_URL": page_url,
        }
        host = HostProcess(config, environ, directory / "host.log")
        host.start(1)
        try:
            await host.ready()
            async with httpx.AsyncClient(base_url=host.url, trust_env=False) as client:
                yield Questions(client, page)
        finally:
            await host.stop()


async def fill(directory: Path, orders: Iterator[tuple[str, int]]) -> None:
    """Keep orders (PSID and order id each), as `save_order_reference` does."""
    server = EmbeddedServer(directory / "data")
    await asyncio.to_thread(server.start)
    client = connect(server.url)
    keys, shared = Keys(SHOP), SharedKeys()
    ordered_at = datetime.now(UTC) - timedelta(days=30)
    while batch := list(itertools.islice(orders, _AT_ONCE)):
        async with client.pipeline(transaction=False) as pipeline:
            for psid, order_id in batch:
                created_at = ordered_at + timedelta(seconds=order_id % 1_000_000)
                order = Order(id=order_id, name=f"#{order_id}", financial_status="paid", created_at=created_at)
                reference = OrderReference.of(order_id, psid).with_order(order)
                pipeline.set(shared.order_reference(psid, order_id), reference.as_json(), px=_TTL_MS)
                pipeline.zadd(keys.orders_of(psid), {str(order_id): int(created_at.timestamp() * 1000)})
                pipeline.zremrangebyrank(keys.orders_of(psid), 0, -1 - MOST_INDEXED)
            await pipeline.execute()
    await client.aclose()
    await asyncio.to_thread(server.stop)


async def by_references(count: int, questions: int, *, own: bool) -> None:
    """Print how long answers take while *count* orders are kept, all of the asker's or all but one of others'."""
    with tempfile.TemporaryDirectory(prefix="answers-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        psids = [str(_ASKER), *(str(_ASKER if own else _OTHERS + n) for n in range(count - 1))]
        await fill(directory, iter([(psid, 1_000_000 + n) for n, psid in enumerate(psids)]))
        async with running(directory) as ask:
            await ask.one_by_one(20)  # what is made once, at the first answer, is no part of the measurement
            took = await ask.one_by_one(questions)
    whose = "of the asker's own" if own else "of all shoppers"
    print(f"  {count:>7} references {whose:<18} {spread(took)}")


async def at_a_pace(per_second: int, seconds: int) -> None:
    """Print how long answers take when many shoppers ask, each with an order of their own."""
    with tempfile.TemporaryDirectory(prefix="answers-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        shoppers = per_second * seconds
        await fill(directory, ((str(_OTHERS + n), 1_000_000 + n) for n in range(shoppers)))
        async with running(directory) as ask:
            await ask.one_by_one(20)
            took = await ask.at_a_pace(per_second, seconds)
    print(f"{per_second} questions a second for {seconds} s, from {shoppers} shoppers")
    print(f"  asked to answered: {spread(took)}")


async def _main(options: argparse.Namespace) -> None:
    print(f"one question at a time, {options.questions} questions")
    for own in (False, True):
        for count in options.references:
            await by_references(count, options.questions, own=own)
    await at_a_pace(options.rate, options.seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the way from a shopper's question to the answer.")
    parser.add_argument("--references", type=int, nargs="+", default=[1, 100, 100_000], help="orders that are kept")
    parser.add_argument("--questions", type=int, default=200, help="questions for each of them")
    parser.add_argument("--rate", type=int, default=50, help="questions per second")
    parser.add_argument("--seconds", type=int, default=30, help="for how long")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    uvloop.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
