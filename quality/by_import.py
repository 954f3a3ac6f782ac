"""Tries a mutant by the import: in a process that has imported everything but shopbot, and imports it in its place."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

import pytest
from quality.trial import PYTEST_OPTIONS, Candidate, silence, steady_properties

_HEAVY: Final = (
    *("babel.dates", "fakeredis", "holidays", "httpx", "hypothesis", "jinja2.sandbox", "prometheus_client", "pydantic"),
    *("redis.asyncio", "rich.console", "sanic", "structlog", "typer", "uvloop", "watchfiles"),
)
"""What takes long to import and knows nothing of shopbot."""


def warm_up() -> None:
    """Import what every trial needs, once."""
    for name in _HEAVY:
        importlib.import_module(name)


def trial(tried: Candidate, scratch: Path) -> int:
    """Run a candidate's tests, in a process that has not imported shopbot yet; gives pytest's exit code."""
    silence(1)
    silence(2)
    sys.meta_path.insert(0, _Finder(tried.module, tried.path, tried.mutant.code))
    files = sorted({test.partition("::")[0] for test in tried.tests})
    return int(
        pytest.main([*PYTEST_OPTIONS, "-x", f"--basetemp={scratch}/t", *files], plugins=[_Selection(tried.tests)])
    )


class _Selection:
    """A pytest plugin that runs the chosen tests, in their order, and makes property tests quick and repeatable."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._order = {test: index for index, test in enumerate(tests)}

    def pytest_configure(self) -> None:
        steady_properties()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid]
        )


class _Finder(importlib.abc.MetaPathFinder):
    """Imports the mutant in place of its module."""

    def __init__(self, module: str, path: Path, code: CodeType) -> None:
        self._module = module
        self._path = path
        self._code = code

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the protocol of finders
        target: ModuleType | None = None,  # noqa: ARG002 - likewise
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        loader = _Loader(fullname, str(self._path), self._code)
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, code: CodeType) -> None:
        super().__init__(fullname, path)
        self._mutant = code

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the protocol of loaders
        return self._mutant
