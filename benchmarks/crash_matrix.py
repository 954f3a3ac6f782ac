"""Kill a running shop again and again, and count what its shoppers received.

    python -m benchmarks.crash_matrix --kills 1000

Real processes (`shopbot run`), a real Valkey server with every write on disk, real HTTP to the Messenger simulator.
`kill -9` takes worker processes, whole hosts and stores, at random moments and at every named point of the send path.
Shopify's side delivers each webhook until it is answered 200, several topics per order, some twice; Messenger drops
connections, echoes late, twice or not at all. At the end everything is brought up, and what shoppers received is held
against what was acknowledged. Exit status 1 when an order was lost, confirmed twice, or given up for a reason that
nothing here can cause.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import time
from pathlib import Path

import structlog
import uvloop
from benchmarks.crash.attack import Attack, Budget
from benchmarks.crash.shop import Shop
from benchmarks.crash.tally import Tally

_ORDERS_PER_SHOP = 1_000_000


def main() -> int:
    """Run the attack and print the table."""
    parser = argparse.ArgumentParser(description="Kill a running shop again and again, and count.")
    parser.add_argument("--kills", type=int, default=1000, help="how many kills at least")
    parser.add_argument(
        "--shops",
        type=int,
        default=2,
        help="how many shops are attacked at once; the last one's host"
        " runs its store itself, behind the others' stores stands a proxy",
    )
    parser.add_argument("--seed", type=int, default=None, help="repeats the choices of an earlier run, not its timing")
    parser.add_argument("--json", action="store_true", help="print figures for scripts")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    # What the embedded server's supervisor says of every kill is no news here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash-", ignore_cleanup_errors=True) as directory:
        tally = uvloop.run(_attack(Path(directory), options.kills, options.shops, seed))
        if not tally.kept_its_word:
            _keep_logs(Path(directory))
    figures = {**tally.figures(), "seed": seed, "seconds": round(time.monotonic() - started)}
    if options.json:
        print(json.dumps(figures))
    else:
        print(tally.markdown())
        print()
        print(", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in figures.items()))
    for what, orders in (("lost", tally.lost_orders), ("twice", tally.duplicated_orders)):
        if orders:
            print(f"{what}: {orders[:20]}", file=sys.stderr)
    return 0 if tally.kept_its_word else 1


async def _attack(directory: Path, kills: int, shops: int, seed: int) -> Tally:
    budget = Budget(kills, _show_progress if sys.stderr.isatty() else lambda _left: None)
    attacks = []
    for number in range(shops):
        place = directory / str(number)
        place.mkdir()
        chance = random.Random(seed + number)  # noqa: S311 - the same attack again, not a secret
        shop = Shop(
            place,
            embedded=shops > 1 and number == shops - 1,
            first_order_id=(number + 1) * _ORDERS_PER_SHOP,
            chance=chance,
        )
        attacks.append(Attack(shop, budget, chance))
    tally = Tally()
    for result in await asyncio.gather(*(attack.run() for attack in attacks)):
        tally.add(result)
    return tally


def _show_progress(left: int) -> None:
    print(f"\r{left} kills to go ", end="", file=sys.stderr, flush=True)


def _keep_logs(directory: Path) -> None:
    """Keep what the hosts said: it explains what went wrong."""
    kept = Path(tempfile.mkdtemp(prefix="crash-logs-"))
    for log in directory.glob("*/host.log"):
        (kept / f"{log.parent.name}.log").write_bytes(log.read_bytes())
    print(f"the hosts' logs are in {kept}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
