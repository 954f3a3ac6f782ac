"""What is known of an order as one line of moments, and the one sentence that sums it up."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shopbot.host.explanation import Explanation, Send, Story
from shopbot.model.event import Source
from shopbot.model.outcome import JournalEntry, Status
from shopbot.model.psid import mask, mask_digits
from shopbot.store.claims import ClaimState
from shopbot.store.milliseconds import moment_of

Level = Literal["good", "note", "quiet", "wait", "bad"]

_LEVELS: dict[Status, Level] = {
    Status.DONE: "good",
    Status.SKIPPED: "note",
    Status.DEFERRED: "wait",
    Status.HELD: "wait",
    Status.FAILED: "bad",
}
_STYLES: dict[Level, str] = {"good": "green", "note": "", "quiet": "dim", "wait": "yellow", "bad": "bold red"}
_BROUGHT_BY = {Source.WEBHOOK: "webhook", Source.POLL: "poll", Source.REPLAY: "replay"}
_WAITS = {
    "retries": "is tried again",
    "held": "waits for its message's echo",
    "parked": "waits for its channel",
    "dead": "is a dead letter",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline."""

    at: datetime
    what: str
    """What kind of moment it is, in a word or two: `arrived`, `2:clear_cart`, `echo`."""
    text: str
    event_id: str
    level: Level


def headline(found: Explanation) -> str:
    """Sum it up in one sentence: what the shopper got, or what stands in the way and what to do."""
    states = {send.claim.state for send in found.sends}
    sent = [send for send in found.sends if send.claim.state is ClaimState.SENT]
    dead = [story for story in found.stories if story.waits and story.waits.place == "dead"]
    if dead:
        story = dead[-1]
        return (
            f"given up: {story.record.reason}; see `shopbot dead show {story.event_id}`, and `shopbot dead replay` once"
            " the cause is gone"
        )
    if ClaimState.IN_DOUBT in states:
        return "a message is in doubt: it may have reached the shopper; its echo, or its deadline, settles that"
    if sent:
        first = min(sent, key=lambda send: send.claim.at)
        count = "one message" if len(sent) == 1 else f"{len(sent)} messages"
        return f"{count} sent, the first at {_time(first.claim.at)}"
    waiting = [story for story in found.stories if story.waits]
    if waiting:
        story = waiting[-1]
        return f"nothing sent yet: {story.record.reason or story.record.topic} {_waits(story)}"
    if any(not story.record.status for story in found.stories):
        return "nothing sent yet: an event of it has not been worked on"
    reasons = [story.record.reason for story in found.stories if story.record.reason]
    return f"nothing sent: {reasons[-1]}" if reasons else "nothing sent"


def moments(found: Explanation) -> Sequence[Moment]:
    """Give all moments in their order."""
    every = [
        *(moment for story in found.stories for moment in _of_story(story)),
        *(moment for send in found.sends for moment in _of_send(send, found)),
    ]
    return sorted(every, key=lambda moment: moment.at)


def print_timeline(console: Console, found: Explanation) -> None:
    """Print it for people; times are in UTC."""
    console.print(_title(found), style="bold")
    console.print(headline(found), highlight=False)
    for order in found.orders:
        console.print(f"  order {order.number}  {order.status}  (shopbot explain {order.order_id})", highlight=False)
    _print_days(console, moments(found))
    for story in found.stories:
        if story.waits is not None:
            console.print(f"\n{story.event_id} {_waits(story)}", style="yellow", highlight=False)


def print_journal(console: Console, event_id: str, journal: Sequence[JournalEntry]) -> None:
    """Print an event's journal for people; times are in UTC."""
    _print_days(console, _of_journal(event_id, journal))


def _print_days(console: Console, every: Iterable[Moment]) -> None:
    for day, group in groupby(every, key=lambda moment: moment.at.astimezone(UTC).date()):
        console.print(f"\n{day.isoformat()} UTC", style="bold", highlight=False)
        _print_moments(console, group)


def _print_moments(console: Console, every: Iterable[Moment]) -> None:
    # Narrow, so that an event's id fits into a line of 80 columns behind the longest step.
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for moment in every:
        style = _STYLES[moment.level]
        table.add_row(_clock(moment.at), Text(moment.what, style=style), Text(moment.text, style=style))
    console.print(table)


