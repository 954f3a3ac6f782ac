"""How an event lies in the store: whole in its entry of the stream until its first attempt ends, then in its hash.

An entry has the event's `id`, its `head` and its `body`; one that brings an event back has its `id` alone.
The head is all of an event but its id and body, in one text with line ends between: what is written as one argument,
and kept as one field, costs the least.
"""

from datetime import UTC, datetime

from shopbot.model.event import Arrival, Event, Source
from shopbot.store.milliseconds import moment_of

_FIELDS = 6


def identified_head(arrival: Arrival) -> bytes:
    """Write an arrival's id and head, with a line end between.

    Raises:
        ValueError: something in it is no text, or has a line end of its own.
    """
    event_id, topic, source, received_ms, _, triggered_at, verified_by = arrival
    # A half of a surrogate pair, which is how HTTP servers give bytes that are no text, is a ValueError here.
    text = f"{event_id}\n{topic}\n{source}\n{received_ms}\n{triggered_at}\n{verified_by}".encode()
    if text.count(b"\n") != _FIELDS - 1:
        raise ValueError("a line end in an event's id, topic, time or verifier")
    return text


def read_event(event_id: str, head: bytes, body: bytes) -> Event:
    """Read an event back. One whose head is lost has no topic, which no rule is for."""
    topic, source, received_ms, triggered_at, verified_by, *_ = [*head.decode().split("\n"), *[""] * _FIELDS]
    return Event(
        id=event_id,
        topic=topic,
        source=Source(source or Source.WEBHOOK),
        received_at=moment_of(received_ms or 0),
        triggered_at=_moment(triggered_at),
        body=body,
        verified_by=verified_by,
    )


def _moment(text: str) -> datetime | None:
    """Read a time as a platform wrote it, UTC where it names no offset; None for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
