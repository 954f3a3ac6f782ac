"""Points in time as people give them on the command line."""

import re
from datetime import UTC, datetime, timedelta

import typer

from shopbot.config.duration import parse_duration

_ISO_DURATION = re.compile(r"P(?=.)(\d{1,6}W)?(\d{1,6}D)?(?:T(?=.)(\d{1,6}H)?(\d{1,6}M)?(\d{1,6}S)?)?")
_ISO_UNITS = ("weeks", "days", "hours", "minutes", "seconds")


def past_moment(text: str, now: datetime, *, option: str) -> datetime:
    """Read how long ago (`2h`, `1h30m`, `PT2H`, `P3D`) or when (`2026-11-20`, `2026-11-20T10:00Z`; UTC unless it says).

    Raises:
        typer.BadParameter: it is none of these, or not in the past.
    """
    try:
        moment = now - _duration(text)
    except (ValueError, OverflowError):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise typer.BadParameter(
                "give a duration such as 2h, 3d or PT2H, or a time such as 2026-11-20T10:00Z", param_hint=option
            ) from error
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment >= now:
        raise typer.BadParameter("this is not in the past", param_hint=option)
    return moment.astimezone(UTC)


def _duration(text: str) -> timedelta:
    match = _ISO_DURATION.fullmatch(text.upper())
    if match is None:
        return parse_duration(text)
    counts = [int(group[:-1]) if group else 0 for group in match.groups()]
    return timedelta(**dict(zip(_ISO_UNITS, counts, strict=True)))
