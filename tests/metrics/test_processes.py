"""`/metrics` of a host with several processes: one page for all of them, whichever is asked."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict

from shopbot.metrics import DIRECTORY_VARIABLE
from shopbot.testing.orders import pending_order
from support.eventually import eventually
from support.host_process import HostProcess, host_running, needs_proc, simulator
from support.scrape import scrape

pytestmark = needs_proc


def counted_by_each(directory: Path) -> list[float]:
    """Read how many events each process has taken in, from the files that they share."""
    counts = []
    for file in sorted(directory.glob("shopbot-metrics-*/counter_*.db")):
        values = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
        counts.append(sum(value for key, value, _, _ in values if "shopbot_events_total" in key))
    return counts


async def post_until_both_have_some(host: HostProcess, directory: Path) -> int:
    for number in range(1, 1000):
        await host.post("orders/create", pending_order(order_id=number))
        counts = counted_by_each(directory)
        if len(counts) == 2 and min(counts) > 0:
            return number
    raise AssertionError("one process takes everything")


async def test_a_scrape_adds_up_all_processes_also_those_that_have_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "somebody else's"))
    async with simulator() as (_, url), host_running(tmp_path, url, "--workers", "2") as host:
        posted = await post_until_both_have_some(host, temporary)
        for _ in range(10):  # whichever is asked
            page = await scrape(host.http)
            assert page.value("shopbot_events_total", topic="orders/create", result="new") == posted
            assert page.value("shopbot_request_seconds_count", status="200") == posted
            assert page.value("shopbot_request_seconds_bucket", le="+Inf") == posted

        first = host.workers[0]
        os.kill(first, signal.SIGKILL)

        async def replaced() -> bool:
            return len(host.workers) == 2 and first not in host.workers

        await eventually(replaced, "a new process has taken its place")
        await eventually(lambda: _answered(host), "both serve")
        for number in range(10):
            await host.post("orders/create", pending_order(order_id=2000 + number))
        page = await scrape(host.http)
        assert page.value("shopbot_events_total") == posted + 10
        assert page.value("shopbot_store_up") == 1
        assert len(list(temporary.glob("shopbot-metrics-*/*.db"))) == 4  # a counter and a histogram file for each place
        assert await host.stop() == 0

    assert list(temporary.glob("shopbot-metrics-*")) == []


async def _answered(host: HostProcess) -> bool:
    return (await host.http.get("/healthz")).status_code == 200
