"""shopbot.yaml from disk to settings, or to all of its problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from shopbot.config.compose import LARGEST_TEXT_BYTES
from shopbot.config.document import Document, parse
from shopbot.config.draft import draft
from shopbot.config.environment import expand
from shopbot.config.nodes import KeyPath
from shopbot.config.plugin_entry import PLUGIN_LISTS, PluginEntry, PollerEntry
from shopbot.config.problem import ConfigError, Problem
from shopbot.config.settings import Settings
from shopbot.config.snapshot import Snapshot
from shopbot.config.topics import unfamiliar_names
from shopbot.config.validation import validate


@dataclass(frozen=True)
class Loaded:
    """What a file gave."""

    document: Document
    """The file with its environment filled in, for checks that need data and positions."""
    settings: Settings | None = field(repr=False)
    """None as soon as there is one error."""
    problems: tuple[Problem, ...]
    """Errors and warnings, in the order of the file."""
    draft: Settings | None = field(default=None, repr=False)
    """What can be checked further although there are errors; never to be run. None where that is nothing."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the configuration from being used."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def checked(self) -> Settings:
        """Give the settings. Raises `ConfigError` with all errors if there is one."""
        if self.settings is None:
            raise ConfigError(self.errors)
        return self.settings

    def plugin_entries(self) -> Iterator[tuple[KeyPath, PluginEntry]]:
        """Give every usable entry of the plugin lists with its path, even where other parts have errors."""
        for name in PLUGIN_LISTS:
            entries = self.document.data.get(name)
            kind = PollerEntry if name == "pollers" else PluginEntry
            for index, entry in enumerate(entries if isinstance(entries, list) else ()):
                try:
                    usable = kind.model_validate(entry)
                except ValidationError:  # among the problems already
                    continue
                yield (name, index), usable


def read(path: Path, environ: Mapping[str, str], *, snapshot: Snapshot | None = None) -> Loaded:
    """Read the configuration at *path*. Blocks on the disk: call it from a thread where a loop is running.

    Relative directories in it are taken from the file's own directory. Raises nothing: a file that is
    missing or unreadable is a problem like any other.

    snapshot: a copy to read in its place, with its templates; None reads what lies there now.
    """
    text = _text(path, snapshot.text if snapshot else path)
    if isinstance(text, Problem):
        return Loaded(Document(str(path), None, {}, (text,)), None, (text,))
    loaded = read_text(text, str(path), environ, directory=path.parent)
    if snapshot is None or loaded.draft is None:
        return loaded
    kept = loaded.draft.model_copy(update={"templates_dir": snapshot.templates})
    return replace(loaded, settings=kept if loaded.settings else None, draft=kept)


def read_document(path: Path, *, snapshot: Snapshot | None = None) -> Document:
    """Read another file that goes with a configuration, such as its tests; `${NAME}` is nothing special in it.

    Blocks on the disk. Raises nothing: a file that is missing or unreadable is a problem of the document.

    snapshot: of the configuration, where that itself is meant and its copy is to be read.
    """
    text = _text(path, snapshot.text if snapshot else path)
    return Document(str(path), None, {}, (text,)) if isinstance(text, Problem) else parse(text, str(path))


def read_text(text: str, name: str, environ: Mapping[str, str], *, directory: Path | None = None) -> Loaded:
    """Read a configuration from *text*, calling it *name* in problems. Raises nothing.

    directory: where relative directories start; None leaves them relative to the working directory.
    """
    parsed = parse(text, name)
    document = expand(parsed, environ)
    if not document.data and document.problems:
        return Loaded(document, None, tuple(sorted(set(document.problems))))
    settings, found = validate(Settings, document, (), document.data)
    problems = tuple(sorted({*document.problems, *found, *unfamiliar_names(document)}))
    checkable = settings or draft(document)
    if checkable is not None and directory is not None:
        checkable = checkable.in_directory(directory)
    errors = any(problem.severity == "error" for problem in problems)
    return Loaded(document, None if errors else checkable, problems, checkable)


def _text(path: Path, place: Path) -> str | Problem:
    """Read the file that is called *path* and is at *place*, or say why it cannot be read."""
    name = str(path)
    try:
        with place.open("rb") as file:
            content = file.read(LARGEST_TEXT_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        return Problem(name, None, None, _why(error))
    if len(content) > LARGEST_TEXT_BYTES:
        return Problem(name, None, None, f"larger than {LARGEST_TEXT_BYTES} bytes: this is no configuration")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        return Problem(name, line, column, "the file is not UTF-8: save it as UTF-8")


def _why(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case IsADirectoryError():
            return "this is a directory: name the file in it"
        case PermissionError():
            return "this process may not read the file"
        case OSError(strerror=str(reason)):
            return f"the file cannot be read: {reason}"
    return "this cannot be the name of a file"
