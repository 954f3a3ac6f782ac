"""Events that break whatever works on them: they end as dead letters, and all others go on meanwhile."""

from __future__ import annotations

import textwrap
from pathlib import Path

from shopbot.store.embedded import url_for
from shopbot.testing.host import shop_under_test
from support.attacked_shop import an_order, config, dead_reasons, names, post_orders
from support.eventually import eventually
from support.host_process import FAST_CONFIG, HostProcess, books, host_running, needs_proc, simulator

POISONED = 1002

RAISES = """
    raise ValueError("this order is too much for me")
"""
ENDS_THE_PROCESS = """
    os._exit(1)
"""


def with_poison(directory: Path, what: str, base: str | None = None) -> str:
    """Put a step into the shop's plugins.d that one order is too much for, and give the configuration."""
    (directory / "plugins.d").mkdir()
    source = f"""\
    import os

    from shopbot.plugin import Event, Outcome, PluginConfig, Run, hookimpl


    class Config(PluginConfig):
        \"\"\"Takes no settings.\"\"\"


    class Plugin:
        \"\"\"Breaks on one order.\"\"\"

        def __init__(self, config: Config) -> None:
            pass

        @hookimpl
        async def run_step(self, event: Event, run: Run) -> Outcome:
            if run.order is not None and run.order.name == "#{POISONED}":
                {what.strip()}
            return Outcome.done()
    """
    (directory / "plugins.d" / "fragile.py").write_text(textwrap.dedent(source), encoding="utf-8")
    rule = {
        "name": "order_confirmation",
        "on": ["orders/paid"],
        "once_per": "order",
        "steps": ["resolve_psid", "fragile", "save_order_reference", {"send_message": "order_confirmation"}],
    }
    return config(plugins=[{"use": "fragile"}], rules=[rule]) + (base or "")


async def test_an_event_on_which_a_plugin_always_fails_is_given_up_and_holds_nobody_up(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=with_poison(tmp_path, RAISES)) as shop:
        events = await post_orders(shop, 20)

        records = [await shop.finished(event) for event in events]

        assert [(r.status, r.reason) for r in records if r.status != "done"] == [("failed", "PLUGIN_FAILED")]
        assert records[1].attempts == 3
        assert f"#{POISONED}" not in names(shop.messenger)
        assert len(names(shop.messenger)) == 19
        assert await dead_reasons(shop) == ["PLUGIN_FAILED"]


@needs_proc
async def test_an_event_that_ends_the_process_each_time_is_given_up_and_the_others_go_on(tmp_path: Path) -> None:
    """All orders come at the same moment, so that the culprit has many others with it at first."""
    settings = FAST_CONFIG[FAST_CONFIG.index("worker:") :].replace("concurrency: 8", "concurrency: 64")
    poisoned = with_poison(tmp_path, ENDS_THE_PROCESS, settings)
    async with simulator() as (messenger, url), host_running(tmp_path, url, "--workers", "2", config=poisoned) as host:
        events = {
            number: await host.post("orders/paid", an_order(number, f"{7_000_000_000_000_000 + number}"))
            for number in range(1001, 1021)
        }
        async with books(url_for(tmp_path / "data")) as shop:
            await eventually(lambda: logged_once(host), "it is given up", limit_seconds=90.0)
            events[1021] = await host.post("orders/paid", an_order(1021))
            records = {number: await shop.ended(event) for number, event in events.items()}

        culprit = records.pop(POISONED)
        assert culprit.reason == "WEBHOOK_PROCESSING_ERROR"
        assert "processes have ended" in culprit.journal[-1].detail
        # What was being sent when the culprit ended the process is in doubt, as after any other end.
        assert {(record.status, record.reason) for record in records.values()} <= {("done", ""), ("failed", "IN_DOUBT")}
        done = [f"#{number}" for number, record in records.items() if record.status == "done"]
        assert set(done) <= set(names(messenger))
        assert len(set(names(messenger))) == len(names(messenger))
        assert "#1021" in done
        assert await host.stop() == 0


async def logged_once(host: HostProcess) -> bool:
    return len(host.log("event_ends_processes")) == 1
