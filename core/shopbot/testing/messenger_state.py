"""What the Messenger simulator remembers: calls, what shoppers saw, and when they were last active."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from shopbot.testing.clock import Clock
from shopbot.testing.graph_errors import NO_SUCH_PERSON, PERSON_UNAVAILABLE, GraphRefusal

WindowPolicy = Literal["open", "closed"]
Outcome = Literal["accepted", "unanswered", "rejected", "fault", "abandoned"]

WINDOW_SECONDS = 24 * 3600
HUMAN_AGENT_SECONDS = 7 * 24 * 3600

# Secrets that may travel in the body; they are not part of the message and must not reach a report.
_SECRET_KEYS = ("access_token", "appsecret_proof")


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that Meta accepted, which is what the shopper sees.

    psid: whom it reached; for other kinds of recipient the user_ref, comment or post id.
    text: what the shopper reads; of a utility template its header and body, filled in; "" if there is none.
    template: `message.template` as it was sent; None for other messages.
    at: seconds since 1970 UTC, by the simulator's clock.
    body: the request's bytes.
    """

    psid: str
    text: str
    messaging_type: str
    template: dict[str, Any] | None
    metadata: str | None
    message_id: str
    at: float
    body: bytes

    @property
    def raw(self) -> dict[str, Any]:
        """Give the JSON that was sent, without any token in it."""
        return readable(self.body)

    @property
    def quick_replies(self) -> list[tuple[str, str]]:
        """Give the title and the payload of each quick reply below it; hand a payload to `tap` to tap it."""
        replies = self.raw.get("message", {}).get("quick_replies", [])
        return [(reply["title"], reply["payload"]) for reply in replies if reply["content_type"] == "text"]

    def as_json(self) -> dict[str, Any]:
        """Give what `GET /_simulator/sent` shows."""
        return _without_body(self) | {"raw": self.raw}


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One call to `/messages`, however it ended.

    outcome: accepted (and answered so), unanswered (delivered, but the caller was not told), rejected (by
        Meta's rules), fault (an injected one, nothing delivered), abandoned (the caller left during a hang,
        nothing delivered).
    psid: None if the body had no readable recipient.
    status: of the answer; None if there was none.
    code, subcode: of the Graph error; None if there was none.
    fault: the kind of the injected fault; None if there was none.
    message_id: of the message that was delivered; None for sender actions and where none was.
    """

    at: float
    path: str
    psid: str | None
    outcome: Outcome
    status: int | None
    code: int | None
    subcode: int | None
    fault: str | None
    message_id: str | None
    body: bytes

    @property
    def raw(self) -> dict[str, Any]:
        """Give the JSON that was sent, without any token in it; {} if it was not a JSON object."""
        return readable(self.body)

    def as_json(self) -> dict[str, Any]:
        """Give what `GET /_simulator/requests` shows."""
        return _without_body(self) | {"raw": self.raw}


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a quota is used, in percent, as the usage headers tell it."""

    call_count: int
    total_cputime: int = 0
    total_time: int = 0

    def fields(self) -> dict[str, int]:
        """Give the fields by Meta's names."""
        return asdict(self)


class Log:
    """The last *keep* requests and messages, and how many there were in all."""

    def __init__(self, keep: int) -> None:
        self.sent: deque[SentMessage] = deque(maxlen=keep)
        self.requests: deque[ReceivedRequest] = deque(maxlen=keep)
        self.sent_count = 0
        self.request_count = 0
        self._arrived = asyncio.Event()

    def add_sent(self, message: SentMessage) -> None:
        """Remember a message that was delivered, and wake those who wait for one."""
        self.sent.append(message)
        self.sent_count += 1
        self._arrived.set()

    def add_request(self, request: ReceivedRequest) -> None:
        """Remember a request that is finished, and wake those who wait for one."""
        self.requests.append(request)
        self.request_count += 1
        self._arrived.set()

    async def next_arrival(self) -> None:
        """Wait until another message is delivered or another request is finished."""
        self._arrived.clear()
        await self._arrived.wait()

    def clear(self) -> None:
        """Forget everything, the counts too."""
        self.sent.clear()
        self.requests.clear()
        self.sent_count = self.request_count = 0


class People:
    """The shoppers, as far as the Page knows them.

    known_psids: who has a conversation with the Page; None: everybody.
    window: whether someone of whom no activity was recorded counts as active within the last 24 hours.
    """

    def __init__(self, clock: Clock, known_psids: Iterable[str] | None, window: WindowPolicy) -> None:
        self._clock = clock
        self._known = None if known_psids is None else set(known_psids)
        self._last_activity: dict[str, float] = {}
        self.blocked: set[str] = set()
        self.window: WindowPolicy = window

    def check(self, psid: str) -> None:
        """Raise GraphRefusal if *psid* cannot be reached: unknown to this Page, or blocking it."""
        if self._known is not None and psid not in self._known:
            raise GraphRefusal(NO_SUCH_PERSON)
        if psid in self.blocked:
            raise GraphRefusal(PERSON_UNAVAILABLE)

    def acted(self, psid: str, at: float | None = None) -> None:
        """Record that *psid* did something that opens the window; *at* None means now."""
        self._last_activity[psid] = self._clock() if at is None else at
        if self._known is not None:
            self._known.add(psid)

    def last_activity(self, psid: str) -> float | None:
        """Give when *psid* last opened the window, in seconds since 1970 UTC; None if never."""
        return self._last_activity.get(psid)

    def is_active(self, psid: str, within_seconds: float) -> bool:
        """Tell whether *psid* opened the window less than *within_seconds* ago."""
        last = self._last_activity.get(psid)
        if last is None:
            return self.window == "open"
        return self._clock() - last < within_seconds

    def clear(self) -> None:
        """Forget all activity and all blocks."""
        self._last_activity.clear()
        self.blocked.clear()


def readable(body: bytes) -> dict[str, Any]:
    """Parse *body* and leave secrets out; {} if it is not a JSON object."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(value, dict):
        return {}
    return {key: item for key, item in value.items() if key not in _SECRET_KEYS}


def _without_body(record: SentMessage | ReceivedRequest) -> dict[str, Any]:
    return {key: value for key, value in asdict(record).items() if key != "body"}