def _title(found: Explanation) -> str:
    shopper = f"shopper {mask(found.psid)}" if found.psid else "no shopper known"
    if found.standing.opted_out:
        shopper += ", who wants no messages"
    if found.order_id is None:
        return shopper
    reference = found.reference
    name = f"order {reference.number} ({found.order_id})" if reference else f"order {found.order_id}"
    state = f", {reference.financial_status}, {reference.status}" if reference else ""
    return f"{name}{state}, {shopper}"


def _of_story(story: Story) -> Iterator[Moment]:
    record = story.record
    arrived = moment_of(record.received_ms)
    by = f"by {_BROUGHT_BY[record.source]}"
    verified = f", vouched for by {record.verified_by}" if record.verified_by else ""
    times = "once" if record.duplicates == 1 else f"{record.duplicates} times"
    again = f"; the same arrived {times} more" if record.duplicates else ""
    yield Moment(arrived, "arrived", f"{record.topic} {by}{verified}{again}: {story.event_id}", story.event_id, "note")
    if story.elsewhere:
        names = ", ".join(story.elsewhere)
        yield Moment(arrived, "not for", f"{names}: they listen to other topics", story.event_id, "quiet")
    yield from _of_journal(story.event_id, record.journal)


def _of_journal(event_id: str, journal: Sequence[JournalEntry]) -> Iterator[Moment]:
    told: set[str] = set()
    for entry in journal:
        # What is in the way of one step is mostly in the way of those behind it, too: its code is enough there.
        repeated = entry.reason is not None and entry.detail in told
        said = entry.model_copy(update={"detail": ""}) if repeated else entry
        told.add(entry.detail)
        yield Moment(entry.at, _what(entry), _line(said), event_id, _level(entry))


def _what(entry: JournalEntry) -> str:
    return entry.step or ("rule" if entry.rule else "event")


def _level(entry: JournalEntry) -> Level:
    # A resolver that passes, or a rule that ends as its steps did, is no news.
    passed = entry.status is Status.SKIPPED and bool(entry.plugin)
    return "quiet" if passed or (not entry.step and entry.status is Status.DONE) else _LEVELS[entry.status]


def _line(entry: JournalEntry) -> str:
    parts = [entry.status.value if entry.reason is None else f"{entry.status.value} {entry.reason.value}"]
    if entry.rule and not entry.step:
        parts.insert(0, entry.rule)
    if entry.detail:
        parts.append(mask_digits(entry.detail))
    where = " ".join(part for part in (entry.plugin, f"try {entry.attempt}" if entry.attempt > 1 else "") if part)
    took = f"{entry.milliseconds:.1f} ms" if entry.milliseconds else ""
    tail = ", ".join(part for part in (where, took) if part)
    return ": ".join(parts) + (f" ({tail})" if tail else "")


def _of_send(send: Send, found: Explanation) -> Iterator[Moment]:
    claim = send.claim
    message = f"{send.rule}'s message"
    yield Moment(claim.claimed_at, "claimed", f"{message} for {send.subject}", claim.event_id, "quiet")
    if claim.state is ClaimState.SENT:
        yield Moment(claim.at, "sent", f"{message} is {claim.message_id}", claim.event_id, "good")
    elif claim.state is ClaimState.IN_DOUBT:
        yield Moment(claim.at, "in doubt", f"{message} may or may not have been carried", claim.event_id, "wait")
    if claim.echoed_at is not None:
        yield Moment(claim.echoed_at, "echo", f"Messenger says that it carried {message}", claim.event_id, "good")
    # Watermarks: everything up to that time. Never before our own call, whatever the two clocks say.
    for what, up_to in (("delivered", found.receipts.delivered_up_to), ("read", found.receipts.read_up_to)):
        if claim.state is ClaimState.SENT and up_to is not None and up_to >= claim.claimed_at:
            text = f"{message} {'has reached the shopper' if what == 'delivered' else 'was read'}, by this time"
            yield Moment(max(up_to, claim.at), what, text, claim.event_id, "good")


def _waits(story: Story) -> str:
    if story.waits is None:
        return ""
    until = f" until {_time(story.waits.until)}" if story.waits.until and story.waits.place == "held" else ""
    at = f" at {_time(story.waits.until)}" if story.waits.until and story.waits.place == "retries" else ""
    return f"{_WAITS[story.waits.place]}{until}{at}"


def _time(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else ""


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]
