"""When versions of the Graph API end.

https://developers.facebook.com/docs/graph-api/changelog (read on 2026-11-05). A version that has ended is answered by
the oldest one that is left: https://developers.facebook.com/docs/graph-api/guides/versioning
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta

from shopbot.plugin import Finding

READ_ON = date(2026, 11, 5)
ENDS: Mapping[str, date | None] = {
    "v20.0": date(2026, 9, 24),
    "v21.0": date(2027, 1, 21),
    "v22.0": date(2027, 5, 20),
    "v23.0": date(2027, 10, 8),
    "v24.0": date(2028, 2, 18),
    "v25.0": date(2028, 7, 29),
    "v26.0": None,
}
"""The day until which each can be used; None is not announced yet. Older ones have ended."""

_VERSION = re.compile(r"/(v[0-9]+\.[0-9]+)$")
_WARN = timedelta(days=60)
_TO_DO = "write a newer version at the end of api_url (https://graph.facebook.com/v26.0), after a look at its changes"


def version_of(api_url: str) -> str | None:
    """Find the version at the end of an address; None where it names none."""
    found = _VERSION.search(api_url)
    return found[1] if found else None


def version_finding(version: str, today: date, served: str | None) -> Finding:
    """Judge a version.

    served: the version that has answered; None where the answer does not tell.
    """
    end = ENDS.get(version)
    older = version not in ENDS and _number(version) < min(map(_number, ENDS))
    over = older or (end is not None and today > end)
    other = served is not None and served != version
    if over or other:
        when = f" on {end.isoformat()}" if end is not None else ""
        ended = f"has ended{when}" if over else "is not served"
        return Finding.problem(
            f"version {version} of the Graph API {ended}{f', and {served} has answered' if other else ''}",
            meaning="Meta answers with the oldest version that is left, and may refuse sends for what changed there",
            to_do=_TO_DO,
        )
    if end is None:
        return Finding.ok(f"version {version} of the Graph API has no end announced (as of {READ_ON.isoformat()})")
    if end - today <= _WARN:
        return Finding.warning(
            f"version {version} of the Graph API ends on {end.isoformat()}, {(end - today).days} days from now",
            meaning="Meta then answers with the oldest version that is left",
            to_do=_TO_DO,
        )
    return Finding.ok(f"version {version} of the Graph API is good until {end.isoformat()}")


def _number(version: str) -> float:
    return float(version.removeprefix("v"))
