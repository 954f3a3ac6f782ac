"""Several shops in one host: their configurations together, and what must not collide between them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shopbot.config.problem import Problem
from shopbot.config.snapshot import Snapshot
from shopbot.host.blueprint import Blueprint, Checked, check_config
from shopbot.store.embedded import url_for


@dataclass(frozen=True, slots=True)
class Fleet:
    """The shops of one host, in the order of the command line."""

    blueprints: Sequence[Blueprint]
    """Empty when a configuration has an error."""
    problems: Sequence[Problem]


def check_fleet(paths: Sequence[Path], environ: Mapping[str, str], snapshots: Sequence[Snapshot] = ()) -> Fleet:
    """Check configurations one by one and against each other.

    snapshots: copies to check in place of what lies there now.
    """
    kept = {snapshot.config: snapshot for snapshot in snapshots}
    checked = [check_config(path, environ, snapshot=kept.get(path)) for path in paths]
    problems = [problem for one in checked for problem in one.problems]
    problems += _collisions(paths, checked)
    usable = not any(problem.severity == "error" for problem in problems)
    return Fleet([one.blueprint for one in checked if one.blueprint is not None] if usable else [], problems)


def store_url(blueprint: Blueprint) -> str:
    """Say where a shop's store is. A secret: the URL may hold a password."""
    store = blueprint.settings.store
    return url_for(blueprint.data_dir) if store.embedded else store.get_secret_value()


def _collisions(paths: Sequence[Path], checked: Sequence[Checked]) -> Iterator[Problem]:
    """Find what two shops of one host may not share."""
    domains: dict[str, Path] = {}
    prefixes: dict[tuple[str, str], Path] = {}
    api_keys: dict[str, Path] = {}
    for path, one in zip(paths, checked, strict=True):
        if one.blueprint is None:
            continue
        shop = one.blueprint.settings.shop
        first = domains.setdefault(shop.domain, path)
        if first is not path:
            yield Problem(str(path), None, None, f"shop.domain {shop.domain} is also that of {first}")
        first = prefixes.setdefault((store_url(one.blueprint), shop.key_prefix), path)
        if first is not path:
            yield Problem(
                str(path),
                None,
                None,
                f"it has its store in common with {first}, so that carts and references of both would mix; give"
                ' each its own `shop.key_prefix:`, as in `key_prefix: "acme:"`, or a store of its own',
            )
        keys = [key.get_secret_value() for key in one.blueprint.settings.web.api_keys]
        others = {first for key in keys if (first := api_keys.setdefault(key, path)) is not path}
        if others:
            message = "has a key in common with {}: the key of a request says which shop it is for"
            yield Problem(
                str(path), None, None, f"web.api_keys {message.format(' and '.join(map(str, sorted(others))))}"
            )
