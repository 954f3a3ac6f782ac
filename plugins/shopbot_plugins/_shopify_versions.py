"""When versions of Shopify's APIs end.

A version comes out on the first day of the quarter that it is named after, and is supported for twelve months at least;
after that the oldest one that is left answers in its place. https://shopify.dev/docs/api/usage/versioning (read on
2026-11-23)
"""

import re
from datetime import date, timedelta

from shopbot.plugin import Finding

_NAMED = re.compile(r"(20[0-9]{2})-(01|04|07|10)")
_WARN = timedelta(days=60)
_LATER = (
    "Shopify then answers with the oldest version that is left: fields that have changed there break polls or messages"
)


def ends_on(version: str) -> date | None:
    """Give the day from which a version is not supported any more; None for `unstable`, which has none."""
    named = _NAMED.fullmatch(version)
    return date(int(named[1]) + 1, int(named[2]), 1) if named else None


def version_finding(what: str, version: str, today: date, served: str | None = None) -> Finding:
    """Judge a version.

    what: whose it is: "the Admin API".
    served: the version that has answered; None where that is not known.
    """
    end = ends_on(version)
    to_do = "set `api_version` to a newer one, and read its release notes on shopify.dev"
    if end is None:
        return Finding.warning(
            f"{what} is asked in its version {version}",
            meaning="it changes from one day to the next, without notice",
            to_do="set `api_version` to a stable one",
        )
    other = served is not None and served != version
    if today >= end or other:
        ended = f"has ended on {end.isoformat()}" if today >= end else "is not served"
        return Finding.problem(
            f"version {version} of {what} {ended}{f', and {served} has answered' if other else ''}",
            meaning=_LATER.replace("then ", ""),
            to_do=to_do,
        )
    if end - today <= _WARN:
        return Finding.warning(
            f"version {version} of {what} ends on {end.isoformat()}, {(end - today).days} days from now",
            meaning=_LATER,
            to_do=to_do,
        )
    return Finding.ok(f"version {version} of {what} is good until {end.isoformat()}")
