"""How much of Meta's quotas is used, as the headers of its answers tell.

https://developers.facebook.com/docs/graph-api/overview/rate-limiting/ and
https://developers.facebook.com/documentation/business-messaging/messenger-platform/overview/rate-limiting
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_PERCENTAGES = ("call_count", "total_cputime", "total_time")


@dataclass(frozen=True, slots=True)
class Usage:
    """The fullest quota, and when a limit that was hit will be over."""

    percent: float | None
    """Of the fullest quota that the headers tell of; 100 and more means throttled. None where they tell of none."""
    regain_access_seconds: float | None
    """The longest `estimated_time_to_regain_access`; None where no limit was hit."""

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> "Usage":
        """Read `X-App-Usage` and `X-Business-Use-Case-Usage`; what cannot be read counts as missing."""
        percent: list[float] = []
        minutes: list[float] = []
        for quota in _quotas(headers):
            percent += [float(quota[name]) for name in _PERCENTAGES if _is_number(quota.get(name))]
            if _is_number(quota.get("estimated_time_to_regain_access")):
                minutes.append(float(quota["estimated_time_to_regain_access"]))
        regain_minutes = max(minutes, default=0.0)
        return cls(
            percent=max(percent, default=None),
            regain_access_seconds=regain_minutes * 60 if regain_minutes > 0 else None,
        )


def _quotas(headers: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    yield _mapping(headers.get("X-App-Usage"))
    for entries in _mapping(headers.get("X-Business-Use-Case-Usage")).values():
        if isinstance(entries, list):
            yield from (entry for entry in entries if isinstance(entry, Mapping))


def _mapping(header: str | None) -> Mapping[str, Any]:
    if not header:
        return {}
    try:
        value = json.loads(header)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9  # noqa: PLR2004 - no NaN
