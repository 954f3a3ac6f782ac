"""One check: a stream of findings that has an end, whatever happens in it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from shopbot.doctor.report import Entry
from shopbot.host.log_masks import masked
from shopbot.model.finding import Finding

LIMIT_SECONDS = 60.0
"""For one check as a whole: the time limit of each of its calls is shorter."""


async def collect(
    area: str, findings: AsyncGenerator[Finding, None], *, limit_seconds: float = LIMIT_SECONDS
) -> Sequence[Entry]:
    """Go through a check; one that fails or takes too long is a problem itself, and keeps what it had found.

    area: where findings belong that name no area.
    """
    entries: list[Entry] = []
    limit = asyncio.timeout(limit_seconds)
    try:
        async with limit, aclosing(findings):
            async for finding in findings:
                entries.append(Entry(finding.area or area, finding))  # noqa: PERF401 - what came before a fault counts
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the other checks go on
        late = limit.expired()
        what = f"no end within {limit_seconds:g} s" if late else masked(f"{type(error).__name__}: {error}")
        entries.append(Entry(area, _broken(what)))
    return entries


def _broken(what: str) -> Finding:
    return Finding.problem(
        f"this could not be examined: {what}",
        meaning="how things stand here is not known",
        to_do="run doctor again; if it stays, look at the host's log, and tell whoever wrote the plugin",
    )
