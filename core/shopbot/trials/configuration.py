"""The configuration under trial: checked as `shopbot check` does, with something in the place of unset variables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shopbot.config.environment import unset_variables
from shopbot.config.loader import Loaded, read, read_document
from shopbot.config.problem import Problem
from shopbot.config.snapshot import Snapshot
from shopbot.discovery import Found, PluginError, discover
from shopbot.hooks import PluginInstance
from shopbot.host.blueprint import Blueprint, check_config
from shopbot.host.plugin_entries import PluginEntries

_PLACEHOLDERS = (
    "placeholder-0123456789abcdef0123456789abcdef",
    "1000000000000001",
    "redis://placeholder.invalid:6379/0",
    "https://placeholder.invalid",
    "placeholder.myshopify.com",
)
"""What stands in the place of a variable that is not set: the first of these that is accepted there."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration without errors, whose plugins can be made anew for each test."""

    blueprint: Blueprint
    loaded: Loaded
    catalogue: Mapping[str, Found | PluginError]

    def instances(self) -> Sequence[PluginInstance]:
        """Make the shop's plugins: what one of them remembers must not outlive a test."""
        return PluginEntries(self.loaded.document, self.loaded.plugin_entries(), self.catalogue).instances()


@dataclass(frozen=True, slots=True)
class CheckedConfiguration:
    """What checking gave."""

    configuration: Configuration | None
    """None when there is an error among the problems."""
    problems: tuple[Problem, ...]


def check(path: Path, environ: Mapping[str, str], snapshot: Snapshot | None = None) -> CheckedConfiguration:
    """Check a configuration for a trial; secrets need not be set, because nothing is signed with them or sent.

    Blocks on the disk, and for as long as `shopbot check` takes.

    snapshot: a copy to check in its place; None checks what lies there now.
    """
    unset = unset_variables(read_document(path, snapshot=snapshot), environ)
    values, unfit = _filled(path, environ, unset, snapshot)
    checked = check_config(path, values, snapshot=snapshot)
    loaded = read(path, values, snapshot=snapshot)
    problems = tuple(_explained(problem, loaded, unfit) for problem in checked.problems)
    if checked.blueprint is None:
        return CheckedConfiguration(None, problems)
    catalogue = _catalogue(checked.blueprint.settings.plugins_dir, snapshot)
    return CheckedConfiguration(Configuration(checked.blueprint, loaded, catalogue), problems)


def _catalogue(plugins_dir: Path, snapshot: Snapshot | None) -> Mapping[str, Found | PluginError]:
    return discover(plugins_dir, copied=snapshot.plugins if snapshot else None)


def _filled(
    path: Path, environ: Mapping[str, str], unset: Sequence[str], snapshot: Snapshot | None
) -> tuple[Mapping[str, str], frozenset[str]]:
    """Give every unset variable a value that is accepted where it stands; and those for which there is none."""
    tried = dict.fromkeys(unset, 0)
    while True:
        values = {**environ, **{name: _PLACEHOLDERS[number] for name, number in tried.items()}}
        refused = _refused(path, values, snapshot) & tried.keys() if tried else set()
        further = {name for name in refused if tried[name] + 1 < len(_PLACEHOLDERS)}
        if not further:
            return values, frozenset(refused)
        tried.update({name: tried[name] + 1 for name in further})


def _refused(path: Path, environ: Mapping[str, str], snapshot: Snapshot | None) -> set[str]:
    """Name the variables at whose places something is wrong."""
    loaded = read(path, environ, snapshot=snapshot)
    plugins_dir = loaded.draft.plugins_dir if loaded.draft else path.parent / "plugins.d"
    entries = PluginEntries(loaded.document, loaded.plugin_entries(), _catalogue(plugins_dir, snapshot))
    entries.instances()
    return {name for problem in (*loaded.problems, *entries.problems) for name in _names_at(problem, loaded)}


def _names_at(problem: Problem, loaded: Loaded) -> set[str]:
    """Name the variables that stand where a problem is."""
    place = (problem.line, problem.column)
    found = (names for path, names in loaded.document.origins.items() if loaded.document.position(path) == place)
    return {name for names in found for name in names}


def _explained(problem: Problem, loaded: Loaded, unfit: frozenset[str]) -> Problem:
    names = sorted(_names_at(problem, loaded) & unfit)
    if not names:
        return problem
    hint = f"{names[0]} is not set, and what stands in its place does not fit: set it to anything that does"
    return replace(problem, message=f"{problem.message} ({hint})")
