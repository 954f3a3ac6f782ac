"""What came of it all: per kill point, orders sent in, messages received, lost, duplicated, held in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from benchmarks.crash.points import POINTS, Point, Target
from benchmarks.crash.shopify import SentOrder


@dataclass(slots=True)
class Counts:
    """The figures of one kill point, or of all."""

    worker_kills: int = 0
    host_kills: int = 0
    store_kills: int = 0
    orders: int = 0
    """Paid orders of which a webhook at least was answered 200."""
    messages: int = 0
    """Confirmations that shoppers received."""
    lost: int = 0
    """Orders without a confirmation that no dead letter in doubt accounts for."""
    duplicated: int = 0
    """Orders with more than one confirmation."""
    doubt_sent: int = 0
    """Dead letters in doubt whose shopper has the confirmation."""
    doubt_unsent: int = 0
    """Dead letters in doubt whose shopper has none."""

    @property
    def kills(self) -> int:
        """Give all kills."""
        return self.worker_kills + self.host_kills + self.store_kills

    def add(self, other: Counts) -> None:
        """Add figures."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass(slots=True)
class Tally:
    """The figures by kill point, and what does not fit the table."""

    by_point: dict[str, Counts] = field(default_factory=lambda: {point.name: Counts() for point in POINTS})
    webhooks: int = 0
    replays: int = 0
    host_starts: int = 0
    host_ends: int = 0
    """How often the host ended although nobody killed it."""
    other_dead: int = 0
    """Dead letters for any other reason; there is nothing that could cause one."""
    lost_orders: list[int] = field(default_factory=list)
    duplicated_orders: list[int] = field(default_factory=list)

    def killed(self, point: Point, target: Target) -> None:
        """Count a kill."""
        counts = self.by_point[point.name]
        match target:
            case Target.WORKER:
                counts.worker_kills += 1
            case Target.HOST:
                counts.host_kills += 1
            case Target.STORE:
                counts.store_kills += 1

    def settle(
        self,
        rounds: Iterable[tuple[Point, Sequence[SentOrder]]],
        messages: Mapping[int, Sequence[object]],
        in_doubt: frozenset[int],
    ) -> None:
        """Count what became of the orders of each round.

        messages: what shoppers received, by order. in_doubt: orders with a dead letter in doubt.
        """
        for point, orders in rounds:
            counts = self.by_point[point.name]
            for order in orders:
                received, doubtful = len(messages.get(order.order_id, ())), order.order_id in in_doubt
                counts.orders += order.acknowledged
                counts.messages += received
                if received > 1:
                    counts.duplicated += 1
                    self.duplicated_orders.append(order.order_id)
                if doubtful and received:
                    counts.doubt_sent += 1
                if doubtful and not received:
                    counts.doubt_unsent += 1
                if order.acknowledged and not received and not doubtful:
                    counts.lost += 1
                    self.lost_orders.append(order.order_id)

    def add(self, other: Tally) -> None:
        """Add the figures of another shop."""
        for name, counts in other.by_point.items():
            self.by_point[name].add(counts)
        for one in ("webhooks", "replays", "host_starts", "host_ends", "other_dead"):
            setattr(self, one, getattr(self, one) + getattr(other, one))
        self.lost_orders += other.lost_orders
        self.duplicated_orders += other.duplicated_orders

    @property
    def total(self) -> Counts:
        """Give the sums."""
        total = Counts()
        for counts in self.by_point.values():
            total.add(counts)
        return total

    @property
    def kept_its_word(self) -> bool:
        """Tell whether nothing was lost and nothing came twice."""
        total = self.total
        return not (total.lost or total.duplicated or self.other_dead)

    def markdown(self) -> str:
        """Draw the table."""
        heads = ("killed at", "worker", "host", "store", "orders", "messages", "lost", "twice", "held in doubt")
        lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
        lines += [_row(name, counts) for name, counts in self.by_point.items() if counts.kills or counts.orders]
        lines.append(_row("**all**", self.total))
        return "\n".join(lines)

    def figures(self) -> dict[str, object]:
        """Give the totals for scripts."""
        total = self.total
        return {
            "kills": total.kills,
            **{one.name: getattr(total, one.name) for one in fields(total)},
            "webhooks": self.webhooks,
            "replays": self.replays,
            "host_starts": self.host_starts,
            "host_ends": self.host_ends,
            "other_dead": self.other_dead,
            "points": sum(1 for counts in self.by_point.values() if counts.kills),
        }


def _row(name: str, counts: Counts) -> str:
    doubt = f"{counts.doubt_sent + counts.doubt_unsent} ({counts.doubt_sent} received)"
    cells = (counts.worker_kills, counts.host_kills, counts.store_kills, counts.orders, counts.messages, counts.lost)
    return "| " + " | ".join([name, *map(str, cells), str(counts.duplicated), doubt]) + " |"
