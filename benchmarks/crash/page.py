"""The Messenger simulator with a hand on the moment of a call."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.crash.points import Call

from shopbot.store.claims import read_metadata
from shopbot.testing.graph_errors import invalid
from shopbot.testing.messenger import MessengerSimulator, SentMessage

_ANSWER_SECONDS = 0.004
"""An answer is written within this time after the message was taken."""


@dataclass(slots=True)
class CallTrap:
    """Springs at the first call for one of the orders."""

    call: Call
    orders: frozenset[int]
    spring: Callable[[int], None]
    """Kills; gets the order that the call is for."""


class Page(MessengerSimulator):
    """Meta's side, which can have its caller killed while it works for it."""

    def __init__(self, *, access_token: str, app_secret: str, chance: random.Random) -> None:
        super().__init__(access_token=access_token, app_secret=app_secret, keep=1_000_000)
        self.call_trap: CallTrap | None = None
        self._chance = chance

    def accept(self, body: dict[str, Any], raw: bytes) -> SentMessage | None:
        """Deliver as usual; with a trap set, have the caller killed before, after, or when it has the answer."""
        trap, order_id = self.call_trap, order_of(body.get("message", {}).get("metadata"))
        if trap is None or order_id not in trap.orders:
            return super().accept(body, raw)
        self.call_trap = None
        if trap.call is Call.REFUSED:
            trap.spring(order_id)
            raise invalid("nobody reads this answer")
        sent = super().accept(body, raw)
        if trap.call is Call.CARRIED:
            trap.spring(order_id)
        else:
            asyncio.get_running_loop().call_later(self._chance.random() * _ANSWER_SECONDS, trap.spring, order_id)
        return sent

    def messages_by_order(self) -> dict[int, list[SentMessage]]:
        """Give what shoppers received about each order."""
        found: dict[int, list[SentMessage]] = {}
        for sent in self.sent:
            order_id = order_of(json.loads(sent.body)["message"].get("metadata"))
            if order_id is not None:
                found.setdefault(order_id, []).append(sent)
        return found


def order_of(metadata: object) -> int | None:
    """Give the order that a message's metadata leads back to."""
    parts = read_metadata(metadata) if isinstance(metadata, str) else None
    number = parts[0].rpartition("order:")[2] if parts else ""
    return int(number) if number.isdigit() else None
