"""Mutation testing of what decides: `make mutation`, or `python -m quality.mutation --help`.

Each mutant is a module with one small fault; a test that executes the faulty line should fail. What survives is
either a gap in the tests or listed with its reason in `quality/survivors.toml`. Exits 1 when a mutant survives that is
not listed, or a listed one no longer does.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from quality import by_import
from quality.covering import Covering, record
from quality.in_place import try_in_place
from quality.mutants import mutants, original
from quality.suites import SUITES, Suite
from quality.trial import PYTEST_OPTIONS, Candidate, Result, Verdict, choose, in_child, steady_properties, try_all

ROOT: Final = Path(__file__).parents[1]
KEPT: Final = ROOT / ".mutation"
LAST: Final = KEPT / "last.json"
"""The survivors of the last run, listed or not."""
SURVIVORS: Final = Path(__file__).with_name("survivors.toml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutants and print which ones survive."""
    options = _parser().parse_args(arguments)
    os.chdir(ROOT)
    KEPT.mkdir(exist_ok=True)
    by_import.warm_up()
    known = {
        (one["module"], one["function"], one["change"]) for one in tomllib.loads(SURVIVORS.read_text())["survivor"]
    }
    results: list[Result] = []
    for suite in SUITES:
        paths = [path for pattern in suite.modules for path in sorted(ROOT.glob(pattern))]
        paths = [path for path in paths if any(fnmatch(_name(path), wanted) for wanted in options.modules or ["*"])]
        if not paths:
            continue
        covering = _covering(suite, options)
        chosen = list(_candidates(paths, covering, options.budget))
        if options.again:
            last = {(module, function, change) for module, function, change in json.loads(LAST.read_text())}
            chosen = [one for one in chosen if (one.module, one.mutant.function, one.mutant.change) in last]
        if options.sample and len(chosen) > options.sample:
            chance = random.Random(options.seed)  # noqa: S311 - a sample, no secret
            chosen = sorted(chance.sample(chosen, options.sample), key=lambda one: one.module)
        if not chosen:
            continue
        _check_original(chosen, covering, options)
        print(f"{suite.name}: {len(chosen)} mutants of {len(paths)} modules", flush=True)
        for number, result in enumerate(_try(chosen, options), start=1):
            results.append(result)
            if number % 50 == 0:
                print(f"  {number} tried", flush=True)
            if result.verdict not in _NOTICED and _key(result) not in known:
                print(f"  {_line(result)}", flush=True)
    return _report(results, known, whole=not options.sample and not options.again)


_NOTICED: Final = frozenset({Verdict.KILLED, Verdict.STUCK})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m quality.mutation", description=__doc__.partition("\n\n")[2])
    parser.add_argument(
        "modules", nargs="*", help="dotted names, with `*`: shopbot.rules.rule. All where none is named"
    )
    parser.add_argument("--sample", type=int, metavar="N", help="try N mutants of each suite, chosen by chance")
    parser.add_argument("--again", action="store_true", help="try only what survived the last run")
    parser.add_argument("--seed", type=int, default=0, help="of that chance")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument(
        *("--budget", "-b"),
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="of tests for one mutant, the quickest first; 60 where it is not given",
    )
    parser.add_argument("--patience", type=float, default=5.0, metavar="FACTOR", help="after which a mutant is stuck")
    parser.add_argument(
        "--by-import", action="store_true", help="import shopbot anew for every mutant, which takes longer"
    )
    parser.add_argument("--keep-covering", action="store_true", help="believe an earlier run which tests execute what")
    return parser


def _name(path: Path) -> str:
    """Give a module's dotted name; both source roots are one level below the tree's root."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts[1:])


def _covering(suite: Suite, options: argparse.Namespace) -> Covering:
    """Find out which tests execute which lines, in a process of its own: it imports shopbot."""
    kept = KEPT / f"{suite.name}.json"
    if options.keep_covering and kept.exists():
        return Covering.read(kept)
    print(f"{suite.name}: which tests execute which lines …", flush=True)

    def work() -> int:
        steady_properties()
        sources = sorted({str(path.parent) for pattern in suite.modules for path in ROOT.glob(pattern)})
        record(suite.tests, PYTEST_OPTIONS, sources).write(kept)
        return 0

    if in_child(work) != 0:
        raise SystemExit(f"the tests of {suite.name} could not be run")
    return Covering.read(kept)


def _try(candidates: Sequence[Candidate], options: argparse.Namespace) -> Iterator[Result]:
    if options.by_import:
        return try_all(candidates, by_import.trial, processes=options.processes, patience=options.patience)
    return try_in_place(candidates, processes=options.processes, patience=options.patience)


def _check_original(chosen: Sequence[Candidate], covering: Covering, options: argparse.Namespace) -> None:
    """Run all tests without a fault, each way: what fails then would count as noticed whatever the tests say."""
    path = chosen[0].path
    tests = sorted({test for one in chosen for test in one.tests})
    seconds = sum(covering.seconds[test] for test in tests)
    whole = Candidate(chosen[0].module, path, original(path.read_text(), str(path)), tests, seconds)
    results = list(try_all([whole], by_import.trial, processes=1, patience=options.patience))
    if not options.by_import:
        results += try_in_place([whole], processes=1, patience=options.patience)
    for result in results:
        if result.verdict in _NOTICED:
            raise SystemExit(f"{result.module}: its tests fail without a fault, too ({result.verdict})")


def _candidates(paths: Sequence[Path], covering: Covering, budget_seconds: float) -> Iterator[Candidate]:
    for path in paths:
        for mutant in mutants(path.read_text(), str(path)):
            yield choose(_name(path), path, mutant, covering, budget_seconds)


def _line(result: Result) -> str:
    mutant = result.mutant
    return f"{result.verdict}: {result.module}:{mutant.lines.start} {mutant.function}: {mutant.change}"


def _key(result: Result) -> tuple[str, str, str]:
    """Name a mutant so that lines above it do not matter."""
    return result.module, result.mutant.function, result.mutant.change


def _report(results: Sequence[Result], known: AbstractSet[tuple[str, str, str]], *, whole: bool) -> int:
    left = {_key(result) for result in results if result.verdict not in _NOTICED}
    LAST.write_text(json.dumps(sorted(left)))
    modules = sorted({result.module for result in results})
    print(f"\n{'module':44} {'mutants':>8} {'killed':>7} {'stuck':>6} {'untested':>9} {'survived':>9} {'listed':>7}")
    for name, wanted in (*((module, module) for module in modules), ("all", "*")):
        of = [result for result in results if fnmatch(result.module, wanted)]
        count = Counter(result.verdict for result in of)
        listed = sum(result.verdict not in _NOTICED and _key(result) in known for result in of)
        print(
            f"{name:44} {len(of):8} {count[Verdict.KILLED]:7} {count[Verdict.STUCK]:6}"
            f" {count[Verdict.UNTESTED]:9} {count[Verdict.SURVIVED]:9} {listed:7}"
        )
    gone = sorted(key for key in known - left if key[0] in modules) if whole else []
    for module, function, change in gone:
        print(f"listed in quality/survivors.toml and noticed by now: {module} {function}: {change}")
    return 1 if left - known or gone else 0


if __name__ == "__main__":
    sys.exit(main())
