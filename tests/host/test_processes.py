"""`shopbot run` as the operating system sees it: several processes, killed one after the other."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from shopbot.store.embedded import EmbeddedServer, url_for
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import paid_order
from support.embedded_store import nothing_holds
from support.eventually import eventually
from support.host_process import (
    FAST_CONFIG,
    STEADY_CONFIG,
    all_gone,
    books,
    free_port,
    host_refusing,
    host_running,
    is_alive,
    needs_proc,
    simulator,
    tcp_store,
)

pytestmark = needs_proc

TWO = ("--workers", "2")
ORDERS = {f"wh-{n}": paid_order(order_id=n, number=1_000 + n, psid=str(n)) for n in range(1, 31)}


def seen(messenger: MessengerSimulator) -> Counter[int]:
    """How often each shopper has read a confirmation; shoppers are numbered like their orders."""
    return Counter(int(message.psid) for message in messenger.sent)


ONCE_EACH = Counter(range(1, len(ORDERS) + 1))


def check(ends: Sequence[tuple[str, str]], messenger: MessengerSimulator) -> None:
    """Hold the ends of all orders' events, in their order, against what the shoppers have read.

    What is in doubt may have reached the shopper or not; it is never sent again by guessing.
    """
    read = seen(messenger)
    for number, end in enumerate(ends, start=1):
        assert read[number] in {("done", ""): (1,), ("failed", "IN_DOUBT"): (0, 1)}[end], number


async def test_every_process_answers_and_works(tmp_path: Path) -> None:
    """With either one frozen the other goes on, and what the frozen one held is not lost."""
    async with simulator() as (messenger, url), host_running(tmp_path, url, *TWO, config=FAST_CONFIG) as host:
        workers = host.workers
        assert len(workers) == 2
        for number, frozen in enumerate(workers, start=1):
            os.kill(frozen, signal.SIGSTOP)
            try:
                await host.post("orders/paid", ORDERS[f"wh-{number}"])
                await messenger.wait_for_sent(number)
            finally:
                os.kill(frozen, signal.SIGCONT)

        assert host.workers == workers
        assert "senders[0]:messenger" in host.output
        assert await host.stop() == 0


async def test_a_worker_process_killed_in_the_middle_is_replaced_with_nothing_lost_or_doubled(tmp_path: Path) -> None:
    """A send that nobody can say the end of is a dead letter for a person: never a second message."""
    async with (
        simulator(latency_seconds=0.2) as (messenger, url),
        host_running(tmp_path, url, *TWO, config=FAST_CONFIG) as host,
    ):
        workers = host.workers
        posts = [asyncio.create_task(host.post("orders/paid", ORDERS[name], webhook_id=name)) for name in ORDERS]
        await messenger.wait_for_sent(4)
        os.kill(workers[0], signal.SIGKILL)
        events = await asyncio.gather(*posts)
        async with books(url_for(tmp_path / "data")) as store:
            ends = [(r.status, r.reason) for r in [await store.ended(event) for event in events]]
            dead = await store.client.zcard(store.keys.dead)

        async def replaced() -> bool:
            return len(host.workers) == 2 and workers[0] not in host.workers

        await eventually(replaced, "a new process has taken its place")
        died = host.log("worker_process_died")
        assert [(line["pid"], line["exit_code"]) for line in died] == [(workers[0], -signal.SIGKILL)]
        check(ends, messenger)
        assert ends.count(("failed", "IN_DOUBT")) == dead


async def test_when_the_main_process_is_killed_no_process_is_left_and_the_next_run_carries_on(tmp_path: Path) -> None:
    config = FAST_CONFIG.replace("concurrency: 8", "concurrency: 2")
    # So slow that most orders wait when it is killed, however late this test gets to do it.
    async with simulator(latency_seconds=2.0) as (messenger, url):
        async with host_running(tmp_path, url, *TWO, config=config) as host:
            events = await asyncio.gather(
                *(host.post("orders/paid", order, webhook_id=name) for name, order in ORDERS.items())
            )
            await messenger.wait_for_sent(1)
            family = [*host.workers, *host.store]
            assert len(family) == 3
            os.kill(host.pid, signal.SIGKILL)
            assert await host.ended() == -signal.SIGKILL
            await all_gone(*family)
        assert messenger.sent_count < len(ORDERS)

        messenger.latency_seconds = 0.0
        async with host_running(tmp_path, url, *TWO, config=config, name="second") as host:
            async with books(url_for(tmp_path / "data")) as store:
                ends = [(r.status, r.reason) for r in [await store.ended(event) for event in events]]
            assert await host.stop() == 0

        check(ends, messenger)


@pytest.mark.parametrize("asked", ["the main process", "all processes at once"])
async def test_asked_to_end_it_finishes_what_is_being_sent_and_leaves_no_process(tmp_path: Path, asked: str) -> None:
    """Docker asks the main process; systemd asks all of them, the store included."""
    async with simulator(latency_seconds=1.0) as (messenger, url):
        async with host_running(tmp_path, url, *TWO) as host:
            events = await asyncio.gather(*(host.post("orders/paid", ORDERS[f"wh-{n}"]) for n in (1, 2, 3)))

            async def being_sent() -> bool:
                return messenger.sent_count == 3

            await eventually(being_sent, "all three are on their way")
            family = [*host.workers, *host.store]
            if asked == "all processes at once":
                for pid in family:
                    os.kill(pid, signal.SIGTERM)
            assert await host.stop() == 0
            assert not any(is_alive(pid) for pid in family)
            assert host.log("connection_cut") == []

        server = EmbeddedServer(tmp_path / "data")
        await asyncio.to_thread(server.start)
        try:
            async with books(server.url) as store:
                ends = [(await store.ended(event)).status for event in events]
        finally:
            await asyncio.to_thread(server.stop)

    assert ends == ["done"] * 3
    assert [request.outcome for request in messenger.requests] == ["accepted"] * 3


async def test_a_killed_store_is_started_again_and_serving_goes_on(tmp_path: Path) -> None:
    async with simulator() as (messenger, url), host_running(tmp_path, url, *TWO) as host:
        first = [await host.post("orders/paid", ORDERS[f"wh-{n}"]) for n in range(1, 11)]
        (before,) = host.store
        os.kill(before, signal.SIGKILL)
        later = [await host.post("orders/paid", ORDERS[f"wh-{n}"]) for n in range(11, 31)]
        async with books(url_for(tmp_path / "data")) as store:
            ends = {(await store.ended(event)).status for event in [*first, *later]}
        (after,) = host.store

        async def ready() -> bool:
            return (await host.http.get("/readyz")).status_code == 200

        await eventually(ready, "it is ready again")
        assert after != before
        assert ends == {"done"}
        assert seen(messenger) == ONCE_EACH
        assert await host.stop() == 0


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, output = await host_refusing(tmp_path, "--port", str(port))

    assert code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in output
    assert "Traceback" not in output


async def test_all_problems_of_the_configuration_are_said_at_once(tmp_path: Path) -> None:
    config = STEADY_CONFIG.replace("use: redis_cart", "use: reddis_cart").replace("cancelled: false", "canceled: false")
    code, output = await host_refusing(tmp_path, config=config)

    assert code == 1
    assert "did you mean 'redis_cart'?" in output.lower()
    assert "did you mean 'cancelled'?" in output.lower()
    assert output.count(f"{tmp_path / 'shopbot.yaml'}:") == 2
    assert "Traceback" not in output
    assert not (tmp_path / "data").exists()


async def test_a_plugin_that_cannot_start_is_named_and_nothing_is_left_running(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins.d"
    plugins.mkdir()
    (plugins / "stubborn.py").write_text(
        "from shopbot.plugin import hookimpl\n"
        "class Plugin:\n"
        "    def __init__(self, config): pass\n"
        "    @hookimpl\n"
        "    async def start(self): raise RuntimeError('the coffee machine is off')\n"
    )
    code, output = await host_refusing(tmp_path, *TWO, config=STEADY_CONFIG + "plugins: [{use: stubborn}]\n")

    assert code == 1
    assert "plugins[0]:stubborn" in output
    assert "the coffee machine is off" in output
    assert nothing_holds(tmp_path / "data")


async def test_a_second_host_on_the_same_data_is_refused_and_disturbs_nobody(tmp_path: Path) -> None:
    async with simulator() as (messenger, url), host_running(tmp_path, url) as host:
        code, output = await host_refusing(tmp_path)
        await host.post("orders/paid", ORDERS["wh-1"])
        await messenger.wait_for_sent(1)

        assert code == 1
        assert f"is in use by shopbot process {host.pid}" in output
        assert "Traceback" not in output
        assert await host.stop() == 0


async def test_web_and_worker_can_be_hosts_of_their_own_on_one_store(tmp_path: Path) -> None:
    async with simulator() as (messenger, url), tcp_store(tmp_path) as store_url:
        config = STEADY_CONFIG + f"store: {store_url}\n"
        async with (
            host_running(tmp_path, url, "--role", "web", config=config, name="web") as web,
            books(store_url) as store,
        ):
            events = [await web.post("orders/paid", ORDERS[name]) for name in ORDERS]
            assert messenger.requests == []  # nobody works yet
            assert web.store == []
            async with host_running(tmp_path, url, "--role", "worker", config=config, name="worker") as worker:
                ends = {(await store.ended(event)).status for event in events}
                closed = await worker.http.post("/webhooks/shopify", content=b"{}")
                ready = await worker.http.get("/readyz")
                assert await worker.stop() == 0
            assert await web.stop() == 0

    assert ends == {"done"}
    assert seen(messenger) == ONCE_EACH
    assert closed.status_code == 404
    assert ready.status_code == 200


async def test_a_store_that_is_not_there_is_said_without_its_password(tmp_path: Path) -> None:
    config = STEADY_CONFIG + f"store: redis://:hunter2-hunter2@127.0.0.1:{free_port()}/0\n"
    code, output = await host_refusing(tmp_path, config=config)

    assert code == 1
    assert "store does not answer" in output
    assert "hunter2" not in output
