"""Reads an event's journal back from the store."""

from collections.abc import Iterable

import structlog
from pydantic import ValidationError

from shopbot.model.outcome import JournalEntry


def read_journal(event_id: str, lines: Iterable[bytes]) -> tuple[JournalEntry, ...]:
    """Give the lines of an event's journal, oldest first.

    A line that cannot be read is left out and logged: after a step back to an older release the journal may hold what
    that release has never heard of. A step whose line is lost is run again, which every step must bear.
    """
    entries: list[JournalEntry] = []
    for line in lines:
        try:
            entries.append(JournalEntry.model_validate_json(line))
        except ValidationError as error:
            places = sorted({".".join(map(str, detail["loc"])) for detail in error.errors()})
            structlog.get_logger("shopbot.store").warning("journal_line_unreadable", event_id=event_id, fields=places)
    return tuple(entries)
