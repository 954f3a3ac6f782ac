"""Settings that cannot change while a host runs, because the main process or the store's contents depend on them."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from shopbot.config.loader import Loaded
from shopbot.config.nodes import KeyPath
from shopbot.config.problem import Problem
from shopbot.config.settings import Settings

_FIXED: Mapping[KeyPath, tuple[Callable[[Settings], object], str]] = {
    ("shop", "domain"): (lambda settings: settings.shop.domain, "its events are kept under this name"),
    ("shop", "key_prefix"): (
        lambda settings: settings.shop.key_prefix,
        "carts and order references are kept under this name",
    ),
    ("store",): (lambda settings: settings.store, "events that are under way are in the store that is used now"),
    ("data_dir",): (lambda settings: _resolved(settings.data_dir), "the store and its lock are there"),
}
"""What must stay as it is, by its place in shopbot.yaml, and why."""


def needs_restart(live: Settings, new: Loaded) -> Iterator[Problem]:
    """Say what a new version wants to change that only a restart can."""
    if new.draft is None:
        return
    for path, (value, why) in _FIXED.items():
        if value(live) != value(new.draft):
            name = ".".join(map(str, path))
            message = f"{name} cannot change while the host runs ({why}): restart it, or put the old value back"
            yield new.document.problem(new.document.position(path), message)


def _resolved(directory: Path) -> Path:
    return directory.resolve()
