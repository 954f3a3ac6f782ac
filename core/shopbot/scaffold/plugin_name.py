"""Names for new plugins: one word for shopbot.yaml, for Python and for pip."""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Mapping

from jinja2.filters import FILTERS as JINJA_FILTERS

from shopbot.discovery import Found, PluginError
from shopbot.messages.template_filters import message_filters
from shopbot.rules.steps import STEP_NAMES

LONGEST_NAME = 40

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_PREFIX = "shopbot_"
_PREFIX_OF_A_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def package_of(name: str) -> str:
    """Give the name of the Python package that carries a plugin."""
    return f"{_PREFIX}{name}"


def wrong_form(name: str) -> str | None:
    """Say what is wrong with a name as such, and which one was probably meant; None where it can be used."""
    if _is_usable(name):
        return None
    meant = re.sub(r"[^a-z0-9]+", "_", _PREFIX_OF_A_WORD.sub("_", name).lower()).strip("_").removeprefix(_PREFIX)
    hint = f"; did you mean '{meant}'?" if _is_usable(meant) else ""
    if keyword.iskeyword(name):
        return f"'{name}' is a word of Python's own"
    if name.startswith(_PREFIX):
        return f"the package is called {_PREFIX}… anyway{hint}"
    if len(name) > LONGEST_NAME:
        return f"a name has {LONGEST_NAME} characters at most"
    return f"a name is made of small letters, digits and single _, and begins with a letter, as 'customer_list'{hint}"


def already_taken(name: str, kind: str, catalogue: Mapping[str, Found | PluginError]) -> str | None:
    """Say who has the name already; None where it is free.

    catalogue: the plugins that are installed or dropped in.
    """
    found = catalogue.get(name)
    if found is not None:
        return str(found) if isinstance(found, PluginError) else f"a plugin named '{name}' is there: {found.origin}"
    if name in STEP_NAMES:
        return f"a step named '{name}' is built in"
    if kind == "filters" and name in {*message_filters({}), *JINJA_FILTERS}:
        return f"a filter named '{name}' is built in"
    if importlib.util.find_spec(package_of(name)) is not None:
        return f"a package named '{package_of(name)}' is installed"
    return None


def _is_usable(name: str) -> bool:
    return (
        _NAME.fullmatch(name) is not None
        and len(name) <= LONGEST_NAME
        and not keyword.iskeyword(name)
        and not name.startswith(_PREFIX)
    )
