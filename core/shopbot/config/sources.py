"""The files that make a configuration, read at one moment: its text, templates, drop-in plugins, and its tests."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from shopbot.config.compose import LARGEST_TEXT_BYTES
from shopbot.config.loader import read_text
from shopbot.config.problem import ConfigError, Problem
from shopbot.config.snapshot import Snapshot

_VERSION_DIGITS = 12
_MOST_FILES = 5_000
_MOST_BYTES = 50_000_000
"""More than any shop has templates: a directory that holds more was not meant."""
_READINGS = 5
"""So often files that change while they are read are read again."""
_MOST_LINKS = 40
"""As many as Linux follows."""


@dataclass(frozen=True)
class Sources:
    """What lay on disk at one moment."""

    config: Path
    """The configuration file, as the operator named it."""
    kept: Mapping[str, bytes] = field(repr=False)
    """Contents of what runs, by their places in a `Snapshot`."""
    beside: Mapping[str, bytes] = field(repr=False)
    """Contents of what only says whether it may run, by name."""
    directories: frozenset[Path]
    """Whoever watches these directories, without what lies below them, learns of every change."""

    @cached_property
    def version(self) -> str:
        """A short hash of what runs."""
        return _hash(self.kept)[:_VERSION_DIGITS]

    @cached_property
    def state(self) -> str:
        """A hash of everything that was read."""
        return _hash(self.kept) + _hash(self.beside)

    def keep(self, directory: Path) -> Snapshot:
        """Write what runs into an empty directory. Raises OSError where that cannot be done."""
        for name, content in self.kept.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        snapshot = Snapshot(directory, self.config, self.version)
        snapshot.save()
        return snapshot


def read_sources(config: Path, environ: Mapping[str, str], *, beside: Sequence[Path] = ()) -> Sources:
    """Read everything that makes a configuration; what changes meanwhile is read again.

    Whether it means anything is not looked at: that is for whoever checks the snapshot.

    beside: more files that say whether the configuration may run, such as its tests.

    Raises:
        ConfigError: a file cannot be read, or there is more than a configuration can have.
    """
    sources = _read(config, environ, beside)
    for _ in range(_READINGS):
        again = _read(config, environ, beside)
        if again.state == sources.state:
            break
        sources = again
    return sources


def _read(config: Path, environ: Mapping[str, str], beside: Sequence[Path]) -> Sources:
    contents = _Contents(config)
    text = contents.take("config", config, LARGEST_TEXT_BYTES + 1)
    settings = read_text((text or b"").decode(errors="replace"), str(config), environ, directory=config.parent).draft
    templates = settings.templates_dir if settings else config.parent / "templates"
    plugins = settings.plugins_dir if settings else config.parent / "plugins.d"
    directories = {*_leading_to(config), *_leading_to(templates), *_leading_to(plugins)}
    for directory, names in _below(templates):
        directories.update(_leading_to(directory / "any"))
        for name in names:
            path = directory / name
            directories.update(_leading_to(path))
            contents.take(f"templates/{path.relative_to(templates).as_posix()}", path)
    if plugins.is_dir():
        directories.update(_leading_to(plugins / "any"))
        for path in sorted(plugins.glob("*.py")):
            directories.update(_leading_to(path))
            contents.take(f"plugins/{path.name}", path)
    tests = _Contents(config)
    for path in beside:
        directories.update(_leading_to(path))
        tests.take(path.name, path)
    return Sources(config, contents.found, tests.found, frozenset(directories))


class _Contents:
    """Files as they are read, within limits."""

    def __init__(self, config: Path) -> None:
        self.found: dict[str, bytes] = {}
        self._config = config
        self._bytes = 0

    def take(self, name: str, path: Path, most_bytes: int = _MOST_BYTES + 1) -> bytes | None:
        """Read a file; None where there is none."""
        try:
            with path.open("rb") as file:
                content = file.read(most_bytes)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise self._error(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
        self.found[name] = content
        self._bytes += len(content)
        if len(self.found) > _MOST_FILES or self._bytes > _MOST_BYTES:
            what = f"more than {_MOST_FILES} files or {_MOST_BYTES} bytes of templates and plugins"
            raise self._error(f"{what}: is `templates_dir` or `plugins_dir` another directory than was meant?")
        return content

    def _error(self, message: str) -> ConfigError:
        return ConfigError([Problem(str(self._config), None, None, message)])


def _below(templates: Path) -> Iterator[tuple[Path, Sequence[str]]]:
    """Give each directory of templates with its templates; what is hidden, as Kubernetes' `..data` is, is left."""
    seen: set[str] = set()
    for place, folders, files in os.walk(templates, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(place), sorted(name for name in files if name.endswith(".j2") and not name.startswith("."))


def _leading_to(path: Path) -> Iterator[Path]:
    """Give the directories whose entries decide where *path* leads: its own, and that of each link on the way."""
    waiting, links = [Path(os.path.abspath(path))], 0  # noqa: PTH100 - without following links, unlike `resolve`
    while waiting:
        target = waiting.pop()
        for part in reversed((target, *target.parents)):
            if part.is_symlink() and links < _MOST_LINKS:
                links += 1
                yield part.parent
                rest = target.relative_to(part)
                waiting.append(Path(os.path.normpath(part.parent / part.readlink() / rest)))
                break
        else:
            yield next((place for place in target.parents if place.is_dir()), Path(target.anchor))


def _hash(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{len(name)} {name} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()
