"""Loads a configuration on a machine that has none of its secrets, for verbs that only look at it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from shopbot.config.document import parse
from shopbot.config.environment import unset_variables
from shopbot.config.problem import ConfigError
from shopbot.host.blueprint import Blueprint, load_blueprint


def load_with_stand_ins(path: Path, environ: Mapping[str, str]) -> tuple[Blueprint, Sequence[str]]:
    """Load a configuration whose variables need not be set; gives the names of those for which something stands in.

    Whoever takes the blueprint may neither start its plugins nor send anything.

    Raises:
        ConfigError: it has other problems, or a variable holds what cannot be made up, such as a URL.
    """
    try:
        return load_blueprint(path, environ), ()
    except ConfigError as error:
        names = _unset(path, environ)
        if not names:
            raise
        problems = error
    try:
        return load_blueprint(path, {**environ, **{name: f"{name.lower()}-is-not-set" for name in names}}), names
    except ConfigError:
        raise problems from None


def _unset(path: Path, environ: Mapping[str, str]) -> Sequence[str]:
    try:
        return unset_variables(parse(path.read_text(encoding="utf-8"), str(path)), environ)
    except (OSError, ValueError):  # among the problems already
        return ()
