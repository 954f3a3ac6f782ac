"""Echoes, where a process hands over to others."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from shopbot.store.echoes import Echoes
from shopbot.store.milliseconds import milliseconds
from support.store_parts import KEYS, NOW
from support.stores import on_real_stores, running_store


@on_real_stores
@pytest.mark.parametrize("missed", [True, False])
async def test_who_takes_over_knows_that_an_echo_was_missed(kind: str, tmp_path: Path, *, missed: bool) -> None:
    """Else its absence would be taken as evidence, and a message sent twice."""
    later = NOW + timedelta(minutes=1)
    async with running_store(kind, tmp_path) as store:
        leaves = Echoes(store.client, KEYS)
        await leaves.listening(NOW)
        if missed:
            leaves.missed()
        await leaves.own_up(later)
        heard_from = await store.client.hget(KEYS.echoes, "listening_ms")

    assert heard_from == str(milliseconds(later if missed else NOW)).encode()
