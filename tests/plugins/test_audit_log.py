"""A file with one line per finished event."""

from __future__ import annotations

import json
import multiprocessing
import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shopbot.plugin import Order, PersonToErase, Run, Status
from shopbot.testing.contracts import PSID, EraserContract, ObserverContract, Running, a_finished_run, an_event
from shopbot.testing.fixtures import HostFixture, OrdersFixture
from shopbot_plugins import audit_log
from support.audit_writer import write_in_a_process, write_lines


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class TestWhatItErases(EraserContract):
    module = audit_log

    async def keep(self, running: Running, person: PersonToErase) -> None:
        for order_id in person.order_ids:
            run = a_finished_run(order=Order(id=order_id, name=f"#{order_id}"))
            await running.hooks.observers[0](an_event(event_id=min(person.event_ids)), run)

    async def is_kept(self, running: Running, person: PersonToErase) -> bool:
        kept = [(line["order_id"], line["event"]) for line in lines(running.data_dir / "audit.jsonl")]
        return any(order in person.order_ids or event in person.event_ids for order, event in kept)


class TestAuditLog(ObserverContract):
    module = audit_log

    def observed(self, running: Running) -> str:
        return (running.data_dir / "audit.jsonl").read_text(encoding="utf-8")

    async def test_a_line_says_what_happened_and_why(self) -> None:
        async with self.running() as running:
            await self.observe(running, a_finished_run())
            (line,) = lines(running.data_dir / "audit.jsonl")

        assert line["event"] == "webhook:5a1f"
        assert (line["topic"], line["source"], line["status"]) == ("orders/paid", "webhook", "done")
        assert (line["order_id"], line["order"]) == (830517264905318211, "#1234")
        assert line["psid"] == "…1234"
        assert line["attempt"] == 2
        assert line["received_at"] == "2026-11-23T09:15:02.000+00:00"
        assert [(step["step"], step["status"], step["reason"]) for step in line["steps"]] == [
            ("2:clear_cart", "deferred", "CART_CLEAR_FAILED"),
            ("2:clear_cart", "done", None),
        ]

    async def test_an_event_without_order_or_shopper_has_a_line_too(self) -> None:
        async with self.running() as running:
            await self.observe(running, Run(attempt=1, status=Status.SKIPPED))
            (line,) = lines(running.data_dir / "audit.jsonl")

        assert (line["order_id"], line["psid"], line["steps"], line["status"]) == (None, None, [], "skipped")

    async def test_a_line_break_in_a_name_does_not_break_the_line(self) -> None:
        async with self.running() as running:
            order = a_finished_run().order
            assert order is not None
            await self.observe(running, a_finished_run(order=order.model_copy(update={"name": "#1\n{\u2028ä"})))

            assert len(self.observed(running).splitlines()) == 1

    async def test_a_full_file_makes_room_for_a_new_one(self) -> None:
        async with self.running(max_bytes=2_000) as running:
            for number in range(20):
                await self.observe(running, a_finished_run(), event_id=f"webhook:{number}")
            new, old = running.data_dir / "audit.jsonl", running.data_dir / "audit.jsonl.1"
            ids = [line["event"] for line in [*lines(old), *lines(new)]]

            assert ids == [f"webhook:{number}" for number in range(20 - len(ids), 20)]
            assert 0 < new.stat().st_size <= 2_000
            assert 0 < old.stat().st_size <= 2_000
            assert sorted(path.name for path in running.data_dir.iterdir()) == [
                "audit.jsonl",
                "audit.jsonl.1",
                "audit.jsonl.lock",
            ]

    async def test_a_line_longer_than_the_limit_is_written_all_the_same(self) -> None:
        async with self.running(max_bytes=1_000) as running:
            await self.observe(running, a_finished_run(), event_id="webhook:" + "x" * 5_000)

            assert len(lines(running.data_dir / "audit.jsonl")) == 1

    async def test_lines_of_an_earlier_run_are_kept(self, tmp_path: Path) -> None:
        for number in range(2):
            await write_lines(tmp_path, [f"webhook:{number}"], max_bytes=1_000_000)

        assert [line["event"] for line in lines(tmp_path / "audit.jsonl")] == ["webhook:0", "webhook:1"]

    async def test_only_its_user_can_read_it(self) -> None:
        async with self.running() as running:
            await self.observe(running, a_finished_run())
            for path in running.data_dir.iterdir():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600

    async def test_an_erased_person_s_lines_are_gone_from_both_files_and_all_others_stay(self) -> None:
        async with self.running(max_bytes=5_000) as running:
            theirs, others = a_finished_run(), a_finished_run(order=Order(id=7, name="#7"))
            nobody_s = Run(attempt=1, status=Status.SKIPPED)
            for number in range(8):
                await self.observe(running, theirs, event_id=f"webhook:theirs{number}")
                await self.observe(running, others, event_id=f"webhook:other{number}")
            await self.observe(running, nobody_s, event_id="messenger:message:mid.theirs")
            await self.observe(running, nobody_s, event_id="messenger:message:mid.other")
            files = [running.data_dir / name for name in ("audit.jsonl.1", "audit.jsonl")]
            before = [line["event"] for file in files for line in lines(file)]
            with files[0].open("ab") as cut_off:
                cut_off.write(b'{"event":"webhook:x","order_id":830517264905318211,"ord')
            person = PersonToErase(
                order_ids=frozenset({830517264905318211}), event_ids=frozenset({"messenger:message:mid.theirs"})
            )
            for _ in range(2):
                for eraser in running.hooks.erasers:
                    await eraser(person)
            after = [line["event"] for file in files for line in lines(file)]

            assert after == [event for event in before if "theirs" not in event]
            assert len(after) < len(before)
            for path in running.data_dir.iterdir():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600

    async def test_nothing_is_left_of_a_shop_that_is_erased(self) -> None:
        async with self.running() as running:
            await self.observe(running, a_finished_run())
            for eraser in running.hooks.erasers:
                await eraser(PersonToErase(everyone=True))

            assert self.observed(running) == ""

    async def test_the_file_is_named_as_configured(self) -> None:
        async with self.running(file="orders.log") as running:
            await self.observe(running, a_finished_run())

            assert lines(running.data_dir / "orders.log")

    async def test_a_host_keeps_it(self, shopbot_host: HostFixture, shopbot_orders: OrdersFixture) -> None:
        async with shopbot_host("plugins: [{use: audit_log}]") as shop:
            await shop.finished(await shop.post("orders/paid", shopbot_orders(psid=PSID)))
        (line,) = lines(shopbot_host.directory / "data" / "audit.jsonl")

        assert (line["order"], line["status"]) == ("#1234", "done")


def test_worker_processes_share_the_file_without_losing_or_mixing_lines(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=write_in_a_process, args=(str(tmp_path), number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    kept = [line["event"] for name in ("audit.jsonl.1", "audit.jsonl") for line in lines(tmp_path / name)]
    assert len(kept) == len(set(kept))
    assert (tmp_path / "audit.jsonl.1").stat().st_size > 59_000
    assert PSID not in (tmp_path / "audit.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", ["", ".hidden", "../audit", "/etc/passwd", "a/b", "a\nb", "x" * 101, 5])
def test_the_file_stays_inside_the_data_directory(file: object) -> None:
    with pytest.raises(ValidationError):
        audit_log.Config.model_validate({"file": file})
