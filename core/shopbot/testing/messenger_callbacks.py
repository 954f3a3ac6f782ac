"""Deliver Messenger webhooks to the bot: signed over the escaped bytes, retried, batched when they pile up.

Source: https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from shopbot.testing.clock import Clock
from shopbot.testing.webhooks import escape_like_meta, messenger_headers

EchoMode = Literal["never", "once", "twice"]

BATCH_LIMIT = 1000
"""Meta puts at most this many updates into one POST."""

_ANSWER_SECONDS = 5.0
_REMEMBERED = 10_000


@dataclass(frozen=True)
class Delivery:
    """How one webhook POST went.

    mids: the message ids in it. status: of the last answer; None if there was no answer or no webhook URL.
    attempts: how often it was posted; 0 without a webhook URL.
    """

    mids: tuple[str, ...]
    payload: dict[str, Any] = field(repr=False)
    status: int | None
    attempts: int

    @property
    def mid(self) -> str:
        """Give the message id of a delivery that has one."""
        return self.mids[0]

    @property
    def accepted(self) -> bool:
        """Tell whether the bot answered 200, which is the only answer that Meta counts."""
        return self.status == httpx.codes.OK


class WebhookSender:
    """Posts events to *url* and owns every task that does so.

    url: None: nothing is posted.
    attempts: how often an event is posted that is not answered with 200 within 5 seconds.
    retry_delay_seconds: the wait between two attempts; Meta's is not published.
    deliveries: the last ones that ended.
    """

    def __init__(self, *, page_id: str, app_secret: str, url: str | None, clock: Clock) -> None:
        self.url = url
        self.attempts = 3
        self.retry_delay_seconds = 0.2
        self.deliveries: deque[Delivery] = deque(maxlen=_REMEMBERED)
        self._page_id = page_id
        self._app_secret = app_secret
        self._clock = clock
        self._recent: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._later: list[tuple[float, int, dict[str, Any]]] = []
        self._sequence = itertools.count()
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._wake = asyncio.Event()

    def reset_app_secret(self, app_secret: str) -> None:
        """Sign with *app_secret* from now on, what is repeated included."""
        self._app_secret = app_secret

    async def start(self) -> None:
        """Open the connections, and begin to post what was put off."""
        # Not through a proxy of the environment: the bot under test is on this machine.
        self._client = httpx.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False)
        self._own(self._post_later_ones(self._client))

    async def stop(self) -> None:
        """End every delivery that still runs, and close the connections."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def deliver(self, events: Sequence[dict[str, Any]], *, channel: str = "messaging") -> Delivery:
        """Post *events* in one request and give how it went; returns early if the simulator stops.

        channel: `messaging`, or `standby` when another app owns the thread.
        """
        payload = self._payload(events, channel)
        for event in events:
            self._remember(event)
        if self.url is None:
            return Delivery(_mids(events), payload, None, 0)
        if self._client is None:
            raise RuntimeError("webhooks are delivered while the simulator serves: use it inside serve()")
        task = self._own(self._post(self._client, events, payload))
        await asyncio.wait([task])
        return Delivery(_mids(events), payload, None, 0) if task.cancelled() else task.result()

    def deliver_later(self, event: dict[str, Any], delay_seconds: float) -> None:
        """Post *event* after *delay_seconds*, without waiting; together with others that are due then."""
        if self.url is None or self._client is None:
            return
        due = asyncio.get_running_loop().time() + delay_seconds
        heapq.heappush(self._later, (due, next(self._sequence), event))
        self._wake.set()

    def recent_event(self, mid: str) -> dict[str, Any]:
        """Give the event with message id *mid*; raises KeyError if there was none lately."""
        return self._recent[mid]

    def clear(self) -> None:
        """Forget deliveries and events that are not posted yet."""
        self.deliveries.clear()
        self._recent.clear()
        self._later.clear()

    async def handshake(self, verify_token: str, challenge: str) -> httpx.Response:
        """Ask the webhook URL to prove that it knows *verify_token*."""
        if self._client is None or self.url is None:
            raise RuntimeError("the handshake needs a webhook URL, and a simulator that serves")
        query = {"hub.mode": "subscribe", "hub.verify_token": verify_token, "hub.challenge": challenge}
        return await self._client.get(self.url, params=query)

    def _payload(self, events: Sequence[dict[str, Any]], channel: str) -> dict[str, Any]:
        now = int(self._clock() * 1000)
        entries = [{"id": self._page_id, "time": now, channel: [event]} for event in events]
        return {"object": "page", "entry": entries}

    async def _post_later_ones(self, client: httpx.AsyncClient) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            wait = self._later[0][0] - loop.time() if self._later else None
            if wait is None or wait > 0:
                # Not wait_for: before Python 3.12 it can swallow the cancellation that ends this task.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
                continue
            events: list[dict[str, Any]] = []
            while self._later and self._later[0][0] <= loop.time() and len(events) < BATCH_LIMIT:
                events.append(heapq.heappop(self._later)[2])
            await self._post(client, events, self._payload(events, "messaging"))

    async def _post(
        self, client: httpx.AsyncClient, events: Sequence[dict[str, Any]], payload: dict[str, Any]
    ) -> Delivery:
        body = escape_like_meta(payload)
        headers = messenger_headers(body, self._app_secret)
        status: int | None = None
        attempt = 0
        for attempt in range(1, self.attempts + 1):
            if attempt > 1:
                await asyncio.sleep(self.retry_delay_seconds)
            status = await _post_once(client, self.url or "", body, headers)
            if status == httpx.codes.OK:
                break
        delivery = Delivery(_mids(events), payload, status, attempt)
        self.deliveries.append(delivery)
        return delivery

    def _remember(self, event: dict[str, Any]) -> None:
        for mid in _mids([event]):
            self._recent[mid] = event
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)

    def _own(self, work: Any) -> asyncio.Task[Any]:  # noqa: ANN401 - any coroutine
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _post_once(client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> int | None:
    try:
        response = await client.post(url, content=body, headers=headers)
    except (httpx.TransportError, AttributeError):
        # The latter: anyio on uvloop, where a connection is reset while it is being made.
        return None
    return response.status_code


def _mids(events: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    contents = (event.get("message") or event.get("postback") or {} for event in events)
    return tuple(content["mid"] for content in contents if "mid" in content)
