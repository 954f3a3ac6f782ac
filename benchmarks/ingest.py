"""Compare how fast webhooks are taken in: `make bench`, or `python benchmarks/ingest.py --help`.

    (a) bare Sanic    verifies the signature and keeps nothing: the yardstick
    (b) shopbot       answers when the event is on disk
    (c) FastAPI       background tasks in its own process, nothing kept
    (d) FastAPI, arq  answers when the job is on disk

One process answers requests in each. A round starts, warms up, loads and stops one after the other; what counts is each
one's ratio to (a) in the same round. Exits 1 when a request failed, or an event that was answered 200 is gone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

if __package__ is None:
    # Called by its path, as the Makefile does: then Python looks for imports in this directory, not in its parent.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.comparison import Result, sum_up, table
from benchmarks.contestants import Contestant, contestants
from benchmarks.load import Sample, find_client, load
from benchmarks.order_webhook import order_of, request_of

YARDSTICK = "a"


class BenchmarkFailedError(Exception):
    """What was measured is worth nothing; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison and print it."""
    options = _parser().parse_args(arguments)
    chosen = {letter: each for letter, each in contestants().items() if letter in options.only}
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
        print(json.dumps({"client": options.client, "body_bytes": len(body), "results": answer}, indent=2))
    else:
        print(
            f"{options.rounds} rounds of {options.seconds:g} s, {options.connections} connections, orders of "
            f"{len(body):,} bytes, {os.cpu_count()} cores, load from {options.client}\n"
        )
        print(table(results))
    return 0


def _compare(chosen: Mapping[str, Contestant], options: argparse.Namespace, request_file: Path) -> Mapping[str, Result]:
    samples: dict[str, list[Sample]] = {letter: [] for letter in chosen}
    kept: dict[str, list[tuple[int, int]]] = {letter: [] for letter in chosen}
    for number in range(1, options.rounds + 1):
        for letter, contestant in chosen.items():
            sample, counts = _round(contestant, options, request_file)
            samples[letter].append(sample)
            kept[letter] += [] if counts is None else [counts]
            print(f"round {number}: ({letter}) {sample.per_second:,.0f} requests/s", file=sys.stderr, flush=True)
    yardstick = samples.get(YARDSTICK)
    return {
        letter: sum_up(contestant.title, samples[letter], yardstick, kept[letter])
        for letter, contestant in chosen.items()
    }


def _round(
    contestant: Contestant, options: argparse.Namespace, request_file: Path
) -> tuple[Sample, tuple[int, int] | None]:
    """Measure one server once; gives also how many requests it answered and how many events it kept."""
    with contestant.serve() as running:
        answered = 0
        for seconds in (options.warm_up, options.seconds):
            sample = load(options.client, running.port, request_file, seconds=seconds, connections=options.connections)
            if sample.failures:
                raise BenchmarkFailedError(f"({contestant.letter}): {sample.failures} requests failed")
            answered += sample.requests
        if running.count_kept is None or not options.verify:
            return sample, None
        found = running.count_kept()
        # wrk hangs up at the end of a load without waiting for the last answers.
        most = answered + 2 * options.connections
        if not answered <= found <= most:
            raise BenchmarkFailedError(
                f"({contestant.letter}): answered {answered} requests with 200, but {found} events are on disk"
            )
        return sample, (answered, found)


def _parser() -> argparse.ArgumentParser:
    assert __doc__
    parser = argparse.ArgumentParser(
        prog="ingest.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=lambda text: text.split(","), default=list("abcd"), metavar="a,b")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5, help="of load in each round (%(default)s)")
    parser.add_argument("--warm-up", type=float, default=1, metavar="SECONDS", help="of load before (%(default)s)")
    parser.add_argument("--connections", type=int, default=32, help="kept alive (%(default)s)")
    parser.add_argument("--body-bytes", type=int, default=8192, help="of the order (%(default)s)")
    parser.add_argument("--client", choices=("wrk", "own"), default=find_client(), help="default: wrk where installed")
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
