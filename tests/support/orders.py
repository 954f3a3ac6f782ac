"""What tests of rules share: shoppers and orders that no other test has, and how an event ended."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from shopbot.store.records import EventRecord
from shopbot.testing.host import ShopUnderTest

_FIRST_PSID = 7_300_000_000_000_000
_FIRST_ORDER = 830_517_264_905_000_000


def shoppers() -> Iterator[str]:
    """Give one PSID after another."""
    return (str(_FIRST_PSID + number) for number in itertools.count())


def order_ids() -> Iterator[int]:
    """Give one order id after another, above 2^53 as in production."""
    return itertools.count(_FIRST_ORDER)


def ending(record: EventRecord) -> str:
    """Say how an event ended, in one word: its reason, or its status where it has none."""
    return record.reason or record.status


def steps(record: EventRecord) -> list[tuple[str, str, str | None]]:
    """Give the journal in short: step, status, reason; the empty step is the rule as a whole."""
    return [(entry.step, entry.status.value, entry.reason) for entry in record.journal]


async def written(shop: ShopUnderTest, key: str) -> list[str]:
    """Give the lines that a test's plugin has written down under a key of the store."""
    lines = await shop.store.lrange(key, 0, -1)
    return [line.decode() if isinstance(line, bytes) else line for line in lines]


def drop_in(directory: Path, name: str, source: str) -> None:
    """Put a plugin where `plugins_dir` has its default."""
    plugins = directory / "plugins.d"
    plugins.mkdir(exist_ok=True)
    (plugins / f"{name}.py").write_text(source, encoding="utf-8")
