"""Compare how fast webhooks are taken in: `make bench`, or `python benchmarks/ingest.py --help`.

    (a) bare Sanic    verifies the signature and keeps nothing: the yardstick
    (b) shopbot       answers when the event is on disk
    (c) FastAPI       background tasks in its own process, nothing kept
    (d) FastAPI, arq  answers when the job is on disk

One process answers requests in each. A round starts and warms up all of them, and then loads them in turn, for a second
each, again and again; what counts is each one's ratio to (a) in the same turn: how fast a virtual machine is changes
from one second to the next. Where the system allows it, what answers requests has a core to itself, and the load and
the stores have the others; `--no-place` leaves that to the kernel. Exits 1 when a request failed, or an event that was
answered 200 is gone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean

if __package__ is None:
    # Called by its path, as the Makefile does: then Python looks for imports in this directory, not in its parent.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.comparison import Result, sum_up, table
from benchmarks.contestants import Contestant, Running, contestants
from benchmarks.load import Sample, find_client, load
from benchmarks.order_webhook import order_of, request_of
from benchmarks.placement import Placement

YARDSTICK = "a"


class BenchmarkFailedError(Exception):
    """What was measured is worth nothing; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison and print it."""
    options = _parser().parse_args(arguments)
    placement = Placement.here() if options.place else None
    if placement is not None:
        placement.begin()
    chosen = {letter: each for letter, each in contestants(placement).items() if letter in options.only}
    try:
        body = order_of(options.body_bytes)
        with tempfile.TemporaryDirectory(prefix="shopbot-bench-") as directory:
            request_file = Path(directory) / "request"
            request_file.write_bytes(request_of(body))
            results = _compare(chosen, options, request_file)
    except (BenchmarkFailedError, RuntimeError, ValueError) as error:
        print(f"ingest: {error}", file=sys.stderr)
        return 1
    if options.json:
        answer = {letter: result.to_json() for letter, result in results.items()}
        about = {"client": options.client, "body_bytes": len(body), "placed": placement is not None}
        print(json.dumps({**about, "results": answer}, indent=2))
    else:
        print(
            f"{options.rounds} rounds of {options.turns} turns of {options.seconds:g} s, {options.connections} "
            f"connections, orders of {len(body):,} bytes, {os.cpu_count()} cores"
            f"{'' if placement is None else ', one of them the server alone'}, load from {options.client}\n"
        )
        print(table(results))
    return 0


def _compare(chosen: Mapping[str, Contestant], options: argparse.Namespace, request_file: Path) -> Mapping[str, Result]:
    samples: dict[str, list[Sample]] = {letter: [] for letter in chosen}
    kept: dict[str, list[tuple[int, int]]] = {letter: [] for letter in chosen}
    for number in range(1, options.rounds + 1):
        with ExitStack() as stack:
            servers = {letter: stack.enter_context(contestant.serve()) for letter, contestant in chosen.items()}
            loads = {
                letter: _Load(letter, server, options, request_file, samples[letter])
                for letter, server in servers.items()
            }
            for each in loads.values():
                each.warm_up()
            for turn in range(options.turns):
                # To and fro, so that none always comes first after the same other one.
                for letter in list(loads)[:: -1 if turn % 2 else 1]:
                    loads[letter].take_turn()
            for letter, each in loads.items():
                kept[letter] += each.kept() if options.verify else []
                average = fmean(sample.per_second for sample in samples[letter][-options.turns :])
                print(f"round {number}: ({letter}) {average:,.0f} requests/s", file=sys.stderr, flush=True)
    yardstick = samples.get(YARDSTICK)
    return {
        letter: sum_up(contestant.title, samples[letter], yardstick, kept[letter])
        for letter, contestant in chosen.items()
    }


class _Load:
    """What one server is loaded with in one round."""

    def __init__(
        self, letter: str, server: Running, options: argparse.Namespace, request_file: Path, samples: list[Sample]
    ) -> None:
        self._letter = letter
        self._server = server
        self._options = options
        self._request_file = request_file
        self._samples = samples
        self._answered = 0
        self._loads = 0

    def warm_up(self) -> None:
        self._load(self._options.warm_up)

    def take_turn(self) -> None:
        self._samples.append(self._load(self._options.seconds))

    def kept(self) -> list[tuple[int, int]]:
        """Kill the server, and compare what it answered with what its store gives back; nothing for one without."""
        if self._server.count_kept is None:
            return []
        found = self._server.count_kept()
        # wrk hangs up at the end of a load without waiting for the last answers.
        most = self._answered + self._loads * self._options.connections
        if not self._answered <= found <= most:
            raise BenchmarkFailedError(
                f"({self._letter}): answered {self._answered} requests with 200, but {found} events are on disk"
            )
        return [(self._answered, found)]

    def _load(self, seconds: float) -> Sample:
        options = self._options
        sample = load(
            options.client, self._server.port, self._request_file, seconds=seconds, connections=options.connections
        )
        if sample.failures:
            raise BenchmarkFailedError(f"({self._letter}): {sample.failures} requests failed")
        self._answered += sample.requests
        self._loads += 1
        return sample


def _parser() -> argparse.ArgumentParser:
    assert __doc__
    parser = argparse.ArgumentParser(
        prog="ingest.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=lambda text: text.split(","), default=list("abcd"), metavar="a,b")
    parser.add_argument("--rounds", type=int, default=6, help="for each, all servers are started anew (%(default)s)")
    parser.add_argument("--turns", type=int, default=5, help="of each server in a round (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1, help="of load in each turn (%(default)s)")
    parser.add_argument("--warm-up", type=float, default=1, metavar="SECONDS", help="of load before (%(default)s)")
    parser.add_argument("--connections", type=int, default=64, help="kept alive (%(default)s)")
    parser.add_argument("--body-bytes", type=int, default=8192, help="of the order (%(default)s)")
    parser.add_argument("--client", choices=("wrk", "own"), default=find_client(), help="default: wrk where installed")
    parser.add_argument(
        "--place",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="give the server a core of its own, where there are several (on)",
    )
    parser.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="count the events on disk after each round of (b) (on)",
    )
    parser.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
