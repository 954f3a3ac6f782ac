"""Runs the tests of a configuration: the one function that everybody calls.

    report = run_tests(Path("shopbot.yaml"), os.environ)
    if not report.ok:
        ...

Real are the rules, the plugins, the limits, the templates and the store, an embedded Valkey server of this run's own.
The test answers in the place of senders and of plugins that work elsewhere. Nothing leaves the machine.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shopbot.config.document import Document
from shopbot.config.nodes import KeyPath
from shopbot.config.snapshot import Snapshot
from shopbot.discovery import PluginError
from shopbot.model.outcome import JournalEntry
from shopbot.store.connection import connect
from shopbot.store.embedded import EmbeddedServer
from shopbot.store.errors import StoreError
from shopbot.trials.configuration import Configuration, check
from shopbot.trials.offline import OfflineLoop
from shopbot.trials.quiet import quiet
from shopbot.trials.reading import read_trials, trial_file_of
from shopbot.trials.report import Failure, TrialReport, TrialResult
from shopbot.trials.scripts import Script, Scripts
from shopbot.trials.stage import EndlessTrialError, Stage
from shopbot.trials.stand_ins import Part, part_of
from shopbot.trials.verdict import Verdict
from shopbot.trials.wording import Words

LONGEST_TRIAL_SECONDS = 60.0
"""One test that takes longer has failed: something in it waits for what never comes."""

Wanted = Callable[[str], bool]
"""Says by its name whether a test is to be run."""


_UNREACHED = (
    "a plugin wanted to reach {}, and nobody is reached while a configuration is tried: answer for it under `plugins:`"
)


def _all(_name: str) -> bool:
    return True


def run_tests(
    config: Path,
    environ: Mapping[str, str],
    *,
    wanted: Wanted = _all,
    watch: Callable[[TrialResult], None] | None = None,
    log: bool = False,
    snapshot: Snapshot | None = None,
) -> TrialReport:
    """Check a configuration, run the tests that stand beside it, and say what they gave.

    Blocks for as long as it takes, with an event loop of its own: where a loop is running, call it in a thread. A
    configuration without a test file has no results, and is fine as far as its tests go.

    environ: variables that are not set get a value that serves for a trial.
    wanted: which tests to run.
    watch: told of each result as it comes.
    log: whether the hosts under trial write into the log of this process.
    snapshot: a copy of the configuration to try in its place; None tries what lies there now.

    Raises:
        StoreError: the store for the trial could not be started, or went away.
    """
    started = time.monotonic()
    tests = trial_file_of(config)
    checked = check(config, environ, snapshot)
    report = TrialReport(config, tests, problems=checked.problems, seconds=time.monotonic() - started)
    if checked.configuration is None or not tests.exists():
        return report
    configuration = checked.configuration
    read = read_trials(tests)
    if read.file is None:
        return replace(report, problems=(*report.problems, *read.problems))
    instances = configuration.instances()
    scripts = Scripts(read.document, configuration.blueprint, instances, tests.parent)
    ready = scripts.of(read.file)
    if scripts.problems:
        return replace(report, problems=(*report.problems, *sorted(set(scripts.problems))))
    chosen = [script for script in ready if wanted(script.trial.name)]
    run = _Run(configuration, read.document, chosen, watch or (lambda _: None))
    with contextlib.nullcontext() if log else quiet():
        results = run.results()
    parts = [(one.place, part_of(one, script.given.plugins or {})) for script in ready for one in instances]
    return replace(
        report,
        results=results,
        stand_ins=tuple(dict.fromkeys(place for place, part in parts if part is Part.STAND_IN)),
        absent=tuple(dict.fromkeys(place for place, part in parts if part is Part.ABSENT)),
        skipped=len(ready) - len(chosen),
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """One run: a store that is started once, and an event loop."""

    configuration: Configuration
    document: Document
    scripts: Sequence[Script]
    watch: Callable[[TrialResult], None]

    def results(self) -> tuple[TrialResult, ...]:
        """Play all tests, one after the other.

        Raises:
            StoreError: the store could not be started, or went away.
        """
        if not self.scripts:
            return ()
        with (
            tempfile.TemporaryDirectory(prefix="shopbot-test-", ignore_cleanup_errors=True) as directory,
            EmbeddedServer(Path(directory) / "store", durable=False) as server,
            asyncio.Runner(loop_factory=OfflineLoop) as runner,
        ):
            return runner.run(self._play(server.url, Path(directory)))

    async def _play(self, store_url: str, directory: Path) -> tuple[TrialResult, ...]:
        client = connect(store_url)
        try:
            results: list[TrialResult] = []
            for number, script in enumerate(self.scripts):
                await client.flushall()
                result = await self._try(script, client, store_url, directory / f"data-{number}")
                self.watch(result)
                results.append(result)
            return tuple(results)
        except (RedisError, OSError) as error:
            raise StoreError(f"the store of the tests went away: {error}") from error
        finally:
            await client.aclose()

    async def _try(self, script: Script, client: Redis, store_url: str, data_dir: Path) -> TrialResult:
        started, wanted = time.monotonic(), _wanted_from_others()
        seen_before = len(wanted)
        journal: Sequence[JournalEntry] = ()
        try:
            async with asyncio.timeout(LONGEST_TRIAL_SECONDS):
                observation = await Stage(self.configuration, script, client, store_url, data_dir).play()
        except PluginError as error:
            failures = [self._failure((*script.path, "name"), str(error))]
        except EndlessTrialError as error:
            failures = [self._failure((*script.path, "wait"), str(error))]
        except TimeoutError:
            failures = [self._failure((*script.path, "name"), f"no end after {LONGEST_TRIAL_SECONDS:g} s")]
        else:
            words = Words(self.configuration.blueprint.messages)
            failures = list(Verdict(self.document, script, observation, words).failures())
            journal = observation.record.journal if observation.record else ()
        place = self.document.position_of_key((*script.path, "name"))
        return TrialResult(
            name=script.trial.name,
            file=self.document.file,
            line=place.line,
            column=place.column,
            failures=tuple(failures),
            seconds=time.monotonic() - started,
            journal=tuple(journal),
            notes=tuple(_UNREACHED.format(where) for where in wanted[seen_before:]),
        )

    def _failure(self, path: KeyPath, message: str) -> Failure:
        place = self.document.position_of_key(path)
        return Failure(line=place.line, column=place.column, message=message)


def _wanted_from_others() -> list[str]:
    """Give the list of who was to be reached, which grows."""
    loop = asyncio.get_running_loop()
    return loop.wanted if isinstance(loop, OfflineLoop) else []
